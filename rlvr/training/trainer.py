"""The trainer of a run: TRL's or ours, on the run's environments, with the KL measured in it."""

from __future__ import annotations

import contextlib
from typing import Any

from rlvr.adapters import trl as rlvr_trl
from rlvr.core.compose import leaves
from rlvr.core.errors import OptionError
from rlvr.envs.mixture import Mixture
from rlvr.policies.template import Template
from rlvr.training.config import TrainConfig
from rlvr.training.device import on_gpu

_LOTS = 4  # quarters of a batch: one is judged while the next is generated


def trainer_of(
    config: TrainConfig,
    mixture: Mixture,
    model: Any,
    tokenizer: Any,
    arguments: Any,
    rows: int,
    recorder: Any,
    multi_turn: bool,
) -> Any:
    """TRL's trainer or ours, with the KL measured in it."""
    import trl
    from transformers import PrinterCallback

    from rlvr.training.held_out import is_sharded
    from rlvr.training.kl.trainer import MeasuresKL
    from rlvr.training.unscored_steps import SkipsUnscoredSteps
    from rlvr.training.within import WithinContext

    bases: dict[str, Any] = {"grpo": trl.GRPOTrainer, "rloo": trl.RLOOTrainer}
    if config.trainer == "ppo":
        from rlvr.training.ppo import PPOTrainer

        bases["ppo"] = PPOTrainer
    base = bases[config.trainer]
    # PPO is within the context and skips such steps by itself.
    mixed = () if config.trainer == "ppo" else (WithinContext, SkipsUnscoredSteps)
    made = type(f"Measured{base.__name__}", (MeasuresKL, *mixed, base), {})
    given: dict[str, Any] = {}
    if multi_turn or (_waits(mixture) and config.trainer != "rloo"):
        # Judging then begins as completions arrive, and goes on through the next lot's generation
        # and the trainer's own forward passes.
        # On a GPU, and in vLLM, four small batches take longer than one large one.
        whole = multi_turn or config.vllm != "none" or on_gpu(config)
        lots = 1 if whole else _LOTS
        given["rollout_func"] = rlvr_trl.rollout(mixture, lots=lots)
    if config.lora is not None:
        from rlvr.training.models import lora

        given["peft_config"] = lora(config.lora, model)
    on_cpu: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if config.vllm != "none" and not on_gpu(config):
        from rlvr.training.vllm_cpu import vllm_on_cpu

        on_cpu = vllm_on_cpu()
    with on_cpu:
        trainer = made(
            model=model,
            args=arguments,
            train_dataset=rlvr_trl.dataset(mixture, limit=rows, seed=config.seed),
            reward_funcs=rlvr_trl.reward(
                mixture,
                record=recorder.record,
                ends=_ends(model, tokenizer),
                template=Template(tokenizer, arguments.chat_template_kwargs),
            ),
            processing_class=tokenizer,
            **given,
        )
    trainer.remove_callback(PrinterCallback)
    if config.lora is not None and is_sharded(trainer.accelerator):
        raise OptionError(
            "Adapters can't be merged where weights are spread over processes (FSDP, DeepSpeed's "
            "third stage): train without lora, or with whole weights in each process."
        )
    return trainer


def _waits(mixture: Mixture) -> bool:
    """Whether a verdict takes something outside this process's workers: a sandbox, a judge model."""
    return any(
        leaf.is_async for env in mixture.environments.values() for leaf in leaves(env.verifier)
    )


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The token ids that end a completion."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return {end for end in (*ends, tokenizer.eos_token_id) if end is not None}
