"""KL to the reference, measured in TRL's trainers at every step whatever beta is.

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
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from rlvr.core.errors import OptionError
from rlvr.training.kl.budget import KLBudget, Spent, next_beta
from rlvr.training.kl.estimators import Divergence, divergences, sequence_sums


@dataclass(frozen=True)
class KLConfig:
    """How the KL is measured in training.

    Attributes:
        every: steps between two measurements.
        completions: of each measurement, over all processes: so many of the step's own, spread
            over its prompts. Each costs a forward pass of the policy and one of the reference.
        budget: what may be spent, or None.

    Raises `OptionError` where a number can't be one.
    """

    every: int = 1
    completions: int = 32
    budget: KLBudget | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.completions < 2:
            raise OptionError(
                f"KL is measured every 1 step or more, not {self.every}, on 2 completions or more, "
                f"not {self.completions}."
            )


class MeasuresKL:
    """A mixin that stands before one of TRL's trainers.

    Logged with each step that's measured, in nats, at the training temperature: `kl/k1`, `kl/k2`,
    `kl/k3` are means over tokens; `kl/sequence/k1` … are means over sequences of the sums, with
    `kl/sequence/k1_error` … their standard errors; `kl/beta` is the penalty's weight, where a budget
    has it adapted. Tokens of an environment don't count; rollouts without a reward do.

    Attributes:
        kl_spent: the budget's account, or None.
    """

    beta: float
    ref_model: Any
    kl_spent: Spent | None = None
    _kl: KLConfig | None = None
    _kl_reference: Any = None
    _kl_step: int | None = None
    _kl_floor: float = 0.0

    def measure_kl(
        self: Any,
        config: KLConfig | None = None,
        history: Iterable[Mapping[str, Any]] = (),
        tell: Callable[[str], object] | None = None,
    ) -> None:
        """Measure from now on. Call it before `train()`: the reference is the model as it is now.

        Where TRL has a reference (beta > 0) or the model has adapters, that's the reference;
        otherwise a frozen copy is made, which takes the model's memory once more.

        Args:
            config: how.
            history: lines of the run's metrics from before it was resumed: beta goes on from there.
            tell: called with the message when the budget stops the run; by default it's a line on
                standard error.

        Raises `OptionError` where no reference can be made (DeepSpeed or FSDP without beta).
        """
        self._kl = config or KLConfig()
        if self.ref_model is None and not _has_adapters(self):
            self._kl_reference = _frozen_copy(self)
        budget = self._kl.budget
        if budget is None:
            return
        self.kl_spent = Spent(budget)
        if budget.action == "raise_beta":
            # From 0 it couldn't be raised: batches that are sampled already have no reference.
            if self._kl_reference is not None:
                self.ref_model = self._kl_reference
            floor = self.beta
            before = [row["kl/beta"] for row in history if row.get("kl/beta") is not None]
            self.beta = before[-1] if before else max(floor, budget.least_beta)
            self._kl_floor = floor
        else:
            self.add_callback(_Stop(self, tell or _print))

    def _generate_and_score_completions(self: Any, inputs: Any) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        step = self.state.global_step
        # A batch may serve several steps, so that not every step has one.
        last, config = self._kl_step, self._kl
        due = config is not None and (last is None or step - last >= config.every)
        if due and self.model.training:
            self._kl_step = step
            self._record_kl(divergences(self.accelerator.gather(self._kl_sums(batch))))
        return batch

    def _record_kl(self: Any, found: Mapping[str, Divergence]) -> None:
        logged, spent = self._metrics["train"], self.kl_spent
        for name, divergence in found.items():
            logged[f"kl/{name}"].append(divergence.token)
            logged[f"kl/sequence/{name}"].append(divergence.sequence.value)
            logged[f"kl/sequence/{name}_error"].append(divergence.sequence.error)
        if spent is None or not found:
            return
        spent.add(found["k1"].sequence.value, found["k1"].sequence.error)
        if spent.budget.action == "raise_beta":
            self.beta = next_beta(spent.budget, self.beta, spent.now, self._kl_floor)
            logged["kl/beta"].append(self.beta)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _kl_sums(self: Any, batch: dict[str, Any]) -> Tensor:
        """(rows, 4), of this process's rows."""
        mask = batch["completion_mask"] * batch.get("tool_mask", 1)
        most = max(1, self._kl.completions // self.accelerator.num_processes)
        size = len(mask)
        # Spread evenly: completions of one prompt lie side by side.
        rows = torch.arange(min(most, size), device=mask.device) * size // min(most, size)
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)[rows]
        attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)[rows]
        length = batch["completion_ids"].size(1)

        def logps(model: Any, known: str) -> Tensor:
            if known in batch:
                return batch[known][rows]
            chunk = self.args.per_device_train_batch_size
            found, *_ = self._get_per_token_logps_and_entropies(
                model, ids, attention, length, batch_size=chunk
            )
            return found

        with _evaluating(self.model):  # dropout isn't a distance
            policy = logps(self.model, "old_per_token_logps")
            reference = self.ref_model if self._kl_reference is None else self._kl_reference
            with contextlib.nullcontext() if reference is not None else _adapters_off(self):
                theirs = logps(
                    self.model if reference is None else reference, "ref_per_token_logps"
                )
        return sequence_sums(policy, theirs, mask[rows])


class _Stop(TrainerCallback):  # type: ignore[misc]
    """Ends the run, after a checkpoint, when the budget is spent."""

    def __init__(self, trainer: Any, tell: Callable[[str], object]) -> None:
        self._trainer = trainer
        self._tell = tell

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # The measurement is of all processes, so that all come to the same here.
        if self._trainer.kl_spent.over:
            control.should_save = control.should_training_stop = True
            if state.is_world_process_zero:
                self._tell(self._trainer.kl_spent.message)


def _has_adapters(trainer: Any) -> bool:
    return hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")


@contextlib.contextmanager
def _adapters_off(trainer: Any) -> Iterator[None]:
    """The base model, or the adapter that TRL keeps as the reference where it trains an old one."""
    from trl.trainer.utils import use_adapter

    model = trainer.accelerator.unwrap_model(trainer.model)
    with use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None):
        yield


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _frozen_copy(trainer: Any) -> Any:
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        raise OptionError(
            "With DeepSpeed or FSDP there's no copying a sharded model for the KL's reference: set "
            "beta to something above 0 (1e-6 changes nothing), and TRL loads and shards one."
        )
    from trl.trainer.utils import add_fused_lm_head

    # Hooks may be the trainer's own methods: they are to stay its, and don't belong to the copy.
    copied = copy.deepcopy(trainer.model, {id(trainer): trainer})
    for module in copied.modules():
        for key, hook in list(module._forward_hooks.items()):
            if getattr(hook, "__self__", None) is trainer:
                del module._forward_hooks[key]
    copied.__dict__.pop("forward", None)  # TRL's, made for the other one
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
