"""Run a Python program in this process, a fork of the warm interpreter, as `python3 main.py` would."""

from __future__ import annotations

import _sitebuiltins
import atexit
import builtins
import io
import linecache
import marshal
import os
import signal
import sys
import threading
import traceback
import types

_COMPILED, _FAILED = b"C", b"E"


def run(path: str, args: list[str], compiled: int, told: int) -> None:
    """Never returns.

    Args:
        compiled: a file that the program's tests share: its code, once the first has compiled it,
            or why it doesn't compile. Written before the program runs, closed to it.
        told: a descriptor to close before the program runs.
    """
    code = _code(path, compiled)
    from .cell import keep_only  # the cell imports this module

    keep_only([])
    standard_streams()
    if code is None:
        os._exit(1)
    sys.argv = [path, *args]
    sys.path[0:0] = [os.path.dirname(path)]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(__file__=path, __builtins__=builtins)
    del path, args, compiled, told
    finish(_execute(code, main.__dict__))


def standard_streams() -> None:
    """What a new interpreter sets up: file objects for descriptors 0 to 2 (as in C.UTF-8), signals, `exit`."""

    def opened(fd: int, mode: str, errors: str, **more: bool) -> io.TextIOWrapper:
        raw = io.open(fd, mode, closefd=False)
        return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, **more)

    sys.stdin = sys.__stdin__ = opened(0, "rb", "surrogateescape")
    sys.stdout = sys.__stdout__ = opened(1, "wb", "surrogateescape")
    sys.stderr = sys.__stderr__ = opened(2, "wb", "backslashreplace", line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # an OSError says it
        signal.signal(ignored, signal.SIG_IGN)
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")


def compile_source(path: str):
    """The code in a file, or the message of why it can't be compiled."""
    try:
        with open(path, "rb") as file:
            source = file.read()
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        # Only the message: a traceback would show the runner.
        return "".join(traceback.format_exception_only(type(error), error))


def _code(path: str, compiled: int):
    """The program's code, compiled at most once for all its tests; None where it doesn't compile."""
    kept = os.pread(compiled, os.fstat(compiled).st_size, 0)
    if kept[:1] == _COMPILED:
        return marshal.loads(kept[1:])
    code = compile_source(path)
    if isinstance(code, str):
        os.pwrite(compiled, _FAILED + code.encode("utf-8", "backslashreplace")[:20000], 0)
        return None
    os.pwrite(compiled, _COMPILED + marshal.dumps(code), 0)
    return code


def _execute(code, namespace: dict) -> int:
    """Run it; returns the exit status, as the interpreter would have it."""
    try:
        exec(code, namespace)
    except SystemExit as stop:
        return exit_status(stop)
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        linecache.checkcache()
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def exit_status(stop: SystemExit) -> int:
    """What `sys.exit` with that argument means."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)
    return 1


def finish(status: int) -> None:
    """End this process as the interpreter ends: threads, exit handlers, buffers."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream, failed in ((sys.stdout, 120), (sys.stderr, 0)):
        try:
            stream.flush()
        except BaseException:
            status = status or failed
    os._exit(status)
