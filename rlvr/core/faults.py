"""What becomes of an author's code that raised, or returned something that is no verdict."""

from __future__ import annotations

import os
import site
import sysconfig
import traceback
from pathlib import Path
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause, Scored, Unscored, Verdict


def raised(what: str, error: BaseException) -> Unscored:
    """The verdict on an exception: the cause that `CannotScore` names, else `internal`."""
    if isinstance(error, CannotScore):
        return Unscored(error.cause, error.message)
    return Unscored(Cause.INTERNAL, f"{what}: {described(error)}")


def described(error: BaseException) -> str:
    """Type, message and where it was raised; never raising itself: an exception's own `__str__` may."""
    try:
        said = f"{type(error).__name__}: {error!s:.500}"
    except Exception:
        said = type(error).__name__
    if isinstance(error, SyntaxError):  # its message has the file and the line
        return said
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{said} ({frames[0].filename}, line {frames[0].lineno})" if frames else said


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
    """`verdict`, or what to say where it isn't one."""
    if isinstance(verdict, Scored | Unscored):
        return verdict
    said = f"{name} returned {type(verdict).__name__}, not a verdict"
    return Unscored(Cause.INTERNAL, said)
