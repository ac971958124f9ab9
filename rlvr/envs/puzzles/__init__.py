"""Puzzles that are generated, one file each: a generator, an exact verifier and a naive strategy.

Nothing is imported before a puzzle is made. `docs/puzzles.md` has what each asks and what the naive
strategy earns.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from rlvr.core.errors import OptionError, nearest
from rlvr.core.task import Task

PUZZLES = {
    "algebra": "Equations and systems of equations, solved exactly, in five levels",
    "calendar": "Dates, weekdays and working days, in five levels",
    "countdown": "Reach a target with given numbers, each used once, in six levels",
    "graph_path": "Shortest paths in weighted graphs, in five levels",
    "logic_grid": "Who lives where, from clues with one solution, in five levels",
    "sequences": "Terms of sequences whose kind of rule is given, in five levels",
    "string_program": "What a list of instructions makes of a word, in five levels",
    "sudoku": "Sudoku of 4, 6 and 9 rows with one solution, in six levels",
    "tables": "Questions over one table or two, in five levels",
    "units": "Conversions between units, real and invented, in five levels",
}
"""Each puzzle's name and what `rlvr list` says of it."""


def naive(name: str) -> Callable[[Task], str]:
    """Return a lazy strategy for the puzzle `name`: it maps a task's prompt and metadata to a response.

    It never reads the reference. What it earns is the least that a policy should beat.
    """
    if name not in PUZZLES:
        raise OptionError(f"There's no puzzle {name!r}. {nearest(name, PUZZLES)}")
    strategy: Callable[[Task], str] = importlib.import_module(f"{__name__}.{name}").naive
    return strategy
