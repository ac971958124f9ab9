"""`@rlvr.verifier`: turn a function into a verifier."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, get_args, overload

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict, refused, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import MODES, Mode, find_answer, in_form

JudgeFunction = Callable[[Task, Any], Any]
Sees: TypeAlias = Literal["response", "transcript"]


class FunctionVerifier(Verifier):
    """A verifier around `judge(task, answer)`; `answer` is the extracted answer, or the transcript if it sees these.

    `judge` returns a bool, a float in [0, 1], or a verdict. Anything else, and any
    exception, is a fault of the verifier: `Unscored(internal)`.
    """

    options = ("mode",)

    def __init__(
        self,
        judge: JudgeFunction,
        mode: Mode = "boxed",
        name: str | None = None,
        version: int = 1,
        limit_s: float = 5.0,
        inline: bool = False,
        demonstrate: Callable[[Task], str | None] | None = None,
        sees: Sees = "response",
    ) -> None:
        if sees not in get_args(Sees):
            raise OptionError(f"sees is 'response' or 'transcript', not {sees!r:.40}.")
        self.sees = sees
        self.judge = judge
        self.mode = mode
        self.name = name or str(getattr(judge, "__name__", ""))
        if not self.name:
            raise OptionError(f"{judge!r:.100} has no name of its own: give one, `name='…'`.")
        _check_signature(judge, self.name)
        self.version = version
        self.limit_s = limit_s
        self.inline = inline
        self._demonstrate = demonstrate
        self.__doc__ = judge.__doc__
        self.check_options()

    def __repr__(self) -> str:
        return f"verifier({self.name})"

    @property
    def is_async(self) -> bool:
        """True if the function is a coroutine function, or an object whose `__call__` is one."""
        return inspect.iscoroutinefunction(self.judge) or inspect.iscoroutinefunction(
            getattr(type(self.judge), "__call__", None)  # noqa: B004  (the method itself)
        )

    def check_options(self) -> None:
        """Raise `OptionError` if `mode` isn't a mode of extraction."""
        if self.mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}.")

    def demonstrate(self, task: Task) -> str | None:
        """Return the response that the author's function makes; otherwise a reference that is a string."""
        if self._demonstrate is not None:
            return self._demonstrate(task)
        if not isinstance(task.reference, str):
            return None
        return in_form(task.reference, self.mode)

    def settle(self, task: Task, response: Any) -> Verdict | None:
        """Judge here if the author chose `inline=True`, and always if there's no answer."""
        answer = self._answer(response)
        if isinstance(answer, Scored) or not self.inline or self.is_async:
            return answer if isinstance(answer, Scored) else None
        return self._verdict(self.judge(task, answer), answer)

    def verify(self, task: Task, response: Any) -> Verdict | Awaitable[Verdict]:
        """Extract the answer and let the function judge it; awaitable if the function is async."""
        if self.is_async:
            return self._verify_async(task, response)
        answer = self._answer(response)
        if isinstance(answer, Scored):
            return answer
        return self._verdict(self.judge(task, answer), answer)

    async def _verify_async(self, task: Task, response: Any) -> Verdict:
        answer = self._answer(response)
        if isinstance(answer, Scored):
            return answer
        return self._verdict(await self.judge(task, answer), answer)

    def _answer(self, response: Any) -> Any:
        """Return what the function judges, or the verdict on a response without an answer."""
        if self.sees == "transcript":
            return response
        extracted = find_answer(response, self.mode)
        if extracted.answer is None:
            return refused(self.name, Status.UNPARSABLE, extracted.reason)
        return extracted.answer

    def _verdict(self, judged: Any, answer: str | Transcript) -> Verdict:
        if isinstance(judged, Scored | Unscored):
            return judged
        try:  # float() reads text too, but "1" is no reward
            reward = math.nan if isinstance(judged, str | bytes) else float(judged)
        except (TypeError, ValueError, OverflowError):
            reward = math.nan
        if not 0.0 <= reward <= 1.0:
            return Unscored(
                Cause.INTERNAL,
                f"{self.name} returned {judged!r:.100}; a verifier returns a bool, a float in "
                f"[0, 1], or a verdict (rlvr.Scored for another range).",
            )
        status = status_of(reward)
        if isinstance(answer, Transcript):
            return Scored(reward, status, {self.name: reward})
        feedback = "" if status is Status.CORRECT else f"{self.name}: got {answer[:100]!r}"
        return Scored(reward, status, {self.name: reward}, feedback, {"answer": answer})


@overload
def verifier(judge: JudgeFunction) -> FunctionVerifier: ...
@overload
def verifier(
    *,
    mode: Mode = "boxed",
    name: str | None = None,
    version: int = 1,
    limit_s: float = 5.0,
    inline: bool = False,
    demonstrate: Callable[[Task], str | None] | None = None,
    sees: Sees = "response",
) -> Callable[[JudgeFunction], FunctionVerifier]: ...
def verifier(
    judge: JudgeFunction | None = None,
    *,
    mode: Mode = "boxed",
    name: str | None = None,
    version: int = 1,
    limit_s: float = 5.0,
    inline: bool = False,
    demonstrate: Callable[[Task], str | None] | None = None,
    sees: Sees = "response",
) -> FunctionVerifier | Callable[[JudgeFunction], FunctionVerifier]:
    """Make a verifier of `judge(task, answer)`, which may be `async def`::

        @rlvr.verifier
        def palindrome(task, answer):
            return answer == answer[::-1]

    Args:
        mode: the place of the answer (`rlvr.verifiers.extraction.find_answer`); `"whole"` passes
            everything after the thinking part.
        name: the name of the reward component (default: the function's name).
        version: raise it when a verdict may change.
        limit_s: seconds that one call may run in its worker before it is killed and the item is unscored.
        inline: run it in the caller's thread. That is quick, but nothing can stop it: use it only for functions
            that take microseconds for every answer.
        demonstrate: makes a response that earns full reward from a task; used by the oracle policy and
            `rlvr show`. By default a string reference, in a box if `mode` asks for one.
        sees: "transcript" passes the whole episode (`rlvr.Transcript`) in place of an answer.
    """

    def decorate(judge: JudgeFunction) -> FunctionVerifier:
        return FunctionVerifier(judge, mode, name, version, limit_s, inline, demonstrate, sees)

    return decorate if judge is None else decorate(judge)


def _check_signature(judge: JudgeFunction, name: str) -> None:
    """Raise `OptionError` if a function can't be called with a task and an answer."""
    try:
        signature = inspect.signature(judge)
    except (TypeError, ValueError):
        return  # a builtin may not say
    try:
        signature.bind(None, "")
    except TypeError as error:
        raise OptionError(
            f"A verifier function takes a task and an answer, and {name}{signature} can't be called so: {error}."
        ) from None
