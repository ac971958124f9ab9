"""The place of the answer in a response."""

import random
import re
import time

import pytest

import rlvr
from rlvr.verifiers.extraction import find_answer

BOXED = [
    ("\\boxed{42}", "42"),
    ("so \\boxed{ 42 } it is", "42"),
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
        ("\\boxed it", "not followed by"),
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


# The gold, a response, and whether it's right.
BOXES = [
    ("2", "\\boxed 2", 1),
    ("A", "$\\boxed A$", 1),
    ("A", "so \\boxed A.", 1),
    ("\\frac12", "$\\boxed\\frac{1}{2}$", 1),
    ("\\frac12", "$\\boxed \\frac12$", 1),
    ("\\sqrt{3}", "\\boxed\\sqrt3", 1),
    ("\\pi", "$\\boxed\\pi$", 1),
    ("12", "\\boxed 12.", 1),
    ("1", "\\boxed 12", 0),
    ("2", "\\boxed 12", 0),
    ("-5", "$\\boxed -5$", 1),
    ("3/4", "\\boxed 3/4", 1),
    ("3", "\\boxed 3/4", 0),
    ("1234", "\\boxed 1,234", 1),
    ("3", "$\\boxed 3x$", 0),
    ("3.5", "\\boxed 3.5", 1),
    ("5\\%", "\\boxed 5\\%", 1),
    ("\\text{yes}", "\\boxed\\text{yes}", 1),
    ("2\\sqrt3", "$\\boxed 2\\sqrt3$", 0),
    ("5", "We get \\boxed{5}. The result stands in \\boxed as asked.", 1),
    ("5", "We get \\boxed{5}. I used \\boxed{} as asked.", 1),
    ("5", "\\boxed{5} \\boxed{}", 1),
    ("5", "\\boxed{5}\n\n\\boxed{ }", 1),
    ("5", "\\boxed{}", 0),
    ("5", "\\boxed{5} and \\boxed{", 0),
    ("5", "\\boxed{5} and \\boxed", 0),
    ("5", "\\boxed{5}, `\\boxed` is done", 1),
    ("5", "\\boxed{5}. That is what \\boxed is.", 1),
    ("5", "\\boxed{4}. I put 5 in \\boxed as asked.", 0),
    ("4", "\\boxed{4}. Or rather \\boxed 5", 0),
    ("5", "\\boxed{4}. Or rather \\boxed 5", 1),
    ("5, 7", "Part (a): \\boxed{5}\n\nPart (b): \\boxed{7}", 1),
    ("5, 7", "Part (a): \\boxed{7}\n\nPart (b): \\boxed{5}", 0),
    ("7", "Part (a): \\boxed{5}\n\nPart (b): \\boxed{7}", 1),
    ("5", "Part (a): \\boxed{5}\n\nPart (b): \\boxed{7}", 0),
    ("5, 7", "**(a)** The width is \\boxed{5}.\n\n**(b)** The height is \\boxed{7}.", 1),
    ("5, 7", "**(a)** The width is \\boxed{7}.\n\n**(b)** The height is \\boxed{5}.", 0),
    ("5, 7", "(i) Since x=5, \\boxed{5}\n(ii) so \\boxed{7}", 1),
    ("5, 7", "1. The width is \\boxed{5}.\n2. The height is \\boxed{7}.", 1),
    ("5, 7", "Part 1: it is \\boxed{5}. Part 2: it is \\boxed{7}.", 1),
    ("5, 7", "### Part A\nfoo \\boxed{5}\n### Part B\nbar \\boxed{7}", 1),
    ("5, 7", "The width is \\boxed{5}. The height is \\boxed{7}.", 0),
    ("5, 7", "(a) It's \\boxed{5} or maybe \\boxed{6}\n(b) It's \\boxed{7}", 0),
    ("5, 7", "(a) x \\boxed{5}\n(a) y \\boxed{7}", 0),
    ("5, 7", "(b) x \\boxed{5}\n(c) y \\boxed{7}", 0),
    ("5,7,9", "(a) x \\boxed{5}\n(b) y \\boxed{7}\n(c) z: \\boxed{9}", 1),
    ("5,7", "(a) x \\boxed{5}\n(b) y \\boxed{7}\n(c) z: \\boxed{9}", 0),
    ("5, 7", "a) width \\boxed{5}\nb) height \\boxed{7}", 1),
    ("5, 7", "(a) \\boxed{5} (b) \\boxed{7}", 1),
    ("5, 7", "(a) \\boxed{7} (b) \\boxed{5}", 0),
    ("5, 7", "(a) \\boxed{7}\n(b) \\boxed{5}", 0),
    ("5, 7", "(a) \\boxed{5}\n(b) \\boxed{7}", 1),
    ("5, 7", "1. \\boxed{7}\n2. \\boxed{5}", 1),
    ("5, 7", "\\boxed{\\text{(i) } 5 \\quad \\text{(ii) } 7}", 1),
    ("5, 7", "\\boxed{\\text{(i) } 7 \\quad \\text{(ii) } 5}", 0),
    ("5, 7", "\\boxed{(a) 5, (b) 7}", 1),
    ("5, 7", "\\boxed{(a)\\ 5,\\ (b)\\ 7}", 1),
    ("5, 7", "\\boxed{(a) 7, (b) 5}", 0),
    ("5, 7", "\\boxed{\\text{(a) } 5 \\text{ and } \\text{(b) } 7}", 1),
    ("\\frac12, \\sqrt3", "(a) we \\boxed{\\frac{1}{2}}. (b) then \\boxed{\\sqrt{3}}", 1),
    ("5, 7", "For part (a), \\boxed{5}. For part (b), \\boxed{7}. Final: \\boxed{5, 7}", 1),
    ("5, 7", "For part (a), \\boxed{5}. For part (b), \\boxed{7}. Final: \\boxed{7}", 0),
    ("5, 7", "Problem: (a) find w (b) find h\n(a) w is \\boxed{5}.\n(b) h is \\boxed{7}.", 1),
    ("5", "\\boxed{\\frac{5}{1}} \\quad \\boxed{}", 1),
    ("\\frac{1}{2}", "\\boxed{\\frac12}. As \\boxed{\\phantom{x}} says", 0),
    ("7", "\\boxed{\\boxed{7}}", 1),
    ("x", "\\boxed\nx", 0),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "response", "right"), BOXES)
