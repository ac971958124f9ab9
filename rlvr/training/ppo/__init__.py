"""PPO (Schulman et al. 2017) on TRL's generation, rewards and logging; docs/ppo.md walks through it.

`gae.py` has the papers' equations; `trainer.py` puts them into TRL's `GRPOTrainer`.
"""

from rlvr.training.ppo.config import PPOConfig
from rlvr.training.ppo.trainer import PPOTrainer

__all__ = ["PPOConfig", "PPOTrainer"]
