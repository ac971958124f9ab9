"""A program is told by nothing how many ran before it, when, or what they did: each run begins as the first one did."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

from rlvr.sandboxes import Limits, Program, Sandbox
from rlvr.sandboxes.jail import Jail
from rlvr.sandboxes.link import Backend

# First all that a program can see of the past, then all by which it could leave something for the next.
LOOK_AND_MARK = b"""
import ctypes, errno, fcntl, json, os, threading, time
seen = {"pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0)}
thread = threading.Thread(target=lambda: seen.update(thread=threading.get_native_id()))
thread.start(); thread.join()
child = os.fork()
if child == 0: os._exit(0)
seen["child"] = child
os.wait()
seen["autogroup"] = open("/proc/self/autogroup").read()
mounts = open("/proc/self/mountinfo").read().splitlines()
seen["mounts"] = [line.split(None, 3)[3] for line in mounts]
folders = ("/box", "/tmp", "/dev/shm", "/proc")
seen["listed"] = [sorted(os.listdir(name)) for name in folders[:3]]
seen["counted"] = [(os.statvfs(name).f_ffree, os.statvfs(name).f_bfree) for name in folders[:3]]
times = [stat.st_atime_ns for stat in map(os.stat, folders)] + [stat.st_mtime_ns for stat in map(os.stat, folders)]
times += [stat.st_ctime_ns for stat in map(os.stat, [*folders, "/box/main.py"])]
for name in folders[1:3]:
    with open(name + "/new", "w") as file: seen[name] = os.fstat(file.fileno()).st_ino
    if int(input()): os.unlink(name + "/new")

def tried(call, *arguments):
    try: call(*arguments)
    except (OSError, BlockingIOError): pass
for again in range(int(time.time_ns() >> 12) % 9):
    if os.fork() == 0: os._exit(0)
    os.wait()
tried(os.setsid)
for name in ("/tmp", "/dev/shm", "/box", "/proc", "/dev/null", "/usr/bin/env"):
    tried(os.listdir, name)
    tried(os.utime, name)
    tried(os.open, name, os.O_TMPFILE | os.O_RDWR)
    tried(lambda: fcntl.flock(os.open(name, os.O_RDONLY), fcntl.LOCK_EX))
    tried(lambda: fcntl.fcntl(os.open(name, os.O_RDONLY), 1036, (4).to_bytes(8, "little")))
    tried(os.setxattr, name, "user.mark", b"1")
    tried(os.chmod, name, 0o700)
time.sleep(0.05)  # file times are those of the last tick
print(json.dumps([seen, min(times), time.time_ns()]))
"""


def looks(sandbox: Sandbox, programs: int = 3) -> list[tuple[dict[str, object], int, int]]:
    found = []
    for _ in range(programs):
        runs = sandbox.run(
            Program(LOOK_AND_MARK), [b"1\n1\n", b"0\n1\n", b"0\n0\n"], Limits(wall_s=20)
        )
        assert all(run.ok for run in runs.executions), runs
        found += [json.loads(run.stdout) for run in runs.executions]
    return found


def test_a_run_sees_nothing_of_those_before_it(every_sandbox: Sandbox) -> None:
    found = looks(every_sandbox)
    assert all(seen == found[0][0] for seen, _, _ in found)
    for (_, _, ended), (_, oldest, _) in itertools.pairwise(found):
        assert oldest > ended - 20_000_000


def test_a_run_after_one_that_was_killed_begins_as_any_other(every_sandbox: Sandbox) -> None:
    """Its cell is a new one, which nothing tells."""
    (before,) = looks(every_sandbox, 1)[:1]
    for source in (b"while True: pass", b"import os\nwhile True: os.fork()"):
        every_sandbox.run(Program(source), limits=Limits(cpu_s=0.2, processes=8))
    (after,) = looks(every_sandbox, 1)[:1]
    assert after[0] == before[0]


def test_a_user_id_is_in_no_order(every_sandbox: Sandbox) -> None:
    ask = Program(b"import os\nprint(os.getuid())")
    users = [int(every_sandbox.run(ask).executions[0].stdout) for _ in range(6)]
    assert len(set(users)) == 6
    assert users != sorted(users) or users != [users[0] + i for i in range(6)]


HOLD = """
import fcntl, os, sys, time
for name in ("/usr/bin/env", "/dev/null", "/usr/bin", "/etc/ld.so.cache"):
    fd = os.open(name, os.O_RDWR if name == "/dev/null" else os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    if name == "/dev/null": fcntl.lockf(fd, fcntl.LOCK_EX, 5, 7)
print("held", flush=True)
"""
LOOK = """
import fcntl, os
for name in ("/usr/bin/env", "/dev/null", "/usr/bin", "/etc/ld.so.cache"):
    fd = os.open(name, os.O_RDWR if name == "/dev/null" else os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if name == "/dev/null": fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 7)
print("free")
"""
WATCH = """
import ctypes, os, time
libc = ctypes.CDLL(None)
watch = libc.inotify_init1(os.O_NONBLOCK)
for name in (b"/usr/bin", b"/dev", b"/etc", b"/usr/bin/env"): libc.inotify_add_watch(watch, name, 0xFFF)
{meanwhile}
try: print("saw", len(os.read(watch, 1 << 16)) > 0)
except BlockingIOError: print("saw nothing")
"""
OPEN = "open('/usr/bin/env', 'rb').read(1); open('/dev/null', 'rb').read(1); open('/etc/ld.so.cache', 'rb').read(1)"


def test_locks_and_watches_do_not_reach_another_jail(every_sandbox: Sandbox) -> None:
    backend: Backend = every_sandbox.choice.backend
    with Sandbox(backend, jails=1) as other:
        # Within one jail both are seen, or the rest would show nothing.
        assert (
            printed(other, HOLD + "if os.fork() == 0:" + indented(LOOK) + "os.wait()") == b"held\n"
        )
        assert printed(other, WATCH.format(meanwhile=OPEN)) == b"saw True\n"
        with ThreadPoolExecutor(1) as threads:
            holding = threads.submit(printed, every_sandbox, HOLD + "time.sleep(1.5)")
            assert {printed(other, LOOK) for _ in range(3)} == {b"free\n"}
            assert holding.result() == b"held\n"
            watching = threads.submit(printed, other, WATCH.format(meanwhile="time.sleep(1)"))
            for _ in range(3):
                printed(every_sandbox, OPEN)
            assert watching.result() == b"saw nothing\n"


def printed(sandbox: Sandbox, source: str) -> bytes:
    return sandbox.run(Program(source.encode())).executions[0].stdout


def indented(source: str) -> str:
    return source.replace("\n", "\n    ").rstrip(" ")


def test_what_the_machine_can_hold_is_told(every_sandbox: Sandbox) -> None:
    jail = Jail(every_sandbox.choice.backend, 1024)
    try:
        assert jail.about == {
            "pids restart": True,
            "counted": ["cpu", "memory", "pids"],
            "not counted because": "",
            "files shared because": "",
        }
    finally:
        jail.close()
