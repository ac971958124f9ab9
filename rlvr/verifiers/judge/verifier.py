"""`Judge`: a model grades a response by a rubric.

Example: the rubric "The response passes if it says what the reference says", the reference "Anna looks in
the basket" and the response "She'd look in the basket first.", of which three samples of the judge
say pass.

No fault is a wrong answer: a judge that isn't there, refuses or babbles is `Unscored(judge)`. docs/judge.md has
the whole policy.
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
from rlvr.core.verdict import Cause, Scored, Status, Verdict, refused, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.judge.client import JudgeFault, Server, Vote
from rlvr.verifiers.judge.nothing import says_nothing
from rlvr.verifiers.judge.prompt import messages_of

Aggregate: TypeAlias = Literal["majority", "mean"]
TooLong: TypeAlias = Literal["refuse", "head", "tail"]
URL_ENV, MODEL_ENV, KEY_ENV = "RLVR_JUDGE_URL", "RLVR_JUDGE_MODEL", "RLVR_JUDGE_KEY"


class Judge(Verifier):
    """Full reward where a judge model finds that the response meets the rubric; see docs/judge.md.

    It's shown the rubric, the prompt, `task.reference` (any JSON; None for none) and the response
    without its thinking part. Measure its agreement with labelled examples (`rlvr.agreement`) before it's
    a reward.

    Args:
        rubric: what a response has to be, in words.
        model: of the judge, as its server names it; by default `RLVR_JUDGE_MODEL`.
        base_url: an OpenAI-compatible server's, with its `/v1`; by default `RLVR_JUDGE_URL`.
        votes: samples of the judge for a response; an odd number where the majority decides.
        aggregate: `majority`: of pass and fail. `mean`: of scores from 0 to 10, as a reward in [0, 1].
        longest: characters of a response that the judge is shown.
        too_long: a longer one is `refuse`d with status limit; or its `head` or `tail` is judged.
        temperature: of the judge; by default 0, and 0.7 where there are several votes.
        max_tokens: of the judge's answer, its thinking included.
        api_key: by default that of the environment variable `api_key_env`. It's in no repr, pickle or message.
        timeout_s: seconds for one attempt.
        attempts: for each vote.
        backoff_s: seconds between them, doubled each time.
        concurrency: votes under way at a time, of all responses.
        extra: further fields of the request, such as `{"top_p": 0.9}`.
        name: of the reward component.

    Raises `OptionError`.
    """

    # Each attempt is bounded from when it begins: waiting for a turn must not count.
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
        """Raise `OptionError` where an option's value isn't one of its own."""
        if not isinstance(self.rubric, str) or not self.rubric.strip():
            raise OptionError("A judge needs a rubric: what a response has to be, in words.")
        for option, known in (("aggregate", get_args(Aggregate)), ("too_long", get_args(TooLong))):
            given = getattr(self, option)
            if given not in known:
                raise OptionError(f"{option} is one of {', '.join(known)}, not {given!r:.80}.")
        for option in ("votes", "longest", "max_tokens", "attempts", "concurrency"):
            given = getattr(self, option)
            if isinstance(given, bool) or not isinstance(given, int) or given < 1:
                raise OptionError(f"{option} is a whole number above 0, not {given!r:.80}.")
        if self.aggregate == "majority" and self.votes % 2 == 0:
            raise OptionError(
                f"votes is an odd number where the majority decides, not {self.votes}: there'd be ties."
            )
        if not 0 < self.timeout_s < math.inf or not 0 <= self.backoff_s < math.inf:
            raise OptionError("timeout_s and backoff_s are seconds, and not infinite.")
        if self.base_url is not None:
            check_without_secrets(self.base_url)

    def __getstate__(self) -> dict[str, Any]:
        """Without the key, which belongs into no file: there, it's read from the environment again.

        With the judge's name, wherever that is from: what is kept of one judge's verdicts isn't another's.
        """
        judge = {"base_url": self._url, "model": self._model}
        return self.__dict__ | judge | {"_key": None, "_slots": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _slots=_Slots())

    def __copy__(self) -> Judge:
        """With the key: `configure` makes one, and it stays in this process."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __repr__(self) -> str:
        return f"Judge(model={self.model!r}, votes={self.votes}, aggregate={self.aggregate!r})"

    def settle(self, task: Task, response: str) -> Verdict | None:
        """The verdict where there's nothing to judge, or too much."""
        answer = after_thinking(response).strip()
        if len(answer) > self.longest and self.too_long == "refuse":
            said = f"the response has {len(answer)} characters; the judge reads {self.longest}"
            return refused(self.name, Status.LIMIT, said)
        why = says_nothing(answer, task.text, task.reference)
        return refused(self.name, Status.UNPARSABLE, why) if why else None

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
        """The reference, where it's a text."""
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
        """What the judge is shown of it, and whether that isn't all."""
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

    def _counted(self, found: list[Vote | JudgeFault], cut: bool) -> Verdict:
        """The verdict. A vote that's missing counts for nothing, and must not decide."""
        votes = [one for one in found if isinstance(one, Vote)]
        faults = [one for one in found if isinstance(one, JudgeFault)]
        detail: dict[str, Any] = {"votes": [one.points for one in votes]}
        if cut:
            detail["cut"] = True
        if self.aggregate == "mean":
            if faults:
                raise CannotScore(Cause.JUDGE, str(faults[0]))
            reward = math.fsum(one.points for one in votes) / len(votes)
            nearest = min(votes, key=lambda one: abs(one.points - reward))
        else:
            passed = sum(one.points == 1.0 for one in votes)
            if max(passed, len(votes) - passed) * 2 < self.votes:
                raise CannotScore(Cause.JUDGE, str(faults[0]))
            reward = float(passed * 2 > self.votes)
            nearest = next(one for one in votes if one.points == reward)
        return Scored(reward, status_of(reward), {self.name: reward}, nearest.reason, detail)


class _Slots:
    """A semaphore for each event loop: one belongs to the loop it's first waited on."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    def of_this_loop(self, count: int) -> asyncio.Semaphore:
        """That of the loop that runs."""
        return self._of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(count))
