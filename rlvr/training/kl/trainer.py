"""Measure the KL to the reference in TRL's trainers at every step, whatever beta is.

    class Trainer(MeasuresKL, GRPOTrainer): ...

    trainer = Trainer(model, args=config, …)
    trainer.measure_kl(KLConfig(budget=KLBudget(limit=20)))
    trainer.train()

For `GRPOTrainer`, `RLOOTrainer` and their subclasses. Written against TRL 1.16.
"""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rlvr.core.errors import OptionError
from rlvr.training.kl.budget import KLBudget, Spent, next_beta
from rlvr.training.kl.estimators import Divergence, divergences, sequence_sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from rlvr.adapters.trl.trainer_types import TrlTrainer
else:
    TrlTrainer = object


@dataclass(frozen=True)
class KLConfig:
    """The settings of the measurement in training.

    Attributes:
        every: Steps between two measurements.
        completions: Completions per measurement, over all processes, spread over the step's prompts. Each costs a
            forward pass of the policy and one of the reference.
        budget: The limit of the KL, or None.

    Raises `OptionError` if a number is out of range.
    """

    every: int = 1
    completions: int = 32
    budget: KLBudget | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.completions < 2:
            raise OptionError(
                f"every is at least 1 step, not {self.every}, and completions are at least 2, "
                f"not {self.completions}."
            )


class MeasuresKL(TrlTrainer):
    """A mixin before the class of a TRL trainer that measures the KL.

    Each measured step logs, in nats at the training temperature: `kl/k1`, `kl/k2` and `kl/k3`, means over tokens;
    `kl/sequence/k1` …, means over sequences of the sums, and `kl/sequence/k1_error` …, their standard errors; `kl/beta`,
    the penalty's weight, if a budget adapts it. Tokens of an environment don't count; rollouts without a reward do.

    Attributes:
        kl_spent: The spent part of the budget, or None.
    """

    if TYPE_CHECKING:  # the arguments are those of the trainer's class

        def __init__(self, *args: Any, **options: Any) -> None: ...

    kl_spent: Spent | None = None
    _kl: KLConfig | None = None
    _kl_reference: PreTrainedModel | None = None
    _kl_step: int | None = None
    _kl_floor: float = 0.0

    def measure_kl(
        self,
        config: KLConfig | None = None,
        history: Iterable[Mapping[str, Any]] = (),
        tell: Callable[[str], object] | None = None,
    ) -> None:
        """Measure from now on. Call it before `train()`: the reference is the present model.

        TRL's reference (beta > 0) or the model without its adapters is used if there is one. Otherwise a frozen copy is
        made, which needs the model's memory once more.

        Args:
            config: The settings of the measurement.
            history: Lines of the run's metrics from before it was resumed: beta continues from there.
            tell: Called with the message when the budget stops the run (default: print a line on standard error).

        Raises `OptionError` if no reference can be made (DeepSpeed or FSDP without beta).
        """
        self._kl = config or KLConfig()
        if self.ref_model is None and not _has_adapters(self):
            self._kl_reference = _frozen_copy(self)
        budget = self._kl.budget
        if budget is None:
            return
        self.kl_spent = Spent(budget)
        if budget.action == "raise_beta":
            # beta can't be raised from 0: batches that are already sampled would have no reference.
            if self._kl_reference is not None:
                self.ref_model = self._kl_reference
            floor = self.beta
            before = [row["kl/beta"] for row in history if row.get("kl/beta") is not None]
            self.beta = before[-1] if before else max(floor, budget.least_beta)
            self._kl_floor = floor
        else:
            self.add_callback(_Stop(self, tell or _print))

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch = super()._generate_and_score_completions(inputs)
        step = self.state.global_step
        # A batch may serve several steps, so not every step generates one.
        last, config = self._kl_step, self._kl
        due = config is not None and (last is None or step - last >= config.every)
        if due and self.model.training:
            self._kl_step = step
            self._record_kl(divergences(self.accelerator.gather(self._kl_sums(batch))))
        return batch

    def _record_kl(self, estimates: Mapping[str, Divergence]) -> None:
        logged, spent = self._metrics["train"], self.kl_spent
        for name, divergence in estimates.items():
            logged[f"kl/{name}"].append(divergence.token)
            logged[f"kl/sequence/{name}"].append(divergence.sequence.value)
            logged[f"kl/sequence/{name}_error"].append(divergence.sequence.error)
        if spent is None or not estimates:
            return
        spent.add(estimates["k1"].sequence.value, estimates["k1"].sequence.error)
        if spent.budget.action == "raise_beta":
            self.beta = next_beta(spent.budget, self.beta, spent.now, self._kl_floor)
            logged["kl/beta"].append(self.beta)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _kl_sums(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the sums of this process's rows, (rows, 4)."""
        assert self._kl is not None
        mask = batch["completion_mask"] * batch.get("tool_mask", 1)
        limit = max(1, self._kl.completions // self.accelerator.num_processes)
        size = len(mask)
        # Spread evenly over the prompts: completions of one prompt are neighbours.
        rows = torch.arange(min(limit, size), device=mask.device) * size // min(limit, size)
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)[rows]
        attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)[rows]
        length = batch["completion_ids"].size(1)

        def logps(model: nn.Module, column: str) -> Tensor:
            if column in batch:
                return batch[column][rows]
            chunk = self.args.per_device_train_batch_size
            values, *_ = self._get_per_token_logps_and_entropies(
                model, ids, attention, length, batch_size=chunk
            )
            return values

        with _evaluating(self.model):  # without dropout
            policy_logps = logps(self.model, "old_per_token_logps")
            reference = self.ref_model if self._kl_reference is None else self._kl_reference
            with contextlib.nullcontext() if reference is not None else _adapters_off(self):
                reference_logps = logps(
                    self.model if reference is None else reference, "ref_per_token_logps"
                )
        return sequence_sums(policy_logps, reference_logps, mask[rows])


