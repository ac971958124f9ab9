"""The end of a jail's processes, whichever of them is killed first."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from rlvr.sandboxes.pipes import PipeLink

# As bwrap is right after it has made the jail's pid 1: that waits for a word, and nobody has told the owner its pid.
BEFORE_IT_TELLS = """#!/bin/sh
sh -c 'echo $$ >"$0.pid"; while :; do sleep 1; done' "$0" &
wait
"""


def is_there(pid: int) -> bool:
    """Return whether a process runs; one that has ended may wait for a parent that asks about it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("is_killed_before", [False, True])
def test_a_jail_that_is_being_made_ends_with_its_link(
    is_killed_before: bool, tmp_path: Path
) -> None:
    program, told = tmp_path / "bwrap", tmp_path / "bwrap.pid"
    program.write_text(BEFORE_IT_TELLS)
    program.chmod(0o755)
    link = PipeLink([str(program)])
    until(lambda: told.exists() and told.read_text().endswith("\n"))
    pid = int(told.read_text())
    if is_killed_before:
        os.kill(link._process.pid, signal.SIGKILL)
    assert is_there(pid)
    link.close()
    until(lambda: not is_there(pid))


def test_a_fork_abandons_no_file_that_has_the_number_of_a_closed_one(tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    link = PipeLink([str(program)])
    numbers = {link._in, link._out, link._info}
    link.close()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(16)]
    assert numbers & set(files)  # they have been given away
    link.abandon()
    for fd in files:
        os.close(fd)  # raises if it was closed
