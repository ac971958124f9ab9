r"""Questions over one table or two::

    | Clerk | City | Goods | Units | Price | …
    What's the sum of Units over the rows with City = Rome and Goods = tea?    →    412

Every answer is a whole number, and leaving out a condition changes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, pick, puzzle, sample
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

Row: TypeAlias = dict[str, Any]
_CLERKS = [
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gus",
    "Hana",
    "Ivo",
    "Jane",
    "Kai",
    "Lena",
    "Max",
    "Nora",
    "Omar",
    "Pia",
    "Quin",
    "Rosa",
    "Sven",
    "Tess",
    "Uma",
    "Vera",
    "Will",
    "Yara",
]
_GROUPS = {
    "City": ["Rome", "Oslo", "Lima", "Cairo", "Delhi", "Quito", "Seoul", "Tunis"],
    "Goods": ["tea", "rice", "salt", "wool", "iron", "glass", "paper", "silk"],
    "Shop": ["north", "south", "east", "west", "harbour", "airport", "station", "market"],
}
_PRICE = "Price"


@dataclass(frozen=True)
class TablesLevel:
    """The numbers of rows and conditions, and the `kind` of question: sum, revenue, group or join."""

    rows: int
    kind: str
    conditions: int = 0


LEVELS = {
    1: TablesLevel(8, "sum", 1),
    2: TablesLevel(12, "sum", 2),
    3: TablesLevel(15, "revenue", 2),
    4: TablesLevel(18, "group", 1),
    5: TablesLevel(24, "join", 1),
}


def problem(rng: np.random.Generator, level: TablesLevel) -> Task:
    """Draw one table and one question about it."""
    while True:
        names, other = sample(rng, tuple(_GROUPS), 2)
        few = {name: sample(rng, _GROUPS[name], 3) for name in (names, other)}
        clerks = sample(rng, _CLERKS, level.rows)
        rows: list[Row] = [
            {"Clerk": clerk, names: pick(rng, few[names]), other: pick(rng, few[other]),
             "Units": integer(rng, 11, 99), _PRICE: integer(rng, 11, 99)}
            for clerk in clerks
        ]  # fmt: skip
        conditions = [(names, pick(rng, few[names])), (other, pick(rng, few[other]))]
        conditions = conditions[: level.conditions]
        if level.kind in ("sum", "revenue"):
            task = _total(rows, conditions, level.kind)
        else:
            prices = {value: integer(rng, 11, 99) for value in few[other]}
            task = _grouped(rows, names, other, prices if level.kind == "join" else None)
        if task is not None:
            return task


def _total(rows: list[Row], conditions: list[tuple[str, str]], kind: str) -> Task | None:
    """Return the sum over the rows that meet all conditions; None if one of them makes no difference."""
    values = [row["Units"] * (row[_PRICE] if kind == "revenue" else 1) for row in rows]
    sums = []
    for used in range(len(conditions) + 1):
        met = [
            value
            for row, value in zip(rows, values, strict=True)
            if all(row[name] == wanted for name, wanted in conditions[:used])
        ]
        sums.append(sum(met))
    if len(met) < 2 or len(set(sums)) < len(sums):
        return None
    quantity = "Units" if kind == "sum" else f"Units times {_PRICE}"
    where = " and ".join(f"{name} = {wanted}" for name, wanted in conditions)
    question = f"What's the sum of {quantity} over the rows with {where}?"
    return _task([rows], question, sums[-1], sums[-2])


def _grouped(rows: list[Row], by: str, other: str, prices: dict[str, int] | None) -> Task | None:
    """Ask for the lead of the best group over the least, with prices from another table."""
    totals: dict[str, int] = {}
    units: dict[str, int] = {}
    for row in rows:
        price = row[_PRICE] if prices is None else prices[row[other]]
        totals[row[by]] = totals.get(row[by], 0) + row["Units"] * price
        units[row[by]] = units.get(row[by], 0) + row["Units"]
    ranked = sorted(totals.values())
    if len(set(ranked)) < 3:
        return None
    if prices is None:
        question = (
            f"For each {by}, add up Units times {_PRICE}. What's the largest of these sums, less the "
            f"second largest?"
        )
        return _task([rows], question, ranked[-1] - ranked[-2], ranked[-1])
    shown = [{name: v for name, v in row.items() if name != _PRICE} for row in rows]
    listed = [{other: value, _PRICE: price} for value, price in prices.items()]
    question = (
        f"The second table has the {_PRICE} for each {other}. For each {by}, add up Units times that "
        f"{_PRICE}. What's the largest of these sums, less the smallest?"
    )
    return _task([shown, listed], question, ranked[-1] - ranked[0], ranked[-1])


def _task(tables: list[list[Row]], question: str, answer: int, lazy: int) -> Task:
    shown = "\n\n".join(map(_shown, tables))
    prompt = f"{shown}\n\n{question} Put the number alone in \\boxed{{}}."
    return Task(prompt, str(answer), None, {"tables": tables, "naive": lazy})


def _shown(rows: list[Row]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def naive(task: Task) -> str:
    """Leave out the last condition, or the last step."""
    return f"\\boxed{{{task.metadata['naive']}}}"


@environment("tables")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make questions about one table or two.

    Args:
        split: train, dev or test.
        level: 1 sum with one condition; 2 with two; 3 of products; 4 by groups; 5 over two tables.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    return puzzle("tables", problem, Math(mode), LEVELS, level, split, size, seed)
