"""The owners of containers, so that a container whose owner is dead can be told from one in use."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def me() -> str:
    """Name this process, distinct from every other of any machine: HOST/BOOT/PID NAMESPACE/PID/START."""
    return f"{_here()}/{os.getpid()}/{_start('self')}"


def dead(owner: str) -> bool:
    """Return whether the process that called itself so has ended.

    False where it can't be known from here: on another machine, or in another container.
    """
    here, _, process = owner.partition(f"{_here()}/")
    pid, _, start = process.partition("/")
    if here or not pid.isdigit() or not start:
        return False
    return _start(pid) != start


def _here() -> str:
    """Return a machine since it booted, and where on it a pid means the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}/{os.readlink('/proc/self/ns/pid')}"


def _start(pid: str) -> str:
    """Return the time when a process started, in clock ticks since boot; "" where it's gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # its name may hold anything
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else start
