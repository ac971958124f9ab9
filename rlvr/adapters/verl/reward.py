"""verl's reward function and reward manager, for rows that another agent loop generated.

verl has no reward that isn't a number. So an unscored row's score is NaN, which verl can't mistake
for a wrong answer; and `RewardManager` turns it into what verl's V1 trainer has for a row without
one: its session fails, alone, and training goes on without it.
"""

from __future__ import annotations

import math
from typing import Any

from rlvr.adapters.carried import Carried
from rlvr.adapters.episode import judged
from rlvr.adapters.numbers import numbers
from rlvr.core.errors import RlvrError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Unscored, Verdict


class UnscoredRow(RlvrError, RuntimeError):
    """A row has no verdict, and is to be left out."""


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Any = None,
    deadline_s: float = 120.0,
    **_: Any,
) -> dict[str, float]:
    """verl's `custom_reward_function`: the verdict in numbers. Never raises.

    Args:
        data_source: the environment's name; not read.
        solution_str: the response. In a conversation, the whole of it as verl decodes it: judge
            those with `AgentLoop`.
        ground_truth: what `write_parquet` wrote.
        extra_info: not read.
        deadline_s: seconds after which the row is unscored; set it as
            `reward.custom_reward_function.reward_kwargs.deadline_s`.

    Returns:
        The keys of `rlvr.adapters.numbers`, the same for each row of a file. There's none called
        `acc`: verl's validation counts a row without `acc` as wrong. `score` is NaN where the row
        is unscored: use `RewardManager`, which keeps those out of training.
    """
    try:
        carried = Carried.read(ground_truth)
    except Exception as error:  # a row of another file, or an environment that's not installed here
        verdict: Verdict = Unscored(Cause.INPUT, raised("the row", error).message)
        return numbers(verdict, (), ())
    if carried.env.max_turns > 1:
        said = f"{carried.env.name} is multi-turn, and its verdict is the agent loop's to ask for"
        verdict = Unscored(Cause.INPUT, said)
    else:
        messages = [dict(message) for message in carried.task.prompt]
        messages.append({"role": "assistant", "content": str(solution_str)})
        verdict = await judged(carried.env, carried.task, messages, deadline_s)
    return numbers(verdict, carried.components, carried.own)


class RewardManager:
    """verl's `naive` reward manager, which leaves out what `compute_score` couldn't score.

    Configured as `reward.reward_manager={source: importlib, name: RewardManager, module: {path:
    pkg://rlvr.adapters.verl}}`. It raises `UnscoredRow`, on which V1's agent loop worker drops that
    row's session; the asynchronous trainers replace its whole group.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **options: Any) -> None:
        from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

        if not config.trainer.use_v1:
            raise RlvrError(
                "Only verl's V1 trainer goes on without an unscored row: set trainer.use_v1=true."
            )
        self._naive = NaiveRewardManager(config, tokenizer, compute_score, **options)
        self.assemble_rm_scores = NaiveRewardManager.assemble_rm_scores

    async def run_single(self, data: Any) -> dict[str, Any]:
        """verl's entry: the reward of one row. Raises `UnscoredRow` where there's none."""
        result: dict[str, Any] = await self._naive.run_single(data)
        if math.isnan(result["reward_score"]):
            causes = [
                name.removeprefix("cause/")
                for name, value in result["reward_extra_info"].items()
                if name.startswith("cause/") and value == 1.0
            ]
            raise UnscoredRow(f"unscored ({', '.join(causes) or 'unknown'}): the row is left out")
        return result
