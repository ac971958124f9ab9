"""The hostile list, in every backend, and attempts beyond it. After each, a clean program finds nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import rlvr
from rlvr.sandboxes import Input, Limit, Limits, Program, Sandbox
from rlvr.sandboxes.hostile import ATTEMPTS, CLEAN, MARK, Attempt

MIB = 1 << 20


def after_it_all_is_clean(sandbox: Sandbox) -> None:
    (execution,) = sandbox.run(Program(CLEAN.encode())).executions
    assert (execution.stdout, execution.stderr) == (b"clean\n", b"")


def run(sandbox: Sandbox, source: str, limits: Limits | None = None, language: str = "python"):
    limits = limits or Limits(wall_s=4, cpu_s=3, memory_mb=256)
    result = sandbox.run(Program(source.encode(), language), limits=limits)
    assert result.compile_error is None
    (execution,) = result.executions
    return execution


@pytest.mark.sweep(gate=22)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.name)
def test_an_attempt_comes_to_what_it_should_and_leaves_nothing(
    every_sandbox: Sandbox, attempt: Attempt
) -> None:
    (execution,) = every_sandbox.run(
        attempt.program, [attempt.run_input], attempt.limits
    ).executions
    assert attempt.held(execution), (attempt.wanted, execution)
    after_it_all_is_clean(every_sandbox)


def test_the_clean_program_finds_what_is_there(sandbox: Sandbox) -> None:
    """Or it would be clean after every attempt, whatever was left."""
    for left in (
        f"x = {MARK!r}",
        f"x = input({MARK!r})",
        "open('/tmp/left', 'w').close()",
        "import os; os.environ['A'] = ''",
        "import os\nif os.fork() == 0: import time; time.sleep(9)",
    ):
        (execution,) = sandbox.run(Program(f"{left}\n{CLEAN}".encode()), [b"\n"]).executions
        assert b"clean" not in execution.stdout, left
        assert execution.stdout, execution


def test_every_attempt_has_a_name_of_its_own() -> None:
    assert len({each.name for each in ATTEMPTS}) == len(ATTEMPTS)


def test_a_program_has_no_privilege_whatever(every_sandbox: Sandbox) -> None:
    source = "for line in open('/proc/self/status'):\n    name, value = line.split(':', 1)\n    print(name, *value.split())"
    lines = run(every_sandbox, source).stdout.decode().splitlines()
    status = dict(line.partition(" ")[::2] for line in lines)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert (status["NoNewPrivs"], status["Seccomp"], status["TracerPid"]) == ("1", "2", "0")
    assert status["Groups"] == ""


# Each is a way to hold memory that isn't seen where one looks first. Without the mend, each ends well.
HIDDEN_MEMORY = {
    "shared, and let go of": "import mmap\nheld = []\nfor i in range(600):\n    m = mmap.mmap(-1, 1 << 20); m.write(b'x' * (1 << 20)); m.madvise(mmap.MADV_DONTNEED); held.append(m)\nprint('has it')",
    "of /dev/zero": "import mmap\nf = open('/dev/zero', 'r+b')\nheld = []\nfor i in range(600):\n    m = mmap.mmap(f.fileno(), 1 << 20); m.write(b'x' * (1 << 20)); m.madvise(mmap.MADV_DONTNEED); held.append(m)\nprint('has it')",
    "of a process whose first thread ended": "import ctypes, threading, time\ndef hold():\n    time.sleep(0.05)\n    held = [b'x' * (1 << 20) + bytes([i % 251]) for i in range(600)]\n    time.sleep(2)\n    print('has it', flush=True)\nthreading.Thread(target=hold).start()\nctypes.CDLL(None).syscall(60 if __import__('platform').machine() == 'x86_64' else 93, 0)",
    "of a process that can't be dumped": "import ctypes, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nheld = [b'x' * (1 << 20) + bytes([i % 251]) for i in range(600)]\ntime.sleep(1)\nprint('has it')",
    "in many small processes": "import os, time\nfor i in range(20):\n    if os.fork() == 0: break\nheld = [b'x' * (1 << 20) + bytes([i % 251]) for i in range(30)]\ntime.sleep(2)\nprint('has it')",
}


@pytest.mark.parametrize("how", HIDDEN_MEMORY)
def test_memory_cannot_be_hidden(sandbox: Sandbox, how: str) -> None:
    execution = run(sandbox, HIDDEN_MEMORY[how], Limits(wall_s=8, cpu_s=6, memory_mb=256))
    assert b"has it" not in execution.stdout
    assert execution.limit is Limit.MEMORY or b"Error" in execution.stderr, execution
    after_it_all_is_clean(sandbox)


@pytest.mark.parametrize("ignored", ["signal.SIG_IGN", "signal.SIG_DFL"])
def test_time_of_children_counts_whoever_waits_for_them(sandbox: Sandbox, ignored: str) -> None:
    source = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, {ignored})
while True:
    if os.fork() == 0:
        while time.process_time() < 0.1: pass
        os._exit(0)
    time.sleep(0.1)
"""
    execution = run(sandbox, source, Limits(wall_s=60, cpu_s=1, processes=250))
    assert execution.limit is Limit.CPU
    assert execution.cpu_s >= 0.9


def test_no_program_waits_for_the_machines_disks(sandbox: Sandbox) -> None:
    """Who is in sync(2) can't be killed, and would make its jail look like one that failed."""
    source = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/usr", os.O_RDONLY)
