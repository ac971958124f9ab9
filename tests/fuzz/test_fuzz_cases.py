"""Responses that once had no verdict, or held the caller's thread: each has reward 0, and soon."""

from __future__ import annotations

import time
from typing import Any

import pytest

import rlvr
from rlvr.core.tool_calls import texts_of_calls
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import find_answer
from rlvr.verifiers.sql.extraction import find_query
from tools.fuzz.rules import DEEP, MOST_S, at_depth

BOTH = 0.9 * rlvr.Math() + 0.1 * rlvr.Format.boxed()
DIGITS = "1" + "0123456789" * 349 + "1"

CASES: list[tuple[Verifier, Any, str]] = [
    *(
        (verifier, "3.14", f"\\boxed{{{answer}}}")
        for verifier in (rlvr.Math(rounded=True), rlvr.Math(tolerance=0.1), rlvr.Math(tolerance=0.1, unevaluated=True))
        for answer in (
            "\\max(i,i)", "\\min(i, 1)", "\\max(\\frac{1}{0}, 1)", "\\log_0 5", "\\log_1 5", "\\binom{i}{2}", "5 \\bmod i", "\\lfloor i \\rfloor",
            "\\begin{pmatrix} 1 & 2 \\end{pmatrix}", "\\{1, i\\}", "x < \\max(i, 1)", "\\int_0^1 x", "\\sum_{k=1}^{9} k", "\\infty - \\infty", "\\frac{0}{0}",
            "\\begin{cases} 1 & x > 0 \\\\ 2 & x \\le 0 \\end{cases}", "\\sqrt[0]{2}", "(-5)!", "\\tan(\\frac{\\pi}{2})", "10^{-10^{11}}",
        )
    ),
    (rlvr.Math(), "x", f"\\boxed{{\\frac{{x}}{{{DIGITS}}}+\\frac{{x}}{{{DIGITS[:-1]}3}}}}"),
    (rlvr.Math(), "x", f"\\boxed{{x^{{\\frac{{1}}{{{DIGITS}}}}}x^{{\\frac{{1}}{{{DIGITS[:-1]}3}}}}}}"),
    (rlvr.Math(), "12", "\\boxed{5_{02" + "9" * 4500 + "}}"),
    (rlvr.Math(), "12", "\\boxed{x" + "!" * 290 + "}"),
    (rlvr.Math(), "12", "\\boxed{" + "1+" * 1400 + "1}"),
]  # fmt: skip


@pytest.mark.parametrize(("verifier", "reference", "response"), CASES, ids=range(len(CASES)))
def test_it_is_a_wrong_answer(verifier: Verifier, reference: str, response: str) -> None:
    (verdict,) = rlvr.score([rlvr.Task("", reference)], [response], verifier)
    assert isinstance(verdict, rlvr.Scored), verdict
    assert verdict.reward == 0.0
    assert "raised" not in verdict.detail


@pytest.mark.parametrize("count", [1, 2, 999, 1200, 300_000])
@pytest.mark.parametrize("box", ["boxed", "fbox"])
def test_backslashes_before_a_box_are_read_over(count: int, box: str) -> None:
    response = "\\" * count + f"{box}{{1}}"
    right, wrong = rlvr.score([rlvr.Task("", "1"), rlvr.Task("", "2")], [response] * 2, BOTH)
    assert (right.to_json()["reward"], wrong.to_json()["reward"]) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("verifier", "reference", "answer"),
    [
        (rlvr.Math(rounded=True), "3.14", "\\sin(10^{10^{8}})"),
        (rlvr.Math(tolerance=0.1, unevaluated=True), "3", "\\cos 10^{10^{9}}"),
        (rlvr.Math(rounded=True, tolerance=0.1), "\\pi", "\\tan(3^{10^{11}})"),
    ],
)
def test_a_tower_is_left_to_a_worker(verifier: Verifier, reference: str, answer: str) -> None:
    task, response = rlvr.Task("", reference), f"\\boxed{{{answer}}}"
    began = time.thread_time()
    assert verifier.settle(task, response) is None
    assert time.thread_time() - began < MOST_S
    (verdict,) = rlvr.score([task], [response], verifier, limit_s=0.5)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.status in (rlvr.Status.LIMIT, rlvr.Status.INCORRECT)


def test_a_gold_that_is_a_tower_is_no_responses_limit() -> None:
    """It isn't worked out, and takes no time: only what is written alike is equal to it."""
    gold = "\\sin(10^{10^{8}})"
    other, same = rlvr.score(
        [rlvr.Task("", gold)] * 2, ["\\boxed{\\cos 1}", f"\\boxed{{{gold}}}"], rlvr.Math()
    )
    assert isinstance(other, rlvr.Scored)
    assert other.status is rlvr.Status.INCORRECT
    assert float(same) == 1.0


def test_numbers_that_round_are_still_right() -> None:
    for reference, answer in (
        ("3.14", "\\pi"),
        ("\\pi", "3.142"),
        ("1.41", "\\sqrt{2}"),
        ("0.33", "\\frac{1}{3}"),
    ):
        (verdict,) = rlvr.score(
            [rlvr.Task("", reference)], [f"\\boxed{{{answer}}}"], rlvr.Math(rounded=True)
        )
        assert verdict.to_json()["reward"] == 1.0, (reference, answer)


@pytest.mark.parametrize(
    "response",
    ["\\boxed{x" + "!" * 290 + "}", "\\boxed{" + "(" * 15 + "7" + ")" * 15 + "}", "\\boxed{6+1}"],
)
def test_a_deep_caller_gets_the_same_verdict(response: str) -> None:
    task = rlvr.Task("", "7")
    here = rlvr.score([task], [response], rlvr.Math())
    for frames in (DEEP, 850):
        assert at_depth(frames, lambda: rlvr.score([task], [response], rlvr.Math())) == here


@pytest.mark.parametrize(
    ("unit", "tail"),
    [("\\", "boxed{1}"), ("\\\\boxed{1}", ""), (",234", ",2345"), ("a", " b"), ("$5 a", "$"), ("1 " * 20, ""), ("=", "$")],
)  # fmt: skip
def test_finding_an_answer_is_linear(unit: str, tail: str) -> None:
    for mode in ("boxed", "flexible"):
        began = time.thread_time()
        find_answer("$1" + unit * (200_000 // len(unit)) + tail, mode, str.isdigit)
        assert time.thread_time() - began < MOST_S


@pytest.mark.parametrize(
    "unit", ["SELECT b\n\n/*\n", "SELECT a;\n", "SELECT '\n\n", "SELECT (\n\n", "select \"\n\n\n", "<answer>SELECT", "VALUES(\n"]
)  # fmt: skip
def test_finding_a_query_is_linear(unit: str) -> None:
    began = time.thread_time()
    find_query(unit * (200_000 // len(unit)))
    # Twice the bound: a processor that is shared with another thread takes longer for the same work.
    assert time.thread_time() - began < 2 * MOST_S


def test_finding_calls_of_tools_is_linear() -> None:
    began = time.thread_time()
    assert texts_of_calls("<tool_call>" * 90_000) == []
    assert texts_of_calls("<tool_call>a<tool_call>b</tool_call>c<tool_call>d</tool_call>") == [
        "a<tool_call>b",
        "d",
    ]
    assert time.thread_time() - began < MOST_S
