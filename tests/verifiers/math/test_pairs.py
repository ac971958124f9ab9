"""Constructed pairs: hacks and near misses that must not be paid, equal forms that must be."""

import json
from pathlib import Path

import pytest

import rlvr

ROWS = [
    json.loads(line)
    for name in ("pairs.jsonl", "pairs_of_sets.jsonl")
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['gold']} | {row['response']}")
def test_pair_is_judged_as_labelled(row):
    (verdict,) = rlvr.score([rlvr.Task("", row["gold"])], [row["response"]], rlvr.Math())
    assert isinstance(verdict, rlvr.Scored), verdict
    assert (verdict.reward == 1.0) is row["right"], verdict.feedback


def test_a_gold_that_cannot_be_read_is_no_fault_of_the_response():
    for reference in ("", "   ", "1" * 30_000, None, 3.5j, [], ["1", 2], {"a": 1}):
        task = rlvr.Task("", reference, id="t")
        (verdict,) = rlvr.score([task], ["\\boxed{1}"], rlvr.Math())
        assert isinstance(verdict, rlvr.Unscored), reference
        assert verdict.cause == rlvr.Cause.GOLD


def test_alternative_golds():
    task = rlvr.Task("", ["\\frac{1}{2}", "x^2"])
    responses = ["\\boxed{0.5}", "\\boxed{x\\cdot x}", "\\boxed{0.6}", "\\boxed{1/2, x^2}"]
    rewards = [float(v) for v in rlvr.score([task] * 4, responses, rlvr.Math())]
    assert rewards == [1.0, 1.0, 0.0, 0.0]


def test_feedback_says_why():
    cases = {
        "no box here": "no \\boxed{}",
        "<think>\\boxed{5}</think> done": "no \\boxed{} after </think>",
        "\\boxed{5": "never closed",
        "\\boxed{}": "empty",
        "\\boxed{6}": "'6' is not '5'",
        "\\boxed{2+3}": "not worked out",
        "\\boxed{\\foo}": "can't be read: unknown \\foo",
    }
    for response, reason in cases.items():
        (verdict,) = rlvr.score([rlvr.Task("", "5")], [response], rlvr.Math())
        assert reason in verdict.feedback


def test_each_verdict_says_which_stage_decided():
    stages = {
        "text": ("x^2", "\\boxed{x^2}"),
        "number": ("0.5", "\\boxed{1/2}"),
        "form": ("2\\sqrt{3}", "\\boxed{\\sqrt{12}}"),
        "numeric": ("(x+1)^2", "\\boxed{x^2+2x+1}"),
    }
    for stage, (gold, response) in stages.items():
        (verdict,) = rlvr.score([rlvr.Task("", gold)], [response], rlvr.Math())
        assert verdict.reward == 1.0
        assert verdict.detail["stage"] == stage
    matrices = "\\begin{pmatrix}1&1\\\\0&1\\end{pmatrix}"
    task = rlvr.Task("", "\\begin{pmatrix}1&2\\\\0&1\\end{pmatrix}")
    (verdict,) = rlvr.score([task], [f"\\boxed{{{matrices}{matrices}}}"], rlvr.Math())
    assert (verdict.reward, verdict.detail["stage"]) == (1.0, "sympy")
