"""Turn exceptions and invalid return values of author code into verdicts."""

from __future__ import annotations

import os
import site
import sysconfig
import traceback
from pathlib import Path
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause, Scored, Unscored, Verdict


def raised(context: str, error: BaseException) -> Unscored:
    """Return the verdict on an exception: the cause that `CannotScore` names, otherwise `internal`."""
    if isinstance(error, CannotScore):
        return Unscored(error.cause, error.message)
    return Unscored(Cause.INTERNAL, f"{context}: {described(error)}")


def described(error: BaseException) -> str:
    """Return an exception's type, message and origin. Never raises, although its `__str__` may."""
    try:
        summary = f"{type(error).__name__}: {error!s:.500}"
    except Exception:
        summary = type(error).__name__
    if isinstance(error, SyntaxError):  # its message has the file and the line
        return summary
    frames = traceback.extract_tb(error.__traceback__)
    # Code made by `exec` (a dataclass's `__init__`, a namedtuple) has no file to open: name its caller.
    origin = next((f for f in reversed(frames) if not f.filename.startswith("<")), None)
    origin = origin or (frames[-1] if frames else None)
    return f"{summary} ({origin.filename}, line {origin.lineno})" if origin else summary


def is_authors(error: BaseException) -> bool:
    """Return whether an exception comes from an author's code: outside of rlvr and of installed libraries."""
    libraries = tuple({*sysconfig.get_paths().values(), *site.getsitepackages()})
    own = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(own + os.sep):
            return False
        if not frame.filename.startswith((*libraries, "<frozen")):
            return True
    return False


def checked(name: str, verdict: Any) -> Verdict:
    """Return `verdict`, or `Unscored(internal)` if it isn't a verdict."""
    if isinstance(verdict, Scored | Unscored):
        return verdict
    return Unscored(Cause.INTERNAL, f"{name} returned {type(verdict).__name__}, not a verdict")
