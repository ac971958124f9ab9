"""All that a program uses is counted, however it hides it, and nobody else pays for it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlvr.sandboxes import FunctionTests, Limit, Limits, Program, Sandbox, groups
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.hostile import ATTEMPTS

BY_NAME = {attempt.name: attempt for attempt in ATTEMPTS}


def test_children_of_milliseconds_count(every_sandbox: Sandbox) -> None:
    attempt = BY_NAME["processor time of children that live for milliseconds"]
    limits = dataclasses.replace(attempt.limits, wall_s=50)
    (run,) = every_sandbox.run(attempt.program, limits=limits).executions
    assert run.limit is Limit.CPU
    assert run.cpu_s >= attempt.limits.cpu_s


# Two megabytes apart, each zero page that is read takes a page of tables. No limit of an address space holds node's child.
TABLES = r"""
require("fs").writeFileSync("/tmp/x.py", `
import ctypes, time
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
size = 100 << 30
start = libc.mmap(None, size, 1, 0x4022, -1, 0)
libc.madvise(start, size, 15)
for page in range(start, start + size, 2 << 20): ctypes.c_ubyte.from_address(page).value
time.sleep(9)
`);
require("child_process").execFileSync("python3", ["-S", "/tmp/x.py"]);
"""


def test_page_tables_count(sandbox: Sandbox) -> None:
    limits = Limits(wall_s=20, cpu_s=10, memory_mb=128)
    (run,) = sandbox.run(Program(TABLES.encode(), "javascript"), limits=limits).executions
    assert run.limit is Limit.MEMORY, run


STARVING = """
import os, socket
def f(n):
    return n
for child in range(40):
    if os.fork() == 0:
        held = []
        while True:
            try: held.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            except OSError: break
            for end in held[-1]:
                end.setblocking(False)
                try:
                    while True: end.send(bytes(100_000))
                except OSError: pass
        import time
        time.sleep(60)
"""


def test_a_solution_cannot_have_its_tests_killed(every_sandbox: Sandbox) -> None:
    """All of a jail's memory, taken while the tests are still being prepared, would make these look broken."""
    setup = "import collections, fractions, statistics, decimal\ndata = [str(i) for i in range(200_000)]"
    tests = FunctionTests(setup=setup, asserts=("assert f(2) == 3", "assert f(len(data)) == 1"))
    for _ in range(2):
        run = every_sandbox.run_tests(STARVING.encode(), tests, Limits(wall_s=5, cpu_s=5))
        assert not any(outcome.passed for outcome in run.outcomes)
        assert not run.broken, run
        right = every_sandbox.run_tests(b"def f(n): return 3 if n == 2 else 1", tests)
        assert [outcome.passed for outcome in right.outcomes] == [True, True]


INNOCENT = r"""
import os, sys
from pathlib import Path
from rlvr.core.errors import SandboxError
from rlvr.sandboxes import Limits, Program, Sandbox, groups
groups._parents = lambda: {}  # as for a process that may make no groups
group = Path(sys.argv[1])
source = b"import time\nheld = [bytearray(b'x') * (1 << 20) for _ in range(900)]\nprint(2)"
with Sandbox("bubblewrap", jails=1) as sandbox:
    (group / "memory.limit_in_bytes").write_text(str(400 << 20))
    (group / "cgroup.procs").write_text(str(os.getpid()))
    try: print(sandbox.run(Program(source), limits=Limits(memory_mb=2000)))
    except SandboxError as error: print(error)
"""


@pytest.mark.sweep
def test_one_who_pays_for_others_memory_is_not_wrong() -> None:
    """It was allowed what the machine didn't have: nobody's wrong answer."""
    parent = Path("/sys/fs/cgroup/memory")
    if not os.access(parent / "cgroup.procs", os.W_OK):
        pytest.skip("no control group of version 1 to make memory short in")
    group = parent / f"test-{os.getpid()}"
    group.mkdir()
    try:
        asked = [sys.executable, "-c", INNOCENT, str(group)]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    finally:
        group.rmdir()
    assert "because others used up the memory" in done.stdout, (done.stdout, done.stderr[-2000:])


def test_version_2_of_control_groups_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose controllers are in version 1, version 2 has none of them and still counts time."""
    second = Path("/sys/fs/cgroup/unified")
    if not os.access(second / "cgroup.procs", os.W_OK):
        pytest.skip("version 2 isn't mounted beside version 1: the other tests use it")
    monkeypatch.setattr(groups, "_parents", lambda: {"": second})
    attempt = BY_NAME["processor time of children that live for milliseconds"]
    with Sandbox(Bubblewrap(), jails=1) as sandbox:
        limits = dataclasses.replace(attempt.limits, wall_s=50)
        (run,) = sandbox.run(attempt.program, limits=limits).executions
        assert list(second.glob("rlvr-*/cell-*"))
    assert run.limit is Limit.CPU
    assert not list(second.glob(f"rlvr-{os.getpid()}-*"))
