"""What the machine does beside decides nothing: waiting for a processor isn't a program's own time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rlvr.sandboxes import Limit, Limits, Program, Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap

BURN = b"import time\nend = time.process_time() + 0.7\nwhile time.process_time() < end: pass\nprint('done')"
SLEEP = b"import time\ntime.sleep(60)"
MIXED = b"import time\ntime.sleep(0.95)\nwhile True: pass"


@pytest.fixture
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
    for _ in range(5):  # other tests may want that processor, too
        (run,) = crowded.run(Program(BURN), [b""], Limits(wall_s=1.0, cpu_s=5.0)).executions
        if run.ok:
            break
    assert run.stdout == b"done\n"
    assert run.wall_s > 0.6


def test_who_sleeps_has_none(crowded: Sandbox) -> None:
    (run,) = crowded.run(Program(SLEEP), [b""], Limits(wall_s=1.0, cpu_s=5.0)).executions
    assert run.limit is Limit.WALL


def test_nobody_has_more_than_three_times(crowded: Sandbox) -> None:
    """Nor more than it waited: who sleeps first and spins at the end has hardly waited."""
    (run,) = crowded.run(Program(MIXED), [b""], Limits(wall_s=1.0, cpu_s=5.0)).executions
    assert run.limit is Limit.WALL
