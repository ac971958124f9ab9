"""Labelled answers of real models and of Math-Verify's own tests."""

import json
import random

import pytest

import rlvr
from benchmarks.math_accuracy import DISPUTED, ours, reported_cases
from rlvr.authoring.audit.truth.math_rewrites import perturbations, rewritings


def rewards(golds, responses, mode):
    tasks = [rlvr.Task("", gold, str(i)) for i, gold in enumerate(golds)]
    verdicts = rlvr.score(tasks, responses, rlvr.Math(mode))
    assert all(isinstance(verdict, rlvr.Scored) for verdict in verdicts)
    return [verdict.reward == 1.0 for verdict in verdicts]


def test_math_verify_cases(data):
    lines = (data / "math/mathverify_cases_half.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["id"] not in DISPUTED]
    judged = rewards([r["gold"] for r in rows], [r["pred"] for r in rows], "flexible")
    otherwise = [r for r, paid in zip(rows, judged, strict=True) if paid != r["expected"]]
    assert not otherwise


# 10√1 is √100, whatever its label says.
MISLABELLED = {"\\boxed{√100}"}


def test_publicly_reported_answers(data):
    reported = reported_cases(data)
    judged = zip(reported.cases, ours(reported.cases, reported.mode), strict=True)
    missed = [case for case, paid in judged if paid != case.right]
    assert {case.response for case in missed} == MISLABELLED


@pytest.mark.parametrize("ending", ["A:", "####", "The answer is", "So", "\\boxed"])
def test_gsm8k_solutions_whatever_announces_the_answer(data, ending):
    golds, responses, labels = [], [], []
    for line in (data / "math/gsm8k_example_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        for one in row.values():
            if isinstance(one, dict):
                golds.append(row["ground_truth"].rpartition("A:")[2].strip())
                before, _, answer = one["solution"].rpartition("A:")
                said = f"{{{answer.strip()}}}" if ending == "\\boxed" else f" {answer.strip()}"
                responses.append(f"{before}{ending}{said}")
                labels.append(one["is_correct"])
    assert len(labels) == 5276
    judged = rewards(golds, responses, "boxed" if ending == "\\boxed" else "flexible")
    assert judged == labels


@pytest.fixture(scope="module")
def golds(data):
    math500 = json.loads((data / "math/MATH500_prime.json").read_text())["expected_answer"]
    train = json.loads((data / "math/rllm_train_math.json").read_text())
    sample = random.Random(1).sample([row["answer"] for row in train if row["answer"]], 1000)
    return [*math500.values(), *sample]


def test_golds_earn_themselves(golds):
    assert all(rewards(golds, [f"\\boxed{{{gold}}}" for gold in golds], "boxed"))


def test_rewritten_golds_keep_the_verdict(golds):
    cases = [(gold, how, form) for gold in golds for how, form in rewritings(gold)]
    judged = rewards([g for g, _, _ in cases], [f"\\boxed{{{f}}}" for _, _, f in cases], "boxed")
    lost = [case for case, paid in zip(cases, judged, strict=True) if not paid]
    assert len(lost) <= 0.001 * len(cases), lost


def test_perturbed_golds_flip_it(golds):
    rng = random.Random(2)
    cases = [(gold, how, form) for gold in golds for how, form in perturbations(gold, rng)]
    judged = rewards([g for g, _, _ in cases], [f"\\boxed{{{f}}}" for _, _, f in cases], "boxed")
    paid = [case for case, paid in zip(cases, judged, strict=True) if paid]
    assert len(paid) <= 0.001 * len(cases), paid
