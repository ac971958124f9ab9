"""Sandboxes: where what a model wrote is run. `Sandbox` is the whole of it for callers."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

from rlvr.core.errors import LacksError
from rlvr.sandboxes.base import (
    Execution,
    FunctionTests,
    Input,
    Limit,
    Limits,
    Program,
    ProgramRun,
    TestOutcome,
    TestRun,
)

if TYPE_CHECKING:
    from rlvr.sandboxes.needs import Needs
    from rlvr.sandboxes.pool import Sandbox

__all__ = [
    "Execution",
    "FunctionTests",
    "Input",
    "Limit",
    "Limits",
    "Needs",
    "Program",
    "ProgramRun",
    "Sandbox",
    "TestOutcome",
    "TestRun",
    "close",
    "default_sandbox",
    "made_sandbox",
]

_lock = threading.Lock()
_made: list[Sandbox] = []


def made_sandbox(needs: Needs | None = None) -> Sandbox | None:
    """Return this process's sandbox that is known to have what programs need; None if there's none yet. Never waits."""
    return next(
        (sandbox for sandbox in tuple(_made) if needs is None or sandbox.meets(needs)), None
    )


def default_sandbox(needs: Needs | None = None) -> Sandbox:
    """Return this process's sandbox that has what programs need, made at the first call.

    `RLVR_SANDBOX` names its backend ("auto", "docker", "bubblewrap"), `RLVR_JAILS` its size. With "auto" a
    second one is made if the first lacks something that another backend has. Raises `SandboxError` if there's
    none to be had.
    """
    from rlvr.sandboxes.needs import Needs
    from rlvr.sandboxes.pool import Sandbox

    needs = needs or Needs()
    wanted = os.environ.get("RLVR_SANDBOX", "auto")
    with _lock:
        for sandbox in _made:
            try:
                sandbox.require(needs)
            except LacksError:
                if wanted != "auto":
                    raise
            else:
                return sandbox
        size = os.environ.get("RLVR_JAILS", "")
        new = Sandbox(wanted, int(size) if size.isascii() and size.isdigit() else None, needs=needs)
        try:
            new.require(needs)
        except BaseException:
            new.close()
            raise
        _made.append(new)
        atexit.register(new.close)
        return new


def close() -> None:
    """End this process's sandboxes, if it has any. The next `default_sandbox` makes another."""
    with _lock:
        sandboxes = _made.copy()
        _made.clear()
    for sandbox in sandboxes:
        atexit.unregister(sandbox.close)
        sandbox.close()


def _forked() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


def __getattr__(name: str) -> object:
    if name == "Sandbox":
        from rlvr.sandboxes.pool import Sandbox

        return Sandbox
    if name == "Needs":
        from rlvr.sandboxes.needs import Needs

        return Needs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
