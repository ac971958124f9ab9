"""verl's reward function and reward manager, for rows that another agent loop generated.

verl's rewards are numbers. So an unscored row's score is NaN, which verl can't mistake for a wrong answer, and
`RewardManager` makes the row's session fail: verl's V1 trainer then continues without that row.
"""

from __future__ import annotations

import math
from typing import Any

from rlvr.adapters.metrics import verdict_metrics
from rlvr.adapters.row import TrainerRow
from rlvr.adapters.token_episode import judged
from rlvr.core.errors import RlvrError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Unscored, Verdict


class UnscoredRow(RlvrError, RuntimeError):
    """A row has no verdict and must be left out."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: object = None,
    deadline_s: float = 120.0,
    **_: object,
) -> dict[str, float]:
    """Return a row's verdict as numbers: verl's `custom_reward_function`. Never raises.

    Args:
        data_source: The environment's name; not read.
        solution_str: The response. verl decodes a whole conversation into it, which only `AgentLoop` can judge.
        ground_truth: The row that `write_parquet` wrote.
        extra_info: Not read.
        deadline_s: Seconds after which the row is unscored; set it as
            `reward.custom_reward_function.reward_kwargs.deadline_s`.

    Returns:
        The metrics of `rlvr.adapters.metrics`, with the same keys for each row of a file. None is called `acc`, since
        verl's validation would count a row without `acc` as wrong. `score` is NaN if the row is unscored: use
        `RewardManager`, which keeps such rows out of training.
    """
    try:
        row = TrainerRow.read(ground_truth)
    except Exception as error:  # a row of another file, or an environment that isn't installed
        verdict: Verdict = Unscored(Cause.INPUT, raised("the row", error).message)
        return verdict_metrics(verdict, (), ())
    if row.env.max_turns > 1:
        why = f"{row.env.name} is multi-turn, and only rlvr's agent loop can judge it"
        verdict = Unscored(Cause.INPUT, why)
    else:
        verdict = await judged(row.env, row.task, str(solution_str), deadline_s)
    return verdict_metrics(verdict, row.components, row.own_components)


class RewardManager:
    """verl's `naive` reward manager without the rows that `compute_score` couldn't score.

    Configured as `reward.reward_manager={source: importlib, name: RewardManager, module: {path:
    pkg://rlvr.adapters.verl}}`. It raises `UnscoredRow`, and V1's agent loop worker drops that
    row's session; the asynchronous trainers replace its whole group.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **options: Any) -> None:
        from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

        if not config.trainer.use_v1:
            raise RlvrError(
                "Only verl's V1 trainer continues without an unscored row: set trainer.use_v1=true."
            )
        self._naive = NaiveRewardManager(config, tokenizer, compute_score, **options)
        self.assemble_rm_scores = NaiveRewardManager.assemble_rm_scores

    async def run_single(self, data: Any) -> dict[str, Any]:
        """Return the reward of one row, as verl asks for. Raises `UnscoredRow` if it has none."""
        result: dict[str, Any] = await self._naive.run_single(data)
        if math.isnan(result["reward_score"]):
            causes = [
                name.removeprefix("cause/")
                for name, value in result["reward_extra_info"].items()
                if name.startswith("cause/") and value == 1.0
            ]
            raise UnscoredRow(f"unscored ({', '.join(causes) or 'unknown'}): the row is left out")
        return result
