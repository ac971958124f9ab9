"""Attacks from within a workspace: the hostile list, its own protocol, and other workspaces of the same jail."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from jail_processes import children
from workspace_help import in_two, in_workspace

from rlvr.core.errors import WorkspaceFileError
from rlvr.sandboxes.base import Execution, Limit
from rlvr.sandboxes.hostile import ATTEMPTS, MARK, Attempt
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.workspace import Workspace
from rlvr.sandboxes.workspace_results import CommandResult

# Attempts whose outcome is another in a terminal, and what it is there.
OTHERWISE: dict[str, Callable[[CommandResult], bool]] = {
    "infinite sleep": lambda done: done.limit is Limit.WALL and done.output.startswith("zzz\n"),
    # Its parent is the shell, which is the model's own.
    "kill its parent, pid 1 and all others": lambda done: done.lost and "EPERM" in done.output,
    "its parent's memory, environment, files": lambda done: done.status == 0,
    "process list": lambda done: done.output == "False\n",
    "environment": lambda done: MARK not in done.output,
    "links and pipes as output files": lambda done: done.status == 0,
    "the page cache (preadv2 without waiting, cachestat)": lambda done: "ENOSYS" in done.output,
    "8 MB of stdin unread": lambda done: "No space left" in done.output,
    "binary output": lambda done: done.output.startswith("\0\1\2\3"),
    "ftruncate(1, 10¹²)": lambda done: done.output == "EINVAL\n",
}

CLEAN = f"""
import os
found = []
half, rest = {MARK[:16]!r}.encode(), {MARK[16:]!r}.encode()
for where in ("/work", "/tmp", "/dev/shm", "/box"):
    try: names = os.listdir(where)
    except OSError: continue
    if names: found.append((where, names))
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
if pids != [os.getpid()]: found.append(("processes", pids))
def is_in(data):
    at = data.find(half)
    while at >= 0 and data[at + 16:at + 32] != rest: at = data.find(half, at + 1)
    return at >= 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps.read().splitlines():
        bounds, flags = line.split()[:2]
        low, high = (int(x, 16) for x in bounds.split("-"))
        if flags[0] != "r" or "[v" in line or high - low > 1 << 28: continue
        memory.seek(low)
        try: data = memory.read(high - low)
        except OSError: continue
        if is_in(data): found.append(("memory", bounds))
        data = None
found or "clean"
"""


def held(attempt: Attempt, done: CommandResult) -> bool:
    if attempt.name in OTHERWISE:
        return OTHERWISE[attempt.name](done)
    signal = None
    if done.status is not None and 128 < done.status < 200:
        signal = done.status - 128
    status = None if signal else done.status
    text = done.output.encode()
    return attempt.held(Execution(status, signal, done.limit, text, text, done.wall_s, 0.0, 0.0))


@pytest.mark.sweep(gate=5)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.name)
def test_the_hostile_list_holds_and_the_workspace_lives_on(
    workspaces: Backend, attempt: Attempt
) -> None:
    async def play(workspace: Workspace, other: Workspace) -> None:
        await workspace.write({"main.py": attempt.program.source})
        done = await workspace.shell("python3 main.py", stdin=attempt.run_input.stdin)
        assert held(attempt, done), (attempt.wanted, done)
        assert (await workspace.shell("echo alive")).output.endswith("alive\n")
        assert (await workspace.python("40 + 2")).output.endswith("42\n")
        assert (await other.python(CLEAN)).output == "'clean'\n"

    async def nothing_is_left(workspace: Workspace) -> None:
        assert (await workspace.python(CLEAN)).output == "'clean'\n"

    limits = replace(attempt.limits, processes=max(attempt.limits.processes, 8))
    in_two(workspaces, play, limits=limits)
    in_workspace(workspaces, nothing_is_left)


def test_the_clean_cell_finds_what_is_there(bubblewrap: Backend) -> None:
    for left in (f"x = {MARK!r}", "open('/tmp/left', 'w').close()", "open('a', 'w').close()"):

        async def play(workspace: Workspace, left: str = left) -> str:
            await workspace.python(left)
            return (await workspace.python(CLEAN)).output

        assert "clean" not in in_workspace(bubblewrap, play), left


# ------------------------------------------------------------------ two at once

PATHS = """
import os, sys
PATHS = ["/", "/usr", "/usr/bin", "/usr/bin/env", "/usr/lib", "/etc", "/etc/passwd", "/etc/ld.so.cache", "/dev",
    "/dev/null", "/dev/urandom", "/dev/shm", "/proc", "/proc/self", "/sys", "/run", "/box", "/tmp", "/bin/bash",
    os.path.realpath(sys.executable), os.__file__, os.path.dirname(os.__file__)]
