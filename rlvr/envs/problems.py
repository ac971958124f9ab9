"""Shared by the mathematics environments: turn rows with a problem and an answer into tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.shots import FewShotPrompt, Shot, shots_data
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
    asking: FewShotPrompt,
    train: DataSource | None = None,
    problem: str | None = None,
    answer: str | None = None,
) -> Environment:
    """Make a single-turn environment over a source of problems.

    Args:
        asking: how problems are put, with its examples and where the answer is looked for.
        train: the source of the split from which examples are drawn; None if there is none.
        problem: the column with the problem; by default the first of `PROBLEM` that is there.
        answer: the column with the answer; by default the first of `ANSWER`, or the worked solution's box if
            there is no such column.
    """
    source.check_split(split)
    if asking.draws and (train is None or "train" not in train.splits):
        raise OptionError(f"{name} has no train split, so there are no examples (shots) to draw.")

    def load() -> list[Task]:
        rows = source.rows(split, data)
        columns = named(rows)
        if asking.draws:
            assert train is not None
            asking.draw(lambda: shots(train.rows("train", shots_data(data))))
        return [_task(f"{split}-{i}", row, *columns, asking) for i, row in enumerate(rows)]

    def named(rows: Sequence[Row]) -> tuple[str, str]:
        return (
            _column(rows[0], (problem,) if problem else PROBLEM, name),
            _column(rows[0], (answer,) if answer else (*ANSWER, *SOLUTION), name),
        )

    def shots(rows: Sequence[Row]) -> list[Shot]:
        question_column, answer_column = named(rows)
        examples = []
        for i, row in enumerate(rows):
            reference = _reference(row, answer_column)
            if reference:
                solution = next((str(row[key]) for key in SOLUTION if row.get(key)), "")
                examples.append(Shot(str(row[question_column]), solution, reference, f"train-{i}"))
        return examples

    fixtures = fixtures_of(name, asking.is_default)
    return asking.attached(SingleTurn(TaskSet(load, name), Math(asking.mode), fixtures=fixtures))


def _task(
    id: str, row: Row, question_column: str, answer_column: str, asking: FewShotPrompt
) -> Task:
    for column in (question_column, answer_column):
        if column not in row:
            raise DataError(f"Row {id} has no column {column!r}. It has: {', '.join(row)}.")
    question = str(row[question_column])
    metadata = {key: row[key] for key in _KEPT if key in row} | asking.metadata(question)
    return Task(asking.messages(question), _reference(row, answer_column), id, metadata)


def _reference(row: Row, column: str) -> str:
    reference = row[column]
    if column in SOLUTION:
        reference = find_answer(str(reference), "boxed").answer
    # A row without an answer stays: its verdicts are unscored, for a cause that says so.
    return "" if reference is None else str(reference)


def _column(row: Row, names: Sequence[str], name: str) -> str:
    column = next((column for column in names if column in row), None)
    if column is None:
        raise DataError(
            f"The rows of {name} have the columns {', '.join(row)}; one of them must be "
            f"{' or '.join(names)}. Name yours with the options problem= and answer=."
        )
    return column
