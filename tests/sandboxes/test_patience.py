"""What the machine does beside decides nothing: waiting for a processor isn't a program's own time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from rlvr.sandboxes import FunctionTests, Limit, Limits, Program, Sandbox, programs
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.runner import supervise
from rlvr.sandboxes.runner.groups import Meters
from rlvr.sandboxes.simple import is_simple

BURN = b"import time\nend = time.process_time() + 0.35\nwhile time.process_time() < end: pass\nprint('done')"
SLEEP = b"import time\ntime.sleep(60)"
MIXED = b"import time\ntime.sleep(0.45)\nwhile True: pass"


@pytest.fixture(scope="module")
def crowded(bubblewrap: Bubblewrap) -> Iterator[Sandbox]:
    """A jail on one processor, which another process wants as much."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    other = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        with Sandbox(bubblewrap, jails=1) as sandbox:
            yield sandbox
    finally:
        other.kill()
        other.wait()
        os.sched_setaffinity(0, before)


def test_a_program_that_others_keep_from_its_processor_has_more_time(crowded: Sandbox) -> None:
    (run,) = crowded.run(Program(BURN), [b""], Limits(wall_s=0.5, cpu_s=5.0)).executions
    assert run.stdout == b"done\n"
    assert run.wall_s > 0.3


def test_who_sleeps_has_none(crowded: Sandbox) -> None:
    (run,) = crowded.run(Program(SLEEP), [b""], Limits(wall_s=0.5, cpu_s=5.0)).executions
    assert run.limit is Limit.WALL


def test_nobody_has_more_time_than_it_waited(crowded: Sandbox) -> None:
    """A program that sleeps first and spins at the end has hardly waited."""
    (run,) = crowded.run(Program(MIXED), [b""], Limits(wall_s=0.5, cpu_s=5.0)).executions
    assert run.limit is Limit.WALL


# The first are judged by the process that stays, the others by one of their own.
SIMPLE = FunctionTests(("assert f(3) == 9",))
OTHER = FunctionTests(("assert f(3) == 9",), setup="known = {}\nknown[3] = 9")
BURNS = b"""
import time
def f(n):
    end = time.process_time() + 0.35
    while time.process_time() < end: pass
    return n * n
"""
SLEEPS = b"import time\ndef f(n): time.sleep(60)"


@pytest.mark.parametrize("tests", [SIMPLE, OTHER])
def test_functions_have_more_time_as_well(crowded: Sandbox, tests: FunctionTests) -> None:
    run = crowded.run_tests(BURNS, tests, Limits(wall_s=0.5, cpu_s=5.0))
    assert run.limit is None, run
    assert run.outcomes[0].passed


@pytest.mark.parametrize("tests", [SIMPLE, OTHER])
def test_functions_that_sleep_have_none(crowded: Sandbox, tests: FunctionTests) -> None:
    run = crowded.run_tests(SLEEPS, tests, Limits(wall_s=0.5, cpu_s=5.0))
    assert run.limit is Limit.WALL


@pytest.mark.parametrize("setup", [SIMPLE.setup, OTHER.setup])
def test_tests_that_dont_end_have_none(crowded: Sandbox, setup: str) -> None:
    """What a solution returns may keep its tests busy: it waits meanwhile, and its own time ends that."""
    tests = FunctionTests(("for _ in f(3): pass",), setup=setup)
    endless = b"def f(n): return range(10**18)"
    run = crowded.run_tests(endless, tests, Limits(wall_s=0.5, cpu_s=30.0))
    assert run.limit is Limit.WALL


def test_which_are_judged_by_which() -> None:
    assert is_simple(SIMPLE)
    assert not is_simple(OTHER)


@pytest.mark.parametrize(
    ("waited", "used", "seconds"),
    [(60.0, 0.0, 0.1), (60.0, 0.03, 0.37), (0.2, 1.0, 0.3), (60.0, 1.0, 1.0)],
)
def test_waiting_excuses_as_much_as_a_program_uses(
    monkeypatch: pytest.MonkeyPatch, waited: float, used: float, seconds: float
) -> None:
    """A program that hardly uses a processor may make itself wait for one: it has no more time by that."""
    child = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(supervise, "others", lambda: [str(child.pid)])
    monkeypatch.setattr(supervise, "_longest_wait", lambda: waited)
    watch = supervise._Watch(
        programs.allowed(Limits(wall_s=0.1), None, programs.PATIENCE), [], Meters([])
    )
    watch.cpu = used
    began = time.monotonic()
    try:
        assert watch.until_end(child.pid, began) == "wall"
        assert time.monotonic() - began >= seconds
    finally:
        child.kill()
        child.wait()


YIELDS = b"import os\nwhile True: os.sched_yield()"


def test_a_program_that_lets_others_go_first_has_a_limit_all_the_same(crowded: Sandbox) -> None:
    (run,) = crowded.run(Program(YIELDS), [b""], Limits(wall_s=0.5, cpu_s=1.0)).executions
    assert run.limit in (Limit.WALL, Limit.CPU)