class _Stop(TrainerCallback):  # type: ignore[misc]
    """Stops the run, after a checkpoint, when the budget is spent."""

    def __init__(self, trainer: MeasuresKL, tell: Callable[[str], object]) -> None:
        self._trainer = trainer
        self._tell = tell

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        # The measurement is of all processes, so that all decide the same.
        assert self._trainer.kl_spent is not None
        if self._trainer.kl_spent.over:
            control.should_save = control.should_training_stop = True
            if state.is_world_process_zero:
                self._tell(self._trainer.kl_spent.message)


def _has_adapters(trainer: MeasuresKL) -> bool:
    return hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")


@contextlib.contextmanager
def _adapters_off(trainer: MeasuresKL) -> Iterator[None]:
    """Use the base model, or the adapter that TRL keeps as the reference if it trains an existing one."""
    from trl.trainer.utils import use_adapter

    model = trainer.accelerator.unwrap_model(trainer.model)
    with use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None):
        yield


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _frozen_copy(trainer: MeasuresKL) -> PreTrainedModel:
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        raise OptionError(
            "With DeepSpeed or FSDP a sharded model can't be copied for the KL's reference: set beta above 0 "
            "(1e-6 changes nothing), and TRL loads and shards one."
        )
    from trl.trainer.utils import add_fused_lm_head

    # Hooks may be methods of the trainer: the copy keeps the same trainer, and loses its hooks.
    copied = copy.deepcopy(trainer.model, {id(trainer): trainer})
    for module in copied.modules():
        for key, hook in list(module._forward_hooks.items()):
            if getattr(hook, "__self__", None) is trainer:
                del module._forward_hooks[key]
    copied.__dict__.pop("forward", None)  # TRL's, made for the original
    add_fused_lm_head(
        copied,
        temperature=trainer.temperature,
        cast_lm_head_to_fp32=getattr(trainer.args, "cast_lm_head_to_fp32", False),
    )
    return trainer.accelerator.prepare_model(
        copied.requires_grad_(False).eval(), evaluation_mode=True
    )


def _print(message: str) -> None:
    print(f"rlvr: stopping the run: {message}", file=sys.stderr)
