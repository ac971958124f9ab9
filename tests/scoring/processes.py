"""What /proc says of the processes that tests start, and a way to run scripts whose traces are found."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

MARK = "RLVR_TEST_MARK"
HERE = Path(__file__).parent


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether `check` becomes true."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> dict[int, str]:
    """Its children with their state, `Z` for a zombie."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == pid:
                found[int(entry)] = state
    return found


def templates() -> list[int]:
    """The template processes that are children of this one."""
    return [pid for pid in children(os.getpid()) if b"rlvr.scoring.template" in command(pid)]


def new_template(others: set[int]) -> int:
    """The one template that isn't among `others`. Right after it's started its command can't be read yet."""
    assert eventually(lambda: bool(set(templates()) - others))
    (template,) = set(templates()) - others
    return template


def command(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Whether it runs; a zombie doesn't."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Script:
    """A Python script in a process of its own. All that descends from it carries its mark."""

    def __init__(self, folder: Path, text: str, *flags: str, cwd: Path | None = None) -> None:
        self.mark = f"{MARK}={uuid.uuid4().hex}"
        file = folder / f"script_{self.mark[-8:]}.py"
        file.write_text(text)
        name, _, value = self.mark.partition("=")
        root = str(HERE.parents[1])
        paths = [str(HERE), root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, *flags, str(file)],
            env={**os.environ, name: value, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd or folder,
        )

    def finish(self, seconds: float = 40.0) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def left(self) -> list[bytes]:
        """Command lines of the running processes that carry its mark."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path("/proc", entry, "environ").read_bytes()
                except OSError:
                    continue
                if self.mark.encode() in environment and alive(int(entry)):
                    found.append(command(int(entry)))
        return found

    def nothing_left(self) -> bool:
        return eventually(lambda: not self.left())
