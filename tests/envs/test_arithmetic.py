from __future__ import annotations

import itertools
import re

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.envs.arithmetic import LEVELS

COUNT = 300


@pytest.mark.parametrize("level", LEVELS)
def test_references_are_what_python_makes_of_the_expression(level: int) -> None:
    for task in rlvr.make("arithmetic", level=level).tasks[:COUNT]:
        asked = re.fullmatch(r"What is (.*)\? Put the result in \\boxed\{\}\.", task.text)
        assert asked is not None
        assert asked.group(1) == task.metadata["expression"]
        assert re.fullmatch(r"[\d +*-]+", asked.group(1))
        assert int(task.reference) == eval(asked.group(1))


@pytest.mark.parametrize("level", LEVELS)
def test_problems_are_of_their_level(level: int) -> None:
    wanted = LEVELS[level]
    seen = set()
    for task in rlvr.make("arithmetic", level=level).tasks[:COUNT]:
        numbers = re.findall(r"\d+", task.metadata["expression"])
        assert [len(number) for number in numbers] == [wanted.digits] * wanted.terms
        seen |= set(re.findall(r"[+*-]", task.metadata["expression"]))
    assert seen == set(wanted.operators)


@pytest.mark.parametrize("level", LEVELS)
def test_a_right_answer_earns_all_and_its_neighbour_nothing(level: int) -> None:
    env = rlvr.make("arithmetic", level=level)
    for task in env.tasks[:20]:
        right, wrong = int(task.reference), int(task.reference) + 1
        responses = [f"\\boxed{{{right}}}", f"\\boxed{{{wrong}}}", f"{right}", "\\boxed{}"]
        verdicts = rlvr.score([task] * 4, responses, env.verifier)
        assert [float(verdict) for verdict in verdicts] == [1, 0, 0, 0]


@pytest.mark.parametrize("options", [{"level": 1}, {"digits": 1, "terms": 2, "operators": "+"}])
def test_splits_share_no_problem(options: dict) -> None:
    prompts = [
        {task.text for task in rlvr.make("arithmetic", split=split, **options).tasks[:COUNT]}
        for split in ("train", "dev", "test")
    ]
    for one, other in itertools.combinations(prompts, 2):
        assert one
        assert one.isdisjoint(other)


def test_options_override_the_level() -> None:
    (task,) = rlvr.make("arithmetic", level=5, digits=18, terms=3, operators="*", size=1).tasks
    a, b, c = (int(n) for n in task.metadata["expression"].split(" * "))
    assert min(a, b, c) >= 10**17
    assert int(task.reference) == a * b * c


def test_the_mode_is_the_verifiers() -> None:
    env = rlvr.make("arithmetic", mode="flexible")
    (verdict,) = rlvr.score([env.tasks[0]], [f"It is {env.tasks[0].reference}."], env.verifier)
    assert float(verdict) == 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"level": 6}, "level is one of 1, 2, 3, 4, 5, not 6"),
        ({"level": "two"}, "not 'two'"),
        ({"level": [1]}, r"not \[1\]"),
        ({"digits": 0}, "digits is a whole number from 1 to 18, not 0"),
        ({"digits": 19}, "not 19"),
        ({"digits": 2.5}, "not 2.5"),
        ({"digits": "3"}, "not '3'"),
        ({"terms": 1}, "terms is a whole number from 2 to 100, not 1"),
        ({"terms": 10**9}, "not 1000000000"),
        ({"operators": ""}, "operators are some of"),
        ({"operators": "+/"}, r"operators are some of '\+-\*', not '\+/'"),
        ({"operators": 5}, "not 5"),
        ({"split": "validation"}, "no split 'validation'. There are: train, dev, test"),
        ({"size": "many"}, "size is a whole number"),
        ({"seed": None}, "seed is a whole number"),
        ({"mode": "boxes"}, "mode is one of boxed, flexible, minerva, whole"),
        ({"prompt": 5}, "A prompt is text"),
    ],
)
def test_a_value_that_is_none_of_an_option_says_which_are(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        rlvr.make("arithmetic", **options)
