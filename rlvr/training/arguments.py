"""Convert a `TrainConfig` to the arguments of TRL's trainers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.training.config import Algorithm, TrainConfig
from rlvr.training.device import on_gpu

if TYPE_CHECKING:
    from trl import GRPOConfig

# Arguments of TRL that the run sets, each with its field of `TrainConfig`.
_OWNED = {
    "output_dir": "the run's folder (run_path, --run)",
    "max_completion_length": "max_tokens",
    "temperature": "temperature",
    "learning_rate": "learning_rate",
    "warmup_steps": "warmup_steps",
    "beta": "beta",
    "save_steps": "save_every",
    "report_to": "report_to",
    "seed": "seed",
    "use_vllm": "vllm",
    "vllm_mode": "vllm",
    "vllm_server_base_url": "base_url",
}
# A run needs these for its metrics, its checkpoints and its order of tasks.
_FIXED = ("logging_strategy", "logging_steps", "save_strategy", "shuffle_dataset")


def trl_arguments(config: TrainConfig, folder: Path, processes: int) -> GRPOConfig:
    """Return the run's `GRPOConfig`, `RLOOConfig` or `PPOConfig`.

    Args:
        config: The run's configuration.
        folder: The run's folder; checkpoints go into `folder/checkpoints`.
        processes: The number of processes that train together.

    Raises `OptionError` if the batch can't be divided, an argument is set by the run itself, or TRL refuses one.
    """
    for name in config.trl:
        if name in _OWNED:
            raise OptionError(f"{name!r} (in `trl`) is set by the run: use {_OWNED[name]}.")
        if name in _FIXED:
            raise OptionError(f"{name!r} (in `trl`) is set by the run, and can't be changed.")
    share, remainder = divmod(config.batch, processes)
    micro = config.micro_batch or share
    if remainder or micro < 1 or share % micro:
        raise OptionError(
            f"A batch of {config.batch} completions can't be divided among {processes} processes in "
            f"micro-batches of {micro}: batch is processes × micro_batch × a whole number."
        )
    _check_reports(config.report_to)
    gpu = on_gpu(config)
    values: dict[str, Any] = {
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
        "shuffle_dataset": False,  # the rows are already in order
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
        values |= {"use_vllm": True, "vllm_mode": config.vllm}
    if config.vllm == "server":
        values["vllm_server_base_url"] = (config.base_url or "").rstrip("/").removesuffix("/v1")
    values |= config.trl
    cls = _class(config.trainer)
    names = cls.__dataclass_fields__
    unknown = sorted(name for name in config.trl if name not in names)
    if unknown:
        raise OptionError(f"{cls.__name__} of TRL has no argument {unknown[0]!r} (in `trl`).")
    try:
        arguments = cls(**{name: value for name, value in values.items() if name in names})
    except (TypeError, ValueError) as error:
        raise OptionError(f"TRL refuses these arguments: {error}") from error
    if arguments.max_steps < 1:
        raise OptionError(f"max_steps (in `trl`) is at least 1, not {arguments.max_steps}.")
    updates = updates_of(arguments)
    if config.save_every % updates:
        raise OptionError(
            f"save_every is a multiple of {updates}, the steps per generated batch, not "
            f"{config.save_every}: a run resumed between two of them has lost their batch."
        )
    return arguments


def updates_of(arguments: GRPOConfig) -> int:
    """Return the number of optimizer steps per generated batch."""
    passes = arguments.steps_per_generation * getattr(arguments, "num_iterations", 1)
    accumulated: int = arguments.gradient_accumulation_steps
    return int(math.lcm(passes, accumulated) // accumulated)


def prompts_of(arguments: GRPOConfig) -> int:
    """Return the number of prompts in all steps of a run.

    It is computed from TRL's arguments, since `TrainConfig.trl` may change batches and steps.
    """
    iterations: int = getattr(arguments, "num_iterations", 1)
    micro_steps: int = arguments.max_steps * arguments.gradient_accumulation_steps
    generations = -(-micro_steps // int(arguments.steps_per_generation * iterations))
    return generations * int(arguments.generation_batch_size // arguments.num_generations)


def _check_reports(names: Sequence[str]) -> None:
    """Raise if transformers can't report to one of the names, before anything is written."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK as KNOWN

    for name in names:
        if name in ("all", "none"):
            continue
        if name not in KNOWN:
            raise OptionError(f"report_to takes {', '.join(KNOWN)}, not {name!r}.")
        try:
            KNOWN[name]()
        except (RuntimeError, ImportError) as error:
            raise MissingExtraError(
                f"report_to={name!r} needs a package that isn't installed: {error}"
            ) from error


def _class(trainer: Algorithm) -> type[GRPOConfig]:
    import trl

    classes: dict[str, type[GRPOConfig]] = {"grpo": trl.GRPOConfig, "rloo": trl.RLOOConfig}
    if trainer == "ppo":
        from rlvr.training.ppo import PPOConfig

        classes["ppo"] = PPOConfig
    return classes[trainer]
