"""System calls that Python's library lacks: clone into namespaces, mount, capabilities."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

NEWNS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x08000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, MOVE, REC, PRIVATE = 1 << 12, 1 << 13, 1 << 14, 1 << 18
_DETACH = 2
_SET_DUMPABLE, _NO_NEW_PRIVILEGES, _AMBIENT, _CLEAR_ALL = 4, 38, 47, 4
_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)

_libc = ctypes.CDLL(None, use_errno=True)
# With the interpreter's lock kept: between a clone and the child's first step no other code may run.
_held = ctypes.PyDLL(None, use_errno=True)


def _function(name: str, *arguments: object, library: ctypes.CDLL = _libc) -> Any:
    # Looked up here, once: in a fork, the look-up and its memory cost as much as the fork itself.
    function = getattr(library, name)
    function.argtypes = arguments
    return function


_word, _text = ctypes.c_ulong, ctypes.c_char_p
prctl = _function("prctl", ctypes.c_int, _word, _word, _word, _word)
_mount = _function("mount", _text, _text, _text, _word, _text)
_umount2 = _function("umount2", _text, ctypes.c_int)
_capset = _function("capset", ctypes.c_void_p, ctypes.c_void_p)
_syscall = _function("syscall", *[ctypes.c_long] * 6, library=_held)
_before_fork = _function("PyOS_BeforeFork", library=ctypes.pythonapi)
_after_fork_child = _function("PyOS_AfterFork_Child", library=ctypes.pythonapi)
_after_fork_parent = _function("PyOS_AfterFork_Parent", library=ctypes.pythonapi)
_ATTRIBUTES_SIZE = 256  # bytes; a `pthread_attr_t` has 56 or 64
_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def clone(flags: int) -> int:
    """fork() into new namespaces: 0 in the child, its pid in the parent."""
    if _CLONE is None:
        raise OSError("no clone() for " + os.uname().machine)
    _before_fork()
    pid: int = _syscall(_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        _after_fork_child()
        return 0
    error = ctypes.get_errno()
    _after_fork_parent()
    if pid < 0:
        raise OSError(error, "clone: " + os.strerror(error))
    return pid


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    """Mount a file system of that kind; "" changes the one that's mounted. With `BIND`, `kind` is a path."""
    name = kind.encode() or None
    if _mount(name, target.encode(), name, flags, options.encode() or None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "mount %s on %s: %s" % (kind, target, os.strerror(error)))


def move(source: str, target: str) -> None:
    """Move a mount to another place."""
    if _mount(source.encode(), target.encode(), None, MOVE, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "move %s to %s: %s" % (source, target, os.strerror(error)))


def unmount(target: str) -> None:
    """Detach what is mounted there."""
    if _umount2(target.encode(), _DETACH) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "umount %s: %s" % (target, os.strerror(error)))


def change_root(new: str) -> None:
    """Put a mounted file system in place of the root, and this process into it.

    Not by pivot_root, which Docker's own filter denies. What was mounted before is below, where no path leads.
    """
    os.chdir(new)
    move(new, "/")
    os.chroot(".")
    os.chdir("/")


def become_deaf() -> None:
    """Have a pid 1 hear no signal of its own namespace, and let none of its processes look into it."""
    for number in range(1, signal.NSIG):
        # It is deaf to all signals for which it has no handler.
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    dumpable(False)


def dumpable(yes: bool) -> None:
    """Say if users without privilege may look into this process: its memory, its files, its environment."""
    prctl(_SET_DUMPABLE, int(yes), 0, 0, 0)


def no_new_privileges() -> None:
    """No exec gains what this process lacks."""
    if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(NO_NEW_PRIVS)")


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    if _capset(_CAPABILITY_HEADER, _NO_CAPABILITIES) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def set_thread_stack(size: int) -> None:
    """Set the stack size in bytes of this process's threads that name none, and of its forks' threads."""
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
    _libc.pthread_attr_init(attributes)
    _libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(size))
    _libc.pthread_setattr_default_np(attributes)
    _libc.pthread_attr_destroy(attributes)
