"""PPO (Schulman et al. 2017) on TRL's generation, rewards and logging. docs/ppo.md explains its steps.

`gae.py` has the papers' equations, and `trainer.py` applies them in TRL's `GRPOTrainer`.
"""

from rlvr.training.ppo.config import PPOConfig
from rlvr.training.ppo.trainer import PPOTrainer

__all__ = ["PPOConfig", "PPOTrainer"]
