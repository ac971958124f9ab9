"""PPO (Schulman et al. 2017) on TRL's generation, rewards and logging::

    from rlvr.training.ppo import PPOConfig, PPOTrainer

    trainer = PPOTrainer(model, args=PPOConfig(value_model="head"),
                         train_dataset=rlvr.trl.dataset(env), reward_funcs=rlvr.trl.reward(env))

`gae.py` has the papers' equations, `value.py` what predicts the return, `config.py` the options, and
`trainer.py` puts them into TRL's `GRPOTrainer`. What each step does: docs/ppo.md.
"""

from rlvr.training.ppo.config import PPOConfig
from rlvr.training.ppo.trainer import PPOTrainer

__all__ = ["PPOConfig", "PPOTrainer"]
