"""A right solution has ten times the processor time that the problem's own one was measured to take."""

from __future__ import annotations

from pathlib import Path

import pytest

import rlvr
from rlvr.sandboxes import Limits, Program, Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap

ALONE = Limits(wall_s=200, cpu_s=200)
SLOWER = 2.0  # this machine's processor may take so many times as long as the one that was measured


def program(reference: dict[str, object]) -> bytes:
    """Return a solution with its tests, as one program."""
    parts = [reference.get(part) for part in ("prelude", "setup", "solution", "test")]
    asserts = reference.get("asserts", [])
    calls = [f"check({reference['entry_point']})"] if "test" in reference else []
    return "\n".join(str(part) for part in [*parts, *asserts, *calls] if part).encode()  # type: ignore[misc]


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "split"), [("mbpp", "all"), ("humaneval", "test")])
def test_a_solution_may_take_ten_times_what_the_reference_takes(
    data: Path, name: str, split: str
) -> None:
    env = rlvr.make(name, split=split, data=str(data))
    slow = [task for task in env.tasks if "limits" in task.reference]
    tasks = [*slow, *env.tasks]
    with Sandbox(Bubblewrap(), jails=1) as sandbox:
        for task in tasks:
            (alone,) = sandbox.run(Program(program(task.reference)), [b""], ALONE).executions
            assert alone.ok, task.id
            limits = Limits.of(task.reference.get("limits"))
            assert 10 * alone.cpu_s <= SLOWER * limits.cpu_s, task.id
            assert limits.wall_s > limits.cpu_s, task.id
