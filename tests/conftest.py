"""What all tests share: the data sets on disk, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.warm import LIGHT, TRAINERS, Warm

if "RLVR_DATA" in os.environ:  # before any worker is started
    os.environ.setdefault("NLTK_DATA", str(Path(os.environ["RLVR_DATA"]).resolve() / "nltk_data"))

# In CI, whatever a test needs is there: what can't be imported hides a missing part.
_IN_CI = os.environ.get("CI") == "true"

# Each is given to one of the processes that run tests side by side: the longest ones first.
_LONG = ("test_new_packages", "test_ppo_learning", "test_recipes", "test_train", "test_quickstart",
         "test_ppo", "test_ppo_keeps", "test_function_faults", "test_kl_runs", "test_broken", "test_built_in",
         "test_openai_policy", "test_function_cheats", "test_score_process")  # fmt: skip

LONGEST_S = 900.0  # that a command may take

Item = TypeVar("Item")
Sample = Callable[[Sequence[Item], int], list[Item]]
CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every case of the tests marked sweep, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all"):
        _leave_out_sweeps(config, items)
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))  # the rest stays as it was


def _leave_out_sweeps(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only as many cases of a test marked `sweep` as its mark says."""
    sweeps: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sweep"):
            sweeps.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = set()
    for cases in sweeps.values():
        mark = cases[0].get_closest_marker("sweep")
        assert mark is not None
        left_out |= set(cases) - set(spread(cases, mark.kwargs.get("gate", 0)))
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return `count` of the items, evenly spaced from the first on.

    Example: `spread("abcdef", 3)` is `["a", "c", "e"]`.
    """
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


@pytest.fixture(scope="session")
def sample(pytestconfig: pytest.Config) -> Sample:
    """Return a function that picks items for the gate; with `--all`, it keeps every one.

    Example: `for task in sample(env.tasks, 20): …`
    """
    if pytestconfig.getoption("--all"):
        return lambda items, count: list(items)
    return spread


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """With `--durations`, say each room's share of the time, too."""
    if not config.getoption("durations"):
        return
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(report.location[0].split("/")[:2])] += report.duration
    terminalreporter.section("share of each room")
    for room, spent in seconds.most_common():
        share = spent / seconds.total()
        terminalreporter.write_line(f"{spent:8.1f} s {share:6.1%}  {room}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    report = yield
    if _IN_CI and report.skipped and "could not import" in str(report.longrepr):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder `RLVR_DATA`. Its tests are skipped without it, except in CI, where it has to be."""
    folder = os.environ.get("RLVR_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = f"RLVR_DATA names no folder of data sets (it's {folder!r})"
    if _IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def warm() -> Iterator[Callable[[Sequence[str]], Warm]]:
    """Return a function that gives the process with these modules, one for all tests."""
    started: dict[Sequence[str], Warm] = {}

    def of(modules: Sequence[str]) -> Warm:
        if modules not in started:
            started[modules] = Warm(modules)
        return started[modules]

    yield of
    for process in started.values():
        process.close()


@pytest.fixture
def rlvr_cli(tmp_path: Path, warm: Callable[[Sequence[str]], Warm]) -> CommandLine:
    """`python -m rlvr …` in a process of its own, in a folder of its own."""

    def run(
        *arguments: str | Path,
        input: str | bytes = "",
        environ: dict[str, str] | None = None,
        cwd: Path = tmp_path,
    ) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        given = input if isinstance(input, bytes) else input.encode()
        variables = os.environ | {"COLUMNS": "200"} | (environ or {})
        if any(name.startswith(("PYTHON", "HF_")) for name in environ or {}):  # read at the start
            command = [sys.executable, "-m", "rlvr", *words]
            done = subprocess.run(
                command, input=given, capture_output=True, cwd=cwd, env=variables, timeout=LONGEST_S
            )
        else:
            modules = TRAINERS if words[:1] in (["train"], ["kl"]) else LIGHT
            done = warm(modules).run(words, given, cwd, variables, LONGEST_S)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run
