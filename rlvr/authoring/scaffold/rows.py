"""An environment from rows of data: the columns of prompt and reference, the split, and the first fixtures."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.authoring.rows import RowSource
from rlvr.authoring.split import split
from rlvr.core.errors import DataError, DataWarning
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored
from rlvr.core.verifier import Verifier
from rlvr.envs.prompt import Prompt
from rlvr.scoring import score
from rlvr.verifiers.code import Code
from rlvr.verifiers.coherence import Coherent
from rlvr.verifiers.function import FunctionVerifier
from rlvr.verifiers.function import verifier as function_verifier
from rlvr.verifiers.instructions import Instructions
from rlvr.verifiers.math import Math

PROMPTS = ("prompt", "question", "problem", "instruction", "query")
"""The columns that may hold a row's prompt, the first choice first."""
REFERENCES = (
    "reference", "answer", "gold", "target", "ground_truth", "final_answer", "expected_answer",
    "solution",
)  # fmt: skip
"""The columns that may hold its reference, the first choice first."""
# A row of instructions may have its reference in these two columns.
_INSTRUCTIONS = ("instruction_id_list", "kwargs")
_SOLUTION = re.compile(r"\n|####|\\boxed")
_EXAMPLES = 3  # rows of train that have fixtures
_SPLIT_SEEDS = 50
_FIRST = 50  # rows by which JSON references are recognised


@dataclass(frozen=True)
class RowColumns:
    """The columns of prompt and reference; a column that is None is guessed from the first row."""

    prompt: str | None = None
    reference: str | None = None


@function_verifier
def same_text(task: Task, answer: str) -> bool:
    """Judge as the template `rows.custom` does."""
    return bool(answer.casefold().split() == task.reference.casefold().split())


def _same_json(task: Task, answer: str) -> bool:
    """Judge as the template `rows.json` does."""
    text = answer.strip().removeprefix("```json").removesuffix("```")
    try:
        value = json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return False
    return value == json.dumps(task.reference, sort_keys=True)


same_json = FunctionVerifier(
    _same_json, "whole", "same_json", demonstrate=lambda task: json.dumps(task.reference)
)


def has_json_references(data: Path, columns: RowColumns) -> bool:
    """Return True if a reference in the first rows of a file is a JSON object or array."""
    source = RowSource(data)
    rows = [] if source.parquet else _first(source, _FIRST)
    if not rows:
        return False
    column = columns.reference or next((name for name in REFERENCES if name in rows[0]), "")
    return any(isinstance(row.get(column), dict | list) for row in rows)


@dataclass(frozen=True)
class _RowReader:
    """The way in which a template's `load` makes a task of a row, with its Python source."""

    verifier: str
    template: Prompt
    prompt: str
    reference: str | None  # None: its two columns of instructions

    def task(self, row: Mapping[str, Any]) -> Task:
        """Return the task of a row. Raises `DataError` if the row can't be used."""
        question = self._value(row, self.prompt)
        if not isinstance(question, str) or not question.strip():
            raise DataError(f"its {self.prompt!r} is {question!r:.60}, not a text")
        return Task(self.template.render({"question": question}), self._reference(row))

    @property
    def expression(self) -> str:
        """The Python expression with which `load` reads the reference from `row`."""
        if self.reference is None:
            return "{name: row[name] for name in (" + ", ".join(map(_literal, _INSTRUCTIONS)) + ")}"
        value = f"row[{_literal(self.reference)}]"
        return value if self.verifier in ("code", "instructions", "json") else f"str({value})"

    def _reference(self, row: Mapping[str, Any]) -> Any:
        if self.reference is None:
            return {name: self._value(row, name) for name in _INSTRUCTIONS}
        value = self._value(row, self.reference)
        if self.verifier in ("code", "instructions"):
            if not isinstance(value, dict):
                raise DataError(
                    f"its {self.reference!r} is {value!r:.60}, not an object as docs/"
                    f"{self.verifier}.md has it"
                )
            return value
        if self.verifier == "json":
            if value is None:
                raise DataError(f"its {self.reference!r} is null, which is no answer")
            return value
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            raise DataError(f"its {self.reference!r} is {value!r:.60}, not a text or a number")
        text = str(value)
        if self.verifier == "math" and _SOLUTION.search(text.strip()):
            raise DataError(
                f"its {self.reference!r} is a whole solution ({text!r:.60}), not an answer: put the answer "
                f"into a column of its own"
            )
        return text

    @staticmethod
    def _value(row: Mapping[str, Any], column: str) -> Any:
        if column not in row:
            raise DataError(f"it has no {column!r}, but {', '.join(row) or 'nothing'}")
        return row[column]


