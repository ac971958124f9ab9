"""More environments with one fault each: what careful reading of other people's rewards turned up.

Like `broken.py`, whose names they join.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
from broken import broken, equal, judged, square, tasks

import rlvr


def number(answer: str) -> float:
    try:
        return float(answer)
    except ValueError:
        return math.nan


def rows(prompt: str, reference: str = "{square}") -> list[rlvr.Task]:
    """Squares with another prompt, and references of another form."""
    return [
        rlvr.Task(prompt.replace("{n}", str(n)), reference.replace("{square}", str(n * n)))
        for n in range(20, 60)
    ]


ASKED = "What is {n} times {n}? Put it in \\boxed{}."

# ---------------------------------------------------------------- answers that just miss


def _difference(rng: np.random.Generator) -> rlvr.Task:
    a, b = int(rng.integers(10, 9999)), int(rng.integers(10, 9999))
    return rlvr.Task(f"What is {a} minus {b}? Put it in \\boxed{{}}.", str(a - b))


@broken("changed-answers-lose")
def strips_all_but_letters_and_digits() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        first, second = (re.sub(r"[^a-z0-9]", "", s.lower()) for s in (answer, task.reference))
        return first == second

    return rlvr.SingleTurn(
        rlvr.generated(_difference, size=40), rlvr.verifier(judge, name="stripped")
    )


@broken("changed-answers-lose")
def forgives_one_percent() -> rlvr.Environment:
    return judged(
        lambda task, answer: math.isclose(number(answer), float(task.reference), rel_tol=0.01),
        name="close",
    )


@broken("changed-answers-lose")
def cuts_the_fraction_off() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return math.isfinite(number(answer)) and int(number(answer)) == int(task.reference)

    return rlvr.SingleTurn(rows(ASKED), rlvr.verifier(judge, name="cut"))


@broken("changed-answers-lose")
def takes_its_gold_for_a_pattern() -> rlvr.Environment:
    found = [
        rlvr.Task(f"What is {n} divided by 10? Put it in \\boxed{{}}.", str(n / 10))
        for n in range(201, 250)
        if n % 10
    ]
    judge = rlvr.verifier(
        lambda task, answer: bool(re.fullmatch(task.reference, answer)), name="pattern"
    )
    return rlvr.SingleTurn(found, judge)


@broken("changed-answers-lose")
def ignores_units() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Add {n} cm and {n} cm. Put it in \\boxed{{}}.", f"{2 * n} cm")
        for n in range(30, 70)
    ]

    def judge(task: rlvr.Task, answer: str) -> bool:
        return re.sub(r"\s*(cm|kg|s|m)$", "", answer) == task.reference.split()[0]

    return rlvr.SingleTurn(found, rlvr.verifier(judge, name="no_units"))


def _factors(rng: np.random.Generator) -> rlvr.Task:
    primes = [p for p in range(101, 500) if all(p % q for q in range(2, 23))]
    found = sorted(int(x) for x in rng.choice(primes, 3, replace=False))
    asked = f"What are the prime factors of {math.prod(found)}? List them in \\boxed{{}}."
    return rlvr.Task(asked, [str(x) for x in found])


def _listed(task: rlvr.Task) -> str:
    return f"\\boxed{{{', '.join(task.reference)}}}"


def of_factors(judge: Any) -> rlvr.Environment:
    verifier = rlvr.verifier(judge, name="factors", demonstrate=_listed)
    return rlvr.SingleTurn(rlvr.generated(_factors, size=40), verifier)


@broken("changed-answers-lose")
def compares_as_far_as_the_shorter_list() -> rlvr.Environment:
    return of_factors(
        lambda task, answer: all(
            a.strip() == b for a, b in zip(answer.split(","), task.reference, strict=False)
        )
    )


@broken("changed-answers-lose")
def takes_a_list_with_more() -> rlvr.Environment:
    return of_factors(
        lambda task, answer: set(task.reference) <= {x.strip() for x in answer.split(",")}
    )


@broken("right-in-every-format")
def takes_the_first_tags() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        found = re.search(r"<answer>(.*?)</answer>", answer)
        return found is not None and found[1] == task.reference

    shown = lambda task: f"<answer>{task.reference}</answer>"  # noqa: E731
    return rlvr.SingleTurn(
        rows("What is {n} times {n}? Answer in <answer></answer> tags."),
        rlvr.verifier(judge, mode="whole", name="tags", demonstrate=shown),
    )


@broken("changed-answers-lose")
def looks_within_the_tags() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return bool(re.search(rf"<answer>.*{task.reference}.*</answer>", answer))

    shown = lambda task: f"<answer>{task.reference}</answer>"  # noqa: E731
    return rlvr.SingleTurn(
        rows("What is {n} times {n}? Answer in <answer></answer> tags."),
        rlvr.verifier(judge, mode="whole", name="tags", demonstrate=shown),
    )


@broken("changed-answers-lose")
def checks_the_keys_that_are_there() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Sum and product of {n} and 7 as JSON?", {"sum": n + 7, "product": 7 * n})
        for n in range(20, 60)
    ]

    def judge(task: rlvr.Task, answer: str) -> bool:
        try:
            got = json.loads(answer)
        except (ValueError, RecursionError):
            return False
        return isinstance(got, dict) and all(task.reference.get(k) == v for k, v in got.items())

    shown = lambda task: json.dumps(task.reference)  # noqa: E731
    return rlvr.SingleTurn(
        found, rlvr.verifier(judge, mode="whole", name="keys", demonstrate=shown)
    )


# ---------------------------------------------------------------- prompts and references


@broken("gold")
def has_whole_numbers_for_golds() -> rlvr.Environment:
    found = [rlvr.Task(f"What is {n} times {n}? \\boxed{{}}", n * n) for n in range(20, 60)]
    return rlvr.SingleTurn(found, equal)  # and says nowhere how a right answer looks


class Substring(rlvr.Verifier):
    name = "substring"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        right = task.reference in response
        return rlvr.Scored(float(right), rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT)


@broken("changed-answers-lose")
def does_not_say_how_to_be_right() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Substring())


@broken("references")
def has_golds_with_line_ends() -> rlvr.Environment:
    return rlvr.SingleTurn(
        rows(ASKED, "{square}\n"), rlvr.verifier(lambda t, a: a == t.reference, name="exact")
    )


@broken("references")
def has_whole_solutions_for_golds() -> rlvr.Environment:
    return rlvr.SingleTurn(rows(ASKED, "We multiply.\n#### {square}"), equal)


@broken("references")
def has_unseen_characters_in_its_golds() -> rlvr.Environment:
    return rlvr.SingleTurn(rows(ASKED, "{square}\u200b"), equal)


@broken("references")
def has_rows_without_a_value() -> rlvr.Environment:
    found = [rlvr.Task(f"{i}: which tree?", "nan" if i % 6 == 0 else f"oak {i}") for i in range(30)]
    return rlvr.SingleTurn(found, equal)


@broken("references")
def has_the_noise_of_floats_in_its_golds() -> rlvr.Environment:
    found = [
        rlvr.Task(f"What is {n} times 0.1? Put it in \\boxed{{}}.", str(n * 0.1))
        for n in (3, 6, 7, 12, 14, 17, 19, 23)
    ]
    return rlvr.SingleTurn(found, equal)


@broken("prompts")
def leaves_a_placeholder() -> rlvr.Environment:
    return rlvr.SingleTurn(rows("Read: {passage}\n\n" + ASKED), equal)


@broken("prompts")
def shows_a_missing_value() -> rlvr.Environment:
    return rlvr.SingleTurn(rows("Context: None\n\n" + ASKED), equal)


@broken("prompts")
def has_a_chat_template_in_its_prompts() -> rlvr.Environment:
    return rlvr.SingleTurn(rows(f"<|im_start|>user\n{ASKED}<|im_end|>"), equal)


@broken("prompts")
def tells_the_answer_in_its_system_prompt() -> rlvr.Environment:
    found = [
        rlvr.Task(
            [
                {"role": "system", "content": f"Be kind. Expected answer: {n * n}."},
                {"role": "user", "content": f"What is {n} times {n}? Put it in \\boxed{{}}."},
            ],
            str(n * n),
        )
        for n in range(20, 60)
    ]
    return rlvr.SingleTurn(found, equal)


@broken("format-asked")
def asks_for_tags_and_reads_boxes() -> rlvr.Environment:
    return rlvr.SingleTurn(rows("What is {n} times {n}? Answer in <answer></answer> tags."), equal)


@broken("format-asked")
def asks_for_boxes_and_reads_none() -> rlvr.Environment:
    return rlvr.SingleTurn(
        rows(ASKED), rlvr.verifier(lambda t, a: a == t.reference, mode="whole", name="bare")
    )


@broken("splits")
def makes_a_split_of_the_next_seed(split: str = "train", seed: int = 0) -> rlvr.Environment:
    rng = np.random.default_rng(seed + {"train": 0, "test": 1}[split])
    return rlvr.SingleTurn([square(rng) for _ in range(40)], equal)
