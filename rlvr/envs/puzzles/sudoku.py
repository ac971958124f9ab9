r"""Sudoku of 4, 6 and 9 rows, with exactly one solution::

    1 . . 4
    . . 1 .      →    \boxed{1324 4213 …}
    …

Cells are emptied in random order, each only where no other digit would do there. The verifier
checks the rules and the givens rather than the solution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import plain, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier

_BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box


@dataclass(frozen=True)
class SudokuLevel:
    """The numbers of rows and of given cells (up to two more if one solution needs them)."""

    rows: int
    givens: int


LEVELS = {
    1: SudokuLevel(4, 5),
    2: SudokuLevel(6, 12),
    3: SudokuLevel(9, 43),
    4: SudokuLevel(9, 36),
    5: SudokuLevel(9, 31),
    6: SudokuLevel(9, 27),
}


def _units(n: int) -> tuple[tuple[int, int, int], ...]:
    """Return, for each cell, the numbers of its row, column and box, counted through in one list."""
    high, wide = _BOXES[n]
    return tuple(
        (r, n + c, 2 * n + r // high * high + c // wide) for r in range(n) for c in range(n)
    )


_UNITS = {n: _units(n) for n in _BOXES}


def problem(rng: np.random.Generator, level: SudokuLevel) -> Task:
    """Draw one puzzle of that level."""
    n = level.rows
    while True:
        order = rng.permuted(np.tile(np.arange(1, n + 1), (n * n, 1)), axis=1).tolist()
        solution = solve([0] * (n * n), n, order)
        assert solution is not None  # there is one of an empty grid
        grid = _emptied(rng, solution, level)
        if n * n - grid.count(0) <= level.givens + 2:
            break
    high, wide = _BOXES[n]
    rows = [" ".join(str(d) if d else "." for d in grid[i : i + n]) for i in range(0, n * n, n)]
    prompt = (
        f"Complete this Sudoku. Every row, every column and every box of {high} rows and {wide} "
        f"columns holds each of the digits from 1 to {n} once; dots are empty cells.\n\n"
        + "\n".join(rows)
        + "\n\nPut the completed grid in \\boxed{}, row by row, each row as one number of "
        f"{n} digits, with spaces between the rows."
    )
    shown = "".join(map(str, solution))
    reference = {
        "givens": "".join(map(str, grid)),
        "solution": " ".join(shown[i : i + n] for i in range(0, n * n, n)),
    }
    return Task(prompt, reference, None, {"givens": reference["givens"]})


def _emptied(rng: np.random.Generator, solution: list[int], level: SudokuLevel) -> list[int]:
    grid = solution.copy()
    left = len(grid)
    for cell in rng.permutation(len(grid)).tolist():
        if left <= level.givens:
            break
        grid[cell] = 0
        if solve(grid, level.rows, avoid=(cell, solution[cell])) is None:
            left -= 1
        else:
            grid[cell] = solution[cell]
    return grid


def solve(
    grid: list[int],
    n: int,
    order: list[list[int]] | None = None,
    avoid: tuple[int, int] = (-1, 0),
) -> list[int] | None:
    """Return a completed grid, or None if there's none.

    Args:
        grid: n·n digits row by row, 0 where a cell is empty.
        n: 4, 6 or 9.
        order: for each cell, the digits in the order to be tried; ascending by default.
        avoid: a cell and a digit that it may not have.
    """
    units = _UNITS[n]
    free = [(1 << n + 1) - 2] * (3 * n)
    for cell, digit in enumerate(grid):
        if digit:
            for unit in units[cell]:
                free[unit] &= ~(1 << digit)
    done = grid.copy()
    return (
        done
        if _search(done, [c for c, d in enumerate(grid) if not d], free, units, order, avoid)
        else None
    )


def _search(
    grid: list[int],
    empty: list[int],
    free: list[int],
    units: tuple[tuple[int, int, int], ...],
    order: list[list[int]] | None,
    avoid: tuple[int, int],
) -> bool:
    """Fill the cell with the fewest candidates, then the rest."""
    best, fewest, candidates = -1, 99, 0
    for cell in empty:
        row, column, box = units[cell]
        possible = free[row] & free[column] & free[box]
        if cell == avoid[0]:
            possible &= ~(1 << avoid[1])
        count = possible.bit_count()
        if count < fewest:
            best, fewest, candidates = cell, count, possible
            if count < 2:
                break
    if best < 0:
        return True
    rest = [cell for cell in empty if cell != best]
    digits = range(1, 10) if order is None else order[best]
    for digit in digits:
        bit = 1 << digit
        if candidates & bit:
            for unit in units[best]:
                free[unit] ^= bit
            grid[best] = digit
            if _search(grid, rest, free, units, order, avoid):
                return True
            for unit in units[best]:
                free[unit] ^= bit
    return False


_BETWEEN = dict.fromkeys(map(ord, " \t\r\n|,;&[]()\\"))


def demonstrate(task: Task) -> str:
    """Return the solution that was found when the task was made."""
    return f"\\boxed{{{task.reference['solution']}}}"


def judge(task: Task, answer: str) -> bool:
    """Tell whether the grid is complete, keeps the givens, and has each digit once in every unit."""
    givens = task.reference["givens"]
    n = {16: 4, 36: 6, 81: 9}[len(givens)]
    digits = plain(answer).translate(_BETWEEN)
    if len(digits) != len(givens) or not (digits.isascii() and digits.isdigit()):
        return False
    if any(expected not in ("0", digit) for expected, digit in zip(givens, digits, strict=True)):
        return False
    seen = [0] * (3 * n)
    for cell, digit in enumerate(map(int, digits)):
        for unit in _UNITS[n][cell]:
            seen[unit] |= 1 << digit
    return all(mask == (1 << n + 1) - 2 for mask in seen)


def naive(task: Task) -> str:
    """Put in each empty cell, from the top, the lowest digit that its row, column and box still allow."""
    grid = [int(d) for d in task.metadata["givens"]]
    n = {16: 4, 36: 6, 81: 9}[len(grid)]
    for cell, digit in enumerate(grid):
        if not digit:
            around = {
                grid[other]
                for other in range(n * n)
                if set(_UNITS[n][other]) & set(_UNITS[n][cell])
            }
            grid[cell] = min(set(range(1, n + 1)) - around, default=1)
    return f"\\boxed{{{''.join(map(str, grid))}}}"


@environment("sudoku")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make Sudoku of 4, 6 and 9 rows with one solution.

    Args:
        split: train, dev or test.
        level: 1 four rows; 2 six; 3 to 6 nine, with 43, 36, 31 and 27 cells given.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "sudoku", inline=True, demonstrate=demonstrate)
    return puzzle("sudoku", problem, verifier, LEVELS, level, split, size, seed)
