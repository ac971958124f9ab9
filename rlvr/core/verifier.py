"""`Verifier`: judges a response to a task.

A verifier is pure: the same task and response give the same verdict, in any process, any number
of times. The scorer (`rlvr.scoring`) decides where it runs. `settle` runs in the caller's thread and takes
microseconds; `verify` runs in a worker, which is killed when it exceeds its limit; an `async def verify` runs on an
event loop.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Verdict

if TYPE_CHECKING:
    from rlvr.core.compose import Gate, Weighted


class Verifier(ABC):
    """Base class of all verifiers. Subclass it, or decorate a function with `rlvr.verifier`::

        class Exact(rlvr.Verifier):
            def verify(self, task, response):
                return rlvr.Scored(1.0, "correct") if response == task.reference else rlvr.Scored(0.0, "incorrect")

    Verifiers combine by arithmetic: `0.9 * Math() + 0.1 * Format.boxed()` is a weighted sum,
    `Format.boxed() >> Math()` a gate (the right side counts only if the left is fully correct).
    """

    name: str
    """The name of the reward component; by default the class's name in lower case."""

    version: int = 1
    """Raise it whenever a verdict may change: caches of verdicts are keyed by it."""

    limit_s: float = 5.0
    """Seconds of wall time that one verification may run in a worker, from when it starts running."""

    reward_range: tuple[float, float] = (0.0, 1.0)
    """The least and the greatest reward; that of a sum follows from its weights."""

    sees: Literal["response", "transcript"] = "response"
    """The thing it judges: the last response as text, or the whole episode as a `Transcript`. One that sees transcripts gets
    a transcript from every caller: for a bare response, that of an episode of one turn."""

    options: ClassVar[tuple[str, ...]] = ()
    """Attributes that `configure` may set."""

    worker_imports: ClassVar[tuple[str, ...]] = ()
    """Modules that `verify` imports when it needs them, and workers import before, off the clock."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__.lower()

    @abstractmethod
    def verify(self, task: Task, response: Any) -> Verdict | Awaitable[Verdict]:
        """Judge `response`, which is a str, or a `Transcript` if `sees` is "transcript". May be `async def`.

        Return a verdict for every possible response: a wrong answer is `Scored`, never an
        exception. An exception becomes `Unscored(internal)`; raise `CannotScore` to name
        another cause.
        """

    def settle(self, task: Task, response: Any) -> Verdict | None:
        """Return the verdict if it takes microseconds and has no risk, otherwise None.

        Runs in the caller's thread, where nothing can stop it: it must take linear time, without recursion on the
        response's nesting and without big-number arithmetic. A long response goes to a worker instead, and so does
        a response for which this raises.
        """
        return None

    def before_sending(self) -> None:  # noqa: B027  (most verifiers have nothing to add)
        """Store everything that a worker needs in attributes. Called before the verifier is pickled."""

    def demonstrate(self, task: Task) -> str | None:
        """Make a response that earns full reward from the reference; None if that's impossible."""
        return None

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Check that tasks can be judged on this machine, before the first of them is.

        Returns facts for a run's record, such as the sandbox's name. Raises `RlvrError` that says what is
        missing and what to do about it.
        """
        return {}

    def configure(self, /, **options: Any) -> Verifier:
        """Return a copy with some of `self.options` changed. Raises `OptionError` that lists the valid ones."""
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            names = ", ".join(self.options) or "none"
            raise OptionError(
                f"{self.name} has no option {unknown[0]!r}. Its options are: {names}."
            )
        changed = copy.copy(self)
        for option, value in options.items():
            setattr(changed, option, value)
        changed.check_options()
        return changed

    def check_options(self) -> None:  # noqa: B027  (most have nothing to check)
        """Raise `OptionError` if an option has an invalid value."""

    @property
    def is_async(self) -> bool:
        """True if `verify` is a coroutine function."""
        return inspect.iscoroutinefunction(self.verify)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        values = {option: getattr(self, option, None) for option in self.options}
        changed = [
            f"{option}={value!r}"
            for option, value in values.items()
            if option not in defaults or defaults[option].default != value
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    # Imported when called: compose.py builds its classes on this one.

    def __mul__(self, weight: float) -> Weighted:
        from rlvr.core.compose import Weighted

        return Weighted.of(self, weight)

    __rmul__ = __mul__

    def __add__(self, other: Verifier) -> Weighted:
        from rlvr.core.compose import Weighted

        return Weighted.of(self) + other

    def __rshift__(self, then: Verifier) -> Gate:
        from rlvr.core.compose import Gate

        return Gate(self, then)


def seen_by(verifier: Verifier, task: Task, response: str | Transcript) -> str | Transcript:
    """Return what the verifier judges: the transcript if it sees transcripts, otherwise the last response."""
    if verifier.sees == "transcript":
        return Transcript.of(task, response) if isinstance(response, str) else response
    return response if isinstance(response, str) else response.response


def a_verifier(value: Any) -> Verifier:
    """Return `value` if it is a verifier. Raises `OptionError` that says how to make one."""
    if isinstance(value, Verifier):
        return value
    if isinstance(value, type) and issubclass(value, Verifier):
        hint = f"Make an instance of the class: {value.__name__}()."
    elif isinstance(getattr(value, "verifier", None), Verifier):
        hint = "An environment has its own as env.verifier."
    elif callable(value):
        hint = "A function becomes one with @rlvr.verifier."
    else:
        hint = "rlvr.Math() is one; a function becomes one with @rlvr.verifier."
    raise OptionError(f"A verifier is an rlvr.Verifier, not {value!r:.80}. {hint}")
