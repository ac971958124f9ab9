"""Verdicts on finished episodes: at once where that's possible, else as futures."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from concurrent.futures import Executor, Future

from rlvr.core.environment import Environment
from rlvr.core.faults import checked, raised
from rlvr.core.task import Message, Task
from rlvr.core.verdict import Verdict
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.runs.cache import VerdictCache, identity
from rlvr.scoring import submit
from rlvr.scoring.prints import call_judging

_KEPT = 20_000  # verdicts at hand: some ten megabytes


class EpisodeJudge:
    """Judges episodes of one environment.

    An answer that several samples of a task give is judged once: verdicts are kept in memory under
    a digest of the verifier, the task's content and the response, and in `cache` too where there's one.
    What had no verdict is tried again. Only the last response counts there; an environment with a
    `judge` of its own is asked each time.
    """

    def __init__(
        self, env: Environment, threads: Executor, cache: VerdictCache | None = None
    ) -> None:
        self._env = env
        self._cache = cache
        self._identity = identity(env.verifier) if cache is not None else b""
        self._threads = threads
        self._own = type(env).judge not in (SingleTurn.judge, MultiTurn.judge)
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()
        self._last: tuple[Task | None, bytes] = (None, b"")

    def __call__(self, task: Task, messages: list[Message]) -> Verdict | Future[Verdict]:
        """Return the verdict on a conversation that is over. Never raises; nor does the future."""
        if self._own:
            return self._threads.submit(self._ask, task, messages)
        response = messages[-1]["content"]
        key = self._key(task, response)
        known = self._verdicts.get(key)
        if known is not None:
            self._verdicts.move_to_end(key)
            return known
        if self._cache is not None and (kept := self._cache.get(key)) is not None:
            self._keep(key, kept)
            return kept
        verdict = submit(task, response, self._env.verifier, block=False)
        if isinstance(verdict, Future):
            verdict.add_done_callback(lambda done: self._keep_of(key, done))
        else:
            self._keep_new(key, verdict)
        return verdict

    def _ask(self, task: Task, messages: list[Message]) -> Verdict:
        try:
            verdict = call_judging(self._env.judge, task, messages)
            return checked(self._env.name, verdict)
        except (Exception, SystemExit) as error:
            return raised(f"the judge of {self._env.name} raised", error)

    def _keep_of(self, key: bytes, done: Future[Verdict]) -> None:
        if not done.cancelled():
            self._keep_new(key, done.result())

    def _keep_new(self, key: bytes, verdict: Verdict) -> None:
        self._keep(key, verdict)
        if self._cache is not None:
            self._cache.put(key, verdict)

    def _keep(self, key: bytes, verdict: Verdict) -> None:
        if verdict.scored:
            self._verdicts[key] = verdict
            if len(self._verdicts) > _KEPT:
                self._verdicts.popitem(last=False)

    def _key(self, task: Task, response: str) -> bytes:
        if self._last[0] is not task:  # a task's samples come one after the other
            content = json.dumps(task.to_json(), sort_keys=True, default=str).encode()
            digest = hashlib.blake2b(content, digest_size=16, key=self._identity).digest()
            self._last = (task, digest)
        text = response.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._last[1]).digest()
