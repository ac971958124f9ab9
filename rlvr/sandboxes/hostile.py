"""The hostile list: what programs try, and what has to come of it.

`rlvr sandbox check` runs it against the jails of a machine, and the tests do. After each attempt a clean
program runs in the same jail, which must find nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rlvr.sandboxes.base import Execution, Input, Limit, Limits, Program

_SMALL = Limits(wall_s=3, cpu_s=1, memory_mb=192, output_kb=256, processes=32, file_mb=4, disk_mb=8)
MARK = "a8f5f167f44f4964e6c998dee827110c"
"""Stands in every attempt's source and input; the clean program must not find it anywhere."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One program that tries something.

    Attributes:
        name: The attempt, in words.
        source: The program, in Python.
        wanted: The expected result, in words.
        held: A function that returns True if an execution had that result.
        run_input: The program's input.
        limits: The program's limits.
    """

    name: str
    source: str
    wanted: str
    held: Callable[[Execution], bool]
    run_input: Input = field(default_factory=lambda: Input(MARK.encode()))
    limits: Limits = _SMALL

    @property
    def program(self) -> Program:
        """The program, which contains the mark."""
        return Program(f"{self.source}\nmark = '{MARK}'\n".encode("utf-8", "surrogatepass"))


def _limit(*limits: Limit) -> Callable[[Execution], bool]:
    return lambda done: done.limit in limits


def _prints(*lines: str) -> Callable[[Execution], bool]:
    """Accept runs that end well and print only these lines."""
    return lambda done: (
        done.ok
        and bool(done.stdout)
        and all(x in lines for x in done.stdout.decode().split("\n")[:-1])
    )


def _fails(text: str, status: int = 1) -> Callable[[Execution], bool]:
    return lambda done: (
        done.status == status and done.limit is None and text.encode() in done.stderr
    )


def _errors(*statements: str) -> str:
    """Return a program that tries each statement and prints the error's name, or "done"."""
    lines = [
        "import errno, os, sys",
        "def attempt(code):",
        "    try: exec(code, globals()); print('done')",
    ]
    lines += ["    except OSError as e: print(errno.errorcode.get(e.errno, e))"]
    lines += ["    except BaseException as e: print(type(e).__name__)"]
    return "\n".join([*lines, *(f"attempt({statement!r})" for statement in statements)])


def _calls(*numbers: int) -> str:
    """Return a program that makes system calls by number (x86_64) and prints the names of their errors."""
    return (
        "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for number in {numbers}:\n"
        "    done = libc.syscall(number, 0, 0, 0, 0, 0)\n"
        "    print(errno.errorcode[ctypes.get_errno()] if done < 0 else 'done')"
    )


_TOUCH = "x = [b'x' * (1 << 20) + bytes([i % 251]) for i in range({0})]"
_DAEMON = (
    "import os, time\nprint('first', flush=True)\nif os.fork() == 0:\n    os.setpgid(0, 0)\n"
    "    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)\n"
)
_FORKS = "import os, time\nfor i in range(6):\n    if os.fork() == 0:\n        {0}\n        time.sleep(60)\ntime.sleep(60)"
# Reaped by the kernel, each below the ten milliseconds in which processes are shown to have worked.
_BRIEF_CHILDREN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for worker in range(4):
    if os.fork() == 0:
        while True:
            child = os.fork()
            if child == 0:
                while time.thread_time() < 0.006: pass
                os._exit(0)
            try: os.waitpid(child, 0)  # until the kernel has reaped it
            except ChildProcessError: pass
time.sleep(60)
"""
_SOCKETS = """
import os, socket, time
for process in range(20):
    if os.fork() == 0: break
held = []
try:
    while True:
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        held.append(pair)
        for end in pair:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 26)
            try:
                while True: end.send(bytes(100_000))
            except OSError: pass
