"""Equality decided on the difference: residues, digits that follow the size, conventions, bound variables."""

from math import comb, factorial

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import rlvr
from rlvr.verifiers.math import exact
from rlvr.verifiers.math.agreement import agree
from rlvr.verifiers.math.answer import readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.tree import symbols


def tree(text: str):
    return readings(clean(text))[0].tree


def equal(gold: str, answer: str) -> bool | None:
    return exact.equal(tree(gold), tree(answer), None)


def test_the_moduli_are_primes_one_within_the_other() -> None:
    for prime in exact._PRIMES:
        modulus, *orders = exact._moduli(prime)
        assert sympy.isprime(modulus)
        assert orders[0] == modulus - 1 == 2 * ((modulus - 1) // 2)
        for order, outer in zip(orders[1:], orders, strict=False):
            assert sympy.isprime(outer // 2)
            assert order == sympy.reduced_totient(outer)


@given(st.integers(0, 40), st.integers(2, 30), st.integers(1, 40), st.sampled_from([-1, 0, 1]))
@settings(max_examples=200, deadline=None)
def test_residues_agree_with_integers(n: int, base: int, power: int, shift: int) -> None:
    k = n // 3
    value = factorial(n) + base**power - comb(n, k)
    text = f"{n}! + {base}^{{{power}}} - \\binom{{{n}}}{{{k}}}"
    assert equal(str(value + shift), text) is (shift == 0)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_towers_are_reduced_by_their_exponents(a: int, b: int, c: int) -> None:
    """b^(c^7) has up to a million bits, and is an exponent here."""
    tower = f"{a}^{{{b}^{{{c}^7}}}}"
    assert equal(tower, f"{a} \\cdot {a}^{{{b}^{{{c}^7}}-1}}") in (True, None)
    assert equal(tower, f"{tower}+1") is False
    assert agree(tree(tower), tree(f"{tower}+1")) is False


@given(st.integers(1, 12), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 1))
@settings(max_examples=100, deadline=None)
def test_polynomials_are_compared_at_random_residues(n: int, a: int, b: int, shift: int) -> None:
    expanded = "+".join(f"({comb(n, k) * a**k * b ** (n - k)})x^{{{k}}}" for k in range(n + 1))
    assert equal(f"(({a})x+({b}))^{{{n}}}", f"{expanded}+{shift}y") is (shift == 0)


def test_what_is_not_rational_is_left_to_other_means() -> None:
    for text in ("\\sqrt{2}", "2^{x}", "\\pi", "(-5)!", "(10^{100})!", "1/(2-2)", "x^{10^{13}}"):
        assert equal(text, "1") is None, text


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("\\sum_{k=1}^n k^2", "\\sum_{i=1}^n i^2"),
        ("\\sum_{i=1}^n\\sum_{j=1}^i ij", "\\sum_{k=1}^n\\sum_{l=1}^k kl"),
        ("\\int_0^1 x^2\\,dx", "\\int_0^1 t^2 \\mathrm{d}t"),
        ("\\int_0^1 \\frac{dx}{1+x}", "\\int_0^1 \\frac{dt}{1+t}"),
        ("\\lim_{x\\to 0} \\frac{\\sin x}{x}", "\\lim_{h \\to 0} \\frac{\\sin h}{h}"),
        ("\\sum_{k=1}^n a_k x^k", "\\sum_{j=1}^n a_j x^j"),
        ("\\prod_{1\\le k\\le n} k", "\\prod_{k=1}^{n} k"),
    ],
)
def test_bound_variables_have_no_name(gold: str, answer: str) -> None:
    assert tree(gold) == tree(answer)
    assert not symbols(tree(gold)) & {"k", "i", "j", "t", "h", "l"}


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("\\sum_{k=1}^n kx", "\\sum_{x=1}^n kx"),
        ("\\sum_{i=1}^n\\sum_{j=1}^n ij", "\\sum_{i=1}^n\\sum_{j=1}^n i^2"),
        ("\\int_0^1 xy\\,dx", "\\int_0^1 xy\\,dy"),
        ("\\sum_{k=1}^n a_k", "\\sum_{k=1}^n b_k"),
        ("\\sum_{k=1}^n a_k", "\\sum_{k=2}^{n+1} a_k"),
    ],
)
def test_other_variables_are_others(gold: str, answer: str) -> None:
    assert tree(gold) != tree(answer)
    assert agree(tree(gold), tree(answer)) is not True


OPTIONS = [{}, {"tolerance": 0.01}, {"rounded": True}, {"unevaluated": True, "tolerance": 0.01}]
NEVER_A_FAULT = [
    "\\max(i,\\sqrt2)",
    "\\min(\\sqrt2, i, x)",
    "\\lfloor i \\rfloor",
    "(10^{100})!",
    "((1000)(i))!!",
    "(2.5)!!",
    "\\sum_{k=1}^\\infty k",
    "\\sum_{k=1}^{i} k",
    "\\int_0^1 \\frac{1}{x}dx",
    "\\int_0^{10^9} e^{e^x} dx",
    "\\sin(10^{10^{10}})",
    "e^{e^{e^{e^{e}}}}",
    "\\binom{\\pi}{10^{100}}",
    "\\gcd(\\pi, 2)",
    "\\overline{\\max(i, 1)}",
    "C_{10^{100}}^{50}",
    "{}_{i}P_{\\pi}",
    "\\operatorname{sgn}(\\frac{1}{0})",
    "\\coth^{-1} 1",
]


@pytest.mark.parametrize("answer", NEVER_A_FAULT)
def test_no_value_is_a_wrong_answer_whatever_the_options(answer: str) -> None:
    for options in OPTIONS:
        for gold in ("1.41", "x!"):
            (verdict,) = rlvr.score(
                [rlvr.Task("", gold)], [f"\\boxed{{{answer}}}"], rlvr.Math(**options)
            )
            assert isinstance(verdict, rlvr.Scored), (answer, options)
            assert verdict.reward == 0.0


@pytest.mark.parametrize(
    "gold",
    ["\\sum_{n=1}^\\infty \\frac1n", "\\sum_{k=0}^{2024}\\binom{2024}{k}", "\\int_0^1 \\frac{dx}{x}", "9^{9^{9^9}}", "(\\pi^{50})!"],
)  # fmt: skip
def test_a_gold_that_is_not_worked_out_is_still_a_gold(gold: str) -> None:
    (right, wrong) = rlvr.score(
        [rlvr.Task("", gold)] * 2, [f"\\boxed{{{gold}}}", f"\\boxed{{{gold}+1}}"], rlvr.Math()
    )
    assert (float(right), float(wrong)) == (1.0, 0.0)


def test_a_sum_is_not_the_answer_where_none_is_asked_for() -> None:
    task = rlvr.Task("", "\\frac{\\pi^2}{6}")
    answer = "\\boxed{\\sum_{n=1}^\\infty \\frac{1}{n^2}}"
    (refused,) = rlvr.score([task], [answer], rlvr.Math())
    assert "not worked out" in refused.feedback
    (paid,) = rlvr.score([task], [answer], rlvr.Math(unevaluated=True))
    assert float(paid) == 1.0
    (equation,) = rlvr.score([task], [answer[:-1] + " = \\frac{\\pi^2}{6}}"], rlvr.Math())
    assert float(equation) == 1.0
