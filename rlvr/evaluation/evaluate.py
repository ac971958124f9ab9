"""`evaluate`: a policy's reward on an environment's tasks."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.evaluation.run import Run
from rlvr.policies.base import Policy
from rlvr.scoring import score


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        tasks: how many were asked, each once.
        scored: how many have a verdict; the denominator of everything below.
        mean: reward over the scored.
        interval: half the width of its 95% interval (normal approximation; NaN below two scored).
        correct: share of the scored with full reward.
        statuses: how many of each status, and of each cause among the unscored.
    """

    tasks: int
    scored: int
    mean: float
    interval: float
    correct: float
    statuses: dict[str, int]

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Report:
        """The report on verdicts of one response a task."""
        scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
        rewards = [verdict.reward for verdict in scored]
        n = len(scored)
        statuses = Counter(
            str(v.status) if isinstance(v, Scored) else f"unscored: {v.cause}" for v in verdicts
        )
        return cls(
            tasks=len(verdicts),
            scored=n,
            mean=statistics.fmean(rewards) if n else math.nan,
            interval=1.96 * statistics.stdev(rewards) / math.sqrt(n) if n > 1 else math.nan,
            correct=statuses[Status.CORRECT] / n if n else math.nan,
            statuses=dict(statuses.most_common()),
        )


def evaluate(
    env: Environment,
    policy: Policy,
    *,
    limit: int | None = None,
    run: Run | None = None,
    batch_size: int = 256,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **labels: str | int,
) -> Report:
    """Have `policy` answer each task once, and judge.

    Args:
        env: single-turn.
        limit: only so many tasks, from the first.
        run: where the rollouts go, with `labels` on each.
        batch_size: tasks handed to the policy at a time.
        progress: called with how many are done and how many there are.
    """
    check_single_turn(env)
    if limit is not None and limit < 1:
        raise OptionError(f"limit is at least 1, not {limit}.")
    tasks = env.tasks[: min(limit, len(env.tasks))] if limit is not None else env.tasks
    verdicts: list[Verdict] = []
    for i in range(0, len(tasks), batch_size):
        batch: list[Task] = list(tasks[i : i + batch_size])
        responses = policy.respond(batch)
        judged = score(batch, responses, env.verifier)
        verdicts += judged
        if run is not None:
            for task, response, verdict in zip(batch, responses, judged, strict=True):
                run.rollout(task, 0, response, verdict, **labels)
        progress(len(verdicts), len(tasks))
    return Report.of(verdicts)


def check_single_turn(env: Environment) -> None:
    """Raise `OptionError` where an environment can't be evaluated yet."""
    if env.max_turns > 1:
        raise OptionError(f"{env.name!r} is multi-turn; evaluate takes single-turn environments.")
