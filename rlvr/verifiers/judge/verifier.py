"""`Judge`: a model grades a response by a rubric.

Example: the rubric is "The response passes if it agrees with the reference", the reference is "Anna looks in
the basket", the response is "She'd look in the basket first.", and three samples of the judge
say pass.

No fault is a wrong answer: a judge that doesn't answer, refuses or writes nonsense is `Unscored(judge)`. docs/judge.md
has the whole policy.
"""

from __future__ import annotations

import asyncio
import math
import os
import weakref
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.http import check_without_secrets, checked_url
from rlvr.core.secrets import api_key as key_in
from rlvr.core.secrets import checked_key
from rlvr.core.task import Task
from rlvr.core.thinking import after_thinking
from rlvr.core.verdict import Cause, Scored, Status, Verdict, refused, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.judge.client import JudgeFault, Server, Vote
from rlvr.verifiers.judge.contentless import says_nothing
from rlvr.verifiers.judge.prompt import messages_of

Aggregate: TypeAlias = Literal["majority", "mean"]
TooLong: TypeAlias = Literal["refuse", "head", "tail"]
URL_ENV, MODEL_ENV, KEY_ENV = "RLVR_JUDGE_URL", "RLVR_JUDGE_MODEL", "RLVR_JUDGE_KEY"