PATHS = [path for path in PATHS if os.path.exists(path)]
def opened(path): return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
"""
LOCK = (
    PATHS
    + """
import fcntl, struct
held, errors = [], []
for path in PATHS:
    try: fd = opened(path); held.append(fd); fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e: errors.append((path, "flock", e.errno))
    if os.path.isfile(path):
        lock = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
        if struct.unpack("hhqqi", lock[:28])[0] != fcntl.F_UNLCK: errors.append((path, "a lock of somebody's"))
        fcntl.fcntl(fd, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0))
[e for e in errors if e[-1] not in (13, 6, 1)]
"""
)
WATCH = (
    PATHS
    + """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
notify = libc.inotify_init1(0o4000)
# Its own pid 1 looks into its own /proc; the devices are the machine's in an ordinary user's jail.
for path in PATHS: path.startswith(("/proc", "/dev/null", "/dev/urandom")) or libc.inotify_add_watch(notify, path.encode(), 0xFFF)
def events():
    try: return os.read(notify, 1 << 16)
    except BlockingIOError: return b""
events() and None
"""
)
TOUCH = (
    PATHS
    + """
import subprocess
for path in PATHS:
    try:
        os.stat(path); os.listdir(path) if os.path.isdir(path) else os.read(opened(path), 16)
    except OSError: pass
    try: os.utime(path)
    except OSError: pass
subprocess.run(["/usr/bin/env", "true"])
None
"""
)
TIMES = (
    PATHS
    + "\n[(p, s.st_mtime_ns, s.st_ctime_ns, s.st_atime_ns) for p in PATHS for s in [os.stat(p)] if p != '/tmp']"
)


def test_locks_of_one_are_not_seen_by_the_other(workspaces: Backend) -> None:
    # An ordinary user may make no devices, so the machine's are there for all; docs/threat_model.md says so.
    shared = [] if os.geteuid() == 0 else ["/dev/null", "/dev/urandom"]

    async def play(first: Workspace, second: Workspace) -> None:
        assert (await first.python(LOCK)).output == "[]\n"
        assert (await second.python(LOCK)).output == f"{[(p, 'flock', 11) for p in shared]}\n"

    in_two(workspaces, play)


def test_watches_and_times_tell_nothing_of_the_other(workspaces: Backend) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        await first.python(WATCH)
        await first.python("events(); None")
        before = (await first.python(TIMES)).output
        await first.python("events(); None")
        assert (await second.python(TOUCH)).output == ""
        assert (await second.python("x = 1")).ok
        assert (await first.python("events()")).output == "b''\n"
        assert (await first.python(TIMES)).output == before
        # It sees what happens in its own.
        await first.python("os.close(opened('/etc/passwd'))")
        assert (await first.python("len(events()) > 0")).output == "True\n"

    in_two(workspaces, play)


def test_nothing_of_the_jails_own_root_can_be_reached(workspaces: Backend) -> None:
    kinds = """
lines = [line.split(" - ") for line in open("/proc/self/mountinfo")]
places = [before.split()[4] for before, _ in lines]
kinds = {place: after.split()[0] for place, (_, after) in zip(places, lines)}
print(sorted(p for p, kind in kinds.items() if kind not in ("overlay", "tmpfs", "proc") and not p.startswith("/dev/")))
print([p for p in places if p.startswith(("/tmp/", "/run/apart", "/sys"))])
import os
for name in ("/..", "/proc/self/root/..", "/proc/self/cwd/../..", "/tmp/../.."):
    assert sorted(os.listdir(name)) == sorted(os.listdir("/")), name
for name in ("/proc/1/root", "/proc/1/cwd", "/proc/1/fd", "/tmp/root", "/tmp/upper", "/run/apart/0"):
    try: names = os.listdir(name)
    except OSError: continue
    if names: print(name, names)
