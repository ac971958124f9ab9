"""Run a Python program in this process, a fork of the warm interpreter, as `python3 main.py` would."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _sitebuiltins
import atexit
import builtins
import io
import linecache
import marshal
import os
import resource
import sys
import traceback
import types
from typing import Any

from .files import keep_only, read

_COMPILED, FAILED = b"C", b"E"


def run(path: str, args: list[str], compiled: int) -> None:
    """Never returns.

    Args:
        compiled: a file that the program's tests share: its code, once the first has compiled it,
            or why it doesn't compile. Written before the program runs, closed to it.
    """
    code = _code(path, compiled)
    keep_only([])
    set_up()
    if code is None:
        os._exit(1)
    sys.argv = [path, *args]
    sys.path[0:0] = [os.path.dirname(path)]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(__file__=path, __builtins__=builtins)
    del path, args, compiled
    finish(_execute(code, main.__dict__))


_streams: list[io.TextIOWrapper] = []


def make_streams() -> None:
    """Make the file objects for descriptors 0 to 2 beforehand, whatever these will be; as in C.UTF-8."""

    def opened(fd: int, name: str, mode: str, errors: str, **more: Any) -> io.TextIOWrapper:
        file = open(fd, mode, 8192, closefd=False)  # noqa: SIM115
        raw: Any = getattr(file, "raw", file)
        raw.name = name
        return io.TextIOWrapper(file, encoding="utf-8", errors=errors, **more)

    _streams.append(opened(0, "<stdin>", "rb", "surrogateescape"))
    _streams.append(opened(1, "<stdout>", "wb", "surrogateescape"))
    _streams.append(opened(2, "<stderr>", "wb", "backslashreplace", line_buffering=True))
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")


def set_up() -> None:
    """What else a new interpreter has: standard streams and signals."""
    sys.stdin, sys.stdout, sys.stderr = _streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = _streams  # type: ignore[misc]
    # The module `signal` turns numbers into enums, which takes a fork as long as all else here.
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # an OSError says it
        _signal.signal(ignored, _signal.SIG_IGN)


def compile_source(source: bytes, name: str) -> Any:
    """The code in a source, or the message of why it can't be compiled."""
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
        OverflowError,
        SystemError,
    ) as error:
        # Only the message: a traceback would show the runner.
        return "".join(traceback.format_exception_only(type(error), error))


def _code(path: str, compiled: int) -> Any:
    """The program's code, compiled at most once for all its tests; None where it doesn't compile."""
    kept = read(compiled)
    if kept[:1] == _COMPILED:
        return marshal.loads(kept[1:])
    fd = os.open(path, os.O_RDONLY)
    code = compile_source(read(fd), path)
    os.close(fd)
    if isinstance(code, str):
        os.pwrite(compiled, FAILED + code.encode("utf-8", "backslashreplace")[:20000], 0)
        return None
    try:
        kept = _COMPILED + marshal.dumps(code)
    except ValueError:  # nested too deeply for that; then each test compiles it anew
        return code
    if len(kept) <= resource.getrlimit(resource.RLIMIT_FSIZE)[0]:
        os.pwrite(compiled, kept, 0)
    return code


def _execute(code: Any, namespace: dict[str, Any]) -> int:
    """Run it; returns the exit status, as the interpreter would have it."""
    try:
        exec(code, namespace)
    except SystemExit as stop:
        return exit_status(stop)
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        linecache.checkcache()
        _report(error)
        return 1
    return 0


def exit_status(stop: SystemExit) -> int:
    """What `sys.exit` with that argument means."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    try:
        print(stop.code, file=sys.stderr)
    except BaseException:
        pass  # as the interpreter has it
    return 1


def _report(error: BaseException) -> None:
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:  # the program's own, or its own standard error
        sys.__excepthook__(type(error), error, error.__traceback__)


def finish(status: int) -> None:
    """End this process as the interpreter ends: threads, exit handlers, buffers."""
    try:
        # Not imported here: where it is, every fork takes half as long again.
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream, failed in ((sys.stdout, 120), (sys.stderr, 0)):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except BaseException:
            status = status or failed
    os._exit(status)
