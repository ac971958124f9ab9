"""k1, k2, k3: the KL divergence from samples alone (Schulman 2020, "Approximating KL divergence").

For x drawn from the policy π and r = log π(x) - log π_ref(x), each estimates
KL(π ‖ π_ref) = E_π[log π - log π_ref], in nats:

    k1 = r              unbiased; of either sign, so noisy where the two are close
    k2 = r² / 2         biased, by little where they're close; never negative
    k3 = e^-r - 1 + r   unbiased and never negative; the least noisy where they're close, and heavy-
                        tailed where the reference likes what the policy hardly ever says

Arrays' names end in their axes: B sequences, T tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ESTIMATORS = ("k1", "k2", "k3")


def k1(log_ratio: Tensor) -> Tensor:
    """r, of r = log π - log π_ref; any shape."""
    return log_ratio


def k2(log_ratio: Tensor) -> Tensor:
    """r² / 2."""
    return log_ratio.square() / 2


def k3(log_ratio: Tensor) -> Tensor:
    """e^-r - 1 + r. By `expm1`, so that a small r keeps its digits."""
    return torch.expm1(-log_ratio) + log_ratio


@dataclass(frozen=True)
class Mean:
    """A mean over sequences with its standard error, NaN where there are too few."""

    value: float
    error: float = math.nan


@dataclass(frozen=True)
class Divergence:
    """The KL of a batch by one estimator, in nats.

    Attributes:
        token: mean over the policy's tokens.
        sequence: mean over sequences of the sum over a sequence's tokens: what the KL of whole
            responses is, and what a budget is spent in.
    """

    token: float
    sequence: Mean


def sequence_sums(logps_B_T: Tensor, reference_B_T: Tensor, mask_B_T: Tensor) -> Tensor:
    """Sums over each sequence's tokens of k1, k2 and k3, and how many tokens: (B, 4), float64.

    Args:
        logps_B_T: log π of the sampled tokens, in nats.
        reference_B_T: log π_ref of the same.
        mask_B_T: 1 for tokens that the policy wrote; padding and an environment's are 0, and
            whatever stands there (NaN, too) counts for nothing.

    Each token's estimate is of the KL at its position given what came before, so that the sums
    estimate the KL of sequences without bias where k1 and k3 do.
    """
    mask = mask_B_T.bool()
    ratio = (logps_B_T.double() - reference_B_T.double()).masked_fill(~mask, 0.0)
    each = [estimator(ratio).sum(1) for estimator in (k1, k2, k3)]
    return torch.stack([*each, mask.sum(1).double()], dim=1)


def divergences(sums_B_4: Tensor) -> dict[str, Divergence]:
    """By estimator, from `sequence_sums`. Sequences without a token are left out; empty if all are."""
    there = sums_B_4[sums_B_4[:, 3] > 0]
    if not len(there):
        return {}
    tokens, count = float(there[:, 3].sum()), len(there)
    found = {}
    for name, column in zip(ESTIMATORS, there.T, strict=False):
        error = float(column.std()) / math.sqrt(count) if count > 1 else math.nan
        found[name] = Divergence(float(column.sum()) / tokens, Mean(float(column.mean()), error))
    return found
