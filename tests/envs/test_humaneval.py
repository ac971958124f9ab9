"""HumanEval: every reference solution passes, every spoilt one fails, in each form of response."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from shadowing import shadowing
from spoiling import spoilt

import rlvr
from rlvr.core.errors import DataError, OptionError
from rlvr.envs.humaneval import examples_of

ROW = {
    "task_id": "Own/0",
    "prompt": "import math\n\ndef half(x):\n    '''Half of it.'''\n",
    "entry_point": "half",
    "canonical_solution": "    return x / 2\n",
    "test": "def check(candidate):\n    assert candidate(4) == math.floor(2.5)\n",
}


@pytest.fixture
def env(data: Path) -> rlvr.Environment:
    return rlvr.make("humaneval", data=str(data))


def rows(data: Path) -> list[dict[str, Any]]:
    lines = (data / "code/HumanEval.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def rewards(env: rlvr.Environment, tasks: list[rlvr.Task], responses: list[str]) -> set[float]:
    return {float(v) for v in rlvr.score(tasks, responses, env.verifier)}


def test_the_first_task(env: rlvr.Environment) -> None:
    task = env.tasks[0]
    assert (len(env.tasks), task.id) == (164, "HumanEval/0")
    assert task.text.startswith(
        "Complete this Python function.\n\n```python\nfrom typing import List"
    )
    assert task.text.endswith("in a ```python block.")
    assert task.metadata == {"entry_point": "has_close_elements"}
    assert sorted(task.reference) == ["entry_point", "prelude", "solution", "test"]
    assert task.reference["prelude"].strip() == "from typing import List"


def test_nothing_of_the_tests_is_in_prompt_or_metadata(env: rlvr.Environment) -> None:
    for task in env.tasks:
        for shown in (task.text, json.dumps(task.metadata)):
            assert "check(candidate)" not in shown
            assert "METADATA" not in shown


def test_the_helpers_are_the_authors(env: rlvr.Environment) -> None:
    helpers = {}
    for task in env.tasks:
        body = ast.parse(task.reference["prelude"]).body
        found = [node.name for node in body if isinstance(node, ast.FunctionDef)]
        if found:
            helpers[int(task.id.partition("/")[2])] = found
    assert helpers == {
        10: ["is_palindrome"],
        32: ["poly"],
        38: ["encode_cyclic"],
        50: ["encode_shift"],
    }


def test_all_reference_solutions_pass(env: rlvr.Environment, sample: Any) -> None:
    tasks = sample(env.tasks, 16)
    right = [env.verifier.demonstrate(task) or "" for task in tasks]
    assert rewards(env, tasks, right) == {1.0}


def test_all_spoilt_solutions_fail(env: rlvr.Environment, sample: Any) -> None:
    tasks = sample(env.tasks, 16)
    wrong = [
        f"```python\n{spoilt(t.reference['solution'], t.reference['entry_point'])}\n```"
        for t in tasks
    ]
    assert rewards(env, tasks, wrong) == {0.0}


def test_no_name_that_tests_use_is_worth_defining(env: rlvr.Environment, sample: Any) -> None:
    pairs = [
        (task, f"```python\n{source}\n```")
        for task in sample(env.tasks, 6)
        for source in shadowing(task.reference)
    ]
    assert rewards(env, *map(list, zip(*pairs, strict=True))) == {0.0}


def test_all_completions_pass_in_the_bare_form(data: Path, sample: Any) -> None:
    """As a base model answers: the prompt is the code's head, the response its rest."""
    tasks, bodies, blocks = [], [], []
    for row in sample(rows(data), 16):
        reference = {"entry_point": row["entry_point"], "test": row["test"]}
        tasks.append(rlvr.Task(row["prompt"], reference, row["task_id"]))
        bodies.append(row["canonical_solution"])
        # The function alone, without the helpers that the prompt gave away.
        head = ast.parse(row["prompt"] + row["canonical_solution"])
        (function,) = [n for n in head.body if getattr(n, "name", "") == row["entry_point"]]
        blocks.append(f"Sure.\n\n```python\n{ast.unparse(function)}\n```")
    for responses in (bodies, blocks):
        verdicts = rlvr.score(tasks, responses, rlvr.Code())
        assert {float(verdict) for verdict in verdicts} == {1.0}
    nothing = rlvr.score(tasks, ["    pass\n"] * len(tasks), rlvr.Code())
    assert {float(verdict) for verdict in nothing} == {0.0}


def test_a_helper_redefined_earns_nothing(env: rlvr.Environment) -> None:
    """`poly` that is always 0 would make any number a zero of it."""
    cheats = {
        "HumanEval/32": "def poly(xs, x):\n    return 0\ndef find_zero(xs):\n    return 0.5",
        "HumanEval/38": "def encode_cyclic(s):\n    return s\ndef decode_cyclic(s):\n    return s",
        "HumanEval/50": "def encode_shift(s):\n    return s\ndef decode_shift(s):\n    return s",
    }
    tasks = [env.tasks.find(name) for name in cheats]
    responses = [f"```python\n{source}\n```" for source in cheats.values()]
    assert [float(v) for v in rlvr.score(tasks, responses, env.verifier)] == [0.0] * 3


def test_the_examples_in_docstrings_are_right(data: Path) -> None:
    """Those that `code_repair` shows; one docstring of the benchmark's contradicts its own tests."""
    tasks, right = [], []
    for row in rows(data):
        examples = examples_of(row["prompt"], row["entry_point"])
        if examples:
            tasks.append(
                rlvr.Task(
                    row["prompt"],
                    {"asserts": examples, "entry_point": row["entry_point"]},
                    row["task_id"],
                )
            )
            right.append(row["canonical_solution"])
    assert len(tasks) == 70
    verdicts = rlvr.score(tasks, right, rlvr.Code())
    wrong = [task.id for task, verdict in zip(tasks, verdicts, strict=True) if float(verdict) < 1]
    assert wrong == ["HumanEval/47"]


def test_examples_are_expressions_with_literal_values() -> None:
    code = '''def f(x):
    """Of it.
    >>> f(1) # a comment
    2
    >>> f("a\\nb")
    'a\\nb'
    >>> x = f(1)
    >>> f(open)
    <object>
    >>> g(1)
    1
    >>> f(3)
    """
'''
    assert examples_of(code, "f") == ["assert f(1) == 2", "assert f('a\\nb') == 'a\\nb'"]
    assert examples_of("def f(x):\n    '''\n    >>> f(1)\n  2'''\n", "f") == []
    assert examples_of("def f(x): ...\n", "f") == []


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(ROW) + "\n")
    env = rlvr.make("humaneval", data=str(file), prompt="{code}", limits={"wall_s": 4})
    assert env.tasks[0].text == ROW["prompt"]
    assert rewards(env, env.tasks[:1], [env.verifier.demonstrate(env.tasks[0]) or ""]) == {1.0}
    assert rewards(env, env.tasks[:1], ["    return x / 2"]) == {1.0}
    assert rewards(env, env.tasks[:1], ["    return x"]) == {0.0}


def test_a_prompt_that_defines_nothing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(ROW | {"entry_point": "third"}) + "\n")
    with pytest.raises(DataError, match="The prompt of Own/0 is no Python that defines third"):
        len(rlvr.make("humaneval", data=str(file)).tasks)


def test_there_is_one_split() -> None:
    with pytest.raises(OptionError, match="has the splits test, not 'train'"):
        rlvr.make("humaneval", split="train")
