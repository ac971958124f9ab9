"""System calls that Python's library lacks: clone into namespaces, mount, capabilities."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

NEWNS, NEWIPC, NEWPID = 0x20000, 0x08000000, 0x20000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, REC, PRIVATE = 1, 2, 4, 8, 32, 1 << 14, 1 << 18
_DETACH = 2
_SET_DUMPABLE, _NO_NEW_PRIVILEGES, _AMBIENT = 4, 38, 47

_libc = ctypes.CDLL(None, use_errno=True)
# With the interpreter's lock kept: between a clone and the child's first step no other code may run.
_held = ctypes.PyDLL(None, use_errno=True)
_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())


def clone(flags: int) -> int:
    """fork() into new namespaces: 0 in the child, its pid in the parent."""
    if _CLONE is None:
        raise OSError("no clone() for " + platform.machine())
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _held.syscall(_CLONE, ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0)
    error = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, "clone: " + os.strerror(error))
    return pid


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    """Mount a file system of that kind; "" changes the one that's mounted."""
    name = kind.encode() or None
    done = _libc.mount(name, target.encode(), name, ctypes.c_ulong(flags), options.encode() or None)
    if done != 0:
        error = ctypes.get_errno()
        raise OSError(error, "mount %s on %s: %s" % (kind, target, os.strerror(error)))


def unmount(target: str) -> None:
    """Detach what is mounted there."""
    if _libc.umount2(target.encode(), _DETACH) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "umount %s: %s" % (target, os.strerror(error)))


def undumpable() -> None:
    """Nobody without privilege may look into this process: its memory, its files, its environment."""
    _libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def no_new_privileges() -> None:
    """No exec gains what this process lacks."""
    if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(NO_NEW_PRIVS)")


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    _libc.prctl(_AMBIENT, 4, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")
