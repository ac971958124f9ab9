"""Duplicates in a data file: the first row of each prompt is kept, and the others are left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rlvr.authoring.rows import Row, RowSource, prompts_of
from rlvr.authoring.split import NearGroups, prompt_group
from rlvr.core.errors import DataError


@dataclass
class Deduplication:
    """The result of `dedupe`.

    Attributes:
        rows: the rows of the source, without blank lines.
        removed: those with an earlier row's prompt.
        unread: those without a prompt that can be read, which are left out, too.
        examples: the numbers of the first removed rows, each with the row that was kept.
        first_unread: the numbers and reasons of the first unread rows.
    """

    rows: int = 0
    removed: int = 0
    unread: int = 0
    examples: list[tuple[int, int]] = field(default_factory=list)
    first_unread: list[tuple[int, str]] = field(default_factory=list)


_SHOWN = 20


def dedupe(
    source: RowSource,
    output: Path | None = None,
    near: float | None = None,
    column: str | None = None,
) -> Deduplication:
    """Keep the first row of each prompt, unchanged and in order.

    Prompts are the same if their words, numbers and operators are. The source is read twice.

    Args:
        output: the file for the kept rows; None to count only.
        near: the Jaccard similarity from which on prompts are the same as well; their numbers have to agree.
        column: the prompt's column; by default the first of `COLUMNS` that a row has.
    """
    groups = None if near is None else NearGroups(near)
    result = Deduplication()
    names: list[str | None] = []  # per row; None for blank lines and rows that can't be read
    numbers: list[int] = []
    for batch in source:
        pairs = []
        for row in batch.rows:
            text = None if row.blank else _prompt(row, column, result)
            names.append(None if text is None else prompt_group(text))
            numbers.append(row.number)
            if text is not None and groups is not None:
                pairs.append((prompt_group(text), text))
        if groups is not None:
            groups.add(pairs)
    first: dict[str, int] = {}
    keep = []
    for name, number in zip(names, numbers, strict=True):
        merged = name if name is None or groups is None else groups.name(name)
        kept_number = first.setdefault(merged, number) if merged is not None else None
        keep.append(merged is not None and kept_number == number)
        if kept_number is not None and kept_number != number:
            result.removed += 1
            if len(result.examples) < _SHOWN:
                result.examples.append((number, kept_number))
    if output is not None:
        with source.writer(output) as write:
            for batch, part in source.with_values(keep):
                write(batch, part)
    return result


def _prompt(row: Row, column: str | None, result: Deduplication) -> str | None:
    result.rows += 1
    why = row.why
    if row.fields is not None:
        try:
            return row.question or "\n".join(prompts_of(row.fields, column))
        except DataError as error:
            why = str(error)
    result.unread += 1
    if len(result.first_unread) < _SHOWN:
        result.first_unread.append((row.number, why))
    return None