"""

    async def play(workspace: Workspace) -> None:
        assert (await workspace.python(kinds)).output == "[]\n[]\n"

    in_workspace(workspaces, play)


def test_sockets_names_and_queues_are_each_ones_own(workspaces: Backend) -> None:
    cell = """
import os, socket
pairs = [socket.socketpair() for _ in range(20)]
listed = len(open("/proc/self/net/unix").read().splitlines()) - 1
refused = []
for kind in (socket.AF_UNIX, socket.AF_INET, socket.AF_NETLINK):
    try: socket.socket(kind, socket.SOCK_RAW if kind == socket.AF_NETLINK else socket.SOCK_STREAM)
    except OSError as e: refused.append(e.errno)
(listed, refused)
"""

    async def play(first: Workspace, second: Workspace) -> None:
        before = (
            await second.python("len(open('/proc/self/net/unix').read().splitlines())")
        ).output
        assert (await first.python(cell)).output == "(40, [1, 1, 1])\n"
        after = await second.python("len(open('/proc/self/net/unix').read().splitlines())")
        assert after.output == before == "1\n"

    in_two(workspaces, play)


def test_processes_and_users_are_apart(workspaces: Backend) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        await first.shell("sleep 1000 & echo secret > /work/secret; echo secret > /dev/shm/s")
        await first.python("secret = 'in memory'")
        seen = await second.shell(
            "ls /proc | grep -c '^[0-9]'; ls /work /dev/shm; kill -9 -1; kill -9 1"
        )
        assert "secret" not in seen.output
        for signal in ("KILL", "STOP", "INT", "TERM", "HUP"):
            await second.python(
                f"import os, signal\nfor pid in range(1, 300):\n    if pid == os.getpid(): continue\n"
                f"    try: os.kill(pid, signal.SIG{signal})\n    except OSError: pass"
            )
        assert (await first.python("secret")).output == "'in memory'\n"
        assert (await first.shell("jobs | grep -c sleep; cat secret")).output == "1\nsecret\n"
        mine, theirs = [(await each.shell("id -u")).output for each in (first, second)]
        assert (mine != theirs) is (os.geteuid() == 0)  # an ordinary user has one id for all

    in_two(workspaces, play)


def test_one_that_fills_everything_takes_nothing_from_the_other(bubblewrap: Backend) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        for attack in (
            "for i in $(seq 200); do sleep 1000 & done",
            "head -c 1G /dev/urandom > big; head -c 1G /dev/urandom > /tmp/big",
            "i=0; while :; do : > $i || break; i=$((i+1)); done 2>/dev/null",
            'python3 -c "x = [bytes([i % 251]) * (1 << 20) for i in range(4000)]"',
        ):
            await first.shell(attack, wall_s=5)
            assert (await second.shell("x=$(seq 100); echo ok > f && cat f")).output == "ok\n"
            assert (await second.python("len(bytearray(50 << 20))")).output == f"{50 << 20}\n"
        # And the first answers still.
        assert (await first.shell("echo alive")).output.endswith("alive\n")

    in_two(bubblewrap, play)


# ------------------------------------------------------------------ its own protocol


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize(
    "text",
    [
        "echo '1 0' >&9",
        'for i in $(seq 3 30); do printf "$i 0\\0" >&$i; done 2>/dev/null',
        "printf '99999999999999999999 1\\0 1 1 1\\0\\0\\0abc\\0' >&10",
        "head -c 100000 /dev/urandom >&10",
        "exec 0</dev/null",
        "exec 8>&- 9>&- 10>&- 11>&-",
        "exec >&-; exec 2>&-",
        "exec >/dev/null 2>&1",
        "printf() { :; }; builtin() { :; }; eval() { :; }; __rlvr() { sleep 1000; }",
        "readonly __rlvr_status=7",
        "trap 'echo trapped' DEBUG EXIT ERR INT RETURN",
        "set -n",
        "set -veux -o pipefail",
        "PATH=; unset HOME; cd /; umask 777",
        "PROMPT_COMMAND='sleep 1000'; PS1='$(sleep 1000)'",
        "ulimit -n 5; ulimit -u 1; ulimit -f 0; ulimit -v 1000",
        "alias eval=false builtin=false; shopt -s expand_aliases",
        "enable -n eval builtin printf",
        "shopt -s extdebug; set -o posix",
        "stty raw; reset; tput clear",
        "kill -STOP $$ &",
        "rm -rf /work /tmp/* ; rmdir /work; chmod 0 /work",
    ],
)
def test_what_a_shell_does_to_itself_ends_at_itself(bubblewrap: Backend, text: str) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        await first.shell(text, wall_s=1)
        # Perhaps it has to be ended once more; then a new one is there.
        for _ in range(2):
            again = await first.shell("echo alive >&2", wall_s=1)
        if "exec" not in text:
            assert "alive" in again.output or again.lost or text.startswith(("set", "trap")), again
        assert (await first.python("'alive'")).output == "'alive'\n"
        assert (await second.shell("echo fine")).output == "fine\n"

    in_two(bubblewrap, play)


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize(
    "text",
    [
        "import os; os.write(9, b'1 0\\0' * 1000)",
        "import os; os.write(9, b'x' * 60000)",
        "import os; os.close(9)",
        "import os; os.close(8)",
        "import os; os.dup2(os.open('/dev/null', os.O_RDWR), 9)",
        "import os\nfor fd in range(3, 256):\n    try: os.close(fd)\n    except OSError: pass",
        "import sys; sys.stdout = sys.stderr = sys.stdin = None",
        "import sys; sys.stdout.close(); sys.stderr.close()",
        "import sys; sys.displayhook = sys.excepthook = lambda *a: 1 / 0",
        "import builtins; builtins.eval = builtins.compile = builtins.print = None",
        "import os, sys; os.read = os.write = os._exit = os.getpid = None; sys.modules.clear()",
        "import ast, linecache; ast.parse = None; linecache.cache = None",
        "import gc, types\nfor o in gc.get_objects():\n    if isinstance(o, dict) and '_execute' in o: o.clear()",
        "import sys\nf = sys._getframe()\nwhile f: f.f_globals.clear() if 'notebook' in f.f_code.co_filename else None; f = f.f_back",
        "import signal; signal.signal(signal.SIGINT, lambda *a: None)",
        "import threading, time\nthreading.Thread(target=lambda: time.sleep(1000)).start()",
        "import atexit, time; atexit.register(time.sleep, 1000)",
        "class E(BaseException):\n    def __str__(self): raise SystemExit(3)\nraise E",
        "class R:\n    def __repr__(self): raise KeyboardInterrupt\nR()",
        "import os; os.fork()",
        "import os, time\nif os.fork(): os._exit(0)\ntime.sleep(1000)",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20)); x = bytes(1 << 24)",
        "import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
        "'\\ud800'",
        "print('\\ud800')",
    ],
)
def test_what_an_interpreter_does_to_itself_ends_at_itself(bubblewrap: Backend, text: str) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        await first.python(text, wall_s=1)
        for _ in range(2):
            again = await first.python("import os; os.write(1, b'alive\\n'); None", wall_s=1)
        if "closed" not in text:
            assert "alive" in again.output or again.lost, again
        assert (await first.shell("echo alive")).output == "alive\n"
        assert (await second.python("'fine'")).output == "'fine'\n"

    in_two(bubblewrap, play)


@pytest.mark.sweep
def test_a_python_that_takes_all_processes_leaves_a_shell_to_be_started(
    bubblewrap: Backend,
) -> None:
    threads = "import threading, time\nfor i in range(200): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"

    async def play(workspace: Workspace) -> None:
        assert "can't start new thread" in (await workspace.python(threads)).output
        assert (await workspace.shell("echo alive")).output.startswith("alive\n")
        await workspace.write({"a": b"1"})
        assert await workspace.read(["a"]) == {"a": b"1"}

    in_workspace(bubblewrap, play)


def test_no_files_make_a_delivery_fail(workspaces: Backend) -> None:
    make = """
