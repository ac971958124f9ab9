"""TRL's `GRPOTrainer` and `RLOOTrainer`::

    env = rlvr.make("gsm8k", split="train")
    trainer = GRPOTrainer(model, args=config,
                          train_dataset=rlvr.trl.dataset(env), reward_funcs=rlvr.trl.reward(env))

Environments with several turns also need `rollout_func=rlvr.trl.rollout(env)`, which only `GRPOTrainer` has;
environments with tools may use `environment_factory=rlvr.trl.environment_factory(env)` instead. An unscored row's reward
is `None`, so that TRL leaves it out of the group's baseline and gives it advantage 0. Pass other reward functions as
`rlvr.trl.reward(env, also=[…])`, otherwise they reward unscored rows. Written against TRL 1.16.
"""

from rlvr.adapters.trl.reward import RewardFunction, metrics, reward
from rlvr.adapters.trl.rollout import RolloutFunction, rollout
from rlvr.adapters.trl.rows import COLUMN, ENV_COLUMN, dataset
from rlvr.adapters.trl.tools import environment_factory
from rlvr.envs.mixture import Mixture

__all__ = [
    "COLUMN",
    "ENV_COLUMN",
    "Mixture",
    "RewardFunction",
    "RolloutFunction",
    "dataset",
    "environment_factory",
    "metrics",
    "reward",
    "rollout",
]
