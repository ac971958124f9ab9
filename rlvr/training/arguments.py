"""A `TrainConfig` as the arguments of TRL's trainers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.training.config import TrainConfig
from rlvr.training.device import on_gpu


def trl_arguments(config: TrainConfig, folder: Path, processes: int) -> Any:
    """`GRPOConfig`, `RLOOConfig` or `PPOConfig`.

    Args:
        folder: of the run; checkpoints go into `folder/checkpoints`.
        processes: that train together.

    Raises `OptionError` where the batch can't be shared out, or TRL won't have an argument.
    """
    share, rest = divmod(config.batch, processes)
    micro = config.micro_batch or share
    if rest or micro < 1 or share % micro:
        raise OptionError(
            f"A batch of {config.batch} completions can't be shared out to {processes} processes in "
            f"micro-batches of {micro}: batch is processes × micro_batch × a whole number."
        )
    gpu = on_gpu(config)
    given: dict[str, Any] = {
        "output_dir": str(folder / "checkpoints"),
        "max_steps": config.steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "num_generations": config.group,
        "max_completion_length": config.max_tokens,
        "temperature": config.temperature,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": config.warmup_steps,
        "beta": config.beta,
        "shuffle_dataset": False,  # the rows are in their order already
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "save_total_limit": 2,
        "report_to": list(config.report_to),
        "seed": config.seed,
        "disable_tqdm": True,
        "use_cpu": not gpu,
        "bf16": gpu,
        "gradient_checkpointing": gpu,
    }
    if config.vllm != "none":
        given |= {"use_vllm": True, "vllm_mode": config.vllm}
    if config.vllm == "server":
        given["vllm_server_base_url"] = (config.base_url or "").rstrip("/").removesuffix("/v1")
    given |= config.trl
    cls = _class(config.trainer)
    known = cls.__dataclass_fields__
    unknown = sorted(name for name in config.trl if name not in known)
    if unknown:
        raise OptionError(f"{cls.__name__} of TRL has no argument {unknown[0]!r} (in `trl`).")
    try:
        made = cls(**{name: value for name, value in given.items() if name in known})
    except (TypeError, ValueError) as error:
        raise OptionError(f"TRL won't have these arguments: {error}") from error
    updates = updates_of(made)
    if config.save_every % updates:
        raise OptionError(
            f"save_every is a multiple of {updates}, the steps on a generated batch, not "
            f"{config.save_every}: a run resumed between two of them has lost their batch."
        )
    return made


def updates_of(arguments: Any) -> int:
    """Optimizer steps on one generated batch."""
    passes = arguments.steps_per_generation * getattr(arguments, "num_iterations", 1)
    accumulated: int = arguments.gradient_accumulation_steps
    return int(math.lcm(passes, accumulated) // accumulated)


def generations(arguments: Any, steps: int) -> int:
    """How many batches are generated in so many optimizer steps."""
    iterations: int = getattr(arguments, "num_iterations", 1)
    micro_steps: int = steps * arguments.gradient_accumulation_steps
    return -(-micro_steps // int(arguments.steps_per_generation * iterations))


def _class(trainer: str) -> Any:
    if trainer == "ppo":
        from rlvr.training.ppo import PPOConfig

        return PPOConfig
    import trl

    return trl.GRPOConfig if trainer == "grpo" else trl.RLOOConfig
