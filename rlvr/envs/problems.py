"""Shared by the mathematics environments: turn rows with a problem and an answer into tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.extraction import find_answer
from rlvr.verifiers.math import Math

PROMPT = Prompt("{problem}\n\nReason step by step, and put the final answer in \\boxed{}.")
PROBLEM = ("problem", "question", "Problem", "Question")
ANSWER = ("answer", "expected_answer", "final_answer", "Answer", "gold", "target")
SOLUTION = ("solution", "Solution")
_KEPT = ("level", "subject", "type", "difficulty", "year", "source", "unique_id", "url")


def problems(
    name: str,
    source: DataSource,
    split: str,
    data: str | None,
    prompt: Prompt | str | Mapping[str, str],
    verifier: Math,
    problem: str | None = None,
    answer: str | None = None,
) -> Environment:
    """Make a single-turn environment over a source of problems.

    Args:
        problem: the column with the problem; by default the first of `PROBLEM` that is there.
        answer: the column with the answer; by default the first of `ANSWER`, and where there's
            none, what the worked solution boxes.
    """
    template = Prompt.of(prompt)
    source.check_split(split)

    def load() -> list[Task]:
        rows = source.rows(split, data)
        asked = _column(rows[0], (problem,) if problem else PROBLEM, name)
        told = _column(rows[0], (answer,) if answer else (*ANSWER, *SOLUTION), name)
        return [_task(f"{split}-{i}", row, asked, told, template) for i, row in enumerate(rows)]

    fixtures = fixtures_of(name, verifier.mode == "boxed")
    return SingleTurn(TaskSet(load, name), verifier, fixtures=fixtures)


def _task(id: str, row: Row, asked: str, told: str, prompt: Prompt) -> Task:
    for column in (asked, told):
        if column not in row:
            raise DataError(f"Row {id} has no column {column!r}. It has: {', '.join(row)}.")
    reference = row[told]
    if told in SOLUTION:
        reference = find_answer(str(reference), "boxed").answer
    # A row without an answer stays: its verdicts are unscored, for a cause that says so.
    text = "" if reference is None else str(reference)
    kept = {key: row[key] for key in _KEPT if key in row}
    return Task(prompt.render({"problem": row[asked]}), text, id, kept)


def _column(row: Row, names: Sequence[str], name: str) -> str:
    found = next((column for column in names if column in row), None)
    if found is None:
        raise DataError(
            f"The rows of {name} have the columns {', '.join(row)}; one of them must be "
            f"{' or '.join(names)}. Name yours with the options problem= and answer=."
        )
    return found
