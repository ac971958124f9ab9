"""Measure the KL of a saved model to its reference, on prompts that make two runs comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from rlvr.core.errors import DataError
from rlvr.policies.base import Request, seed_of
from rlvr.policies.transformers import TransformersPolicy
from rlvr.runs.statistics import Estimate, bootstrap
from rlvr.training.kl.estimators import ESTIMATORS, sequence_sums
from rlvr.training.kl.prompts import MeasureConfig, PromptSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Measurement:
    """A measured KL, in nats, with 95% intervals from a bootstrap by prompt.

    Attributes:
        token: By estimator (k1, k2, k3), the mean over tokens.
        sequence: By estimator, the mean over responses of the sum over a response's tokens.
        domains: By domain, `sequence` of k1. A domain has few prompts, so the interval is wide.
        length: Mean tokens per response.
        truncated: Share of the responses that were cut.
    """

    token: dict[str, Estimate]
    sequence: dict[str, Estimate]
    domains: dict[str, Estimate]
    length: float
    truncated: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "token": _estimates(self.token),
            "sequence": _estimates(self.sequence),
            "domains": _estimates(self.domains),
            "length": self.length,
            "truncated": self.truncated,
        }


def _estimates(estimates: dict[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in estimates.items()}


def measure(model: str, reference: str, prompts: PromptSet, config: MeasureConfig) -> Measurement:
    """Sample the policy `model` and compare its probabilities with those of `reference`.

    Args:
        model, reference: Local folders or Hub ids, of one tokenizer.
        prompts: The prompts to respond to.
        config: The settings of the sampling.

    Raises `DataError` if a model can't be loaded, the two don't share a vocabulary, or a prompt
    doesn't fit the model's context.
    """
    policy = TransformersPolicy(
        model,
        max_new_tokens=config.max_new_tokens,
        temperature=config.temperature,
        batch_size=config.batch_size,
    )
    reference_policy = TransformersPolicy(reference)
    if policy.tokenizer.get_vocab() != reference_policy.tokenizer.get_vocab():
        raise DataError(
            f"{model!r} and {reference!r} have different vocabularies: there's no KL between them. "
            f"The reference is the model that training began with."
        )
    sums_R_4, cut_R = [], []
    requests = [
        Request(task.prompt, task, seed_of(config.seed, task.id, sample))
        for task in prompts.tasks
        for sample in range(config.samples)
    ]
    for at in range(0, len(requests), config.batch_size):
        batch = requests[at : at + config.batch_size]
        generations = policy.respond(batch)
        for request, generation in zip(batch, generations, strict=True):
            if generation.overflow:
                raise DataError(
                    f"Task {request.task.id!r}: {generation.error}. Leave it out of the prompts."
                )
        cut_R += [generation.stop == "length" for generation in generations]
        completions = [list(generation.token_ids or ()) for generation in generations]
        prompt_ids = [policy.template.prompt(request.prompt) for request in batch]
        policy_logps, reference_logps = (
            _logps(compared.model, prompt_ids, completions, config.temperature)
            for compared in (policy, reference_policy)
        )
        mask = torch.tensor(
            [[i < len(ids) for i in range(policy_logps.shape[1])] for ids in completions]
        )
        sums_R_4.append(sequence_sums(policy_logps, reference_logps, mask).cpu().numpy())
    return _summary(np.concatenate(sums_R_4), np.array(cut_R), prompts, config)


def _summary(
    sums_R_4: Array,
    cut_R: Array,
    prompts: PromptSet,
    config: MeasureConfig,
) -> Measurement:
    sums_P_4 = sums_R_4.reshape(len(prompts.tasks), config.samples, 4).sum(1)
    tokens_P = sums_P_4[:, 3]
    token = bootstrap(sums_P_4[:, :3], np.repeat(tokens_P[:, None], 3, axis=1))
    sequence = bootstrap(sums_P_4[:, :3] / config.samples)
    domains = {}
    for domain in dict.fromkeys(prompts.domains):
        of_domain = np.array([name == domain for name in prompts.domains])
        domains[domain] = bootstrap(sums_P_4[of_domain, 0] / config.samples)[0]
    return Measurement(
        dict(zip(ESTIMATORS, token, strict=True)),
        dict(zip(ESTIMATORS, sequence, strict=True)),
        domains if len(domains) > 1 else {},
        float(tokens_P.sum() / len(sums_R_4)),
        float(cut_R.mean()),
    )


@torch.no_grad()  # type: ignore[untyped-decorator]
def _logps(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    completions: Sequence[list[int]],
    temperature: float,
) -> Tensor:
    """Return log π of the completions' tokens, (B, longest completion) on the CPU; 0 after their ends."""
    model.eval()
    rows = [[*p, *c] for p, c in zip(prompts, completions, strict=True)]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    attention = torch.zeros_like(ids)
    for i, row in enumerate(rows):  # padding on the right, which causal attention never sees
        ids[i, : len(row)] = torch.tensor(row)
        attention[i, : len(row)] = 1
    logits = model(input_ids=ids.to(model.device), attention_mask=attention.to(model.device)).logits
    logps_B_T = torch.zeros(len(rows), max(map(len, completions)))
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        start, end = len(prompt), len(prompt) + len(completion)
        # One row at a time: in float32 the log-softmax of a whole batch may not fit beside its logits.
        row_logps = (logits[i, start - 1 : end - 1].float() / temperature).log_softmax(-1)
        token_ids = torch.tensor(completion, device=row_logps.device)
        logps_B_T[i, : len(completion)] = row_logps.gather(1, token_ids[:, None])[:, 0].cpu()
    return logps_B_T
