"""Split a data file into train and test, by groups and strata, reproducibly.

The side of a group depends on a digest of the seed and the group's name, a number in [0, 1), and not on other rows.
Without strata, a group is in test if its number is below the test share: rows that are added later move no
others, and the share is met in expectation. With strata, the groups with the smallest numbers of each stratum are in
test until its share is met; rows that are added later can only move groups at that border.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.authoring.decontamination.near import NearIndex, Sketch
from rlvr.authoring.decontamination.text import tokens
from rlvr.authoring.rows import Row, RowSource, prompts_of
from rlvr.core.errors import DataError, OptionError
from rlvr.core.files import replacing


@dataclass(frozen=True, slots=True)
class Keys:
    """The group of a row (None if the row can't be read) and its stratum."""

    group: str | None
    stratum: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """The result of a split: rows and groups on each side, and rows by stratum and side (train, test)."""

    train: int
    test: int
    train_groups: int
    test_groups: int
    unread: int
    strata: dict[str, tuple[int, int]]


def split(
    source: RowSource,
    folder: Path,
    test: float,
    by: str | None = None,
    stratify: str | None = None,
    seed: int = 0,
    near: float | None = None,
    column: str | None = None,
) -> Split:
    """Write `train` and `test` with the source's rows, unchanged and in order.

    Args:
        source: read twice.
        folder: the folder for train and test, JSONL or Parquet as the source is, and for `unread.jsonl` if
            there are lines that can't be read.
        test: the test share of the rows, in (0, 1).
        by: the field whose values are groups; by default, rows with the same prompt are a group.
        stratify: the field whose values keep their shares on both sides.
        seed: decides the split.
        near: the Jaccard similarity from which on prompts belong to one group; None for equal prompts only.
        column: the prompt's column, if it is needed.
    """
    if not 0 < test < 1:
        raise OptionError(f"The test share is in (0, 1), not {test}.")
    ending = ".parquet" if source.parquet else ".jsonl"
    paths = [folder / f"{name}{ending}" for name in ("train", "test")]
    if source.path and source.path.resolve() in [path.resolve() for path in paths]:
        raise OptionError(
            f"{source.name} would be overwritten: choose another folder than {folder}."
        )
    keys: list[Keys | None] = []  # None: a blank line
    merged = None if near is None else NearGroups(near)
    for batch in source:
        rows = [None if row.blank else _keys(row, by, stratify, column) for row in batch.rows]
        keys += rows
        if merged:
            pairs = [
                (key.group, " ".join(prompts_of(row.fields, column)))
                for row, key in zip(batch.rows, rows, strict=True)
                if row.fields is not None and key is not None and key.group is not None
            ]
            merged.add(pairs)
    if merged:
        keys = [k and Keys(k.group and merged.name(k.group), k.stratum) for k in keys]
    read = [key for key in keys if key is not None and key.group is not None]
    if not read:
        raise DataError(f"{source.name} has no rows that can be read.")
    groups = _test_groups(read, test, stratify is not None, seed)
    _write(source, paths, keys, groups)
    sides = Counter((key.stratum, key.group in groups) for key in read)
    names = {key.group for key in read}
    return Split(
        train=sum(n for (_, is_test), n in sides.items() if not is_test),
        test=sum(n for (_, is_test), n in sides.items() if is_test),
        train_groups=len(names - groups),
        test_groups=len(groups),
        unread=sum(key is not None and key.group is None for key in keys),
        strata={
            s: (sides[s, False], sides[s, True]) for s in sorted({key.stratum for key in read})
        },
    )


def share(group: str, seed: int) -> float:
    """Return the group's number in [0, 1)."""
    text = f"{seed} {group}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / float(1 << 48)


def _test_groups(keys: Sequence[Keys], test: float, strata: bool, seed: int) -> set[str]:
    rows: dict[str, Counter[str]] = defaultdict(Counter)  # per group and stratum
    for key in keys:
        assert key.group is not None
        rows[key.group][key.stratum] += 1
    if not strata:
        return {group for group in rows if share(group, seed) < test}
    members: dict[str, list[str]] = defaultdict(list)
    for group, counts in rows.items():  # a group in several strata counts for its largest
        members[min(counts, key=lambda s: (-counts[s], s))].append(group)
    selected: set[str] = set()
    for groups in members.values():
        target = test * sum(rows[group].total() for group in groups)
        count = 0
        for group in sorted(groups, key=lambda g: (share(g, seed), g)):
            size = rows[group].total()
            if (
                count + size / 2 > target
            ):  # the share would be missed by more with it than without it
                break
            selected.add(group)
            count += size
    return selected


class NearGroups:
    """Groups of prompts that are merged if prompts in them are near-duplicates: a union-find over names."""

    def __init__(self, threshold: float) -> None:
        self._index = NearIndex(threshold, any_numbers=True)
        self._sketches: list[Sketch] = []
        self._groups: list[str] = []  # per prompt in the index
        self._parent: dict[str, str] = {}

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add pairs of a group and a prompt."""
        pairs = list(pairs)
        sketches = [Sketch.of(tokens(text)) for _, text in pairs]
        # Added first, so that prompts of one batch find each other.
        self._groups += [group for group, _ in pairs]
        self._sketches += sketches
        self._index.add(sketches)
        matches = self._index.find(sketches)
        for (group, _), sketch, near in zip(pairs, sketches, matches, strict=True):
            for number, _, same in near:
                a, b = self.name(group), self.name(self._groups[number])
                # In both directions, so that the order of the two doesn't matter.
                if a != b and (same or sketch.numbers_in(self._sketches[number])):
                    self._parent[max(a, b)] = min(a, b)

    def name(self, group: str) -> str:
        """Return the name of the merged group: the alphabetically first name in it."""
        while (parent := self._parent.get(group)) is not None:
            if (above := self._parent.get(parent)) is not None:
                self._parent[group] = above
            group = parent
        return group


def _keys(row: Row, by: str | None, stratify: str | None, column: str | None) -> Keys:
    if row.fields is None:
        return Keys(None)
    stratum = "" if stratify is None else _value(row, stratify)
    if by is not None:
        return Keys(_value(row, by), stratum)
    try:
        text = "\n".join(prompts_of(row.fields, column))
    except DataError as error:
        raise DataError(f"Row {row.number} can't be grouped: {error}. Name the column.") from None
    return Keys(prompt_group(text), stratum)


def prompt_group(text: str) -> str:
    """Return the name of a prompt's group: the same for prompts with the same words, numbers and operators."""
    normalised = " ".join(tokens(text)) or text
    digest = hashlib.blake2b(normalised.encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.hexdigest()


def _value(row: Row, name: str) -> str:
    """Return a field's value as text. `a.b` is the field b of a, unless a field has the whole name."""
    assert row.fields is not None
    value: Any = row.fields
    for part in [name] if name in row.fields else name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise DataError(
                f"Row {row.number} has no field {name!r}. It has: {', '.join(row.fields)}."
            )
        value = value[part]
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _write(
    source: RowSource, paths: Sequence[Path], keys: Sequence[Keys | None], test_groups: set[str]
) -> None:
    folder = paths[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    unread: list[bytes] = []
    with source.writer(paths[0]) as train, source.writer(paths[1]) as test:
        for batch, batch_keys in source.with_values(keys):
            groups = [None if key is None else key.group for key in batch_keys]
            train(batch, [g is not None and g not in test_groups for g in groups])
            test(batch, [g is not None and g in test_groups for g in groups])
            pairs = zip(batch.rows, batch_keys, strict=True)
            unread += [row.raw for row, key in pairs if key and key.group is None]
        if unread:
            with replacing(folder / "unread.jsonl") as file:
                file.writelines(unread)