def write_rows(
    data: Path, columns: RowColumns, verifier: str, folder: Path, code: str
) -> dict[str, str]:
    """Write `train.jsonl`, `test.jsonl` and `fixtures.jsonl` to `folder`.

    Args:
        data: JSONL; its rows are copied unchanged.
        columns: the columns of prompt and reference.
        verifier: the environment's verifier.
        code: the environment's template, whose prompt the fixtures have.

    Returns the values of the template's words for the columns. Raises `DataError` naming a row that can't be used.
    """
    rows = RowSource(data)
    if rows.parquet:
        raise DataError(f"{data} is Parquet: write its rows as JSONL first, one object per line.")
    reader = _reader(rows, data, columns, verifier, code)
    _check(rows, data, reader)
    for seed in range(_SPLIT_SEEDS):  # a tenth of a few rows may be none
        sides = split(rows, folder, 0.1, seed=seed, column=reader.prompt)
        if sides.train and sides.test:
            break
    else:
        raise DataError(
            f"{data} can't be split: it has {sides.train + sides.test} rows with "
            f"{sides.train_groups + sides.test_groups} different prompts, and both sides need one."
        )
    examples = [reader.task(fields) for fields in _first(RowSource(folder / "train.jsonl"), 50)]
    fixtures = _fixtures(examples, verifier)
    lines = "".join(json.dumps(fixture, ensure_ascii=False) + "\n" for fixture in fixtures)
    (folder / "fixtures.jsonl").write_text(lines, encoding="utf-8")
    return {"__PROMPT__": _literal(reader.prompt), "__REFERENCE__": reader.expression}


def _reader(
    rows: RowSource, data: Path, columns: RowColumns, verifier: str, code: str
) -> _RowReader:
    first = next(iter(_first(rows, 1)), None)
    if first is None:
        raise DataError(f"{data} has no rows.")
    text = re.search(r"^PROMPT = rlvr\.Prompt\((.*)\)$", code, re.MULTILINE)
    assert text is not None
    template = Prompt(ast.literal_eval(text.group(1)))
    prompt = _column(first, columns.prompt, PROMPTS, "prompt", data)
    if (
        verifier == "instructions"
        and columns.reference is None
        and set(_INSTRUCTIONS) <= set(first)
    ):
        return _RowReader(verifier, template, prompt, None)
    reference = _column(first, columns.reference, REFERENCES, "reference", data)
    return _RowReader(verifier, template, prompt, reference)


def _column(
    row: Mapping[str, Any],
    requested: str | None,
    usual_names: tuple[str, ...],
    role: str,
    data: Path,
) -> str:
    available = ", ".join(row) or "none"
    if requested is not None:
        if requested not in row:
            raise DataError(
                f"The rows of {data} have no column {requested!r}. They have: {available}."
            )
        return requested
    name_found = next((name for name in usual_names if name in row), None)
    if name_found is None:
        raise DataError(
            f"Which column of {data} is the {role}? It's none of {', '.join(usual_names)}. There are: "
            f"{available}. Name it with --{role}-column."
        )
    return name_found


def _first(rows: RowSource, count: int) -> list[Mapping[str, Any]]:
    first: list[Mapping[str, Any]] = []
    for batch in rows:
        first += [row.fields for row in batch.rows if row.fields is not None]
        if len(first) >= count:
            break
    return first[:count]


