"""A saved run judged again without a model, by a new version of the verifier or under several modes."""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from rlvr.core.environment import Environment
from rlvr.core.verdict import Scored, Unscored, Verdict
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.runs.cache import VerdictCache
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.tally import Tally

_WINDOW = 1024  # rollouts read ahead of the slowest one that isn't judged yet


@dataclass(frozen=True, slots=True)
class Rescored:
    """A rollout, which has its old verdict, with the new one."""

    rollout: Rollout
    verdict: Verdict

    @property
    def change(self) -> tuple[str, str] | None:
        """The old and the new verdict (`incorrect`, `correct`, `unscored: gold`, a reward), or None if they are equal."""
        before, after = self.rollout.verdict, self.verdict
        assert before is not None
        was, now = _said(before), _said(after)
        if was != now:
            return was, now
        if isinstance(before, Unscored) or isinstance(after, Unscored):
            return None
        if before.reward == after.reward:
            return None
        return f"{was} {before.reward:.4g}", f"{now} {after.reward:.4g}"


def rescore(
    env: Environment, rollouts: Iterable[Rollout], cache: VerdictCache | None = None
) -> Iterator[Rescored]:
    """Judge each rollout of `env` again, in order and in flat memory.

    A rollout that never had a response (stop `error`) or ended in the environment's own fault keeps its verdict.
    """
    waiting: deque[tuple[Rollout, Verdict | Future[Verdict]]] = deque()
    judge = EpisodeJudge(env, cache)
    for rollout in rollouts:
        assert rollout.verdict is not None
        answered = rollout.response is not None and rollout.stop != "error"
        new = judge(rollout.task, rollout.transcript) if answered else rollout.verdict
        waiting.append((rollout, new))
        while waiting and (len(waiting) > _WINDOW or _is_there(waiting[0][1])):
            yield _judged(*waiting.popleft())
    while waiting:
        yield _judged(*waiting.popleft())


def changes(rescored: Iterable[Rescored]) -> Counter[tuple[str, str]]:
    """Count the rollouts by the change of their verdict."""
    return Counter(row.change for row in rescored if row.change is not None)


def _judged(rollout: Rollout, verdict: Verdict | Future[Verdict]) -> Rescored:
    return Rescored(rollout, verdict.result() if isinstance(verdict, Future) else verdict)


def _is_there(verdict: Verdict | Future[Verdict]) -> bool:
    return not isinstance(verdict, Future) or verdict.done()


def _said(verdict: Verdict) -> str:
    return str(verdict.status) if isinstance(verdict, Scored) else f"unscored: {verdict.cause}"


def report_modes(
    env: Environment, modes: Sequence[str], rollouts: Callable[[], Iterable[Rollout]]
) -> Iterator[tuple[str, Report]]:
    """Yield the report of one set of responses under each mode of extraction.

    The same model scores 6 or 74 by its extraction alone: a figure without its mode says little.

    Args:
        env: the environment that the responses are to.
        modes: the verifier's modes, such as `boxed` and `flexible`.
        rollouts: a function that gives the rollouts, called once per mode.

    Raises `OptionError` if the verifier has no such mode.
    """
    verifiers = [env.verifier.configure(mode=mode) for mode in modes]
    for mode, verifier in zip(modes, verifiers, strict=True):
        judged = copy.copy(env)
        judged.verifier = verifier
        tally = Tally(env.name)
        for row in rescore(judged, rollouts()):
            row.rollout.verdict = row.verdict
            tally.add(row.rollout)
        yield mode, Report.of(tally)
