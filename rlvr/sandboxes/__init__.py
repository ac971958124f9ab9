"""Sandboxes: where what a model wrote is run. `Sandbox` is the whole of it for callers."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

from rlvr.sandboxes.base import (
    Execution,
    FunctionTests,
    Input,
    Limit,
    Limits,
    Outcome,
    Program,
    Run,
    TestRun,
)

if TYPE_CHECKING:
    from rlvr.sandboxes.pool import Sandbox

__all__ = [
    "Execution",
    "FunctionTests",
    "Input",
    "Limit",
    "Limits",
    "Outcome",
    "Program",
    "Run",
    "Sandbox",
    "TestRun",
    "close",
    "default_sandbox",
    "made_sandbox",
]

_lock = threading.Lock()
_default: Sandbox | None = None


def made_sandbox() -> Sandbox | None:
    """The sandbox of this process, if `default_sandbox` has made it already. Never waits."""
    return _default


def default_sandbox() -> Sandbox:
    """The sandbox of this process, made when first needed.

    `RLVR_SANDBOX` names its backend ("auto", "docker", "bubblewrap"), `RLVR_JAILS` its size. Raises
    `SandboxError` where there's none to be had.
    """
    global _default
    from rlvr.sandboxes.pool import Sandbox

    with _lock:
        if _default is None:
            wanted = os.environ.get("RLVR_JAILS", "")
            jails = int(wanted) if wanted.isascii() and wanted.isdigit() else None
            _default = Sandbox(os.environ.get("RLVR_SANDBOX", "auto"), jails)
            atexit.register(_default.close)
        return _default


def close() -> None:
    """End this process's sandbox, if it has one. The next `default_sandbox` makes another."""
    global _default
    with _lock:
        sandbox, _default = _default, None
    if sandbox is not None:
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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
