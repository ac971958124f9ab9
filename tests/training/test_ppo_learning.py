"""PPO for real: a small model learns to carry. All seeds and the control: benchmarks/ppo_learning.py."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from benchmarks.ppo_learning import learn

STEPS = 40


@pytest.mark.sweep
def test_held_out_accuracy_rises_from_under_a_fifth_to_over_nine_tenths() -> None:
    learned = learn(seed=1, steps=STEPS, measure_every=STEPS)
    assert learned.accuracy[0] < 0.2
    assert learned.accuracy[STEPS] > 0.9
    assert len(learned.metrics) == STEPS
    for entry in learned.metrics:
        assert entry["ppo/unscored"] == 0
        assert math.isfinite(entry["ppo/value_loss"])
