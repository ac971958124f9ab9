"""Verdicts on finished episodes: at once where that's possible, else as futures."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from rlvr.core.environment import Environment
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Unscored, Verdict
from rlvr.envs.turns import SingleTurn
from rlvr.runs.cache import VerdictCache, identity

_KEPT = 20_000  # verdicts at hand: some ten megabytes


class EpisodeJudge:
    """Judges episodes of one environment, and adds their step rewards.

    An answer that several samples of a task give is judged once: verdicts are kept in memory under
    a digest of the verifier, the task's content and what the verifier sees, and in `cache` too where there's one.
    What had no verdict is tried again. An environment with a `judge` of its own is asked each time.
    """

    def __init__(self, env: Environment, cache: VerdictCache | None = None) -> None:
        self._env = env
        self._cache = cache
        self._identity = identity(env.verifier) if cache is not None else b""
        self._keeps = isinstance(env, SingleTurn) and env.judges_by_verifier
        self._lock = threading.Lock()  # episodes end in threads of their own
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()
        self._last: tuple[Task | None, bytes] = (None, b"")

    def __call__(self, task: Task, transcript: Transcript) -> Verdict | Future[Verdict]:
        """Return the verdict on an episode that is over. Never raises; nor does the future."""
        verdict = self._judged(task, transcript)
        if not any(transcript.step_rewards):
            return verdict
        if isinstance(verdict, Future):
            return _mapped(verdict, transcript.with_step_rewards)
        return transcript.with_step_rewards(verdict)

    def finish(self, episode: LiveEpisode) -> Verdict | Future[Verdict]:
        """End an episode and return its verdict, or the future of it. Never raises; nor does the future."""
        ended = episode.begin_end()
        if ended.done():
            return self._of(episode.task, ended.result())
        result: Future[Verdict] = Future()

        def arrived(done: Future[Transcript | Unscored]) -> None:
            verdict = self._of(episode.task, done.result())
            if isinstance(verdict, Future):
                _pass_on(verdict, result)
            elif result.set_running_or_notify_cancel():
                result.set_result(verdict)

        ended.add_done_callback(arrived)
        return result

    def _of(self, task: Task, ended: Transcript | Unscored) -> Verdict | Future[Verdict]:
        return ended if isinstance(ended, Unscored) else self(task, ended)

    def _judged(self, task: Task, transcript: Transcript) -> Verdict | Future[Verdict]:
        if not self._keeps:
            return self._env.submit(task, transcript)
        key = self._key(task, transcript)
        with self._lock:
            cached = self._verdicts.get(key)
            if cached is not None:
                self._verdicts.move_to_end(key)
                return cached
        if self._cache is not None and (kept := self._cache.get(key)) is not None:
            self._keep(key, kept)
            return kept
        verdict = self._env.submit(task, transcript)
        if isinstance(verdict, Future):
            verdict.add_done_callback(lambda done: self._keep_of(key, done))
        else:
            self._keep_new(key, verdict)
        return verdict

    def _keep_of(self, key: bytes, done: Future[Verdict]) -> None:
        if not done.cancelled():
            self._keep_new(key, done.result())

    def _keep_new(self, key: bytes, verdict: Verdict) -> None:
        self._keep(key, verdict)
        if self._cache is not None:
            self._cache.put(key, verdict)

    def _keep(self, key: bytes, verdict: Verdict) -> None:
        if verdict.scored:
            with self._lock:
                self._verdicts[key] = verdict
                if len(self._verdicts) > _KEPT:
                    self._verdicts.popitem(last=False)

    def _key(self, task: Task, transcript: Transcript) -> bytes:
        last, digest = self._last
        if last is not task:  # a task's samples come one after the other
            content = json.dumps(task.to_json(), sort_keys=True, default=str).encode()
            digest = hashlib.blake2b(content, digest_size=16, key=self._identity).digest()
            self._last = (task, digest)
        if self._env.verifier.sees == "transcript":
            return transcript.digest(digest)
        text = transcript.response.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=digest).digest()


def _mapped(verdict: Future[Verdict], change: Callable[[Verdict], Verdict]) -> Future[Verdict]:
    """Return a future of the changed verdict; cancelling it cancels the other."""
    changed: Future[Verdict] = Future()
    _pass_on(verdict, changed, change)
    return changed


def _pass_on(
    verdict: Future[Verdict],
    result: Future[Verdict],
    change: Callable[[Verdict], Verdict] = lambda verdict: verdict,
) -> None:
    def arrived(done: Future[Verdict]) -> None:
        if not done.cancelled() and result.set_running_or_notify_cancel():
            result.set_result(change(done.result()))

    result.add_done_callback(lambda done: verdict.cancel() if done.cancelled() else None)
    verdict.add_done_callback(arrived)
