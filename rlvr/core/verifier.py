"""`Verifier`: judges a response to a task.

A verifier is pure: the same task and response give the same verdict, in any process, any number
of times. Where it runs is the scorer's business (`rlvr.scoring`): what `settle` answers is
answered in the caller's thread in microseconds; the rest runs in a worker that is killed when it
overstays; an `async def verify` runs on an event loop.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Verdict

if TYPE_CHECKING:
    from rlvr.core.compose import Gate, Weighted


class Verifier(ABC):
    """Base of all verifiers. Subclass it, or decorate a function with `rlvr.verifier`.

    Verifiers combine by arithmetic: `0.9 * Math() + 0.1 * Format.boxed()` is a weighted sum,
    `Format.boxed() >> Math()` a gate (the right side counts only where the left is fully correct).
    """

    name: str
    """Names the reward component."""

    version: int = 1
    """Raise it whenever a verdict may change: caches of verdicts are keyed by it."""

    limit_s: float = 5.0
    """Seconds of wall time one verification may run in a worker, from when it starts running."""

    reward_range: tuple[float, float] = (0.0, 1.0)
    """The least and the most that it may earn; a sum's follows from its weights."""

    options: ClassVar[tuple[str, ...]] = ()
    """Attributes that `configure` may set."""

    @abstractmethod
    def verify(self, task: Task, response: str) -> Verdict | Awaitable[Verdict]:
        """Judge `response`. May be `async def`.

        Returns a verdict for every response there can be: a wrong answer is `Scored`, never an
        exception. What it raises becomes `Unscored(internal)`; raise `CannotScore` to name
        another cause.
        """

    def settle(self, task: Task, response: str) -> Verdict | None:
        """The verdict where it can be had in microseconds and without risk, else None.

        Runs in the caller's thread, where nothing can stop it: linear time, no recursion on the
        response's nesting, no big-number arithmetic. A long response goes to a worker unseen, and so does
        one over which this raises.
        """
        return None

    def before_sending(self) -> None:  # noqa: B027  (most have nothing to take along)
        """Make what a worker needs part of the attributes. Called before the verifier is sent to one."""

    def demonstrate(self, task: Task) -> str | None:
        """A response that earns full reward, made from the reference; None where there's no such."""
        return None

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Make sure that tasks can be judged here, before the first of them is.

        Returns facts for a run's record, such as which sandbox is used. Raises `RlvrError` that says what is
        missing on this machine and what to do about it.
        """
        return {}

    def configure(self, /, **options: Any) -> Verifier:
        """A copy with some of `self.options` changed. Raises `OptionError` naming the ones there are."""
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "none"
            raise OptionError(
                f"{self.name} has no option {unknown[0]!r}. Its options are: {known}."
            )
        changed = copy.copy(self)
        for option, value in options.items():
            setattr(changed, option, value)
        changed.check_options()
        return changed

    def check_options(self) -> None:  # noqa: B027  (most have nothing to check)
        """Raise `OptionError` where an option's value isn't one of its own."""

    @property
    def is_async(self) -> bool:
        """Whether `verify` is a coroutine function."""
        return inspect.iscoroutinefunction(self.verify)

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


def a_verifier(given: Any) -> Verifier:
    """`given`, which must be a verifier. Raises `OptionError` that says how to make one."""
    if isinstance(given, Verifier):
        return given
    if isinstance(given, type) and issubclass(given, Verifier):
        mend = f"Make one of the class: {given.__name__}()."
    elif isinstance(getattr(given, "verifier", None), Verifier):
        mend = "An environment has its own as env.verifier."
    elif callable(given):
        mend = "A function becomes one with @rlvr.verifier."
    else:
        mend = "rlvr.Math() is one; a function becomes one with @rlvr.verifier."
    raise OptionError(f"A verifier is an rlvr.Verifier, not {given!r:.80}. {mend}")
