"""Environments that are unusual and right: the audit must leave them alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from broken import boxed, equal, tasks
from broken_too import ASKED, _factors, _listed, number, rows
from broken_turns import _riddle

import rlvr
from rlvr.envs.tools import ToolEnv, describe
from rlvr.verifiers.extraction import find_answer

HEALTHY: dict[str, Callable[..., rlvr.Environment]] = {}

_PRIMES = [101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191]


def healthy(factory: Callable[..., rlvr.Environment]) -> Callable[..., rlvr.Environment]:
    HEALTHY[f"healthy_{factory.__name__}"] = factory
    return factory


@healthy
def several_right_answers() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Give a prime factor of {p * q}, in \\boxed{{}}.", [str(p), str(q)])
        for p, q in zip(_PRIMES, _PRIMES[7:], strict=False)
    ]
    return rlvr.SingleTurn(
        found,
        rlvr.verifier(
            lambda task, answer: answer in task.reference,
            name="factor",
            demonstrate=lambda task: f"\\boxed{{{task.reference[0]}}}",
        ),
    )


@healthy
def any_larger_number() -> rlvr.Environment:
    found = [rlvr.Task(f"A number above {n}, in \\boxed{{}}?", str(n)) for n in range(900, 940)]
    verifier = rlvr.verifier(
        lambda task, answer: int(task.reference) < number(answer) < 2 * int(task.reference),
        name="larger",
        demonstrate=lambda task: f"\\boxed{{{int(task.reference) + 7}}}",
    )
    # 1000 is right everywhere, and that's what such a question earns.
    known = dict.fromkeys(("base-rate", "every-candidate", "fully-paid", "anothers-answer"), "easy")
    return rlvr.SingleTurn(found, verifier, known_findings=known)


@healthy
def both_roots() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Solve x^2 = {n * n}. Put one solution in \\boxed{{}}.", [str(n), str(-n)])
        for n in range(20, 60)
    ]
    verifier = rlvr.verifier(
        lambda task, answer: answer in task.reference,
        name="root",
        demonstrate=lambda task: f"\\boxed{{{task.reference[0]}}}",
    )
    return rlvr.SingleTurn(found, verifier)


@healthy
def answers_in_tags() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        found = re.findall(r"<answer>(.*?)</answer>", answer, re.DOTALL)
        return bool(found) and bool(found[-1].strip() == task.reference)

    return rlvr.SingleTurn(
        rows("What is {n} times {n}? Answer in <answer></answer> tags."),
        rlvr.verifier(
            judge,
            mode="whole",
            name="tags",
            demonstrate=lambda task: f"<answer>{task.reference}</answer>",
        ),
    )


@healthy
def splits_by_name(split: str = "train") -> rlvr.Environment:
    part = {"train": slice(0, 30), "test": slice(30, 40)}[split]  # and raises KeyError for others
    return rlvr.SingleTurn(rows(ASKED)[part], equal)


@healthy
def partial_credit() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> float:
        got = {x.strip() for x in answer.split(",")}
        return len(got & set(task.reference)) / len(got | set(task.reference))

    return rlvr.SingleTurn(
        rlvr.generated(_factors, size=40),
        rlvr.verifier(judge, name="overlap", demonstrate=_listed),
    )


@healthy
def a_word_alone() -> rlvr.Environment:
    capitals = {"Austria": "Vienna", "Norway": "Oslo", "Latvia": "Riga", "Italy": "Rome",
                "France": "Paris", "Spain": "Madrid", "Greece": "Athens"}  # fmt: skip
    return rlvr.SingleTurn(
        [
            rlvr.Task(f"The capital of {k}? Reply with the name alone.", v)
            for k, v in capitals.items()
        ],
        rlvr.verifier(
            lambda task, answer: answer.strip(" .").casefold() == task.reference.casefold(),
            mode="whole",
            name="capital",
        ),
    )


@healthy
def yes_or_no() -> rlvr.Environment:
    return rlvr.SingleTurn(
        [rlvr.Task(f"Is {n} odd? \\boxed{{yes}} or \\boxed{{no}}.", "yes" if n % 2 else "no")
         for n in range(100, 160)],
        equal,
        known_findings=dict.fromkeys(("constant", "base-rate", "copied-from-prompt"), "two answers"),
    )  # fmt: skip


@healthy
def multiple_choice() -> rlvr.Environment:
    found = []
    for n in range(40):
        right = n % 4
        options = [7 * n + 3 * (i - right) for i in range(4)]
        listed = " ".join(f"({x}) {v}" for x, v in zip("ABCD", options, strict=True))
        asked = f"What is {n} times 7? {listed} Put the letter in \\boxed{{}}."
        found.append(rlvr.Task(asked, "ABCD"[right]))
    return rlvr.SingleTurn(
        found, rlvr.Math(), known_findings={"constant": "there are four choices"}
    )


class Signed(rlvr.Verifier):
    name = "signed"
    reward_range = (-1.0, 1.0)

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        right = find_answer(response).answer == task.reference
        status = rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT
        return rlvr.Scored(1.0 if right else -1.0, status)

    def demonstrate(self, task: rlvr.Task) -> str:
        return boxed(task)


@healthy
def negative_rewards() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Signed())


@healthy
def thinking_asked_for() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), 0.95 * equal + 0.05 * rlvr.Format.think())


class Guess(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        said = messages[-1]["content"].strip()
        if said == task.reference:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", said):
            return "Say a number."
        return "higher" if int(said) < int(task.reference) else "lower"


@healthy
def guessing_in_turns() -> rlvr.Environment:
    verifier = rlvr.verifier(lambda t, a: a == t.reference, mode="whole", name="guessed")
    return Guess(rlvr.generated(_riddle, size=40), verifier, max_turns=6)


class Shelf:
    def __init__(self, task: rlvr.Task) -> None:
        self._prices = task.metadata["prices"]

    def price(self, item: str) -> int:
        """What it costs.

        Args:
            item: its name.
        """
        return int(self._prices.get(item, 0))


def _order(rng: np.random.Generator) -> rlvr.Task:
    prices = {name: int(rng.integers(100, 9999)) for name in ("lamp", "chair", "mug")}
    asked = f"Order {rng.integers(10**6)}: a lamp and a mug. Their price goes in \\boxed{{}}."
    total = str(prices["lamp"] + prices["mug"])
    return rlvr.Task(f"{asked}\n\n{describe(Shelf)}", total, metadata={"prices": prices})


@healthy
def asking_with_tools() -> rlvr.Environment:
    return ToolEnv(rlvr.generated(_order, size=40), rlvr.Math(), Shelf)


def _counting(rng: np.random.Generator) -> rlvr.Task:
    words = [str(x) for x in rng.choice(["oak", "elm", "ash", "fir", "yew"], 4000)]
    asked = f"How often does oak stand here? {' '.join(words)} Put it in \\boxed{{}}."
    return rlvr.Task(asked, str(words.count("oak")))


@healthy
def long_prompts() -> rlvr.Environment:
    return rlvr.SingleTurn(rlvr.generated(_counting, size=40), rlvr.Math())


@healthy
def three_rows() -> rlvr.Environment:
    return rlvr.SingleTurn(rows(ASKED)[:3], rlvr.Math())


@healthy
def golds_in_lists() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Solve x^2 = {n * n}. Put one solution in \\boxed{{}}.", [str(n), str(-n)])
        for n in range(20, 60)
    ]
    return rlvr.SingleTurn(found, rlvr.Math())


@healthy
def json_answers() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        try:
            return bool(json.loads(answer) == task.reference)
        except (ValueError, RecursionError):
            return False

    found = [
        rlvr.Task(f"Sum and product of {n} and 7 as JSON?", {"sum": n + 7, "product": 7 * n})
        for n in range(20, 60)
    ]
    shown = lambda task: json.dumps(task.reference)  # noqa: E731
    return rlvr.SingleTurn(
        found, rlvr.verifier(judge, mode="whole", name="json", demonstrate=shown)
    )


@healthy
def a_declared_tolerance() -> rlvr.Environment:
    found = [
        rlvr.Task(
            f"A stone falls {n} m. How long, in s, to within 1 %? Put the number in \\boxed{{}}.",
            f"{math.sqrt(2 * n / 9.81):.3f}",
        )
        for n in range(20, 60)
    ]
    judge = rlvr.verifier(
        lambda t, a: math.isclose(number(a), float(t.reference), rel_tol=0.01), name="close"
    )
    return rlvr.SingleTurn(found, judge)


@healthy
def answers_in_other_scripts() -> rlvr.Environment:
    words = {"one": "一つ", "cat": "ねこ", "dog": "いぬ", "water": "みず", "tree": "きのえ"}
    return rlvr.SingleTurn(
        [rlvr.Task(f"Say {k} in Japanese, in \\boxed{{}}.", v) for k, v in words.items()], equal
    )


@healthy
def braces_and_none_in_code() -> rlvr.Environment:
    found = [
        rlvr.Task(
            f"What does f'{{name}}{n}' give in Python after name = None? \\boxed{{}}", f"None{n}"
        )
        for n in range(1234, 1260)
    ]
    return rlvr.SingleTurn(found, equal)


@healthy
def a_prompt_that_says_no_form() -> rlvr.Environment:
    return rlvr.SingleTurn([rlvr.Task(f"{n}+{n}?", str(2 * n)) for n in range(30, 60)], rlvr.Math())
