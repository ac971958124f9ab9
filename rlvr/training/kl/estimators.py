"""k1, k2, k3: estimators of the KL divergence from samples (Schulman 2020, "Approximating KL divergence").

For x drawn from the policy π and r = log π(x) - log π_ref(x), each estimates
KL(π ‖ π_ref) = E_π[log π - log π_ref], in nats:

    k1 = r              unbiased; of either sign, so noisy if the two policies are close
    k2 = r² / 2         slightly biased if they are close; never negative
    k3 = e^-r - 1 + r   unbiased and never negative; the least noisy if they are close, and heavy-tailed if the
                        reference likes tokens that the policy rarely chooses

Arrays' names end in their axes: B sequences, T tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ESTIMATORS = ("k1", "k2", "k3")


def k1(log_ratio: Tensor) -> Tensor:
    """Return r = log π - log π_ref, of any shape."""
    return log_ratio


def k2(log_ratio: Tensor) -> Tensor:
    """Return r² / 2."""
    return log_ratio.square() / 2


def k3(log_ratio: Tensor) -> Tensor:
    """Return e^-r - 1 + r, by `expm1`, which keeps the digits of a small r."""
    return torch.expm1(-log_ratio) + log_ratio


@dataclass(frozen=True)
class Mean:
    """A mean over sequences and its standard error, NaN for a single sequence."""

    value: float
    error: float = math.nan


@dataclass(frozen=True)
class Divergence:
    """The KL of a batch by one estimator, in nats.

    Attributes:
        token: Mean over the policy's tokens.
        sequence: Mean over sequences of the sum over a sequence's tokens: the KL of whole responses, in which a budget
            is spent.
    """

    token: float
    sequence: Mean


def sequence_sums(logps_B_T: Tensor, reference_B_T: Tensor, mask_B_T: Tensor) -> Tensor:
    """Return the sums of k1, k2 and k3 over each sequence's tokens, and its number of tokens: (B, 4), float64.

    A token's estimate is of the KL at its position given the tokens before, so that the sums of k1 and k3 estimate
    the KL of sequences without bias.

    Args:
        logps_B_T: log π of the sampled tokens, in nats.
        reference_B_T: log π_ref of the same tokens.
        mask_B_T: 1 for the policy's tokens, 0 for padding and an environment's tokens, whose values are ignored even if
            they are NaN.
    """
    mask = mask_B_T.bool()
    ratio = (logps_B_T.double() - reference_B_T.double()).masked_fill(~mask, 0.0)
    sums = [estimator(ratio).sum(1) for estimator in (k1, k2, k3)]
    return torch.stack([*sums, mask.sum(1).double()], dim=1)


def divergences(sums_B_4: Tensor) -> dict[str, Divergence]:
    """Return the KL by estimator from `sequence_sums`, without the sequences that have no token; empty if none has."""
    nonempty = sums_B_4[sums_B_4[:, 3] > 0]
    if not len(nonempty):
        return {}
    tokens, count = float(nonempty[:, 3].sum()), len(nonempty)
    by_name = {}
    for name, column in zip(ESTIMATORS, nonempty.T, strict=False):
        error = float(column.std()) / math.sqrt(count) if count > 1 else math.nan
        by_name[name] = Divergence(float(column.sum()) / tokens, Mean(float(column.mean()), error))
    return by_name
