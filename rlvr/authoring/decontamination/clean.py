"""`decontaminate`: remove the prompts of evaluation sets from a training file, which is read once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rlvr.authoring.decontamination.index import METHODS, Index, Instance, Options
from rlvr.authoring.decontamination.text import tokens
from rlvr.authoring.rows import Batch, Row, RowSource, prompts_of
from rlvr.core.errors import DataError
from rlvr.core.files import replacing


@dataclass
class SetReport:
    """The matches of one evaluation set in the training data.

    Attributes:
        size: the number of its instances with any words.
        empty: the number of the others, which can't be found.
        rows: rows of the training data by the strongest method that matched the set.
        matched: the indices of its instances that were found.
    """

    size: int = 0
    empty: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    matched: set[int] = field(default_factory=set)

    @property
    def share(self) -> float:
        """The share of its instances that were found."""
        return len(self.matched) / self.size if self.size else 0.0


@dataclass
class DecontaminationReport:
    """The result of a decontamination.

    Attributes:
        sets: the evaluation sets by name, in the order given.
        rows: the number of rows of the training data, without blank lines.
        removed: the number of rows that match.
        unread: the number of rows without a prompt that can be read.
        first_unread: the numbers and reasons of the first twenty of these.
    """

    sets: dict[str, SetReport]
    rows: int = 0
    removed: int = 0
    unread: int = 0
    first_unread: list[tuple[int, str]] = field(default_factory=list)

    def above(self, share: float) -> list[str]:
        """Return the sets of which more than this share was found: by Tülu 3's rule (2%) the data set is dropped."""
        return [name for name, set_report in self.sets.items() if set_report.share > share]


def read_instances(source: str, column: str | None = None) -> list[Instance]:
    """Return the problems of an evaluation set: a JSONL, JSON or Parquet file, or an environment's `name:split`.

    Of messages, the last user turn is the question; those before are examples. An environment's question is found
    without the text around it. A row's `id` or `task_id` is its id, otherwise its number from 1.

    Raises `DataError` if a row can't be read.
    """
    instances = []
    for number, (fields, question) in enumerate(_eval_rows(source), 1):
        try:
            text = prompts_of(fields, column)[-1]
        except DataError as error:
            raise DataError(
                f"Row {number} of the evaluation set {source} can't be used: {error}. "
                f"Name the column with --eval-column."
            ) from None
        id = next((fields[k] for k in ("id", "task_id") if fields.get(k) is not None), number)
        instances.append(
            Instance(source, str(id), question, (text,))
            if question
            else Instance(source, str(id), text)
        )
    if not instances:
        raise DataError(f"The evaluation set {source} has no rows.")
    return instances


def decontaminate(
    train: RowSource,
    evals: Sequence[str],
    output: Path | None = None,
    matches: Path | None = None,
    options: Options | None = None,
    column: str | None = None,
    eval_column: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> DecontaminationReport:
    """Find the rows of `train` that are in an evaluation set.

    Args:
        train: the training data, read once in batches.
        evals: files or environments, which are indexed in memory.
        output: the file for rows that match nothing, unchanged and in order. Rows that can't be judged are in
            `matches` instead.
        matches: a JSONL file with a line per pair of a row and an instance that match, and one per row that
            can't be judged.
        options: the definition of a match.
        column: the prompt's column in `train`; by default the first of `COLUMNS` that a row has.
        eval_column: the prompt's column in `evals`.
        progress: called with the number of finished rows after each batch.

    Each file gets its name once it is complete.
    """
    instances = [item for source in evals for item in read_instances(source, eval_column)]
    report = DecontaminationReport({source: SetReport() for source in evals})
    for instance in instances:
        counted = report.sets[instance.set]
        if tokens(instance.text):
            counted.size += 1
        else:
            counted.empty += 1
    index = Index(instances, options)
    with ExitStack() as stack:
        write = stack.enter_context(train.writer(output)) if output else None
        log: IO[bytes] | None = stack.enter_context(replacing(matches)) if matches else None
        for batch in train:
            keep = [True] * len(batch.rows)
            for at, lines in _judge(batch, index, column, report):
                keep[at] = False
                if log:
                    log.writelines(json.dumps(line).encode() + b"\n" for line in lines)
            if write:
                write(batch, keep)
            if progress:
                progress(report.rows)
    return report


def _eval_rows(source: str) -> Iterator[tuple[Any, str]]:
    """Yield the content of each row, with an environment's question or ""."""
    for batch in RowSource(source):
        for row in batch.rows:
            if row.blank:
                continue
            if row.fields is None:
                raise DataError(f"Line {row.number} of the evaluation set {source}: {row.why}.")
            yield row.fields, row.question


def _judge(
    batch: Batch, index: Index, column: str | None, report: DecontaminationReport
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the rows that aren't clean, by their place in the batch, with their lines for the log."""
    texts_at: list[tuple[int, str]] = []
    for at, row in enumerate(batch.rows):
        if row.blank:
            continue
        report.rows += 1
        why = row.why
        if row.fields is not None:
            try:
                texts = prompts_of(row.fields, column) + ([row.question] if row.question else [])
                texts_at += [(at, text) for text in dict.fromkeys(texts)]
                continue
            except DataError as error:
                why = str(error)
        report.unread += 1
        if len(report.first_unread) < 20:
            report.first_unread.append((row.number, why))
        yield at, [_unread(row, why)]
    lines: dict[int, list[dict[str, Any]]] = {}
    methods: dict[int, dict[str, str]] = {}
    for (at, text), found_matches in zip(
        texts_at, index.find([text for _, text in texts_at]), strict=True
    ):
        for match in found_matches:
            instance = index.instances[match.instance]
            report.sets[instance.set].matched.add(match.instance)
            best = methods.setdefault(at, {})
            best[instance.set] = min(
                match.method, best.get(instance.set, match.method), key=METHODS.index
            )
            lines.setdefault(at, []).append(
                {
                    "line": batch.rows[at].number,
                    "eval": instance.set,
                    "id": instance.id,
                    "method": match.method,
                    "score": round(match.score, 4),
                    "text": text,
                    "eval_text": instance.text,
                }
            )
    report.removed += len(lines)
    for best in methods.values():
        for name, method in best.items():
            report.sets[name].rows[method] += 1
    yield from lines.items()


def _unread(row: Row, why: str) -> dict[str, Any]:
    raw = row.raw.decode("utf-8", "replace")
    return {"line": row.number, "method": "unread", "why": why, "text": raw}