def test_boxes_without_braces_empty_ones_and_those_of_parts(gold, response, right):
    verdict = rlvr.Math().verify(rlvr.Task("", gold), response)
    assert (verdict.reward == 1.0) is bool(right), verdict.feedback


# In flexible mode.
STATED = [
    ("\\frac{1}{2}", "This simplifies to \\frac{1}{2}", 1),
    ("2", "This simplifies to \\frac{1}{2}", 0),
    ("\\frac{1}{2}", "This simplifies to \\frac{1}{2}.", 1),
    ("\\frac{1}{2}", "<answer>\\frac{1}{2}</answer>", 1),
    ("\\frac12", "so <answer> $\\frac{1}{2}$ </answer>", 1),
    ("18", "6 * 3 = 18 dollars a week", 1),
    ("18", "6*3 = 18 dollars per week", 1),
    ("18", "So 6 * 3 = 18 dollars", 1),
    ("18", "He earns 6 * 3 = 18 dollars a week.", 1),
    ("3", "6 * 3 = 18 dollars a week", 0),
    ("18", "6 * 3 = 18", 1),
    ("18", "6 * 3 = 18 a week", 1),
    ("18", "Total = 6 * 3 = 18 apples", 1),
    ("18", "3 + 3 = 6, 6 * 3 = 18 cups a day", 1),
    ("6", "3 + 3 = 6, 6 * 3 = 18 cups a day", 0),
    ("20", "$4 * 5 = $20 a day", 1),
    ("20", "4 * $5 = $20 an hour", 1),
    ("20", "4 * 5 = 20 miles an hour", 1),
    ("0.25", "25% of 1 = .25 an hour", 1),
    ("2\\sqrt{3}", "The length is 2\\sqrt{3}", 1),
    ("3", "The length is 2\\sqrt{3}", 0),
    ("2\\sqrt{3}", "Therefore, the length is 2\\sqrt{3} units.", 1),
    ("9\\pi", "Hence the area is 9\\pi.", 1),
    ("9\\pi", "Hence the area is 9\\pi square units.", 1),
    ("9", "Hence the area is 9\\pi.", 0),
    ("\\frac{3}{4}", "We get x = \\frac{3}{4}.", 1),
    ("x=\\frac34", "We get x = \\frac{3}{4}", 1),
    ("-\\frac{3}{4}", "So the slope is -\\frac{3}{4}", 1),
    ("\\frac{3}{4}", "So the slope is -\\frac{3}{4}", 0),
    ("\\frac{1}{2}+\\frac{\\sqrt{3}}{2}i", "It becomes \\frac{1}{2}+\\frac{\\sqrt{3}}{2}i here", 1),
    ("\\frac{\\sqrt{3}}{2}", "It becomes \\frac{1}{2}, then \\frac{\\sqrt{3}}{2} here", 1),
    ("\\frac{\\sqrt{3}}{2}", "It becomes \\frac{1}{2}. Then it is \\frac{\\sqrt{3}}{2}.", 1),
    ("\\frac12", "It becomes \\frac{1}{2}. Then it is \\frac{\\sqrt{3}}{2}.", 0),
    ("42", "We use \\frac{84}{2} to get 42", 1),
    ("42", "First \\frac{84}{2}, so there are 42 of them", 1),
    ("42", "Thus \\frac{84}{2} = 42 apples", 1),
    ("42", "Thus 84 \\div 2 = 42", 1),
    ("42", "Thus 84 \\div 2 = 42 apples remain", 1),
    ("6", "so 2 \\times 3 = 6 apples", 1),
    ("3", "so 2 \\times 3 = 6 apples", 0),
    ("6", "so 2 \\times 3 apples", 0),
    ("50\\%", "That makes 50\\% of all", 1),
    ("1,2", "The roots of it are 1 and 2", 0),
    ("\\frac12", "therefore \\frac{1}{2} is the probability", 1),
    ("\\frac12", "Probability: \\frac{1}{2}", 1),
    ("\\binom{10}{3}", "Number of ways: \\binom{10}{3}", 1),
    ("42", "<answer>x</answer><answer>42</answer>", 1),
    ("41", "<answer>41</answer><answer>42</answer>", 0),
    ("42", "<answer>The answer is 42.</answer> Bye 7", 1),
    ("42", "<answer></answer> so 42", 1),
    ("C", "<answer>C</answer>", 1),
    ("x^2+1", "<answer>x^2+1</answer>", 1),
    ("5", "\\boxed{5} <answer>6</answer>", 1),
    ("6", "\\boxed{5} <answer>6</answer>", 0),
    ("7", "<answer>5 or 7</answer>", 0),
    ("42", "<answer>42", 1),
    ("1", "<answer>\n1\n</answer>", 1),
    ("5", "The answer is \\frac{10}{2} = 5", 1),
    ("\\frac{10}{3}", "The answer is \\frac{10}{3}", 1),
    ("\\frac{10}{3}", "Answer: \\frac{10}{3} meters", 1),
    ("5", "I can't use \\boxed here. The answer is 5.", 1),
    ("\\frac{5}{3}", "The value: \\(\\frac{5}{3}\\)", 1),
    ("\\sqrt{2}", "the side is \\sqrt{2}", 1),
    ("(1,\\frac12)", "The point is (1, \\frac{1}{2}).", 1),
    ("\\frac12", "The point is (1, \\frac{1}{2}).", 0),
    ("[0,\\infty)", "The range is [0, \\infty).", 1),
    ("\\frac12", "It's a \\frac{1}{2} chance.", 1),
    ("17", "x = \\sqrt{289} = 17", 1),
    ("17", "So x = \\sqrt{289} = 17 meters long.", 1),
    ("289", "So x = \\sqrt{289}", 0),
    ("\\frac{7}{3}", "= \\frac{7}{3}", 1),
    ("\\frac{7}{3}", "y = 2x + 1 at x = \\frac{2}{3} is \\frac{7}{3}", 1),
    ("2^{10}", "We get 2^{10}", 1),
    ("x^{2}", "We get x^{2}", 1),
    ("\\{1,2\\}", "The set is \\{1, 2\\}.", 1),
    ("2", "The set is \\{1, 2\\}.", 0),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "The vector is \\begin{pmatrix}1\\\\2\\end{pmatrix}.", 1),
    ("2", "The vector is \\begin{pmatrix}1\\\\2\\end{pmatrix}.", 0),
    ("\\text{east}", "He goes \\text{east}", 1),
    ("5 \\text{ cm}", "The side is 5 \\text{ cm}.", 1),
    ("5", "The side is 5 \\text{ cm}.", 1),
    ("5", "The side is 5\\text{ cm} long.", 1),
    ("2", "Let $x$ be it. This simplifies to \\frac{1}{2}", 0),
    ("\\frac12", "Let $x$ be it. This simplifies to \\frac{1}{2}", 1),
    ("\\frac12", "We had $x=3$ and it becomes \\frac{1}{2}", 1),
    ("3", "We had $x=3$ and it becomes \\frac{1}{2}", 0),
    ("3", "Let \\frac{1}{2} be it. So $x=3$.", 1),
    ("3", "2 to 3", 0),
    ("6", "So 5 or 6", 0),
    ("6", "It is 5 or 6.", 0),
    ("6", "Thus 5 dollars and then 6 in all", 1),
    ("6", "it costs $5 or $6", 0),
    ("x^2", "We get $x^2$ \\quad \\textbf{QED}", 1),
    ("1", "= 1", 1),
    ("3", "2:3", 0),
    ("5", "\\boxed{5} is what goes in \\boxed{...}", 1),
    ("5", "\\boxed{5} \\boxed{\\,}", 1),
    ("5", "\\boxed{5} \\boxed{\\ldots}", 1),
    ("5", "\\boxed{...}", 0),
    ("1,2,...", "\\boxed{1,2,...}", 1),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "response", "right"), STATED)