class Judge(Verifier):
    """Gives full reward if a judge model finds that the response meets the rubric; see docs/judge.md.

        judge = rlvr.Judge("The response passes if it agrees with the reference.", votes=3)

    The judge sees the rubric, the prompt, `task.reference` (any JSON, or None) and the response
    without its thinking part. Measure its agreement with labelled examples (`rlvr.agreement`) before you use it as
    a reward.

    Args:
        rubric: the criteria for a response, in words.
        model: the judge's name on its server (default: `RLVR_JUDGE_MODEL`).
        base_url: the address of an OpenAI-compatible server with its `/v1` (default: `RLVR_JUDGE_URL`).
        votes: samples of the judge per response; an odd number if the majority decides.
        aggregate: `majority` of pass and fail, or `mean` of scores from 0 to 10, as a reward in [0, 1].
        longest: the most characters of a response that the judge sees.
        too_long: `refuse` a longer response with status limit, or judge its `head` or `tail`.
        temperature: the judge's sampling temperature (default: 0, or 0.7 with several votes).
        max_tokens: the most tokens of the judge's answer, including its thinking.
        api_key: the API key (default: the environment variable `api_key_env`). It appears in no repr, pickle or message.
        timeout_s: seconds for one attempt.
        attempts: the most attempts per vote.
        backoff_s: seconds between attempts, doubled each time.
        concurrency: the most votes at a time, for all responses together.
        extra: further fields of the request, such as `{"top_p": 0.9}`.
        name: the name of the reward component.

    Raises `OptionError` if an option has an invalid value.
    """

    # Each attempt is bounded from when it begins: waiting for a slot must not count.
    limit_s = math.inf
    options = ("votes", "aggregate", "longest", "too_long")

    def __init__(
        self,
        rubric: str,
        model: str | None = None,
        base_url: str | None = None,
        *,
        votes: int = 1,
        aggregate: Aggregate = "majority",
        longest: int = 20_000,
        too_long: TooLong = "refuse",
        temperature: float | None = None,
        max_tokens: int = 2048,
        api_key: str | None = None,
        api_key_env: str = KEY_ENV,
        timeout_s: float = 120.0,
        attempts: int = 4,
        backoff_s: float = 0.5,
        concurrency: int = 64,
        extra: dict[str, Any] | None = None,
        name: str = "judge",
    ) -> None:
        self.rubric = rubric
        self.model = model
        self.base_url = base_url
        self.votes = votes
        self.aggregate = aggregate
        self.longest = longest
        self.too_long = too_long
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.api_key_env = api_key_env
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.backoff_s = backoff_s
        self.concurrency = concurrency
        self.extra = dict(extra or {})
        self.name = name
        self._key = checked_key(api_key, "api_key")
        self._slots = _Slots()
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` if an option has an invalid value."""
        if not isinstance(self.rubric, str) or not self.rubric.strip():
            raise OptionError("A judge needs a rubric: the criteria for a response, in words.")
        for option, names in (("aggregate", get_args(Aggregate)), ("too_long", get_args(TooLong))):
            value = getattr(self, option)
            if value not in names:
                raise OptionError(f"{option} is one of {', '.join(names)}, not {value!r:.80}.")
        for option in ("votes", "longest", "max_tokens", "attempts", "concurrency"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{option} is a whole number above 0, not {value!r:.80}.")
        if self.aggregate == "majority" and self.votes % 2 == 0:
            raise OptionError(
                f"votes must be odd if the majority decides, not {self.votes}: there could be ties."
            )
        if not 0 < self.timeout_s < math.inf or not 0 <= self.backoff_s < math.inf:
            raise OptionError("timeout_s and backoff_s are seconds, and not infinite.")
        if self.base_url is not None:
            check_without_secrets(self.base_url)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the key, which must not be written to a file; it is read from the environment again.

        The judge's name and address are included even if they come from the environment: cached verdicts of one
        judge must not be used for another.
        """
        judge = {"base_url": self._url, "model": self._model}
        return self.__dict__ | judge | {"_key": None, "_slots": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _slots=_Slots())

    def __copy__(self) -> Judge:
        """Keep the key: `configure` copies, and the copy stays in this process."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def __repr__(self) -> str:
        return f"Judge(model={self.model!r}, votes={self.votes}, aggregate={self.aggregate!r})"

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Refuse a response that is too long or has no content."""
        answer = after_thinking(response).strip()
        if len(answer) > self.longest and self.too_long == "refuse":
            reason = f"the response has {len(answer)} characters; the judge reads {self.longest}"
            return refused(self.name, Status.LIMIT, reason)
        reason = says_nothing(answer, task.text, task.reference)
        return refused(self.name, Status.UNPARSABLE, reason) if reason else None

    async def verify(self, task: Task, response: str) -> Verdict:
        """Ask for the votes, all at once, and count them. Raises `CannotScore(judge)`."""
        settled = self.settle(task, response)
        if settled is not None:
            return settled
        answer, cut = self._shown(after_thinking(response).strip())
        server = self._server()
        scored = self.aggregate == "mean"
        body = {
            "model": server.model,
            "messages": messages_of(self.rubric, task, answer, scored),
            "max_tokens": self.max_tokens,
            "temperature": self._temperature,
        } | self.extra
        slots = self._slots.of_this_loop(self.concurrency)

        async def vote(number: int) -> Vote | JudgeFault:
            async with slots:
                try:
                    seeded = body | {"seed": number * self.attempts}
                    return await server.vote(client, seeded, scored)
                except JudgeFault as fault:
                    return fault

        try:
            opened = server.client()
        except JudgeFault as fault:
            raise CannotScore(Cause.JUDGE, str(fault)) from None
        async with opened as client:
            votes = await asyncio.gather(*map(vote, range(self.votes)))
        return self._counted(list(votes), cut)

    def demonstrate(self, task: Task) -> str | None:
        """Return the reference if it is a string."""
        return task.reference if isinstance(task.reference, str) else None

    @property
    def _url(self) -> str | None:
        return self.base_url or os.environ.get(URL_ENV)

    @property
    def _model(self) -> str | None:
        return self.model or os.environ.get(MODEL_ENV)

    @property
    def _temperature(self) -> float:
        if self.temperature is not None:
            return self.temperature
        return 0.0 if self.votes == 1 else 0.7

    def _shown(self, answer: str) -> tuple[str, bool]:
        """Return the part of the answer that the judge sees, and whether it was cut."""
        if len(answer) <= self.longest:
            return answer, False
        if self.too_long == "head":
            return answer[: self.longest] + "\n[the rest is left out]", True
        return "[what came before is left out]\n" + answer[-self.longest :], True

    def _server(self) -> Server:
        url, model = self._url, self._model
        if not url or not model:
            missing = f"base_url or {URL_ENV}" if not url else f"model or {MODEL_ENV}"
            raise CannotScore(Cause.JUDGE, f"there's no judge to ask: set {missing}")
        try:
            checked_url(url, URL_ENV)
            key = self._key or key_in(self.api_key_env)
        except OptionError as error:
            raise CannotScore(Cause.JUDGE, str(error)) from None
        return Server(url, model, key, self.timeout_s, self.attempts, self.backoff_s)

    def _counted(self, ballots: list[Vote | JudgeFault], cut: bool) -> Verdict:
        """Return the verdict. A missing vote doesn't count, and must not decide."""
        votes = [vote for vote in ballots if isinstance(vote, Vote)]
        faults = [fault for fault in ballots if isinstance(fault, JudgeFault)]
        detail: dict[str, Any] = {"votes": [vote.points for vote in votes]}
        if cut:
            detail["cut"] = True
        if self.aggregate == "mean":
            if faults:
                raise CannotScore(Cause.JUDGE, str(faults[0]))
            reward = math.fsum(vote.points for vote in votes) / len(votes)
            nearest = min(votes, key=lambda vote: abs(vote.points - reward))
        else:
            passes = sum(vote.points == 1.0 for vote in votes)
            if max(passes, len(votes) - passes) * 2 < self.votes:
                raise CannotScore(Cause.JUDGE, str(faults[0]))
            reward = float(passes * 2 > self.votes)
            nearest = next(vote for vote in votes if vote.points == reward)
        return Scored(reward, status_of(reward), {self.name: reward}, nearest.reason, detail)


class _Slots:
    """One semaphore per event loop, since a semaphore belongs to the loop that first waits on it."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    def of_this_loop(self, count: int) -> asyncio.Semaphore:
        """Return the running loop's semaphore."""
        return self._of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(count))