except OSError: pass
time.sleep(60)
"""
_ABSENT = ("ENOENT", "EACCES", "EPERM", "ENOTDIR")
_READ_ONLY = ("EROFS", "EACCES", "ENOENT")

ATTEMPTS: tuple[Attempt, ...] = (
    Attempt("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "limit processes", _limit(Limit.PROCESSES)),
    Attempt("fork bomb that dies of it", "import os\nwhile True: os.fork()", "limit processes", _limit(Limit.PROCESSES)),
    Attempt("one huge allocation", "x = bytearray(1 << 44)", "MemoryError", _fails("MemoryError")),
    Attempt("touched memory", _TOUCH.format(4000), "limit memory", _limit(Limit.MEMORY)),
    Attempt("memory across children", _FORKS.format(_TOUCH.format(80)), "limit memory", _limit(Limit.MEMORY)),
    Attempt("disk fill, one file", _errors("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20)); f.flush()"), "EFBIG", _prints("EFBIG", "ENOSPC")),
    Attempt("disk fill, many files", _errors("for i in range(100): open(str(i), 'wb').write(bytes(1 << 20))"), "ENOSPC", _prints("ENOSPC")),
    Attempt("disk fill, shared memory", _errors("for i in range(100): open(f'/dev/shm/{i}', 'wb').write(bytes(1 << 20))"), "ENOSPC", _prints("ENOSPC", *_ABSENT)),
    Attempt("inode fill", _errors("for i in range(10 ** 6): open(str(i), 'wb').close()"), "ENOSPC", _prints("ENOSPC", "EMFILE")),
    Attempt("stdout flood", "while True: print('x' * 1000)", "limit output", _limit(Limit.OUTPUT)),
    Attempt("stderr flood", "import sys\nwhile True: sys.stderr.write('x' * 1000)", "limit output", _limit(Limit.OUTPUT)),
    Attempt("infinite sleep", "import time\nprint('zzz', flush=True)\ntime.sleep(1e6)", "limit wall", lambda done: done.limit is Limit.WALL and done.stdout == b"zzz\n"),
    Attempt("busy loop", "while True: pass", "limit cpu", _limit(Limit.CPU)),
    Attempt("busy loop in children", "import os\nfor i in range(3): os.fork()\nwhile True: pass", "limit cpu", _limit(Limit.CPU)),
    Attempt("all signals ignored", "import signal, time\nfor i in range(1, 65):\n    try: signal.signal(i, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ntime.sleep(1e6)", "limit wall", _limit(Limit.WALL)),
    Attempt("double-forked daemon", _DAEMON + "os._exit(0)", "result at once, daemon dead", lambda done: done.ok and done.stdout == b"first\n" and done.limit is None),
    Attempt("escape into a process group", "import os\nif os.fork(): os._exit(3)\nos.setpgid(0, 0)\nimport time\ntime.sleep(60)", "exit status 3, child dead", lambda done: done.status == 3 and done.limit is None),
    Attempt("kill its parent, pid 1 and all others", _errors("os.kill(os.getppid(), 9)", "os.kill(1, 9)", "os.kill(1, 2)", "os.kill(-1, 9)") + "\nprint('done')", "EPERM or ESRCH, or no effect", _prints("EPERM", "ESRCH", "done")),
    Attempt("its parent's memory, environment, files", _errors("open('/proc/1/mem', 'rb')", "open('/proc/1/environ', 'rb').read()", "os.listdir('/proc/1/fd')", "open(f'/proc/{os.getppid()}/maps').read()"), "absent", _prints(*_ABSENT)),
    Attempt("process list", "import os\nprint([int(p) for p in os.listdir('/proc') if p.isdigit()] == [os.getpid()])", "itself alone", _prints("True")),
    Attempt("environment", "import os\nprint(sorted(os.environ))", "HOME, LANG, PATH, one thread for NumPy", _prints("['HOME', 'LANG', 'OPENBLAS_NUM_THREADS', 'PATH']")),
    Attempt("socket", _errors("import socket; socket.socket()", "import socket; socket.create_connection(('127.0.0.1', 80))", "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)"), "EPERM", _prints("EPERM")),
    Attempt("abstract unix socket", _errors("import socket; socket.socket(socket.AF_UNIX).bind('\\0x')"), "EPERM", _prints("EPERM")),
    Attempt("a socket that socketpair made", _errors(*(f"import socket; a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_{kind}); a.{call}" for kind in ("DGRAM", "STREAM", "SEQPACKET") for call in ("bind('\\0x')", "connect('\\0x')"))), "EPERM", _prints("EPERM")),
    Attempt("write to the root file system", _errors(*(f"open('{where}/x', 'w')" for where in ("", "/usr", "/etc", "/dev", "/box", "/bin", "/proc", "/var", "/sys"))), "EROFS", _prints(*_READ_ONLY)),
    Attempt("overwrite its own program", _errors("open('/box/main.py', 'a')", "os.unlink('/box/main.py')", "os.rename('/tmp', '/box/t')"), "EROFS", _prints(*_READ_ONLY, "EXDEV", "EBUSY")),
    Attempt("/etc/shadow, docker.sock, host paths", _errors("open('/etc/shadow').read()", "os.stat('/var/run/docker.sock')", "os.stat('/run/docker.sock')", "os.listdir('/home/.')[0]", "open('/etc/machine-id')", "os.listdir('/root/.ssh')", "os.stat('/sys/kernel')", "open('/proc/cmdline')", "open('/proc/sys/kernel/hostname')"), "absent", _prints(*_ABSENT, "IndexError")),
    Attempt("devices beyond null, full, random and urandom", "import os\nprint(*sorted(os.listdir('/dev')))\nfor name in ('zero', 'ptmx', 'tty', 'console', 'kmsg', 'mem', 'fuse', 'net/tun'):\n    try: print(os.open('/dev/' + name, os.O_RDONLY))\n    except OSError: pass", "these and the shared memory alone", _prints("fd full null random shm stderr stdin stdout urandom")),
    Attempt("the host's names, addresses and container in files and mounts", "import re\ndef text(p):\n    try: return open(p, errors='replace').read()\n    except OSError: return ''\nsaid = [text('/etc/' + n) for n in ('resolv.conf', 'hosts', 'hostname', 'machine-id')]\nmounts = text('/proc/self/mountinfo')\nprint([x for x in said if x.strip()] + re.findall(r'[^ ]*(?:resolv|/containers/|/docker/[0-9a-f]{9}|cgroup)[^ ]*', mounts))", "none", _prints("[]")),
    Attempt("links and pipes as output files", "import os\nos.symlink('/etc/passwd', 'link')\nopen('a', 'w').write('x')\nos.link('a', 'hard')\nos.mkfifo('pipe')\nos.mkdir('folder')\nopen('plain', 'w').write('fine')", "refused without a hang", lambda done: done.ok and dict(done.files) == {"plain": b"fine"}, Input(b"", collect=("link", "hard", "a", "pipe", "folder", "plain", "missing"))),
    Attempt("leave things behind", _errors("open('/tmp/left', 'w')", "open('/dev/shm/left', 'w')", "open('/dev/mqueue/left', 'w')", "os.mkdir('/tmp/left2')") + "\nprint('done')", "absent in the next run", _prints("done", *_ABSENT, "EROFS")),
    Attempt("system calls of other processes' (ptrace, process_vm_readv, pidfd_getfd)", _calls(101, 310, 311, 438, 312), "EPERM", _prints("EPERM")),
    Attempt("system calls of namespaces (unshare, setns, mount, pivot_root, chroot, fsopen)", _calls(272, 308, 165, 166, 155, 161, 430), "EPERM", _prints("EPERM")),
    Attempt("system calls of the kernel's (bpf, keyctl, io_uring, userfaultfd, perf_event_open, init_module)", _calls(321, 250, 425, 323, 298, 175, 246, 248), "EPERM", _prints("EPERM")),
    Attempt("persistent memory (shmget, semget, msgget, mq_open, memfd_create)", _calls(29, 64, 68, 240, 319), "EPERM", _prints("EPERM")),
    Attempt("system calls that reach everybody's disks and mounts (sync, syncfs, statmount, listmount)", _calls(162, 306, 457, 458), "EPERM", _prints("EPERM")),
    Attempt("system calls for queues of the kernel's (io_setup, io_submit) and filters (seccomp)", _calls(206, 209, 317), "EPERM", _prints("EPERM")),
    Attempt("numbers that count what the machine has done (sessions, mounts, namespaces)", _calls(112, 332) + "\nimport fcntl, os\ntry: fcntl.ioctl(os.open('/proc/self/ns/pid', os.O_RDONLY), 0xb701)\nexcept OSError as e: print(errno.errorcode[e.errno])", "EPERM, ENOSYS, ENOTTY", _prints("EPERM", "ENOSYS", "ENOTTY")),
    Attempt("the page cache (preadv2 without waiting, cachestat)", _errors("os.preadv(os.open('/box/main.py', os.O_RDONLY), [bytearray(1)], 0, os.RWF_NOWAIT)") + "\n" + _calls(451), "ENOTSUP, ENOSYS", _prints("ENOTSUP", "ENOSYS")),
    Attempt("marks on files that others open (times, hints, names that aren't there)", _errors("os.utime('/dev/null')", "os.utime('/dev/urandom')", "import fcntl; fcntl.fcntl(os.open('/usr/bin/env', os.O_RDONLY), 1036, bytes(8))", "import fcntl; fcntl.fcntl(os.open('/usr/bin/env', os.O_RDONLY), 1038, bytes(8))", "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)"), "EROFS, EINVAL, ENOTSUP", _prints("EROFS", "EINVAL", "ENOTSUP")),
    Attempt("processor time of children that live for milliseconds", _BRIEF_CHILDREN, "limit cpu, or wall where nothing counts it", _limit(Limit.CPU, Limit.WALL)),
    Attempt("memory in the buffers of sockets", _SOCKETS, "limit memory", _limit(Limit.MEMORY)),
    Attempt("memory that is nobody's", _errors("import mmap; mmap.mmap(-1, 1 << 20)"), "EPERM", _prints("EPERM", "PermissionError")),
    Attempt("clone into new namespaces", "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nfor flag in (0x10000000, 0x20000, 0x20000000, 0x40000000):\n    done = libc.syscall(56, flag | 17, 0, 0, 0, 0)\n    print(errno.errorcode[ctypes.get_errno()] if done < 0 else 'done')", "EPERM", _prints("EPERM")),
    Attempt("clone3, and call numbers of another table", _calls(435, 512, 0x40000000 + 101), "ENOSYS", _prints("ENOSYS")),
    Attempt("setuid", _errors("os.setuid(0)", "os.setgid(0)", "os.setgroups([0])"), "EPERM", _prints("EPERM", "EINVAL")),
    Attempt("raise a limit", _errors(*(f"import resource; resource.setrlimit(resource.RLIMIT_{name}, (1 << 40, 1 << 40))" for name in ("CPU", "FSIZE", "NPROC", "NOFILE", "CORE")), "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1))"), "refused", _prints("ValueError", "EPERM")),
    Attempt("10,000 threads", "import threading, time\nfor i in range(10000): threading.Thread(target=time.sleep, args=[60], daemon=True).start()", "RuntimeError", _fails("RuntimeError")),
    Attempt("dying by SIGSEGV", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal 11", lambda done: done.signal == 11 and done.status is None),
    Attempt("dying by SIGABRT", "import os\nos.abort()", "signal 6", lambda done: done.signal == 6),
    Attempt("dying by SIGTERM", "import os\nos.kill(os.getpid(), 15)", "signal 15", lambda done: done.signal == 15),
    Attempt("dying by SIGKILL", "import os\nos.kill(os.getpid(), 9)", "signal 9", lambda done: done.signal == 9 and done.limit is None),
    Attempt("exit 7", "import sys\nsys.exit(7)", "7", lambda done: done.status == 7),
    Attempt("exit with a text", "import sys\nsys.exit('text')", "1", _fails("text")),
    Attempt("exit statuses of the runner's", "import os\nos._exit(250)", "250", lambda done: done.status == 250 and done.limit is None),
    Attempt("os._exit(0) before output", "import os\nprint('never')\nos._exit(0)", "empty output", lambda done: done.ok and not done.stdout),
    Attempt("stdout closed early", "import os\nos.close(1)\ntry: print('x', flush=True)\nexcept OSError: os._exit(0)", "empty output", lambda done: done.ok and not done.stdout),
    Attempt("8 MB of stdin unread", "print('done')", "no deadlock", _prints("done"), Input(b"x" * (8 << 20))),
    Attempt("binary output", "import sys\nsys.stdout.buffer.write(bytes(range(256)))", "the raw bytes", lambda done: done.stdout == bytes(range(256))),
    Attempt("lone surrogate", "print('\\ud800')", "UnicodeEncodeError", _fails("UnicodeEncodeError")),
    Attempt("recursion limit 10⁹", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()", "limit memory, or SIGSEGV", lambda done: done.limit is Limit.MEMORY or done.signal == 11),
    Attempt("ftruncate(1, 10¹²)", _errors("os.ftruncate(1, 10 ** 12)"), "EFBIG", _prints("EFBIG")),
    Attempt("core dump", "import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.abort()", "none", lambda done: done.signal == 6),
    Attempt("inherited descriptors", "import os\nopen_ = []\nfor fd in range(3, 1024):\n    try: os.fstat(fd); open_.append(fd)\n    except OSError: pass\nprint(open_)", "none", _prints("[]")),
    Attempt("SIGXCPU ignored", "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "limit cpu", _limit(Limit.CPU)),
    Attempt("stop itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "limit wall", _limit(Limit.WALL)),
)  # fmt: skip

CLEAN = f"""
import ctypes, os
found = []
half, rest = {MARK[:16]!r}.encode(), {MARK[16:]!r}.encode()
for where in ("/tmp", "/dev/shm", "/dev/mqueue"):
    if os.path.isdir(where) and os.listdir(where): found.append(where)
if os.path.isdir("/box") and os.listdir("/box") != ["main.py"]: found.append("/box")
if [p for p in os.listdir("/proc") if p.isdigit()] != [str(os.getpid())]: found.append("processes")
try: os.kill(-1, 0)
except ProcessLookupError: pass  # nobody else, whether /proc would tell or not
except OSError: found.append("somebody's processes")
else: found.append("processes")
if sorted(os.environ) != ["HOME", "LANG", "OPENBLAS_NUM_THREADS", "PATH"]: found.append("environment")
def is_in(data):
    # The halves are never put together here, or there they would be.
    at = data.find(half)
    while at >= 0 and data[at + 16:at + 32] != rest: at = data.find(half, at + 1)
    return at >= 0
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable, or this program may not read its own memory
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps.read().splitlines():
        bounds, flags = line.split()[:2]
        low, high = (int(x, 16) for x in bounds.split("-"))
        if flags[0] != "r" or "[v" in line or high - low > 1 << 28: continue
        memory.seek(low)
        try: data = memory.read(high - low)
        except OSError: continue
        if is_in(data): found.append("memory at " + bounds)
        data = None
print(found or "clean")
"""
"""A program that looks for what an earlier one left, and prints "clean"."""