import os
os.chdir("/work")
for i in range(1500): os.mkdir("d"); os.chdir("d")
open("deep", "w").close()
os.chdir("/work")
os.mkdir("closed"); open("closed/x", "w").close(); os.chmod("closed", 0)
open(b"\\xff\\xfe", "w").write("no text")
open("unreadable", "w").close(); os.chmod("unreadable", 0)
os.mkfifo("pipe"); os.symlink("loop", "loop"); os.symlink("/", "root")
os.truncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 1 << 23)
"""

    async def play(workspace: Workspace) -> None:
        await workspace.python(make)
        entries = await workspace.list()
        names = {entry.path for entry in entries}
        assert {"closed", "pipe", "loop", "root", "unreadable", "\udcff\udcfe"} <= names
        assert len(entries) > 1500
        files = await workspace.archive(["."])
        assert files["\udcff\udcfe"] == b"no text"
        assert len(files["sparse"]) == 1 << 23
        assert not any(name.startswith(("closed/", "root/")) for name in files)
        assert await workspace.read(["\udcff\udcfe", "unreadable", "loop", "pipe"]) == {
            "\udcff\udcfe": b"no text"
        }
        # Too much in all is said, and is no fault.
        await workspace.shell("for i in 1 2 3 4; do truncate -s 15M s$i; done")
        with pytest.raises(WorkspaceFileError):
            await workspace.archive(["."])
        assert (await workspace.shell("echo alive")).output == "alive\n"

    in_workspace(workspaces, play)


WAKES = """
import ctypes, fcntl, os, signal, threading, time
libc = ctypes.CDLL(None, use_errno=True)
class Event(ctypes.Structure):
    _fields_ = [("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int), ("pad", ctypes.c_char * 48)]
timer = ctypes.c_void_p()
made = libc.timer_create(1, ctypes.byref(Event(None, signal.SIGCONT, 0)), ctypes.byref(timer))
refused = [made]
r, w = os.pipe()
try: fcntl.fcntl(r, 10, signal.SIGCONT)
except OSError as e: refused.append(e.errno)
if made == 0:
    spec = (ctypes.c_long * 4)(0, 10 ** 7, 0, 10 ** 7)
    libc.timer_settime(timer, 0, spec, None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
signal.signal(signal.SIGALRM, lambda *a: None)
def count():
    while True:
        open("/work/count", "a").write("x"); time.sleep(0.001)
threading.Thread(target=count, daemon=True).start()
if os.fork() == 0:
    libc.prctl(1, signal.SIGCONT, 0, 0, 0)
    while True: open("/work/count", "a").write("y"); time.sleep(0.001)
refused
"""


def test_nothing_wakes_up_between_calls(bubblewrap: Backend) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        assert (await first.python(WAKES)).output == "[-1, 22]\n"
        before = await first.read(["count"])
        for _ in range(30):  # time goes by
            await second.python("sum(range(100000))")
        assert await first.read(["count"]) == before
        assert (await first.shell("timeout 0.1 sleep 1000; echo $?")).output.endswith("124\n")
        wedged = await first.shell("trap '' INT; sleep 1000", wall_s=0.2)
        assert wedged.lost
        assert (await first.python("'alive'")).output == "'alive'\n"

    in_two(bubblewrap, play)


def test_descriptors_of_sessions_are_closed(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        (broker,) = children(workspace._jail._link._process.pid)  # type: ignore[attr-defined]
        cells = [cell for zygote in children(broker) for cell in children(zygote)]

        def opened() -> int:
            return sum(len(os.listdir(f"/proc/{cell}/fd")) for cell in cells)

        await workspace.python("import os; os._exit(0)")
        before = opened()
        for _ in range(10):
            await workspace.python("import os; os._exit(0)")
            await workspace.shell("exit", stdin=b"x")
            await workspace.write({"a": b"1"})
            await workspace.read(["a"])
        assert opened() <= before

    in_workspace(bubblewrap, play)


def test_nothing_of_one_is_planted_in_the_next(workspaces: Backend) -> None:
    async def plant(workspace: Workspace) -> None:
        await workspace.shell(
            "for d in /work /tmp /dev/shm /box /run /etc /usr/lib /root / $(python3 -c 'import sys; print(*sys.path)'); do "
            "echo 'import os' > $d/sitecustomize.py; echo x > $d/conftest.py; echo PATH=/tmp > $d/.bashrc; done; "
            "echo 'alias ls=evil' > ~/.bash_profile; (sleep 1000; echo > /work/late) & disown"
        )

    async def look(workspace: Workspace) -> None:
        found = await workspace.shell(
            "find / -name sitecustomize.py -user $(id -u) 2>/dev/null; find / -name conftest.py -path '/work*'; "
            "ls -A /work /tmp /dev/shm; ps 2>/dev/null | grep -c sleep"
        )
        assert "customize" not in found.output
        assert "conftest" not in found.output
        assert "late" not in found.output

    in_workspace(workspaces, plant)
    in_workspace(workspaces, look)
