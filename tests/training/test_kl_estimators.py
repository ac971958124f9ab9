"""k1, k2, k3 against the exact KL by enumeration, and against numbers worked by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from rlvr.training.kl.estimators import divergences, k1, k2, k3, sequence_sums  # noqa: E402

P = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
Q = torch.tensor([0.125, 0.25, 0.5, 0.125], dtype=torch.float64)
# Σ p log(p/q): 1/2·log 4 + 1/8·log(1/4) = 3/8·log 4.
EXACT = 0.375 * math.log(4)


def expected(estimator: object, p: torch.Tensor, q: torch.Tensor) -> float:
    """The estimator's mean over draws from p, by enumeration."""
    return float((p * estimator(p.log() - q.log())).sum())  # type: ignore[operator]


def test_k1_and_k3_are_unbiased() -> None:
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        p, q = torch.randn(2, 7, generator=rng, dtype=torch.float64).softmax(1)
        exact = float((p * (p / q).log()).sum())
        assert expected(k1, p, q) == pytest.approx(exact, rel=1e-12)
        assert expected(k3, p, q) == pytest.approx(exact, rel=1e-12)
    assert expected(k1, P, Q) == pytest.approx(EXACT)
    assert expected(k3, P, Q) == pytest.approx(EXACT)


def test_k2_is_biased_by_little_where_they_are_close() -> None:
    # Far apart: E[k2] = 1/2·(1/2 + 1/8)·(log 4)² = 0.6006, against 0.5199.
    assert expected(k2, P, Q) == pytest.approx(0.3125 * math.log(4) ** 2)
    biases = []
    for step in (0.1, 0.01, 0.001):
        near = (P.log() + step * torch.tensor([1.0, -1.0, 0.5, 0.0])).softmax(0)
        exact = float((near * (near / P).log()).sum())
        biases.append(abs(expected(k2, near, P) - exact) / exact)
    assert biases[0] < 0.1
    assert biases[1] < biases[0] / 5
    assert biases[2] < biases[1] / 5


def test_by_hand() -> None:
    ratio = torch.tensor([0.0, math.log(2), -math.log(2)], dtype=torch.float64)
    assert k1(ratio).tolist() == ratio.tolist()
    assert k2(ratio).tolist() == pytest.approx([0, 0.2402265, 0.2402265])
    # 1/2 - 1 + log 2, and 2 - 1 - log 2.
    assert k3(ratio).tolist() == pytest.approx([0, math.log(2) - 0.5, 1 - math.log(2)])


def test_k3_is_never_negative_and_keeps_small_ratios() -> None:
    ratio = torch.linspace(-3, 3, 1001, dtype=torch.float64)
    assert bool((k3(ratio) >= 0).all())
    tiny = torch.tensor([1e-7], dtype=torch.float64)
    assert float(k3(tiny)) == pytest.approx(5e-15, rel=1e-3)  # r²/2; e^-r - 1 + r gives 4.9e-15


def test_sums_leave_out_what_the_mask_does() -> None:
    nan = math.nan
    policy = torch.tensor([[-1.0, -2.0, nan], [-1.0, -9.0, -1.0], [nan, nan, nan]])
    reference = torch.tensor([[-1.5, -1.0, 7.0], [-1.0, -1.0, -3.0], [-1.0, -1.0, -1.0]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 0, 0]])
    sums = sequence_sums(policy, reference, mask)
    assert sums[:, 3].tolist() == [2, 2, 0]
    assert sums[:, 0].tolist() == pytest.approx([-0.5, 2.0, 0.0])
    assert sums[:, 1].tolist() == pytest.approx([0.5 * (0.25 + 1), 2.0, 0.0])
    third = [math.exp(-0.5) - 1 + 0.5 + math.exp(1) - 1 - 1, math.exp(-2) - 1 + 2, 0.0]
    assert sums[:, 2].tolist() == pytest.approx(third)
    found = divergences(sums)
    assert found["k1"].token == pytest.approx(1.5 / 4)
    assert found["k1"].sequence.value == pytest.approx(0.75)  # the row without tokens is none
    assert found["k1"].sequence.error == pytest.approx(1.25)  # sd of (-0.5, 2) is 2.5/√2, over √2
    assert found["k3"].sequence.value == pytest.approx(sum(third) / 2)


def test_of_nothing_there_is_no_divergence() -> None:
    assert divergences(torch.zeros(3, 4)) == {}
    assert divergences(torch.zeros(0, 4)) == {}
    one = divergences(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert one["k2"].token == 0.5
    assert math.isnan(one["k2"].sequence.error)


def test_sequence_sums_estimate_the_kl_of_sequences() -> None:
    """Two tokens, the second's distribution depends on the first: all 9 sequences enumerated."""
    rng = torch.Generator().manual_seed(0)
    first_p, first_q = torch.randn(2, 3, generator=rng, dtype=torch.float64).softmax(1)
    then_p, then_q = torch.randn(2, 3, 3, generator=rng, dtype=torch.float64).softmax(2)
    joint_p, joint_q = first_p[:, None] * then_p, first_q[:, None] * then_q
    exact = float((joint_p * (joint_p / joint_q).log()).sum())
    a = torch.arange(3)[:, None].expand(3, 3)
    policy = torch.stack([first_p[a].log(), then_p.log()], dim=2).view(9, 2)
    reference = torch.stack([first_q[a].log(), then_q.log()], dim=2).view(9, 2)
    sums = sequence_sums(policy, reference, torch.ones(9, 2))
    weights = joint_p.view(9)
    assert float((weights * sums[:, 0]).sum()) == pytest.approx(exact, rel=1e-12)
    assert float((weights * sums[:, 2]).sum()) == pytest.approx(exact, rel=1e-12)


def test_the_standard_error_is_that_of_the_mean() -> None:
    rng = torch.Generator().manual_seed(1)
    means, errors = [], []
    for _ in range(400):
        draws = torch.multinomial(P, 64, replacement=True, generator=rng)
        ratio = (P.log() - Q.log())[draws][:, None]
        found = divergences(sequence_sums(ratio, torch.zeros_like(ratio), torch.ones_like(ratio)))
        means.append(found["k1"].sequence.value)
        errors.append(found["k1"].sequence.error)
    spread = float(torch.tensor(means).std())
    assert sum(errors) / 400 == pytest.approx(spread, rel=0.1)
    assert sum(means) / 400 == pytest.approx(EXACT, abs=4 * spread / 20)