def test_the_last_formula_in_plain_text_is_taken_whole(gold, response, right):
    verdict = rlvr.Math("flexible").verify(rlvr.Task("", gold), response)
    assert (verdict.reward == 1.0) is bool(right), verdict.feedback


@pytest.mark.parametrize(
    "fifths",
    [
        lambda n: "\\" * (n * 300_000) + "boxed{5}",
        lambda n: "words. " * (n * 86_000) + "\\" * 900 + "boxed{5}",
        lambda n: ("x" * 3300 + "\\") * (n * 180) + "boxed{5}",
        lambda n: "\\boxed{" + "{" * (n * 600_000),
        lambda n: "\\boxed{" * (n * 80_000),
        lambda n: "\\boxed\\frac{" * (n * 40_000),
        lambda n: "\\boxed{1} " * (n * 60_000),
        lambda n: "\\boxed here. " * (n * 50_000),
        lambda n: "$x$ or " * (n * 86_000),
        lambda n: "\\frac{1}{2} and " * (n * 40_000),
        lambda n: "<answer>" * (n * 80_000),
        lambda n: "(a) \\boxed{1} " * (n * 40_000),
    ],
    ids=lambda fifths: f"{fifths(1)[:14]!r} and so on",
)
def test_three_megabytes_are_read_in_linear_time(fifths):
    """Compare with a fifth of the text: five times the work may take ten times the time, and not 25 times."""

    def seconds(text, mode):
        spent = []
        for _ in range(3):
            began = time.thread_time()
            find_answer(text, mode, str.isdigit, lambda: 2)
            spent.append(time.thread_time() - began)
        return min(spent)

    for mode in ("boxed", "flexible"):
        assert seconds(fifths(5), mode) < 10 * seconds(fifths(1), mode) + 0.05


