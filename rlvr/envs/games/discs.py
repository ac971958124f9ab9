"""Boards of connect four: positions as bits, lines, and forced wins."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """A board and the length of a line that wins.

    A cell's bit is `column * (rows + 1) + row`. The bit above each column stays 0, so that no line goes from the top of a
    column to the bottom of the next.
    """

    rows: int
    columns: int
    connect: int

    def bit(self, column: int, row: int) -> int:
        """Return a cell's bit."""
        return 1 << (column * (self.rows + 1) + row)

    def height(self, column: int, taken: int) -> int:
        """Return the number of discs in a column."""
        return ((taken >> (column * (self.rows + 1))) & ((1 << (self.rows + 1)) - 1)).bit_length()

    def drop(self, column: int, taken: int) -> int:
        """Return the bit of the lowest empty cell of a column; 0 if the column is full."""
        height = self.height(column, taken)
        return self.bit(column, height) if height < self.rows else 0

    def has_line(self, discs: int) -> bool:
        """Return whether these discs contain a line that wins."""
        for step in (1, self.rows, self.rows + 1, self.rows + 2):
            line = discs
            for distance in range(1, self.connect):
                line &= discs >> (distance * step)
            if line:
                return True
        return False

    def drops(self, taken: int) -> list[tuple[int, int]]:
        """Return the columns that aren't full, each with the bit of its lowest empty cell; those in the middle come first."""
        drops = []
        for column, bottom, mask in _columns(self.rows, self.columns):
            # Adding the bottom cell carries through all the discs of a column, to its lowest empty cell.
            bit = (taken + bottom) & mask
            if bit:
                drops.append((column, bit & -bit))
        return drops

    def completing(self, discs: int) -> int:
        """Return the cells, taken or not, with which these discs would have a line that wins."""
        cells = 0
        for step in (1, self.rows, self.rows + 1, self.rows + 2):
            # The discs below a cell, by length, and those above it: a line may be completed in any of its places.
            below, above = [-1], [-1]
            for distance in range(1, self.connect):
                below.append(below[-1] & (discs << (distance * step)))
                above.append(above[-1] & (discs >> (distance * step)))
            for place in range(self.connect):
                cells |= below[place] & above[self.connect - 1 - place]
        return cells

    def wins_at(self, own: int, other: int) -> list[int]:
        """Return the columns that complete a line of the player to move."""
        cells = self.completing(own)
        return [c for c, bit in self.drops(own | other) if bit & cells]


@functools.lru_cache(maxsize=64)
def _columns(rows: int, columns: int) -> tuple[tuple[int, int, int], ...]:
    """Return each column with the bit of its bottom cell and those of all its cells; those in the middle come first."""
    cells = (1 << rows) - 1
    order = sorted(range(columns), key=lambda column: abs(2 * column - columns + 1))
    return tuple((c, 1 << c * (rows + 1), cells << c * (rows + 1)) for c in order)


class WinSearch:
    """Forced wins on a board, each position looked at once."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._wins: dict[tuple[int, int, int], bool] = {}

    def winning(self, own: int, other: int, moves: int) -> list[int]:
        """Return the columns after which the player to move wins within so many own moves, whatever the other does."""
        board = self.board
        at_once = board.wins_at(own, other)
        if at_once or moves <= 1:
            return at_once
        return [
            column
            for column, bit in self._answers(own, other)
            if self._is_lost(other, own | bit, moves - 1)
        ]

    def shortest(self, own: int, other: int, most: int) -> tuple[int, list[int]]:
        """Return the fewest own moves to a forced win, and the columns that begin it; (0, []) if there is none within `most`."""
        for moves in range(1, most + 1):
            columns = self.winning(own, other, moves)
            if columns:
                return moves, columns
        return 0, []

    def _answers(self, own: int, other: int) -> Iterable[tuple[int, int]]:
        """Return the drops of the player to move that don't lose at once; all if the other threatens nothing."""
        drops, cells = self.board.drops(own | other), self.board.completing(other)
        threats = [(c, bit) for c, bit in drops if bit & cells]
        return threats if len(threats) == 1 else () if threats else drops

    def _is_won(self, own: int, other: int, moves: int) -> bool:
        key = own, other, moves
        cached = self._wins.get(key)
        if cached is None:
            cached = self._wins[key] = bool(self.board.wins_at(own, other)) or (
                moves > 1
                and any(
                    self._is_lost(other, own | bit, moves - 1)
                    for _, bit in self._answers(own, other)
                )
            )
        return cached

    def _is_lost(self, own: int, other: int, moves: int) -> bool:
        """Return whether the other player wins within so many own moves, if this one is to move."""
        board = self.board
        drops = board.drops(own | other)
        at_once = board.completing(own)
        if not drops or any(bit & at_once for _, bit in drops):
            return False
        cells = board.completing(other)
        threats = [(c, bit) for c, bit in drops if bit & cells]
        if len(threats) > 1:
            return True
        if not threats and moves == 1:
            return False
        return all(self._is_won(other, own | bit, moves) for _, bit in threats or drops)
