"""PPO in TRL's trainer: advantages are from a value model instead of a group.

TRL's trainer samples, calls the reward functions, keeps the batch for its epochs and mini-batches, and computes the
policy's clipped loss (Schulman et al. 2017, equation 7) from per-token advantages. This module adds those advantages, the
value's loss, and the value model's optimizer, gradients and checkpoints. The value model is never a part of the policy,
which stays an ordinary model to save, to load and to send to vLLM. Written for TRL 1.16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from trl import GRPOTrainer

from rlvr.core.errors import DataError, OptionError
from rlvr.training.mixins import WithinContext
from rlvr.training.ppo import gae
from rlvr.training.ppo.config import PPOConfig
from rlvr.training.ppo.value import ValueHead, make_value_model
from rlvr.training.turns import KeepsStepRewards, on_turn_ends

VALUE_FILE = "value_model.safetensors"
"""The value model's file in a checkpoint."""


class PPOTrainer(WithinContext, KeepsStepRewards, GRPOTrainer):  # type: ignore[misc]
    """TRL's `GRPOTrainer` with a value model and PPO's losses. It takes the same arguments, and a `PPOConfig`.

    Rollouts without a reward (`None`) are no part of a batch: they have no loss, and are excluded from whitening and from
    PPO's metrics. A step without a scored rollout changes nothing.

    The attribute `beta` is the weight of the KL, wherever `kl_in` puts it. It may be changed during training.
    """

    _tag_names = ["trl", "ppo"]
    _name = "PPO"
    _paper = {"title": "Proximal Policy Optimization Algorithms", "id": "1707.06347"}

    def __init__(
        self, model: Any, reward_funcs: Any = None, args: PPOConfig | None = None, **options: Any
    ) -> None:
        if not isinstance(args, PPOConfig):
            raise OptionError("PPOTrainer needs args=PPOConfig(…).")
        super().__init__(model, reward_funcs, args, **options)
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            raise OptionError("The value model isn't sharded: drop DeepSpeed or FSDP, or use verl.")
        if self._is_vlm:
            raise OptionError("PPO is for text: give it a tokenizer, not a processor of images.")
        value = make_value_model(args.value_model, self.model, len(self._tokenizer))
        self._is_head = isinstance(value, ValueHead)
        if self._is_head:  # the trunk is below the adapters, if there are any
            self._trunk = getattr(self.model, "get_base_model", lambda: self.model)().base_model
            self._trunk.register_forward_hook(self._keep_hidden)
        elif args.gradient_checkpointing:  # which works only in training mode
            value.train().trunk.gradient_checkpointing_enable(args.gradient_checkpointing_kwargs)
        self._value_parameters = list(value.parameters())
        self.value_model = self.accelerator.prepare_model(value)
        self._tokens = 0  # with a loss in this optimizer step

    # The batch: advantages and returns, once for all epochs

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch = super()._generate_and_score_completions(inputs)
        start = self.accelerator.process_index * len(inputs)
        rewards = self.kept_rewards[start : start + len(inputs)]  # (B, reward functions)
        scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        scored = scores.isfinite() & ~rewards.isnan().all(dim=1)
        chosen = self.chosen_tokens(batch)
        mask = chosen & scored[:, None]
        # TRL's name for the tokens that the policy chose, which its loss counts and divides by.
        batch["tool_mask"] = mask.long()
        batch["num_items_in_batch"] = self._total(mask.sum())

        values, kl = self._values_and_kl(batch)
        token_rewards = gae.token_rewards(
            scores, kl, mask, self.beta, on_turn_ends(self.kept_steps, chosen)
        )
        advantages, returns = gae.advantages_and_returns(
            token_rewards, values, mask, self.args.gamma, self.args.lam
        )
        self._log_batch(mask, scored, kl, values=values, returns=returns, advantages=advantages)
        if self.args.whiten_advantages:
            advantages = gae.whiten(advantages, mask, self._total)
        return batch | {"advantages": advantages, "values": values, "returns": returns}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _values_and_kl(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return values and KL, (B, T) each, of the models that sampled; the KL is 0 if the reward has none."""
        ids, attention, length = _sequences(batch)
        size = self.args.per_device_train_batch_size
        values = []
        for part_ids, part_attention in zip(ids.split(size), attention.split(size), strict=True):
            if self._is_head:
                with self.accelerator.autocast():
                    # By name: for many models the second argument isn't the mask.
                    self._trunk(input_ids=part_ids, attention_mask=part_attention, use_cache=False)
            values.append(self._values(part_ids, part_attention, length))
        values_B_T = torch.cat(values)
        if not self._kl_in_reward:
            return values_B_T, torch.zeros_like(values_B_T)
        logps = batch.get("old_per_token_logps")
        if logps is None:  # TRL leaves them out if the policy hasn't moved since
            logps, *_ = self._get_per_token_logps_and_entropies(
                self.model, ids, attention, length, batch_size=size
            )
        return values_B_T, logps - batch["ref_per_token_logps"]

    @property
    def _kl_in_reward(self) -> bool:
        return bool(self.beta != 0 and self.args.kl_in == "reward")

    # The loss

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        output = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._logps = output[0].detach()
        return output

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        mask, training = inputs["tool_mask"].bool(), self.model.training
        self._tokens += int(mask.sum()) if training else 0
        warming = training and self.state.global_step < self.args.value_warmup_steps
        beta = self.beta
        if self.args.kl_in == "reward":
            self.beta = 0.0  # it's in the advantages
        with torch.set_grad_enabled(torch.is_grad_enabled() and not warming):
            policy_loss = super()._compute_loss(model, inputs)
        self.beta = beta
        values = self._values(*_sequences(inputs))
        losses, clipped = gae.value_losses(
            values, inputs["values"], inputs["returns"], self.args.cliprange_value
        )
        tokens = inputs["num_items_in_batch"].clamp(min=1) / self.accelerator.num_processes
        if training:  # the batch's share of one optimizer step, as TRL divides the policy's loss
            tokens *= self.current_gradient_accumulation_steps / self.args.steps_per_generation
        value_loss = self.args.vf_coef * losses.masked_fill(~mask, 0).sum() / tokens

        shift = self._logps - inputs.get("old_per_token_logps", self._logps)
        self._log("ppo/approx_kl", shift.exp() - 1 - shift, mask)
        self._log("ppo/value_loss", losses.detach(), mask)
        self._log("ppo/value_clip_ratio", clipped.float(), mask)
        return value_loss if warming else policy_loss + value_loss

    def _keep_hidden(self, module: nn.Module, inputs: object, output: Any) -> None:
        self._hidden = output.last_hidden_state

    def _values(self, ids: Tensor, attention: Tensor, length: int) -> Tensor:
        """Return the value of each completion token's state, (B, T); a head reads the last forward pass."""
        if self._is_head:
            # Used once, otherwise it keeps the graph of the loss.
            hidden, self._hidden = self._hidden, None
            values = self.value_model(hidden if self.args.value_trunk_gradient else hidden.detach())
        else:
            with self.accelerator.autocast():
                values = self.value_model(ids, attention)
        return values[:, -length - 1 : -1]

    # The value model beside the policy: optimizer, gradients, checkpoints

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """Return TRL's optimizer, with a group of the value's parameters at their own learning rate."""
        optimizer = super().create_optimizer(model)
        ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if id(self._value_parameters[0]) not in ids:
            group = {"params": self._value_parameters, "lr": self.args.value_learning_rate}
            optimizer.add_param_group(group | {"weight_decay": 0.0})
            optimizer.register_step_pre_hook(self._before_step)
            optimizer.register_step_post_hook(self._after_step)
        return optimizer

    def _before_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self.args.max_grad_norm > 0:  # the trainer has clipped only the policy's
            torch.nn.utils.clip_grad_norm_(self._value_parameters, self.args.max_grad_norm)
        if self._total(torch.tensor(self._tokens, device=self.accelerator.device)) == 0:
            # No scored token: without gradients not even Adam's momentum moves a weight.
            optimizer.zero_grad(set_to_none=True)

    def _after_step(self, *_: object) -> None:
        for parameter in self._value_parameters:
            parameter.grad = None
        self._tokens = 0

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.args.should_save:
            state = self.accelerator.unwrap_model(self.value_model).state_dict()
            save_file({k: v.contiguous() for k, v in state.items()}, Path(output_dir) / VALUE_FILE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            path = Path(checkpoint) / VALUE_FILE
            try:
                self.accelerator.unwrap_model(self.value_model).load_state_dict(load_file(path))
            except (OSError, RuntimeError, SafetensorError) as error:
                raise DataError(
                    f"{path} isn't this run's value model ({self.args.value_model!r}); resume with "
                    f"the options the checkpoint was written with, save_only_model=False: {error}"
                ) from error
        super()._load_optimizer_and_scheduler(checkpoint)

    # Metrics, each over all processes

    def _total(self, x: Tensor) -> Tensor:
        return self.accelerator.reduce(x, reduction="sum")

    def _log(self, name: str, x: Tensor, mask: Tensor, std: bool = False) -> float:
        """Log the mean over the mask, with `std` also the standard deviation, and return the variance."""
        metrics = self._metrics["train" if self.model.training else "eval"]
        mean, variance = gae.moments(x, mask, self._total)
        metrics[f"{name}_mean" if std else name].append(mean.item())
        if std:
            metrics[f"{name}_std"].append(variance.sqrt().item())
        return float(variance)

    def _log_batch(self, mask: Tensor, scored: Tensor, kl: Tensor, **tokens: Tensor) -> None:
        metrics = self._metrics["train" if self.model.training else "eval"]
        spread = {name: self._log(f"ppo/{name}", x, mask, std=True) for name, x in tokens.items()}
        if spread["returns"] > 1e-12:
            _, residual_variance = gae.moments(
                tokens["returns"] - tokens["values"], mask, self._total
            )
            metrics["ppo/explained_variance"].append(
                1 - residual_variance.item() / spread["returns"]
            )
        self._log("ppo/unscored", (~scored).float(), torch.ones_like(scored))
        if self._kl_in_reward:
            self._log("kl", (-kl).exp() - 1 + kl, mask)  # k3, as TRL's in the loss
            self._log("ppo/kl_k1", kl, mask)
        if self.num_generations == 1:
            metrics.pop("frac_reward_zero_std")  # a single reward has no spread
        advantages = tokens["advantages"].sum(1) / mask.sum(1).clamp(min=1)
        sequence_advantages = self.accelerator.gather(advantages).tolist()
        for _ in sequence_advantages:
            self._logs["advantages"].pop()  # TRL's, of groups
        self._logs["advantages"].extend(sequence_advantages)


def _sequences(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, int]:
    """Return prompts with completions (B, L), their attention mask (B, L), and the number of completion tokens."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    return ids, attention, batch["completion_ids"].shape[1]