@pytest.mark.parametrize("count", [1, 999, 100_000, 1_000_000])
def test_backslashes_before_a_box_are_no_fault(count):
    for gold, reward in (("5", 1.0), ("6", 0.0)):
        verdict = rlvr.Math().verify(rlvr.Task("", gold), "\\" * count + "boxed{5}")
        assert verdict.reward == reward


def harness_minerva(text: str) -> str | None:
    """Find the answer as `get_unnormalized_answer` of lm-evaluation-harness's minerva_math does."""
    text += "I hope it is correct."
    found = re.search(r"Final Answer: The final answer is(.*?). I hope it is correct.", text)
    return found[1].strip() if found else None


def test_minerva_reads_what_the_harness_reads() -> None:
    draw = random.Random(3)
    bits = ["Final Answer: The final answer is", " I hope it is correct.", "I hope it is correct.", " ", "\n", "$", "5", ".", "x", "\r"]  # fmt: skip
    answers = 0
    for _ in range(20_000):
        text = "".join(draw.choice(bits) for _ in range(draw.randrange(12)))
        expected = harness_minerva(text)
        answers += bool(expected)
        if expected and len(expected) > 1 and expected[0] == expected[-1] == "$":
            inner = expected[1:-1].strip()
            expected = expected if "$" in inner else inner
        assert find_answer(text, "minerva").answer == (expected or None), text
    assert answers > 1000


@pytest.mark.parametrize("gold", ["5", "\\frac{1}{2}", "[2,5)", "(1,2)", "\\text{even}", "1{,}000"])
def test_minervas_sentence_is_judged_as_a_box_is(gold: str) -> None:
    task = rlvr.Task("?", gold)
    response = f"So.\nFinal Answer: The final answer is ${gold}$. I hope it is correct."
    assert rlvr.score([task], [response], rlvr.Math("minerva"))[0].reward == 1.0
    assert (
        rlvr.score([task], [f"\\boxed{{{gold}}}"], rlvr.Math("minerva"))[0].status == "unparsable"
    )
    shown = rlvr.Math("minerva").demonstrate(task)
    assert rlvr.score([task], [shown], rlvr.Math("minerva"))[0].reward == 1.0
