"""The trainer of a run: TRL's or rlvr's, on the run's environments, with the KL measured in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlvr.adapters import trl as rlvr_trl
from rlvr.core.compose import leaves
from rlvr.core.errors import OptionError
from rlvr.envs.mixture import Mixture
from rlvr.policies.template import Template
from rlvr.training.config import TrainConfig
from rlvr.training.device import on_gpu

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import GRPOConfig

    from rlvr.training.kl.trainer import MeasuresKL
    from rlvr.training.recorder import Recorder

_CHUNKS = 4  # of a batch: one is judged while the next is generated


def trainer_of(
    config: TrainConfig,
    mixture: Mixture,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    arguments: GRPOConfig,
    rows: int,
    recorder: Recorder,
    multi_turn: bool,
) -> MeasuresKL:
    """Return the trainer of a run, with the KL measured in it.

    Args:
        config: The run's configuration.
        mixture: The environments to train on.
        model, tokenizer: The model to train, and its tokenizer.
        arguments: TRL's arguments, or PPO's.
        rows: Prompts of the whole run.
        recorder: Takes each batch's rollouts.
        multi_turn: True if an environment has several turns.
    """
    import trl
    from transformers import PrinterCallback

    from rlvr.training.held_out import is_sharded
    from rlvr.training.kl.trainer import MeasuresKL
    from rlvr.training.mixins import SkipsUnscoredSteps, WithinContext

    bases: dict[str, type] = {"grpo": trl.GRPOTrainer, "rloo": trl.RLOOTrainer}
    if config.trainer == "ppo":
        from rlvr.training.ppo import PPOTrainer

        bases["ppo"] = PPOTrainer
    base = bases[config.trainer]
    # PPO stays within the context and skips unscored steps by itself.
    mixins = () if config.trainer == "ppo" else (WithinContext, SkipsUnscoredSteps)
    if config.turn_returns:
        from rlvr.training.turns import ReturnsFromTurns

        mixins = (*mixins, ReturnsFromTurns)
    trainer_class = type(f"Measured{base.__name__}", (MeasuresKL, *mixins, base), {})
    options: dict[str, Any] = {}
    if multi_turn or (_has_slow_verdicts(mixture) and config.trainer != "rloo"):
        # Then judging begins as completions arrive, and continues during the next chunk's generation and the trainer's
        # own forward passes. On a GPU, and in vLLM, four small batches take longer than one large one.
        whole_batch = multi_turn or config.vllm != "none" or on_gpu(config)
        options["rollout_func"] = rlvr_trl.rollout(mixture, chunks=1 if whole_batch else _CHUNKS)
    if config.lora is not None:
        from rlvr.training.models import lora

        options["peft_config"] = lora(config.lora, model)
    trainer: MeasuresKL = trainer_class(
        model=model,
        args=arguments,
        train_dataset=rlvr_trl.dataset(mixture, limit=rows, seed=config.seed),
        reward_funcs=rlvr_trl.reward(
            mixture,
            record=recorder.record,
            stop_token_ids=_stop_token_ids(model, tokenizer),
            template=Template(tokenizer, arguments.chat_template_kwargs),
        ),
        processing_class=tokenizer,
        **options,
    )
    trainer.remove_callback(PrinterCallback)
    if config.lora is not None and is_sharded(trainer.accelerator):
        raise OptionError(
            "Adapters can't be merged if weights are spread over processes (FSDP, DeepSpeed's "
            "third stage): train without lora, or with whole weights in each process."
        )
    return trainer


def _has_slow_verdicts(mixture: Mixture) -> bool:
    """Return True if a verdict needs a sandbox or a judge model, which this process waits for."""
    return any(
        leaf.is_async for env in mixture.environments.values() for leaf in leaves(env.verifier)
    )


def _stop_token_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the token ids that end a completion."""
    ids = model.generation_config.eos_token_id
    ids = ids if isinstance(ids, list) else [ids]
    return {id for id in (*ids, tokenizer.eos_token_id) if id is not None}
