r"""HumanEval: functions to be completed (Chen et al., arXiv:2107.03374), `openai/openai_humaneval` on the Hub.

One of them::

    def truncate_number(number: float) -> float:
        \""" Given a positive floating point number, it can be decomposed into
        and integer part (largest integer smaller than given number) and decimals
        (leftover part always smaller than 1).

        Return the decimal part of the number.
        >>> truncate_number(3.5)
        0.5
        \"""

The reference has the benchmark's own `check(candidate)`, hidden. What else the prompt defines, as
`poly` for HumanEval/32, is the author's: a solution can't redefine it for the tests.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Mapping
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.sandboxes.scopes import parsed, parsed_expression
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.given import given_code, prelude_of

SOURCE = DataSource(
    hub_id="openai/openai_humaneval",
    config=None,
    splits={"test": "test"},
    files={"test": "code/HumanEval.jsonl"},
    columns=("task_id", "prompt", "entry_point", "canonical_solution", "test"),
)
PROMPT = Prompt(
    "Complete this Python function.\n\n```python\n{code}```\n\n"
    "Answer with the whole function, and the imports it needs, in a ```python block."
)
_WRONG_EXAMPLES = ("HumanEval/47",)  # its docstring's second median isn't one


@environment("humaneval", gym_name="HumanEval")
def make(
    split: str = "test",
    data: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    limits: Mapping[str, Any] | None = None,
) -> Environment:
    """Make Python functions to be completed from their docstrings.

    Args:
        split: test (164 problems); there's no other.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        prompt: may use {code}.
        limits: of what a solution may use, such as `{"wall_s": 5}`.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)

    def load() -> list[Task]:
        return [task_of(row, template) for row in SOURCE.rows(split, data)]

    tasks = TaskSet(load, "humaneval")
    return SingleTurn(tasks, Code(limits=limits), fixtures=fixtures_of("humaneval"))


def task_of(row: Row, prompt: Prompt, examples: bool = False) -> Task:
    """Make the task of a row; with `examples`, those in its docstring are public tests.

    Raises `DataError` where the row's prompt doesn't define its entry point.
    """
    code, entry_point = str(row["prompt"]), str(row["entry_point"])
    if given_code([{"role": "user", "content": code}], entry_point) != code:
        raise DataError(f"The prompt of {row['task_id']} is no Python that defines {entry_point}.")
    reference: dict[str, Any] = {
        "entry_point": entry_point,
        "test": row["test"],
        "prelude": prelude_of(code, entry_point),
        "solution": code + str(row["canonical_solution"]),
    }
    right = examples and row["task_id"] not in _WRONG_EXAMPLES
    shown = examples_of(code, entry_point) if right else []
    if shown:
        reference |= {"asserts": shown, "public": len(shown)}
    asked = prompt.render({"code": code.strip("\n") + "\n"})
    return Task(asked, reference, str(row["task_id"]), {"entry_point": entry_point})


def examples_of(code: str, entry_point: str) -> list[str]:
    """Return the function's doctests as asserts, as far as their values are literals.

    Read off the source: the docstring itself has its escapes resolved, and they're Python here.
    """
    functions = (n for n in parsed(code).body if isinstance(n, ast.FunctionDef))
    docs = [n.body[0] for n in functions if n.name == entry_point and ast.get_docstring(n)]
    source = "\n".join(ast.get_source_segment(code, doc) or "" for doc in docs)
    try:
        examples = doctest.DocTestParser().get_examples(source.rstrip("\"'"))
    except ValueError:
        return []
    asserts = []
    for example in examples:
        try:
            call = ast.unparse(parsed_expression(example.source.strip()))
            value = ast.literal_eval(parsed_expression(example.want.strip()))
        except (ValueError, SyntaxError):
            continue
        if f"{entry_point}(" in call:
            asserts.append(f"assert {call} == {value!r}")
    return asserts