print(libc.syncfs(fd), errno.errorcode[ctypes.get_errno()])
ctypes.set_errno(0)
libc.sync()
print(errno.errorcode[ctypes.get_errno()])
"""
    assert run(sandbox, source).stdout == b"-1 EPERM\nEPERM\n"


def test_files_of_holes_are_not_brought_back(sandbox: Sandbox) -> None:
    names = tuple(str(i) for i in range(100))
    source = b"for i in range(100):\n    with open(str(i), 'wb') as f: f.truncate(8 << 20)"
    limits = Limits(disk_mb=16, file_mb=8)
    (execution,) = sandbox.run(Program(source), [Input(collect=names)], limits).executions
    assert execution.limit is Limit.FILES
    assert sum(map(len, execution.files.values())) <= 16 * MIB
    after_it_all_is_clean(sandbox)


def test_folders_keep_nothing_that_is_written_on_them(sandbox: Sandbox) -> None:
    """Times, modes and attributes of /tmp would outlast a listing that's empty again."""
    look = "import os\nfor f in ('/tmp', '/dev/shm'):\n    s = os.stat(f); print(oct(s.st_mode), s.st_uid, s.st_size, os.listxattr(f))\n"
    before = run(sandbox, look)
    write = """
import os, time
time.sleep(0.02)
for f in ("/tmp", "/dev/shm"):
    open(f + "/x", "w").close()
    os.unlink(f + "/x")
    for change in (lambda: os.chmod(f, 0o700), lambda: os.utime(f, (1, 1)), lambda: os.setxattr(f, "user.x", b"1")):
        try: change()
        except OSError: pass
"""
    times = "import os, time\nprint(all(time.time() - os.stat(f).st_mtime < 60 for f in ('/tmp', '/dev/shm')))"
    assert run(sandbox, write).ok
    assert run(sandbox, look).stdout == before.stdout
    assert run(sandbox, times).stdout == b"True\n"


def test_a_program_cannot_say_how_it_ended(sandbox: Sandbox) -> None:
    """What a limit ends is told by the runner alone; a program has its own status and signal, no more."""
    for number in (24, 25):  # SIGXCPU, SIGXFSZ: it may claim a limit, which earns it nothing
        claimed = run(
            sandbox,
            f"import os, signal\nsignal.signal({number}, signal.SIG_DFL)\nos.kill(os.getpid(), {number})",
        )
        assert not claimed.ok
    for status in (0, 1, 126, 127, 137, 250, 255):
        ended = run(sandbox, f"import os\nos._exit({status})")
        assert (ended.status, ended.signal, ended.limit) == (status, None, None)
    for source in (
        "import sys\nsys.excepthook = lambda *a: 1 / 0\n1 / 0",
        "import sys\nclass E:\n    def __str__(self): 1 / 0\nsys.exit(E())",
    ):
        assert run(sandbox, source).status == 1


def test_what_a_program_compiled_to_is_out_of_its_reach(sandbox: Sandbox) -> None:
    """Python's tests share the code that the first compiled: no test may change it for the next."""
    source = b"""
import os, sys
n = input()
for fd in range(3, 256):
    try: os.pwrite(fd, b"C" + b"\\xe3" * 100, 0); print("wrote", fd)
    except OSError: pass
for name in os.listdir("/proc/self/fd"):
    try: target = os.readlink("/proc/self/fd/" + name)
    except OSError: continue
    if "compiled" in target: print("has it")
print(n)
"""
    executions = sandbox.run(Program(source), [b"1", b"2", b"3"]).executions
    assert [one.stdout for one in executions] == [b"1\n", b"2\n", b"3\n"]


AS_USER = """
import sys
from rlvr.sandboxes import Program, Sandbox
from rlvr.sandboxes.hostile import ATTEMPTS, CLEAN
failed = []
with Sandbox("bubblewrap", jails=1) as sandbox:
    for attempt in ATTEMPTS:
        (execution,) = sandbox.run(attempt.program, [attempt.run_input], attempt.limits).executions
        if not attempt.held(execution): failed.append((attempt.name, attempt.wanted, execution))
        (after,) = sandbox.run(Program(CLEAN.encode())).executions
        if after.stdout != b"clean\\n": failed.append((attempt.name, "clean", after))
print(failed)
"""


@pytest.mark.sweep
def test_an_ordinary_user_is_as_safe(bubblewrap: object) -> None:
    if os.geteuid() != 0:
        pytest.skip("it's an ordinary user that runs all these tests")
    python = shutil.which("python3", path="/usr/bin:/bin")
    asked = [python or "false", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(asked).returncode != 0:
        pytest.skip("there's no Python from 3.11 on that every user may run")
    package = Path(rlvr.__file__).parent
    # The sandboxes alone, where everybody may read them: the checkout may be in somebody's home, and
    # what else rlvr imports is another interpreter's.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "rlvr")
        shutil.copytree(package / "sandboxes", copy / "sandboxes")
        (copy / "core").mkdir()
        for name in ("__init__.py", "core/__init__.py"):
            (copy / name).touch()
        for name in ("errors.py", "files.py", "secrets.py"):
            shutil.copy(package / "core" / name, copy / "core")
        stand_in = "class error:\n    class ResetNeeded(Exception): pass\n"
        Path(folder, "gymnasium.py").write_text(stand_in)  # for a base class of one error
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [*asked[:1], "-c", AS_USER],
            env={"PYTHONPATH": folder, "PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            cwd="/",
            user=12345,
            group=12345,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert (done.stdout, done.stderr) == ("[]\n", "")
