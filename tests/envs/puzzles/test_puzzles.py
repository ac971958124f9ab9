"""What holds for every puzzle at every level."""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
import subprocess
import sys

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.envs.puzzles import PUZZLES, naive

CASES = [
    (name, level)
    for name in PUZZLES
    for level in importlib.import_module(f"rlvr.envs.puzzles.{name}").LEVELS
]
# What docs/puzzles.md says that a lazy strategy earns at most.
NAIVE = {
    ("algebra", 4): 0.06,
    ("calendar", 1): 0.12,
    ("calendar", 5): 0.12,
    ("countdown", 1): 0.2,
    ("countdown", 2): 0.15,
    ("logic_grid", 1): 0.3,
    ("logic_grid", 2): 0.15,
    ("string_program", 1): 0.12,
    ("string_program", 2): 0.12,
    ("sudoku", 1): 0.4,
    ("units", 1): 0.35,
}
SLOW = {("logic_grid", 4), ("logic_grid", 5), *(("sudoku", level) for level in (3, 4, 5, 6))}


@functools.cache
def sample(name: str, level: int, split: str = "train") -> tuple[rlvr.Environment, list[rlvr.Task]]:
    env = rlvr.make(name, level=level, split=split)
    slow = (name, level) in SLOW
    # Of the draws, one in ten is of the test split.
    count = (20 if slow else 300) if split == "train" else 3 if slow else 20
    return env, list(env.tasks[:count])


def earned(env: rlvr.Environment, tasks: list[rlvr.Task], responses: list[str]) -> list[float]:
    return [float(verdict) for verdict in rlvr.score(tasks, responses, env.verifier)]


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_the_oracle_earns_all(name: str, level: int) -> None:
    env, tasks = sample(name, level)
    answers = [env.verifier.demonstrate(task) for task in tasks]
    assert set(earned(env, tasks, answers)) == {1.0}


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_a_lazy_strategy_earns_little(name: str, level: int) -> None:
    env, tasks = sample(name, level)
    rewards = earned(env, tasks, [naive(name)(task) for task in tasks])
    assert sum(rewards) / len(rewards) <= NAIVE.get((name, level), 0.05)


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_a_lazy_strategy_never_reads_the_reference(name: str, level: int) -> None:
    _, tasks = sample(name, level)
    for task in tasks[:10]:
        blind = rlvr.Task(task.prompt, None, task.id, task.metadata)
        assert naive(name)(blind) == naive(name)(task)


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_another_tasks_answer_earns_nothing(name: str, level: int) -> None:
    env, tasks = sample(name, level)
    shifted = [env.verifier.demonstrate(task) for task in tasks[1:] + tasks[:1]]
    own = [env.verifier.demonstrate(task) for task in tasks]
    pairs = [
        (task, said) for task, said, right in zip(tasks, shifted, own, strict=True) if said != right
    ]
    assert sum(earned(env, *map(list, zip(*pairs, strict=True)))) <= len(pairs) * 0.01


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_a_spoiled_answer_earns_nothing(name: str, level: int) -> None:
    env, tasks = sample(name, level)
    for task in tasks[:20]:
        inside = env.verifier.demonstrate(task).removeprefix("\\boxed{").removesuffix("}")
        digits = [i for i, c in enumerate(inside) if c.isdigit()]
        where = digits[0] if digits else len(inside) - 1
        other = str((int(inside[where]) + 1) % 10) if digits else "#"
        spoiled = [inside[:where] + other + inside[where + 1 :], inside[: len(inside) // 2], ""]
        wrong = [f"\\boxed{{{said}}}" for said in spoiled if said != inside]
        wrong += [
            inside,
            f"<think>\\boxed{{{inside}}}</think>",
            f"\\boxed{{{inside}}} \\boxed{{x}}",
        ]
        assert sum(earned(env, [task] * len(wrong), wrong)) == 0, (task.text, wrong)


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_splits_share_no_prompt(name: str, level: int) -> None:
    prompts = [{task.text for task in sample(name, level, s)[1]} for s in ("train", "dev", "test")]
    for one, other in itertools.combinations(prompts, 2):
        assert one.isdisjoint(other)
    assert len(prompts[0]) >= 0.97 * len(sample(name, level)[1])


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("name", "level"), CASES)
def test_tasks_are_plain_data_and_come_again(name: str, level: int) -> None:
    env, tasks = sample(name, level)
    again = rlvr.make(name, level=level).tasks
    for i, task in enumerate(tasks[:10]):
        assert again[i] == task
        assert rlvr.Task.from_json(json.loads(json.dumps(task.to_json()))) == task
        right = env.verifier.demonstrate(task)
        copied = rlvr.Task.from_json(json.loads(json.dumps(task.to_json())))
        assert earned(env, [copied], [right]) == [1.0]


def test_tasks_are_the_same_in_every_process() -> None:
    code = (
        "import rlvr; from rlvr.envs.puzzles import PUZZLES; import hashlib;"
        "print(hashlib.sha1(''.join(rlvr.make(n, level=2).tasks[3].text for n in PUZZLES)"
        ".encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


HOSTILE = [
    "1" * 1_000_000,
    "(" * 200_000 + ")" * 200_000,
    "{" * 100_000,
    "9**9**9**9**9",
    "10^{10^{10^{10}}}",
    "((9!)!)!",
    "1e999999999",
    "١٢٣ + ٤",
    "²³",
    "１２３４",
    "-" * 100_000 + "1",
    "1/0",
    "(1/0) + (2-2)/(3-3)",
    "\x00\ud800",
    "A -> " * 200_000,
    "a, " * 300_000,
    ";" * 1_000_000,
    "\\text{" * 50_000,
    "None",
    "nan",
    "inf",
    "0001-00-00",
    "__import__('os').system('true')",
    " ",
    "1 2 " * 250_000,
]


@pytest.mark.sweep(gate=4)
@pytest.mark.parametrize("name", PUZZLES)
def test_hostile_answers_are_wrong_answers(name: str) -> None:
    env, tasks = sample(name, 1)
    responses = [f"\\boxed{{{said}}}" for said in HOSTILE] + [f"\\boxed{{{HOSTILE[0]}"]
    verdicts = rlvr.score([tasks[0]] * len(responses), responses, env.verifier)
    for response, verdict in zip(responses, verdicts, strict=True):
        assert verdict.scored, (response[:40], verdict)
        assert verdict.reward == 0, response[:40]


@pytest.mark.parametrize("name", PUZZLES)
def test_options_that_are_none_say_which_are(name: str) -> None:
    for options, says in [
        ({"level": 9}, "level is one of 1, 2"),
        ({"level": [1]}, r"not \[1\]"),
        ({"level": None}, "not None"),
        ({"split": "validation"}, "There are: train, dev, test"),
        ({"mode": "box"}, "mode is one of"),
    ]:
        with pytest.raises(OptionError, match=says):
            rlvr.make(name, **options)


def test_naive_names_the_puzzles() -> None:
    with pytest.raises(OptionError, match="Did you mean 'sudoku'"):
        naive("sudoko")
