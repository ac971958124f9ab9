"""Run a Python program in this process, a fork of the warm interpreter, as `python3 main.py` would."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _weakref
import atexit
import builtins
import gc
import io
import linecache
import marshal
import os
import resource
import site
import sys
import traceback
import types
from importlib.machinery import SourceFileLoader
from typing import Any

from . import kernel
from .files import keep_only, read

_COMPILED, FAILED = b"C", b"E"
_THREAD_STACK = 8 << 20  # bytes, the usual limit's; without a limit glibc gives threads 2 MiB
_BUFFERED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)


def run(path: str, args: list[str], compiled: int) -> None:
    """Run the program and exit with its status.

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
    del args, compiled
    finish(_execute(code, _main(path)))


def _main(path: str) -> dict[str, Any]:
    """Make `__main__`; returns its names, to which nothing here keeps a reference."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(
        __annotations__={},
        __builtins__=builtins,
        __cached__=None,
        __file__=path,
        __loader__=SourceFileLoader("__main__", path),
    )
    return main.__dict__


_streams: list[io.TextIOWrapper] = []


def make_streams() -> None:
    """Make the file objects for descriptors 0 to 2 beforehand, as `create_stdio` does in C.UTF-8.

    Also what `site` adds to the built-in names, and the stack of threads.
    """

    def opened(fd: int, name: str, mode: str, errors: str, **more: Any) -> io.TextIOWrapper:
        file = open(fd, mode + "b", 8192, closefd=False)  # noqa: SIM115
        raw: Any = getattr(file, "raw", file)
        raw.name = name
        stream: Any = io.TextIOWrapper(file, encoding="utf-8", errors=errors, **more)
        stream.mode = mode
        text: io.TextIOWrapper = stream
        return text

    _streams.append(opened(0, "<stdin>", "r", "surrogateescape"))
    _streams.append(opened(1, "<stdout>", "w", "surrogateescape"))
    _streams.append(opened(2, "<stderr>", "w", "backslashreplace", line_buffering=True))
    site.setquit()
    site.setcopyright()
    site.sethelper()
    kernel.set_thread_stack(_THREAD_STACK)


def set_up() -> None:
    """Set standard streams and signals as a new interpreter has them."""
    sys.stdin, sys.stdout, sys.stderr = _streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = _streams  # type: ignore[misc]
    # The module `signal` turns numbers into enums, which takes a fork as long as all else here.
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # an OSError says it
        _signal.signal(ignored, _signal.SIG_IGN)


def compile_source(source: bytes, name: str) -> Any:
    """Return the code in a source, or the message of why it can't be compiled."""
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
    """Return the program's code, compiled at most once for all its tests; None where it doesn't compile."""
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
    """Return the exit status that `sys.exit` with that argument means."""
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
    """End this process as the interpreter ends: threads, exit handlers, `__main__`, buffers."""
    try:
        # Not imported here: where it is, every fork takes half as long again.
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    status = _flush(status)
    # The interpreter stops its daemon threads here. These go on: one that spins takes the lock at each write of this
    # thread, which waits for a switch to get it back.
    sys.setswitchinterval(1e-5)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    try:
        _tear_down()
    except BaseException:
        pass  # out of memory
    os._exit(_flush(status))


def _flush(status: int) -> int:
    """Flush the standard streams; returns the exit status, which a failure changes."""
    for stream, failed in ((sys.stdout, 120), (sys.stderr, 0)):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except BaseException:
            status = status or failed
    return status


def _tear_down() -> None:
    """Let go of the program's objects in the interpreter's order: finalizers run, files are written.

    `__main__` is dropped, and what is in cycles with its functions is collected while its names are still there.
    If something else holds it (another module, a thread), its names are cleared as `_PyModule_Clear` does: private
    ones first. Files that are still held are flushed: the collector may close a file before the buffer over it.
    """
    main = _weakref.ref(sys.modules["__main__"])
    del sys.modules["__main__"]
    _flush_all()
    # A full collection frees the caches that a fork shares with the others: a copy of every page.
    collected = gc.collect(2 if gc.get_objects(2) else 1)
    module = main()
    if module is not None:
        names = vars(module)
        for private in (True, False):
            for name in list(names):
                is_private = name[:1] == "_" and name[1:2] != "_"
                if is_private is private and name != "__builtins__":
                    names[name] = None
    if collected or module is not None:
        _flush_all()


def _flush_all() -> None:
    for stream in gc.get_objects():
        try:
            if issubclass(type(stream), _BUFFERED) and not stream.closed and stream.writable():
                stream.flush()
        except BaseException:
            pass  # as where its finalizer fails
