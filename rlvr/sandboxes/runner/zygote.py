"""The zygote: a warm interpreter that clones itself into cells and never reads what goes into them."""

from __future__ import annotations

import gc
import os
import socket
import struct
import sys
import traceback

# What programs import most: a fork finds it there.
import bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions  # noqa: E401, F401, I001
import functools, heapq, io, itertools, json, math, operator, random, re, string, typing  # noqa: E401, F401

from . import cell, kernel

_NEW = kernel.NEWPID | kernel.NEWNS | kernel.NEWIPC
PID = struct.Struct("<i")


def main(broker: socket.socket) -> None:
    """For each descriptor that comes, a cell that has it as its control; the reply is the cell's pid."""
    kernel.undumpable()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page it touches
    while True:
        data, fds, _, _ = socket.recv_fds(broker, 1, 1)
        if not data:
            os._exit(0)
        _reap()
        try:
            pid = kernel.clone(_NEW)
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            try:
                broker.close()
                cell.main(socket.socket(fileno=fds[0]))
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
