"""One list of programs, ordinary and hostile, comes to the same in every kind of jail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ordinary_programs import COMPILE, PROGRAMS, Row, Wanted

from rlvr.core.errors import LacksError
from rlvr.sandboxes import Limit, Limits, Program, ProgramRun, Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.docker import Docker

LIMITS = Limits(wall_s=30, cpu_s=10, memory_mb=384, output_kb=2048, processes=48, compile_s=90)
# Those that are to run into a limit get there sooner.
TIGHT = Limits(wall_s=30, cpu_s=0.7, memory_mb=192, output_kb=256, processes=16, compile_s=90)
ROWS = [
    pytest.param(language, row, id=f"{language}-{number}")
    for language, rows in PROGRAMS.items()
    for number, row in enumerate(rows)
]


@pytest.fixture(scope="module")
def sandboxes(bubblewrap: Bubblewrap, docker: Docker) -> Iterator[list[Sandbox]]:
    with Sandbox(bubblewrap, jails=1) as one, Sandbox(docker, jails=1) as other:
        yield [one, other]


def came(run: ProgramRun, wanted: Wanted) -> Wanted:
    """Return what came of a program, as a row has it."""
    if run.compile_error is not None:
        return COMPILE
    (done,) = run.executions
    if done.limit is not None:
        return done.limit
    if done.signal is not None:
        return -done.signal
    if done.status == 0 or not isinstance(wanted, int):
        said = done.stdout.decode() if done.status == 0 else (done.stdout + done.stderr).decode()
        return said if done.status == 0 else f"exit status {done.status}: {said[-300:]}"
    return done.status


@pytest.mark.sweep(gate=9)
@pytest.mark.parametrize(("language", "row"), ROWS)
def test_a_program_comes_to_the_same_in_every_jail(
    sandboxes: list[Sandbox], language: str, row: Row
) -> None:
    source, wanted, *given = row
    limits = TIGHT if isinstance(wanted, Limit) else LIMITS
    limits = replace(limits, wall_s=1) if wanted is Limit.WALL else limits
    program = Program(source.encode("utf-8", "surrogatepass"), language)
    found = {}
    for sandbox in sandboxes:
        try:
            run = sandbox.run(program, ["".join(given).encode()], limits)
        except LacksError:  # which is told, and no verdict
            continue
        found[sandbox.choice.backend.name] = came(run, wanted)
    assert found == dict.fromkeys(found, wanted)
    assert found
