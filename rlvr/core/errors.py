"""The errors that rlvr raises on purpose.

Each class is also of the standard type that a caller would catch without knowing rlvr. Messages say
what to do. All survive pickling, so they cross process borders whole::

    RlvrError
    ├── UnknownEnvironmentError  (LookupError)   no environment has that name
    ├── BrokenEnvironmentError   (ImportError)   a registered environment can't be loaded
    ├── RegistrationError        (ValueError)    a name is taken or not allowed
    ├── MissingExtraError        (ImportError)   an optional package isn't installed
    ├── TaskError                (ValueError)    a task isn't plain JSON data
    ├── DataError                (ValueError)    a data set or file can't be used
    ├── OptionError              (ValueError)    an option doesn't exist or has a wrong value
    ├── RewardError              (ValueError)    a verdict's number or name isn't one
    ├── NoRewardError            (TypeError)     an unscored verdict was asked for its reward
    ├── ResponseError            (TypeError)     a response isn't a string
    ├── ToolError                (ValueError)    a tool can't do what the model asked
    ├── ResetNeededError         (gymnasium)     `step` was called before `reset`
    ├── CannotScore              (RuntimeError)  raised in a verifier: no verdict can be reached
    ├── PoolError                (RuntimeError)  the scoring pool is closed or can't start
    ├── TrainingError            (RuntimeError)  a training run didn't do what it was asked to
    └── SandboxError             (RuntimeError)  no sandbox works here, or one failed
        ├── LacksError                           it lacks a language or a package
        └── JailError                            a jail died or didn't answer
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

if TYPE_CHECKING:
    from rlvr.core.environment import ResetNeededError as ResetNeededError
    from rlvr.core.verdict import Cause, CauseName


class RlvrError(Exception):
    """The root of every error that rlvr raises on purpose::

        try:
            env = rlvr.make("gsm9k")
        except rlvr.RlvrError as error:
            print(error)  # There's no environment 'gsm9k'. Did you mean 'gsm8k'? …

    Each message says what to do.
    """


class UnknownEnvironmentError(RlvrError, LookupError):
    """No environment has that name; the message lists the nearest ones."""


class BrokenEnvironmentError(RlvrError, ImportError):
    """An environment is registered, but what it points to can't be loaded."""


class RegistrationError(RlvrError, ValueError):
    """A name is taken, or isn't one an environment may have."""


class MissingExtraError(RlvrError, ImportError):
    """A package that an optional part needs isn't installed; the message has the `pip install`."""


class TaskError(RlvrError, ValueError):
    """A task is not plain JSON data, or has no prompt."""


class DataError(RlvrError, ValueError):
    """A data set or file can't be used: it isn't there, or lacks a column."""


class DataWarning(UserWarning):
    """A row of a data file was left out; the message says which and why."""


class OptionError(RlvrError, ValueError):
    """An option has a value that isn't one of its own, or there's no such option."""


class NoRewardError(RlvrError, TypeError):
    """Something asked an `Unscored` verdict for a number."""


class RewardError(RlvrError, ValueError):
    """A reward or component isn't a finite number, or a status or cause doesn't exist."""


class ResponseError(RlvrError, TypeError):
    """A response, or an environment's action, isn't a string."""


class ToolError(RlvrError, ValueError):
    """Raised by a tool that can't do what the model asked; the message is a sentence for the model::

        def price(self, item: str) -> int:
            if item not in self._prices:
                raise rlvr.ToolError(f"there's no {item!r:.40} in this shop")
            return self._prices[item]

    The episode goes on, and the model reads the message as the tool's result.
    """


class PoolError(RlvrError, RuntimeError):
    """The scoring pool is closed, or its processes can't be started."""


class TrainingError(RlvrError, RuntimeError):
    """A training run didn't do what it was asked to."""


class SandboxError(RlvrError, RuntimeError):
    """No sandbox works on this machine, or one failed; never the fault of the program in it."""


class LacksError(SandboxError):
    """A sandbox works, and lacks a language or a package that programs need."""


class JailError(SandboxError):
    """A jail hung up, died or didn't answer in time. The pool replaces it and tries again once."""


class WorkspaceFileError(RlvrError, RuntimeError):
    """A file of a workspace can't be written, and the model's code may be the reason: no room, a folder in its place."""


class CannotScore(RlvrError, RuntimeError):
    """Raised inside a verifier that can't reach a verdict; becomes `Unscored(cause, message)`.

        if not path.exists():
            raise rlvr.CannotScore("gold", f"There's no database at {path}.")

    Use it for faults met deep inside a verifier. A wrong answer is never an exception.
    """

    def __init__(self, cause: Cause | CauseName, message: str) -> None:
        from rlvr.core.verdict import as_cause

        super().__init__(cause, message)
        self.cause: Cause = as_cause(cause)
        self.message = message

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"


def nearest(name: str, names: Iterable[str], most: int = 3) -> str:
    """Return a sentence that offers the names closest to `name`, or all `names` if none is close."""
    names = sorted(set(names))
    close = difflib.get_close_matches(name.lower(), names, n=most, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(candidate) for candidate in close) + "?"
    return "There are: " + ", ".join(names) + "." if names else "There are none."


# It derives from Gymnasium's, whose import takes longer than everything else here.
__getattr__, __dir__ = lazy_exports(__name__, {"ResetNeededError": "rlvr.core.environment"})
