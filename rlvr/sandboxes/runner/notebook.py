"""A Python interpreter that lasts: cells are executed in one `__main__`, as in a notebook. Runs as the model's user.

It reads each cell from one descriptor and writes how it ended to another. Both are within the model's reach, as all of
this process is: what it can forge there is the end of its own call.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import ast
import builtins
import linecache
import os
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

from . import python

# Cells may change or delete the built-in functions; this module keeps those that it began with.
globals()["__builtins__"] = dict(vars(builtins))

_HEAD = struct.Struct("<IQ")  # the number of the call, the length of the source
_KEPT_SOURCES = 64  # for tracebacks


def request(number: int, source: bytes) -> bytes:
    """Return a cell as `main` reads it."""
    return _HEAD.pack(number, len(source)) + source


def main(requests: int, status: int) -> None:
    """Execute one cell after the other until the other side hangs up."""
    python.set_up()
    # A cell that is ended in the middle has shown what it printed; and its children's output stands in order.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    namespace = _main()
    me = os.getpid()
    # What a program may replace is looked up once.
    read, write, getpid, leave = os.read, os.write, os.getpid, os._exit
    handle, interrupt = _signal.signal, _signal.default_int_handler
    while True:
        head = _exactly(read, requests, _HEAD.size)
        if head is None:
            leave(0)
        number, length = _HEAD.unpack(head)
        source = _exactly(read, requests, length)
        if source is None:
            leave(0)
        failed = True
        try:
            handle(_signal.SIGINT, interrupt)
            try:
                failed = not _execute(source, "<cell %d>" % number, namespace)
            finally:
                handle(
                    _signal.SIGINT, _signal.SIG_IGN
                )  # between cells there's nothing to interrupt
        except SystemExit as stop:
            if getpid() == me:
                python.finish(python.exit_status(stop))
            leave(python.exit_status(stop))
        except KeyboardInterrupt:
            pass
        except BaseException as error:  # something that this module needs is broken
            _show(error)
            leave(1)
        if getpid() != me:  # a fork that came back from the cell
            _flush()
            leave(0)
        _flush()
        write(status, b"%d %d\0" % (number, failed))


def _exactly(read: Callable[[int, int], bytes], fd: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            got = read(fd, size - len(data))
        except KeyboardInterrupt:
            continue
        if not got:
            return None
        data += got
    return data


def _main() -> dict[str, Any]:
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(__builtins__=builtins, __annotations__={})
    sys.argv = [""]
    sys.path.insert(0, "")
    return main.__dict__


def _execute(source: bytes, name: str, namespace: dict[str, Any]) -> bool:
    """Execute a cell; show the value of its last expression, or what it raised. Returns whether it raised nothing."""
    text = source.decode("utf-8", "replace")
    try:
        linecache.cache[name] = (len(source), None, text.splitlines(keepends=True), name)
        for old in [key for key in linecache.cache if key.startswith("<cell ")][:-_KEPT_SOURCES]:
            del linecache.cache[old]
    except Exception:
        pass  # then tracebacks have no lines
    try:
        tree: Any = compile(text, name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        body = compile(tree, name, "exec", flags, dont_inherit=True)
        value = None if last is None else compile(last, name, "eval", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        error.__traceback__ = None
        _show(error)
        return False
    try:
        _evaluated(body, namespace)
        if value is not None:
            sys.displayhook(_evaluated(value, namespace))
    except SystemExit:
        raise
    except BaseException as error:
        # Without the frames of this module.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file_name__:
            trace = trace.tb_next
        error.__traceback__ = trace
        _show(error)
        return False
    return True


def _evaluated(code: types.CodeType, namespace: dict[str, Any]) -> Any:
    value = eval(code, namespace)
    if code.co_flags & 0x80:  # a coroutine: the cell awaits something
        import asyncio

        loop = namespace.get("__loop__") or asyncio.new_event_loop()
        namespace["__loop__"] = loop
        return loop.run_until_complete(value)
    return value


def _show(error: BaseException) -> None:
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        try:
            sys.__excepthook__(type(error), error, error.__traceback__)
        except BaseException:
            pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except BaseException:
            pass  # closed, or not a stream any more


__file_name__ = _evaluated.__code__.co_filename
