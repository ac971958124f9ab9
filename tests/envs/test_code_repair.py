"""`code_repair`: what comes back between attempts, and when an episode is over."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Status
from rlvr.core.errors import OptionError

CANARY = "c4n4ry"
TESTS = [
    {"input": "1", "output": "2"},
    {"input": "2", "output": "4"},
    {"input": CANARY, "output": CANARY * 2},
]
ROW = {"problem": "Double it.", "tests": TESTS, "public": 2, "solution": "print(2 * input())"}


def python(source: str) -> str:
    return f"```python\n{source}\n```"


RIGHT = python("x = input()\nprint(2 * int(x) if x.isdigit() else 2 * x)")
PUBLIC_ALONE = python("print(2 * int(input()))")
WRONG = python("print(int(input()) + 1)")


@pytest.fixture
def env(tmp_path: Path) -> rlvr.Environment:
    return make(tmp_path, ROW)


def make(tmp_path: Path, *rows: Any, **options: Any) -> rlvr.Environment:
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = rlvr.make("code_repair", data=str(file), **options)
    made.reset(options={"task": 0})
    return made


def test_a_right_first_response_ends_it(env: rlvr.Environment) -> None:
    observation, reward, terminated, truncated, info = env.step(RIGHT)
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert info["verdict"].status is Status.CORRECT


def test_what_failed_comes_back(env: rlvr.Environment) -> None:
    observation, reward, terminated, truncated, info = env.step(WRONG)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "verdict" not in info
    assert observation == (
        "That isn't right yet.\n\n"
        "public test 2 of 2: wrong answer\ntoken 1 is '3', not '4'\n"
        "input:\n2\nexpected:\n4\ngot:\n3\n\n"
        "Answer with the whole corrected program in a ```python block."
    )
    assert env.step(RIGHT)[1:4] == (1.0, True, False)


def test_it_is_judged_on_all_tests(env: rlvr.Environment) -> None:
    _, reward, terminated, truncated, info = env.step(PUBLIC_ALONE)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["verdict"].feedback == "hidden test 3 of 3: exit status 1"


def test_out_of_turns(env: rlvr.Environment) -> None:
    assert env.max_turns == 4
    for _ in range(3):
        assert env.step(WRONG)[1:4] == (0.0, False, False)
    _, reward, terminated, truncated, info = env.step(WRONG)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["verdict"].status is Status.INCORRECT


def test_the_last_turn_may_be_the_right_one(tmp_path: Path) -> None:
    env = make(tmp_path, ROW, max_turns=2)
    env.step(WRONG)
    assert env.step(RIGHT)[1:4] == (1.0, True, False)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        ("", "the response is empty"),
        ("I can't.", "nothing is fenced"),
        (python("print("), "it doesn't compile"),
        (python("1 / 0"), "ZeroDivisionError"),
        (python("while True: pass"), "public test 1 of 2: over its limit of cpu"),
        ("```js\n1\n```", "no fenced block in python"),
    ],
)
def test_whatever_a_model_writes_has_an_answer(tmp_path: Path, response: str, says: str) -> None:
    env = make(tmp_path, ROW, limits={"cpu_s": 1})
    observation, reward, terminated, truncated, _ = env.step(response)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert says in observation


def test_nothing_of_a_hidden_test_is_told(env: rlvr.Environment) -> None:
    echo = python("import sys\nx = input()\nprint(x, file=sys.stderr)\nprint(x)")
    for response in (echo, WRONG, python("raise ValueError(input())"), PUBLIC_ALONE):
        observation, *_, info = env.step(response)
        verdict = info.get("verdict")
        told = [observation, info["messages"], verdict and [verdict.to_json(), verdict.detail]]
        assert CANARY not in json.dumps(told)


def test_without_public_tests_there_is_one_attempt(tmp_path: Path) -> None:
    env = make(tmp_path, ROW | {"public": 0})
    assert env.step(WRONG)[1:4] == (0.0, True, False)


def test_public_counts_for_rows_that_do_not_say(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "public"}
    assert make(tmp_path, row).tasks[0].reference["public"] == 1
    assert make(tmp_path, row, public=3).tasks[0].reference["public"] == 3


def test_a_fraction(tmp_path: Path) -> None:
    env = make(tmp_path, ROW, reward="fraction", max_turns=1)
    _, reward, _, truncated, info = env.step(PUBLIC_ALONE)
    assert reward == pytest.approx(2 / 3)
    assert info["verdict"].status is Status.PARTIAL
    assert not truncated


def test_a_fault_is_no_wrong_answer(tmp_path: Path) -> None:
    broken = ROW | {"checker": {"source": "import sys; sys.exit(3)"}}
    _, reward, terminated, truncated, info = make(tmp_path, broken).step(RIGHT)
    assert math.isnan(reward)
    assert (terminated, truncated) == (False, True)
    assert info["verdict"].cause is rlvr.Cause.GOLD


def test_over_mbpp(data: Path) -> None:
    env = rlvr.make("code_repair", source="mbpp", data=str(data), split="test", public=1)
    prompt, _ = env.reset(options={"task": "mbpp-11"})
    assert 'assert remove_Occ("hello","l") == "heo"' in prompt
    observation, *_ = env.step(python("def remove_Occ(s, c):\n    return s"))
    assert (
        'public test 1 of 1: wrong answer\nassert remove_Occ("hello","l") == "heo"' in observation
    )
    hard_coded = python("def remove_Occ(s, c):\n    return 'heo'")
    assert env.step(hard_coded)[1:4] == (0.0, True, False)


def test_over_humaneval(data: Path) -> None:
    env = rlvr.make("code_repair", source="humaneval", data=str(data))
    env.reset(options={"task": "HumanEval/0"})
    observation, *_ = env.step(python("def has_close_elements(xs, t):\n    return None"))
    assert "assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False" in observation
    right = env.verifier.demonstrate(env.tasks.find("HumanEval/0"))
    assert right is not None
    assert env.step(right)[1:4] == (1.0, True, False)


def test_a_completion_is_taken_for_the_public_tests_too(data: Path) -> None:
    env = rlvr.make("code_repair", source="humaneval", data=str(data))
    env.reset(options={"task": "HumanEval/2"})
    assert "truncate_number(3.5) == 0.5" in env.step("    return number")[0]
    assert env.step("    return number % 1.0")[1:4] == (1.0, True, False)


def test_all_of_humaneval_is_solved_by_its_solutions(data: Path) -> None:
    """The public examples too: none contradicts the benchmark's own tests."""
    env = rlvr.make("code_repair", source="humaneval", data=str(data))
    right = [env.verifier.demonstrate(task) or "" for task in env.tasks]
    verdicts = rlvr.score(env.tasks, right, env.verifier)
    assert [float(verdict) for verdict in verdicts] == [1.0] * 164
    assert sum("asserts" in task.reference for task in env.tasks) == 69


def test_sources() -> None:
    with pytest.raises(OptionError, match="source is one of code, humaneval, mbpp, not 'apps'"):
        rlvr.make("code_repair", source="apps")
    for source in ("code", "humaneval", "mbpp"):
        with pytest.raises(OptionError, match="has the splits"):
            rlvr.make("code_repair", source=source, split="best")
