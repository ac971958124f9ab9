"""`Report`: the figures of an evaluation on one environment, with their uncertainty."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from rlvr.core.verdict import Status
from rlvr.runs.rendering import FEW, report_html, report_lines
from rlvr.runs.statistics import Estimate, Floats, bootstrap, majority, pass_at_k
from rlvr.runs.tally import Tally

Bounds = tuple[float, float]


@dataclass(frozen=True)
class EvaluationSize:
    """The size of an evaluation: `tasks` tasks, each with `k` samples."""

    tasks: int
    k: int


@dataclass(frozen=True)
class Report:
    """The figures of an environment's rollouts. Estimates have 95% intervals by a bootstrap over tasks.

    `scored`, the counts of `unscored` and `missing` sum to the rollouts that were asked for.

    Attributes:
        env, part: the environment and its part.
        tasks: the number of tasks that have a rollout.
        rollouts: the number of rollouts.
        scored: the number of rollouts that have a reward.
        unscored: the number of rollouts without a verdict, by cause.
        examples: a task and a message for each cause.
        missing: the number of rollouts that were asked for and left no line; None if the run does not say
            how many were asked for.
        mean: the mean reward over the scored rollouts.
        mean_unscored_as_0, mean_unscored_as_1: the mean over all rollouts, with an unscored one as 0 or 1.
        bounds: the lowest and highest value of `mean`, `correct`, `majority` and each `pass@k`, if each
            unscored and each missing rollout had earned 0 or 1.
        correct: the share of scored rollouts with full reward.
        pass_at_k: for k = 1 up to the largest number of scored samples: the chance that one of k samples
            is correct, over the tasks that have k scored samples.
        pass_tasks: the number of those tasks for each k.
        majority: the share of tasks whose most frequent answer is correct, of the tasks with a scored rollout.
        components: the mean of each component over the scored rollouts that have it.
        statuses: the number of scored rollouts with each status.
        truncated: the share of rollouts that were cut at the token limit or ran out of turns.
        unparsable: the share of scored rollouts in which no answer was found.
        tokens: `prompt` (the last prompts), `completion`, and `sent` (all prompts, as a provider counts
            them), each summed over rollouts; None if the policy did not say.
            With partners in the episodes, also their `partners_sent` and `partners_completion`.
        cost: the price of the tokens sent and received, those of partners included; None without a price or without
            tokens.
        seconds: the time in each stage, summed over rollouts that ran side by side.
        slices: the reports of the slices, by name, if some were asked for.
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
    mean_unscored_as_1: Estimate = field(default_factory=lambda: Estimate(math.nan))
    missing: int | None = None
    bounds: dict[str, Bounds] = field(default_factory=dict)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    slices: dict[str, Report] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the figures as `rlvr eval` prints them."""
        return "\n".join(report_lines(self))

    def _repr_html_(self) -> str:
        return report_html(self)

    @classmethod
    def of(
        cls,
        tally: Tally,
        price: tuple[float, float] | None = None,
        asked: EvaluationSize | None = None,
        slices: dict[str, Tally] | None = None,
    ) -> Report:
        """Compute the report of a tally.

        Args:
            price: the price of a million tokens sent and of a million received, in any currency.
            asked: the size of the evaluation, if it is known.
            slices: the tallies of slices.
        """
        columns, sums, tasks = tally.columns(), tally.per_task(), len(tally.tasks)
        scored_T, solved_T = sums["scored"], sums["correct"]
        lost_T = sums["samples"] - scored_T
        votes_T = _votes(columns, tasks)
        majority_T = np.array([majority(votes) for votes in votes_T], float)
        most = int(scored_T.max()) if tasks else 0
        curve_T_K = np.array([pass_at_k(scored_T, solved_T, k) for k in range(1, most + 1)])
        curve_T_K = curve_T_K.reshape(most, tasks).T
        tops = [sums["reward"], sums["reward"], sums["reward"] + lost_T, solved_T, majority_T]
        belows = [scored_T, sums["samples"], sums["samples"], scored_T, np.isfinite(majority_T)]
        mean, as_0, as_1, correct, voted, *curve = bootstrap(
            np.nan_to_num(np.column_stack([*tops, *curve_T_K.T])),
            np.column_stack([*belows, *np.isfinite(curve_T_K.T)]).astype(float),
        )
        scored, rollouts = sum(tally.statuses.values()), len(tally)
        cut = tally.stops["length"] + tally.stops["turns"]
        has_tokens = tally.with_tokens > 0
        missing_T = _missing(sums["samples"], asked)
        return cls(
            env=tally.env,
            part=tally.part,
            tasks=tasks,
            rollouts=rollouts,
            scored=scored,
            unscored=dict(tally.causes.most_common()),
            mean=mean,
            mean_unscored_as_0=as_0,
            mean_unscored_as_1=as_1,
            correct=correct,
            pass_at_k=curve,
            pass_tasks=[int(n) for n in np.isfinite(curve_T_K).sum(0)],
            majority=voted,
            components={name: total / n for name, (total, n) in tally.components.items()},
            statuses=dict(tally.statuses.most_common()),
            truncated=cut / rollouts if rollouts else 0.0,
            unparsable=tally.statuses[Status.UNPARSABLE] / scored if scored else 0.0,
            tokens={
                "prompt": tally.prompt_tokens if has_tokens else None,
                "completion": tally.completion_tokens if has_tokens else None,
                "sent": tally.sent_tokens if has_tokens else None,
            }
            | _partners(tally),
            seconds={"generate": round(tally.generate_s, 3), "verify": round(tally.verify_s, 3)},
            cost=None
            if price is None or not has_tokens
            else (
                (tally.sent_tokens + tally.partner_sent_tokens) * price[0]
                + (tally.completion_tokens + tally.partner_completion_tokens) * price[1]
            )
            / 1e6,
            missing=None if asked is None else int(missing_T.sum()),
            bounds=_bounds(sums, lost_T, missing_T, votes_T, most),
            examples=dict(tally.examples),
            slices={name: cls.of(part, price) for name, part in (slices or {}).items()},
        )

    @property
    def asked(self) -> int:
        """The number of rollouts that were asked for; those that are there, if the run does not say."""
        return self.rollouts + (self.missing or 0)

    def weakest(self) -> list[str]:
        """Return the names of the slices with `FEW` tasks or more, the lowest mean reward first."""
        ranked = [(r.mean.value, name) for name, r in self.slices.items() if r.tasks >= FEW]
        return [name for value, name in sorted(ranked) if math.isfinite(value)]

    def to_json(self) -> dict[str, Any]:
        """Return plain data; a figure that is not there is null."""
        row = asdict(replace(self, slices={}))
        for name in ("mean", "mean_unscored_as_0", "mean_unscored_as_1", "correct", "majority"):
            row[name] = getattr(self, name).to_json()
        row["pass_at_k"] = [estimate.to_json() for estimate in self.pass_at_k]
        row["bounds"] = {name: list(bounds) for name, bounds in self.bounds.items()}
        row["examples"] = {cause: list(example) for cause, example in self.examples.items()}
        row["asked"] = self.asked
        row["slices"] = {name: report.to_json() for name, report in self.slices.items()}
        return row


def _partners(tally: Tally) -> dict[str, int | None]:
    """Return the tokens of users, opponents and sub-agents, if there were any."""
    sent, completion = tally.partner_sent_tokens, tally.partner_completion_tokens
    return {"partners_sent": sent, "partners_completion": completion} if sent or completion else {}


def _missing(samples_T: Floats, asked: EvaluationSize | None) -> Floats:
    """Return how many samples each asked task lacks; tasks without any rollout come last."""
    if asked is None:
        return np.zeros(len(samples_T))
    absent = max(0, asked.tasks - len(samples_T))
    lacks_T = np.maximum(0.0, asked.k - samples_T)
    return np.concatenate([lacks_T, np.full(absent, float(asked.k))])


def _bounds(
    sums: dict[str, Any],
    lost_T: Floats,
    missing_T: Floats,
    votes_T: list[list[tuple[int | None, bool]]],
    most: int,
) -> dict[str, Bounds]:
    """Return each figure with all unscored and missing rollouts as 0 and as 1."""
    absent = len(missing_T) - len(lost_T)
    reward_T, solved_T, samples_T, lost_T = (
        np.concatenate([values, np.zeros(absent)])
        for values in (sums["reward"], sums["correct"], sums["samples"], lost_T)
    )
    open_T = lost_T + missing_T
    all_T = samples_T + missing_T
    count = all_T.sum()
    if not count:
        return {}
    bounds: dict[str, Bounds] = {
        "mean": (reward_T.sum() / count, (reward_T.sum() + open_T.sum()) / count),
        "correct": (solved_T.sum() / count, (solved_T.sum() + open_T.sum()) / count),
    }
    pairs = [
        _majority_bounds(votes, int(n))
        for votes, n in zip([*votes_T, *[[]] * absent], open_T, strict=True)
    ]
    low, high = np.mean(pairs, axis=0)
    bounds["majority"] = (low, high)
    for k in range(1, most + 1):
        tried = all_T >= k
        low_T, high_T = (
            pass_at_k(all_T[tried], right[tried], k) for right in (solved_T, solved_T + open_T)
        )
        bounds[f"pass@{k}"] = (low_T.mean(), high_T.mean())
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def _majority_bounds(votes: list[tuple[int | None, bool]], unknown: int) -> Bounds:
    """Return the lowest and highest majority vote, whatever `unknown` further samples answered."""
    if not unknown:
        value = majority(votes)
        return value, value
    right = sum(good for _, good in votes)
    wrong = Counter(answer for answer, good in votes if not good and answer is not None)
    rival = max(wrong.values(), default=0)
    low = float(right > rival + unknown)
    return low, majority([*votes, *[(None, True)] * unknown])


def _votes(columns: dict[str, Any], tasks: int) -> list[list[tuple[int | None, bool]]]:
    """Return the answers of each task's scored samples and whether they are correct."""
    votes: list[list[tuple[int | None, bool]]] = [[] for _ in range(tasks)]
    for task, reward, good, answer in zip(
        *(columns[name].tolist() for name in ("task", "reward", "correct", "answer")), strict=True
    ):
        if reward == reward:  # not NaN
            votes[task].append((answer or None, good))
    return votes
