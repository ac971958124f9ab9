"""`Report`: what an evaluation found on one environment, with its uncertainty."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rlvr.core.verdict import Status
from rlvr.runs.statistics import Estimate, bootstrap, majority, pass_at_k
from rlvr.runs.tally import Tally


@dataclass(frozen=True)
class Report:
    """What came of an environment's rollouts. Estimates have 95% intervals, by bootstrap over tasks.

    Attributes:
        env, part: whose.
        tasks: how many have a rollout.
        rollouts: of all tasks.
        scored: of the rollouts, how many have a reward.
        unscored: the others, by cause.
        mean: reward over the scored.
        mean_unscored_as_0: reward over all, where an unscored one counts 0: the lower bound.
        correct: share of full reward among the scored.
        pass_at_k: for k = 1 … the most scored samples of any task: the chance that one of k samples
            is correct, over the tasks that have k scored ones.
        pass_tasks: how many tasks that is, for each k.
        majority: share of tasks whose most frequent answer is correct, among tasks with a scored one.
        components: mean of each over the scored that have it.
        statuses: of the scored, how many of each.
        truncated: share of all rollouts that were cut at the length or out of turns.
        unparsable: share of the scored in which no answer was found.
        tokens: of the last prompts and of completions, all together, and `sent`: of all prompts, as a provider
            counts them; null where the policy didn't say.
        cost: of the tokens sent and received, at `price`; null without one, or without the tokens.
        seconds: in each stage, added up over rollouts that ran side by side.
    """

    env: str
    part: str | None
    tasks: int
    rollouts: int
    scored: int
    unscored: dict[str, int]
    mean: Estimate
    mean_unscored_as_0: Estimate
    correct: Estimate
    pass_at_k: list[Estimate]
    pass_tasks: list[int]
    majority: Estimate
    components: dict[str, float]
    statuses: dict[str, int]
    truncated: float
    unparsable: float
    tokens: dict[str, int | None]
    seconds: dict[str, float]
    cost: float | None = None

    @classmethod
    def of(cls, tally: Tally, price: tuple[float, float] | None = None) -> Report:
        """The report on what was counted.

        `price` is of a million tokens sent and of a million received, in any currency.
        """
        columns, tasks = tally.columns(), len(tally.tasks)
        # By id, not in the order in which verdicts came: the same rollouts have the same intervals.
        place = np.empty(tasks, np.int64)
        place[[tally.tasks[id] for id in sorted(tally.tasks)]] = np.arange(tasks)
        task = columns["task"] = place[columns["task"]]
        is_scored = np.isfinite(columns["reward"])
        rewards = np.where(is_scored, columns["reward"], 0.0)
        samples_T = np.bincount(task, minlength=tasks).astype(float)
        scored_T = np.bincount(task, is_scored, minlength=tasks)
        reward_T = np.bincount(task, rewards, minlength=tasks)
        solved_T = np.bincount(task, columns["correct"], minlength=tasks)
        votes_T = _majorities(columns, tasks)
        most = int(scored_T.max()) if tasks else 0
        curve_T_K = np.array([pass_at_k(scored_T, solved_T, k) for k in range(1, most + 1)])
        curve_T_K = curve_T_K.reshape(most, tasks).T
        tops = [reward_T, reward_T, solved_T, votes_T, *curve_T_K.T]
        belows = [scored_T, samples_T, scored_T, np.isfinite(votes_T), *np.isfinite(curve_T_K.T)]
        mean, whole, correct, voted, *curve = bootstrap(
            np.nan_to_num(np.column_stack(tops)), np.column_stack(belows).astype(float)
        )
        scored, rollouts = sum(tally.statuses.values()), len(tally)
        cut = tally.stops["length"] + tally.stops["turns"]
        known = tally.with_tokens > 0
        return cls(
            env=tally.env,
            part=tally.part,
            tasks=tasks,
            rollouts=rollouts,
            scored=scored,
            unscored=dict(tally.causes.most_common()),
            mean=mean,
            mean_unscored_as_0=whole,
            correct=correct,
            pass_at_k=curve,
            pass_tasks=[int(n) for n in np.isfinite(curve_T_K).sum(0)],
            majority=voted,
            components={name: total / n for name, (total, n) in tally.components.items()},
            statuses=dict(tally.statuses.most_common()),
            truncated=cut / rollouts if rollouts else 0.0,
            unparsable=tally.statuses[Status.UNPARSABLE] / scored if scored else 0.0,
            tokens={
                "prompt": tally.prompt_tokens if known else None,
                "completion": tally.completion_tokens if known else None,
                "sent": tally.sent_tokens if known else None,
            },
            seconds={"generate": round(tally.generate_s, 3), "verify": round(tally.verify_s, 3)},
            cost=None
            if price is None or not known
            else (tally.sent_tokens * price[0] + tally.completion_tokens * price[1]) / 1e6,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data; a figure that isn't there is null."""
        row = asdict(self)
        for name in ("mean", "mean_unscored_as_0", "correct", "majority"):
            row[name] = getattr(self, name).to_json()
        row["pass_at_k"] = [one.to_json() for one in self.pass_at_k]
        return row


def _majorities(columns: dict[str, Any], tasks: int) -> Any:
    """Majority@k of each task's scored samples; NaN where it has none."""
    votes: list[list[tuple[int | None, bool]]] = [[] for _ in range(tasks)]
    for task, reward, good, answer in zip(
        *(columns[name].tolist() for name in ("task", "reward", "correct", "answer")), strict=True
    ):
        if reward == reward:  # not NaN
            votes[task].append((answer or None, good))
    return np.array([majority(one) for one in votes], float)
