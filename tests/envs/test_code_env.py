"""`code`: any rows with standard input and output; what's read, what's left out, what is shown."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError, DataWarning, OptionError

TESTS = [{"input": "1\n", "output": "2\n"}, {"input": "2\n", "output": "4\n"}]
ROW = {"problem": "Double it.", "tests": TESTS}
DOUBLE = "```python\nprint(2 * int(input()))\n```"
PAIR = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}


def write(tmp_path: Path, *rows: Any) -> str:
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def make(tmp_path: Path, *rows: Any, **options: Any) -> rlvr.Environment:
    return rlvr.make("code", data=write(tmp_path, *rows), **options)


def reward(env: rlvr.Environment, response: str, index: int = 0) -> float:
    return float(rlvr.score([env.tasks[index]], [response], env.verifier)[0])


def test_codeforces(data: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = rlvr.make("code", data=str(data))
        assert (len(env.tasks), env.tasks[0].id) == (408, "test-0")
    for task in env.tasks:
        assert task.metadata == {}
        assert task.reference["language"] == "python"
        assert task.reference["public"] == 0
    text = env.tasks[0].text
    assert text.startswith("You are given two integers $x$ and $y$.")
    assert text.endswith("Answer with the whole program in a ```python block.")
    right = "for _ in range(int(input())):\n    print(*sorted(map(int, input().split())))"
    assert reward(env, f"```python\n{right}\n```") == 1
    assert reward(env, f"```python\n{right.replace('sorted', 'list')}\n```") == 0


@pytest.mark.sweep
def test_on_codeforces_nothing_earns_nothing(data: Path) -> None:
    """No problem is passed by a program that prints nothing, its input, or YES for every line."""
    env = rlvr.make("code", data=str(data))
    programs = (
        "pass",
        "import sys\nprint(sys.stdin.read())",
        "import sys\nfor x in sys.stdin: print('YES')",
    )
    for source in programs:
        responses = [f"```python\n{source}\n```"] * len(env.tasks)
        verdicts = rlvr.score(env.tasks, responses, env.verifier)
        assert sum(float(verdict) for verdict in verdicts) == 0


@pytest.mark.parametrize(
    "tests",
    [
        TESTS,
        [{"stdin": t["input"], "stdout": t["output"]} for t in TESTS],
        json.dumps(TESTS),
        str(TESTS),
        PAIR,
        json.dumps(PAIR),
        str(PAIR),
        [t | {"type": "stdin_stdout"} for t in TESTS],
        [t | {"testtype": "stdin"} for t in TESTS],
    ],
)
def test_tests_in_the_forms_that_data_sets_have(tmp_path: Path, tests: Any) -> None:
    env = make(tmp_path, ROW | {"tests": tests})
    assert reward(env, DOUBLE) == 1
    assert reward(env, DOUBLE.replace("2 *", "3 *")) == 0


@pytest.mark.parametrize("column", ["problem", "prompt", "question", "description"])
def test_the_problems_column(tmp_path: Path, column: str) -> None:
    env = make(tmp_path, {column: " Double it.\n", "tests": TESTS})
    assert env.tasks[0].text.startswith("Double it.\n\nWrite a program in python")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"tests": TESTS}, "it has no problem"),
        ({"problem": 1, "tests": TESTS}, "it has no problem"),
        (ROW | {"tests": "[{"}, "neither JSON nor a Python literal"),
        (ROW | {"tests": "(" * 100_000}, "neither JSON nor a Python literal"),
        (ROW | {"tests": "__import__('os')"}, "neither JSON nor a Python literal"),
        (ROW | {"tests": None}, "its tests are a NoneType, not a list"),
        (ROW | {"tests": "7"}, "its tests are a int, not a list"),
        (ROW | {"tests": []}, '"tests" empty'),
        (ROW | {"tests": [{"input": "1"}]}, 'without "stdout"'),
        (ROW | {"tests": [{"input": "1", "output": " "}]}, "expects no output"),
        (ROW | {"tests": {"inputs": ["1"], "outputs": []}}, "1 inputs and 0 outputs"),
        (ROW | {"tests": PAIR | {"fn_name": "f"}}, "call a function"),
        (ROW | {"tests": [TESTS[0] | {"testtype": "functional"}]}, "of the type 'functional'"),
        (ROW | {"language": "cobol"}, "cobol"),
        (ROW | {"limits": {"wall": 1}}, "no limit 'wall'"),
        (ROW | {"checker": "{}"}, "compared by"),
        (ROW | {"public": 3}, "how many of the 2 tests"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_left_out(
    tmp_path: Path, row: dict[str, Any], says: str
) -> None:
    env = make(tmp_path, ROW, row, ROW)
    with pytest.warns(DataWarning) as warned:
        assert [task.id for task in env.tasks] == ["test-0", "test-2"]
    (message,) = [str(one.message) for one in warned]
    assert message.startswith("Row test-1 of ")
    assert says in message


def test_where_no_row_is_left(tmp_path: Path) -> None:
    env = make(tmp_path, ROW | {"tests": []})
    with pytest.warns(DataWarning), pytest.raises(DataError, match="'code' is empty"):
        len(env.tasks)


def test_a_row_may_say_more(tmp_path: Path) -> None:
    row = ROW | {
        "language": "c++",
        "limits": {"wall_s": 3},
        "public": 2,
        "checker": {"absolute": 0.5},
        "solution": "int main() {}",
        "difficulty": "easy",
        "secret": "x",
    }
    (task,) = make(tmp_path, row).tasks
    assert task.reference == {
        "tests": TESTS,
        "language": "cpp",
        "public": 2,
        "checker": {"absolute": 0.5},
        "limits": {"wall_s": 3},
        "solution": "int main() {}",
    }
    assert task.metadata == {"difficulty": "easy"}
    assert "```cpp block" in task.text


def test_options_are_for_rows_that_say_nothing(tmp_path: Path) -> None:
    given = {"language": "js", "public": 1}
    env = make(tmp_path, ROW, ROW | given, language="C++", public=9, reward="fraction")
    assert [task.reference["language"] for task in env.tasks] == ["cpp", "javascript"]
    assert [task.reference["public"] for task in env.tasks] == [2, 1]
    halfway = "```cpp\n```"
    assert reward(env, halfway) == 0
    tight = make(tmp_path, ROW, limits={"wall_s": 0.2})
    slow = "```python\nimport time\ntime.sleep(0.5)\nprint(2 * int(input()))\n```"
    assert reward(tight, slow) == 0
    assert reward(make(tmp_path, ROW), slow) == 1


def test_a_checkers_column(tmp_path: Path) -> None:
    source = "import sys\nsys.exit(open(sys.argv[2]).read().strip() != 'fine')"
    for given in (source, {"source": source}, json.dumps({"language": "python", "source": source})):
        env = make(tmp_path, ROW | {"judge": given}, checker="judge")
        assert reward(env, "```python\nprint('fine')\n```") == 1
        assert reward(env, DOUBLE) == 0
    exact = make(tmp_path, ROW | {"checker": "exact"})
    assert reward(exact, DOUBLE) == 1
    assert reward(exact, DOUBLE.replace("print(", "print('', ")) == 0


def test_splits(tmp_path: Path) -> None:
    file = write(tmp_path, ROW)
    assert rlvr.make("code", data=file, split="train").tasks[0].id == "train-0"
    for options in (
        {"split": "train"},
        {"data": file, "split": "best"},
        {"dataset": "x/y", "split": "best"},
    ):
        with pytest.raises(OptionError, match="has the splits"):
            rlvr.make("code", **options)


def test_an_unknown_language_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match="cobol"):
        rlvr.make("code", language="cobol")
