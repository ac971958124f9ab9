"""verl's PPO and GRPO, single- and multi-turn::

    rlvr data verl gsm8k -o data
    python -m verl.trainer.main_ppo --config-dir recipes/verl --config-name grpo \\
        actor_rollout_ref.model.path=Qwen/Qwen2.5-1.5B-Instruct

`AgentLoop` generates and judges every row, whatever its environment. It returns nothing for a row without a verdict, and
verl's V1 trainer continues with the others: the row has no advantage, no loss and no part in its group's mean.
`compute_score` and `RewardManager` are for scripts that have an agent loop already. Written against verl 0.9.1.
"""

from __future__ import annotations

from rlvr.adapters.verl.agent_loop import AgentLoop
from rlvr.adapters.verl.parquet import write_parquet
from rlvr.adapters.verl.reward import RewardManager, UnscoredRow, compute_score

__all__ = ["AgentLoop", "RewardManager", "UnscoredRow", "compute_score", "write_parquet"]
