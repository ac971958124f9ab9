"""What a program printed against what was expected."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from rlvr.core.errors import OptionError
from rlvr.verifiers.code.compare import OutputComparison

EQUAL: list[tuple[Any, bytes, bytes]] = [
    ("tokens", b"1 2\n3", b"1\n2   3\r\n\n"),
    ("tokens", b"", b" \n"),
    ("tokens", "é".encode(), "é".encode()),
    ("tokens", b"\xff\x00", b"\xff\x00\n"),
    ("lines", b"a b \nc\t\r\n\n\n", b"a b\nc"),
    ("lines", b" \n", b""),
    ("exact", b"a\n", b"a\n"),
    ({"absolute": 1e-6}, b"1.000001", b"1"),
    ({"absolute": 1e-6}, b"-0", b"0.000000"),
    ({"absolute": 0.5}, b"x 1.5e0 y", b"x 1 y"),
    ({"relative": 1e-6}, b"1000001", b"1e6"),
    ({"relative": 1e-6}, b"1e999999999", b"1.0000001e999999999"),
    ({"absolute": 1, "relative": 0.1}, b"0 110", b"1 100"),
    ({"absolute": 0}, b"1", b"1"),
    ({"absolute": 1e-9}, b"nan inf", b"nan inf"),
    ({"absolute": 1e-9}, b".5 5.", b"0.5 5"),
]
UNEQUAL: list[tuple[Any, bytes, bytes, str]] = [
    ("tokens", b"1 2", b"1 3", "token 2 is '2', not '3'"),
    ("tokens", b"1", b"1 3", "token 2 is missing: '3' is expected"),
    ("tokens", b"1 2 3", b"1", "token 2 is one too many: '2 3'"),
    ("tokens", b"", b"1", "token 1 is missing: '1' is expected"),
    ("tokens", b"1.0", b"1", "token 1 is '1.0', not '1'"),
    ("tokens", b"YES", b"yes", "token 1 is 'YES', not 'yes'"),
    ("tokens", b"a\xc2\xa0b", b"a b", "token 1 is 'a\\xa0b', not 'a'"),
    ("tokens", b"\xff", b"\xfe", "token 1 is '\\\\xff', not '\\\\xfe'"),
    ("lines", b"a\n b", b"a\nb", "line 2 is ' b', not 'b'"),
    ("lines", b"\na", b"a", "line 1 is '', not 'a'"),
    ("lines", b"a\nb\nc", b"a\nb", "line 3 is one too many: 'c'"),
    ("exact", b"a", b"a\n", "byte 2 (line 1) begins '', not '\\n'"),
    ("exact", b"a\nbc\n", b"a\nbd\n", "byte 4 (line 2) begins 'c\\n', not 'd\\n'"),
    ({"absolute": 1e-6}, b"1.0000011", b"1", "token 1 is '1.0000011', not '1'"),
    ({"absolute": 0.5}, b"9007199254740993", b"9007199254740992", "token 1"),  # equal as doubles
    ({"relative": 1e-6}, b"0.000001", b"0", "token 1"),
    ({"relative": 1e-6}, b"1e999999999", b"1e999999998", "token 1"),
    ({"absolute": 1e300}, b"nan", b"1", "token 1"),
    ({"absolute": 1e300}, b"inf", b"1", "token 1"),
    ({"absolute": 1e300}, b"1", b"nan", "token 1"),
    ({"absolute": 1e300}, b"1e400", b"inf", "token 1"),
    ({"absolute": 100}, b"1_000", b"1000", "token 1"),
    ({"absolute": 100}, b"0x10", b"16", "token 1"),
    ({"absolute": 100}, "١".encode(), b"1", "token 1"),
    ({"absolute": 100}, b"1e99999999999999999999", b"1", "token 1"),
    ({"absolute": 100}, b"1,5", b"1.5", "token 1"),
    ({"absolute": 100}, b"--1 e5 .", b"1 1 1", "token 1"),
    ({"absolute": 100}, b"yes", b"1", "token 1"),
]


@pytest.mark.parametrize(("how", "got", "expected"), EQUAL)
def test_equal(how: Any, got: bytes, expected: bytes) -> None:
    assert OutputComparison.of(how).difference(got, expected) == ""


@pytest.mark.parametrize(("how", "got", "expected", "says"), UNEQUAL)
def test_unequal_says_where(how: Any, got: bytes, expected: bytes, says: str) -> None:
    assert says in OutputComparison.of(how).difference(got, expected)


def test_by_default_tokens_are_compared() -> None:
    assert OutputComparison() == OutputComparison.of("tokens")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("token", "not 'token'"),
        (None, "not None"),
        ({}, "not {}"),
        ({"abs": 1}, "not {'abs': 1}"),
        ({"absolute": -1}, "absolute is a number, at least 0, not -1"),
        ({"relative": float("nan")}, "relative is a number"),
        ({"relative": float("inf")}, "relative is a number"),
        ({"relative": "1e-6"}, "relative is a number"),
        ({"absolute": True}, "absolute is a number"),
        (["tokens"], "not ['tokens']"),
    ],
)
def test_what_is_no_comparison(how: Any, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        OutputComparison.of(how)
    assert says in str(raised.value)


def test_tolerance_is_exact_at_its_edge() -> None:
    """Against fractions: |got - gold| <= max(a, r·|gold|)."""
    rng = random.Random(1)
    edges = 0
    for _ in range(3000):
        gold = Fraction(rng.randrange(-10_000, 10_000), 1000)
        off = rng.choice([-1, 1]) * rng.choice([99, 100, 101]) * max(Fraction(1), abs(gold)) / 10**4
        got = gold + off
        as_text = [f"{int(x * 10**9)}e-9".encode() for x in (got, gold)]
        assert all(
            Fraction(text.decode()) == x for text, x in zip(as_text, (got, gold), strict=True)
        )
        within = abs(got - gold) <= max(Fraction(1, 100), abs(gold) / 100)
        found = OutputComparison.of({"absolute": 0.01, "relative": 0.01}).difference(*as_text)
        assert (found == "") == within
        edges += abs(got - gold) == max(Fraction(1, 100), abs(gold) / 100)
    assert edges > 100


MEGABYTE = 1_000_000


@pytest.mark.parametrize("how", ["tokens", "lines", "exact", {"absolute": 1e-6, "relative": 1e-6}])
def test_huge_outputs(how: Any) -> None:
    comparison = OutputComparison.of(how)
    huge = [
        b"9" * MEGABYTE,
        b"9" * (MEGABYTE - 1) + b"8",
        b"1e" + b"9" * MEGABYTE,
        b"1 " * MEGABYTE,
        b"\n" * MEGABYTE + b"1",
        b"1\n" * MEGABYTE + b"2",
        b"\x00" * MEGABYTE,
        b"0." + b"0" * MEGABYTE + b"1",
        b"." * MEGABYTE,
    ]
    for got in huge:
        for expected in [*huge, b"1", b""]:
            said = comparison.difference(got, expected)
            assert (said == "") == (got == expected) or (
                how != "exact" and got.split() == expected.split()
            )
            assert len(said) < 700
