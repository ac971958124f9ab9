"""The zygote: a warm interpreter that clones itself into cells and never reads what goes into them."""

from __future__ import annotations

# What programs import most, so that a fork finds it there. No more than that: each fork pays for every page.
# Least of all threading and random, which do something at each fork.
import bisect  # noqa: F401
import gc
import os
import socket
import sys
import traceback
from collections.abc import Callable

from . import cell, kernel, python
from . import filter as seccomp
from .cells import PID
from .warm import warm_up

NEW = kernel.NEWPID | kernel.NEWNS | kernel.NEWIPC


def start(
    last_pid: int,
    live: Callable[[socket.socket, int], None] = cell.main,
    namespaces: int = NEW,
) -> tuple[int, int, socket.socket]:
    """Make this process a broker, and start its zygote. The arguments are those of `main`.

    Returns:
        The descriptors on which the host speaks and listens, and the socket to the zygote.
    """
    kernel.dumpable(False)
    link_in, link_out = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        os.close(link_in)
        os.close(link_out)
        main(theirs, last_pid, live, namespaces)
    theirs.close()
    return link_in, link_out, ours


def main(
    broker: socket.socket,
    last_pid: int,
    live: Callable[[socket.socket, int], None] = cell.main,
    namespaces: int = NEW,
) -> None:
    """For each descriptor that comes, a cell that has it as its control; the reply is the cell's pid.

    Args:
        last_pid: the file that sets the last pid of a namespace; -1 if there is none.
        live: what a cell does.
        namespaces: those that it gets of its own.
    """
    kernel.dumpable(False)
    # One session for the jail, as sessions have numbers that count all of the machine's.
    os.setsid()
    kernel.no_new_privileges()
    seccomp.FOR_ALL.install()
    python.make_streams()
    warm_up()
    gc.freeze()  # a collection in a fork would copy every page it touches
    while True:
        data, fds, _, _ = socket.recv_fds(broker, 1, 1)
        if not data:
            os._exit(0)
        _reap()
        try:
            pid = kernel.clone(namespaces)
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            try:
                broker.close()
                live(socket.socket(fileno=fds[0]), last_pid)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(1)
        os.close(fds[0])
        broker.send(PID.pack(pid))


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