def _check(rows: RowSource, data: Path, reader: _RowReader) -> None:
    """Raise `DataError` for a row that `load` can't read, and warn of rows with one prompt and different references."""
    first_rows: dict[str, tuple[int, str]] = {}  # the prompt's last row with its reference
    for batch in rows:
        for row in batch.rows:
            if row.blank:
                continue
            if row.fields is None:
                raise DataError(f"Line {row.number} of {data}: {row.why}. Fix it or remove it.")
            try:
                task = reader.task(row.fields)
            except DataError as error:
                raise DataError(f"Row {row.number} of {data}: {error}.") from None
            key = " ".join(task.text.split()).casefold()
            reference = json.dumps(task.reference, sort_keys=True)
            number, first_reference = first_rows.setdefault(key, (row.number, reference))
            if first_reference != reference:
                warnings.warn(
                    f"Rows {number} and {row.number} of {data} ask the same and have different "
                    f"references: one of them is wrong, and the audit will say so.",
                    DataWarning,
                    stacklevel=2,
                )


def _fixtures(tasks: list[Task], verifier: str) -> list[dict[str, Any]]:
    """Return right, wrong, malformed and borderline responses to the first tasks.

    Raises `DataError` if a right response isn't right: then the verifier can't use the references.
    """
    judge = _verifier(verifier)
    right = [(task.reference if judge is None else judge.demonstrate(task)) for task in tasks]
    fixtures: list[dict[str, Any]] = []
    for i, (task, response) in enumerate(zip(tasks[:_EXAMPLES], right, strict=False)):
        of = {"prompt": task.text, "reference": task.reference}
        other_tasks = (
            other
            for other, answer in zip(tasks, right, strict=True)
            if answer is not None and other.reference != task.reference
        )
        other = next(other_tasks, None)
        if response is not None:
            fixtures.append({"kind": "right", **of, "response": response})
        if other is not None:
            wrong = right[tasks.index(other)]
            why = "right for another row"
            fixtures.append({"kind": "wrong", **of, "response": wrong, "why": why})
        if i == 0:
            fixtures.append({"kind": "malformed", **of, "response": ":", "why": "no answer"})
            if response is not None:
                thought = f"<think>{response}</think>"
                why = "only what follows the thinking counts"
                fixtures.append(
                    {"kind": "borderline", **of, "response": thought, "reward": 0, "why": why}
                )
    return fixtures if judge is None else _held(fixtures, judge)


def _held(fixtures: list[dict[str, Any]], judge: Verifier) -> list[dict[str, Any]]:
    """Return the fixtures whose verdicts are as expected. Raises `DataError` if a right answer isn't correct."""
    tasks = [Task(fixture["prompt"], fixture["reference"]) for fixture in fixtures]
    holding = []
    verdicts = score(tasks, [fixture["response"] for fixture in fixtures], judge)
    for fixture, verdict in zip(fixtures, verdicts, strict=True):
        correct = isinstance(verdict, Scored) and verdict.status is Status.CORRECT
        if isinstance(verdict, Unscored) or (fixture["kind"] == "right" and not correct):
            why = verdict.message if isinstance(verdict, Unscored) else verdict.feedback
            raise DataError(
                f"The reference {fixture['reference']!r:.200} isn't one that the verifier "
                f"{judge.name!r} can use: its own answer {fixture['response']!r:.100} is refused ({why}). "
                f"Is another column the reference (--reference-column), or another --verifier?"
            )
        if fixture["kind"] == "right" or not correct:  # another row's answer may be right here too
            holding.append(fixture)
    return holding


def _verifier(name: str) -> Verifier | None:
    """Return the template's verifier; None for a judge, which isn't available here."""
    if name == "instructions":
        return Coherent("strict") >> Instructions()
    return {"math": Math(), "code": Code(), "custom": same_text, "json": same_json}.get(name)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
