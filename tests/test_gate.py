"""The gate tries failed tests once more, alone, and says which of them are flaky."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from tests.tiers import spread
from tools import gate
from tools.gate import Case, Gate, Part, durations

TESTS = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(4))
def test_right(number): pass

def test_flaky():
    seen = pathlib.Path("seen")
    seen.write_text(seen.read_text() + "x" if seen.exists() else "x")
    assert len(seen.read_text()) > 1
    assert "PYTEST_XDIST_WORKER" not in os.environ  # alone
"""


def run(
    folder: Path, tests: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> tuple[Gate, list[str], str]:
    """Run a gate of one part on a file of tests: the gate, what it calls flaky, what it printed."""
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    tried = Gate()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist"]
    spread = ("-n", "1") if "flaky" in tests else ()
    tried.lane([Part("it", command, (*spread, "test_it.py"))], aloud=False).join()
    flaky = tried.retry()
    return tried, flaky, capfdbinary.readouterr().out.decode()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "ROOT", tmp_path)
    monkeypatch.setattr(gate, "CACHE", tmp_path / "cache")
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):  # this run's own
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # importing Hypothesis takes seconds


def test_a_test_that_passes_alone_is_flaky_and_breaks_nothing(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    tried, flaky, printed = run(tmp_path, TESTS, capfdbinary)
    assert (tried.broken, flaky) == ([], ["test_it.py::test_flaky"])
    assert "it, once more and alone: test_it.py::test_flaky" in printed


def test_a_test_that_fails_twice_breaks_the_gate(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    tests = TESTS + "\ndef test_wrong(): assert 1 == 2\n"
    tried, flaky, printed = run(tmp_path, tests, capfdbinary)
    assert (tried.broken, flaky) == (["it"], ["test_it.py::test_flaky"])
    assert "assert 1 == 2" in printed


def test_many_failures_and_no_tests_at_all_are_not_tried_again(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    many = "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_it(n): assert 0\n"
    for tests in (many, "", "import nothing_there"):
        tried, flaky, printed = run(tmp_path, tests, capfdbinary)
        assert (tried.broken, flaky) == (["it"], [])
        assert "once more" not in printed


def test_the_slowest_tests_and_each_rooms_share_are_listed() -> None:
    cases = [Case(f"tests.core.test_{n}", "test_it[" + "x" * 500, True, n / 10) for n in range(60)]
    cases += [
        Case("tests.cli.deep.test_b", "test_long", False, 59.0),
        Case("tests.test_c", "t", True, 0),
    ]
    lines = durations(cases)
    shares = lines[1 : lines.index("== the 40 slowest tests")]
    assert [line.split() for line in shares] == [
        ["177.0", "s", "75.0%", "tests/core"],
        ["59.0", "s", "25.0%", "tests/cli"],
        ["0.0", "s", "0.0%", "tests"],
    ]
    assert lines[len(shares) + 2].split() == ["59.0", "s", "tests.cli.deep.test_b::test_long"]
    assert len(lines) == len(shares) + 2 + 40
    assert max(map(len, lines)) < 130


def test_a_command_that_fails_is_printed_whole(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    tried = Gate()
    tried.lane([Part("right", ["echo", "fine"]), Part("wrong", ["ls", "nowhere"])], False).join()
    assert tried.broken == ["wrong"]
    printed = capfdbinary.readouterr().out.decode()
    assert "fine" not in printed
    assert "nowhere" in printed
    assert [line.split(" in ")[0] for line in printed.splitlines() if " in " in line] == [
        "== right passed",
        "== wrong failed",
    ]


def test_silence_is_broken(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(gate, "SILENCE_S", 0.5)
    Gate().lane([Part("slow", ["sleep", "4"])], False).join()
    assert "slow" in capfdbinary.readouterr().out.decode().split("== slow passed")[0]


def test_cases_are_spread_over_all_and_over_each_parameter() -> None:
    assert spread("abcdefgh", 3) == ["a", "c", "f"]
    assert spread("abc", 9) == ["a", "b", "c"]
    assert spread("abc", 0) == []
    for sizes in ((12, 4, 2), (2, 64), (27, 2), (10, 5)):
        cases = list(itertools.product(*map(range, sizes)))
        kept = spread(cases, len(cases) // 4)
        for number, size in enumerate(sizes):
            if 2 * size <= len(kept):
                assert len({case[number] for case in kept}) == size
    jails = [
        {
            attempt
            for jail, attempt in spread(list(itertools.product(range(2), range(64))), 40)
            if jail == n
        }
        for n in range(2)
    ]
    assert len(jails[0] | jails[1]) > 30
