"""Help for tests that count processes: who belongs to whom, and who is left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

from rlvr.sandboxes.jail import Jail

_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on, what this process's descendants leave behind becomes its child, and can be counted."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """The children of a process that aren't zombies, in the order of their start."""
    found: list[tuple[int, int]] = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit():
                fields = _stat(int(folder.name))
                if int(fields[1]) == pid and fields[0] != "Z":
                    found.append((int(fields[19]), int(folder.name)))
    return [each for _, each in sorted(found)]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def descendants(pid: int) -> set[int]:
    """All below a process."""
    below: set[int] = set()
    for child in children(pid):
        below |= {child} | descendants(child)
    return below


def broker(jail: Jail) -> int:
    """The jail's pid 1, below the process of bwrap's that waits for it."""
    return children(jail._link._process.pid)[0]  # type: ignore[attr-defined]


def zygote(jail: Jail) -> int:
    return children(broker(jail))[0]


def named(source: bytes) -> bytes:
    """Return a Python program that gives its process a name first, by which `program` knows it."""
    return b"import ctypes\nctypes.CDLL(None).prctl(15, b'program')\n" + source


def runs(jail: Jail) -> bool:
    """Return whether a named program has started there."""
    return bool(_programs(jail))


def program(jail: Jail) -> int:
    """Return the named program that runs there."""
    return _programs(jail)[0]


def _programs(jail: Jail) -> list[int]:
    found = []
    for pid in descendants(broker(jail)):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "program\n":
                found.append(pid)
    return found


def cell(jail: Jail) -> int:
    """The cell of the named program that runs there; where none runs, any."""
    cells = children(zygote(jail))
    running = set(_programs(jail))
    return next((cell for cell in cells if running & set(children(cell))), cells[0])


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something holds soon."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def none_left_but(before: set[int], seconds: float = 60.0) -> bool:
    """Whether nobody is left below this process but who was there before."""
    return within(seconds, lambda: not descendants(os.getpid()) - before)
