"""PPO in TRL's trainer: what `GRPOTrainer` has from a group, this one has from a value model.

TRL's trainer samples, calls the reward functions, buffers the batch for its epochs and mini-batches,
and computes the clipped loss of the policy (Schulman et al. 2017, equation 7) from per-token
advantages. Here are the advantages, the value's loss, and all that keeps the value model beside the
policy: its optimizer group, its gradients, its place in a checkpoint. It's never a part of the
policy, which stays an ordinary model to save, to load and to hand to vLLM. Written for TRL 1.16.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from trl import GRPOTrainer

from rlvr.core.errors import DataError, OptionError
from rlvr.training.ppo.config import PPOConfig
from rlvr.training.ppo.gae import (
    advantages_and_returns,
    explained_variance,
    moments,
    token_rewards,
    value_losses,
    whiten,
)
from rlvr.training.ppo.value import ValueHead, make_value_model

VALUE_FILE = "value_model.safetensors"
"""In a checkpoint, beside the policy and the optimizer."""


class PPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's `GRPOTrainer` with a value model and PPO's losses.

    Takes what `GRPOTrainer` takes, with a `PPOConfig` as `args`. `beta`, as an attribute, is the
    weight of the KL now, wherever `kl_in` puts it; it may be set between steps.

    Rollouts that no reward function scored (`None`) are no part of a batch: they have no loss, and
    neither whitening nor any mean of PPO's sees them. A step without a scored rollout changes nothing.
    """

    _tag_names = ["trl", "ppo"]
    _name = "PPO"
    _paper = {
        "title": "Proximal Policy Optimization Algorithms",
        "id": "1707.06347",
        "citation": "@article{schulman2017ppo, title={Proximal Policy Optimization Algorithms}, "
        "author={John Schulman and Filip Wolski and Prafulla Dhariwal and Alec Radford and "
        "Oleg Klimov}, year={2017}, eprint={arXiv:1707.06347}}",
    }

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: PPOConfig | None = None,
        train_dataset: Any = None,
        **options: Any,
    ) -> None:
        if not isinstance(args, PPOConfig):
            raise OptionError("PPOTrainer's args are a PPOConfig.")
        super().__init__(model, reward_funcs, args, train_dataset, **options)
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            raise OptionError(
                "PPO's value model isn't sharded: launch with plain data parallelism instead of "
                "DeepSpeed or FSDP, or train with verl."
            )
        if self._is_vlm:
            raise OptionError("PPO is for text: give it a tokenizer, not a processor of images.")
        policy = self.model
        self._trunk = (policy.get_base_model() if is_peft_model(policy) else policy).base_model
        value_model = make_value_model(args.value_model, policy, len(self._tokenizer))
        self._is_head = isinstance(value_model, ValueHead)
        if not self._is_head and args.gradient_checkpointing:
            value_model.trunk.gradient_checkpointing_enable(args.gradient_checkpointing_kwargs)
        self._value_parameters = list(value_model.parameters())
        self.value_model = self.accelerator.prepare_model(value_model)
        self._logps: Tensor | None = None  # of the last forward pass of the policy
        self._tokens = 0  # that carry a loss in this optimizer step

    # The batch: advantages and returns, once for all epochs

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        self._rewards = super()._calculate_rewards(*args, **kwargs)
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        scores = self._scores(len(inputs))
        mask = batch["completion_mask"].bool() & torch.isfinite(scores)[:, None]
        if "tool_mask" in batch:
            mask &= batch["tool_mask"].bool()
        # TRL's word for "the policy chose this token": what its loss counts, and by what it divides.
        batch["tool_mask"] = mask.long()
        batch["num_items_in_batch"] = self._total(mask.sum())

        values, kl = self._values_and_kl(batch)
        rewards = token_rewards(scores, kl, mask, self.beta)
        advantages, returns = advantages_and_returns(
            rewards, values, mask, self.args.gamma, self.args.lam
        )
        self._log_batch(scores, kl, values, advantages, returns, mask)
        if self.args.whiten_advantages:
            advantages = whiten(advantages, mask, self._total)
        return batch | {"advantages": advantages, "values": values, "returns": returns}

    def _scores(self, rows: int) -> Tensor:
        """(B,) rewards of this process's rows; NaN where no reward function gave one."""
        start = self.accelerator.process_index * rows
        rewards = self._rewards[start : start + rows]
        scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        return scores.masked_fill(rewards.isnan().all(dim=1), torch.nan)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _values_and_kl(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """(B, T) each, by the policy and the value model that this batch finds; KL 0 if unwanted."""
        ids, attention, length = _sequences(batch)
        old_logps, reference = batch.get("old_per_token_logps"), None
        if self._kl_in_reward:
            reference = batch["ref_per_token_logps"]
        values, kl = [], []
        size = self.args.per_device_train_batch_size
        for rows in (slice(start, start + size) for start in range(0, len(ids), size)):
            inputs = {"input_ids": ids[rows], "attention_mask": attention[rows]}
            with self._hidden_states() as hidden, self.accelerator.autocast():
                if reference is not None and old_logps is None:
                    logps, *_ = self._get_per_token_logps_and_entropies(
                        self.model, **inputs, logits_to_keep=length
                    )
                    kl.append(logps - reference[rows])
                elif self._is_head:
                    self._trunk(**inputs, use_cache=False)
            values.append(self._values(**inputs, length=length, hidden=hidden))
        found = torch.cat(values)
        if reference is None:
            return found, torch.zeros_like(found)
        return found, torch.cat(kl) if kl else old_logps - reference

    @property
    def _kl_in_reward(self) -> bool:
        return bool(self.beta != 0 and self.args.kl_in == "reward")

    # The loss

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        output = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._logps = output[0].detach()
        return output

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        mask = inputs["tool_mask"].bool()
        training = self.model.training
        self._tokens += int(mask.sum()) if training else 0
        warming = training and self.state.global_step < self.args.value_warmup_steps
        beta = self.beta
        if self.args.kl_in == "reward":
            self.beta = 0.0  # it's in the advantages
        try:
            learn = torch.is_grad_enabled() and not warming
            with torch.set_grad_enabled(learn), self._hidden_states() as hidden:
                policy_loss = super()._compute_loss(model, inputs)
        finally:
            self.beta = beta
        ids, attention, length = _sequences(inputs)
        values = self._values(ids, attention, length, hidden)
        losses, clipped = value_losses(
            values, inputs["values"], inputs["returns"], self.args.cliprange_value
        )
        tokens = inputs["num_items_in_batch"].clamp(min=1) / self.accelerator.num_processes
        if training:  # the batch's share of one optimizer step, as TRL divides the policy's loss
            tokens *= self.current_gradient_accumulation_steps / self.args.steps_per_generation
        value_loss = losses.masked_fill(~mask, 0).sum() / tokens

        old = inputs.get("old_per_token_logps")
        shift = torch.zeros_like(losses) if old is None else self._logps - old
        self._log("ppo/value_loss", self._mean(losses, mask))
        self._log("ppo/value_clip_ratio", self._mean(clipped.float(), mask))
        self._log("ppo/approx_kl", self._mean(shift.exp() - 1 - shift, mask))
        weighted = self.args.vf_coef * value_loss
        return weighted if warming else policy_loss + weighted

    @contextlib.contextmanager
    def _hidden_states(self) -> Iterator[list[Tensor]]:
        """The policy's last hidden states, (B, L, H), of each forward pass within."""
        seen: list[Tensor] = []

        def look(module: Any, inputs: Any, output: Any) -> None:
            seen.append(output.last_hidden_state)

        hook = self._trunk.register_forward_hook(look)
        try:
            yield seen
        finally:
            hook.remove()

    def _values(
        self, input_ids: Tensor, attention_mask: Tensor, length: int, hidden: list[Tensor]
    ) -> Tensor:
        """(B, T): the value of the state in which each completion token was chosen."""
        if self._is_head:
            (states,) = hidden
            if not self.args.value_trunk_gradient:
                states = states.detach()
            return self.value_model(states[:, -length - 1 : -1])
        with self.accelerator.autocast():
            return self.value_model(input_ids, attention_mask)[:, -length - 1 : -1]

    # The value model beside the policy: optimizer, gradients, checkpoints

    def create_optimizer(self, model: Any = None) -> Any:
        """TRL's optimizer, with a group of the value's parameters at their own learning rate."""
        optimizer = super().create_optimizer(model)
        known = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if id(self._value_parameters[0]) not in known:
            optimizer.add_param_group(
                {
                    "params": self._value_parameters,
                    "lr": self.args.value_learning_rate,
                    "weight_decay": 0.0,
                }
            )
            optimizer.register_step_pre_hook(self._before_step)
            optimizer.register_step_post_hook(self._after_step)
        return optimizer

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        # The policy's were clipped by the trainer, which knows of no others.
        if self.args.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self._value_parameters, self.args.max_grad_norm)
        tokens = torch.tensor(self._tokens, device=self.accelerator.device)
        if self._total(tokens) == 0:
            # Not one scored token: without gradients, not even Adam's momentum moves a weight.
            optimizer.zero_grad(set_to_none=True)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        for parameter in self._value_parameters:
            parameter.grad = None
        self._tokens = 0

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.args.should_save:
            state = self.accelerator.unwrap_model(self.value_model).state_dict()
            save_file({k: v.contiguous() for k, v in state.items()}, Path(output_dir) / VALUE_FILE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        path = Path(checkpoint) / VALUE_FILE
        if not path.is_file():
            raise DataError(
                f"The checkpoint {checkpoint} has no {VALUE_FILE}, so it isn't PPO's or isn't whole "
                f"(save_only_model=True saves no value model). Resume from another, or start anew."
            )
        try:
            self.accelerator.unwrap_model(self.value_model).load_state_dict(load_file(path))
        except RuntimeError as error:
            raise DataError(
                f"The value model in {path} isn't of this kind (value_model="
                f"{self.args.value_model!r}); resume with the options the run had: {error}"
            ) from error

    # Logging

    def _total(self, x: Tensor) -> Tensor:
        return self.accelerator.reduce(x, reduction="sum")

    def _mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return moments(x.detach(), mask, self._total)[0]

    def _log(self, name: str, value: Tensor) -> None:
        self._metrics["train" if self.model.training else "eval"][name].append(value.item())

    def _log_batch(
        self,
        scores: Tensor,
        kl: Tensor,
        values: Tensor,
        advantages: Tensor,
        returns: Tensor,
        mask: Tensor,
    ) -> None:
        unscored = self.accelerator.gather(scores.isfinite().logical_not().float())
        self._log("ppo/unscored", unscored.mean())
        for name, x in ("values", values), ("returns", returns), ("advantages", advantages):
            mean, variance = moments(x, mask, self._total)
            self._log(f"ppo/{name}_mean", mean)
            self._log(f"ppo/{name}_std", variance.sqrt())
        self._log("ppo/explained_variance", explained_variance(values, returns, mask, self._total))
        if self._kl_in_reward:
            self._log("kl", self._mean((-kl).exp() - 1 + kl, mask))  # k3, as TRL's in the loss
            self._log("ppo/kl_k1", self._mean(kl, mask))
        if self.num_generations == 1:  # no group has a spread
            self._metrics["train" if self.model.training else "eval"].pop(
                "frac_reward_zero_std", None
            )
        mean_advantages = self.accelerator.gather(advantages.sum(1) / mask.sum(1).clamp(min=1))
        for _ in mean_advantages:
            self._logs["advantages"].pop()  # TRL's, of the group
        self._logs["advantages"].extend(mean_advantages.tolist())


def _sequences(batch: dict[str, Any]) -> tuple[Tensor, Tensor, int]:
    """Prompts with completions (B, L), what to attend to (B, L), and how many tokens are completion."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    return ids, attention, batch["completion_ids"].shape[1]
