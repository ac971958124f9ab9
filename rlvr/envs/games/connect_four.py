r"""Connect four against a competent opponent: positions that can be won, in four levels, and whole games::

    6 . . . . . . .
    5 . . . . . . .
    4 . . . O . . .
    3 . . X X . . .
    2 . . O O X . .
    1 . O X X O . .
      a b c d e f g          →    \boxed{b2}

A move names the cell in which the disc comes to lie, so that no single word is a legal move twice.
"""

from __future__ import annotations

import functools
import random
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import SPLITS, generated, share_of
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.games.discs import Board, WinSearch
from rlvr.envs.games.game import Game, IllegalMoveError, random_move
from rlvr.envs.games.seated import SeatedTasks
from rlvr.envs.games.two_seats import Opponent, TwoSeats
from rlvr.verifiers.extraction import Mode

DISCS = "XO"
_LETTERS = string.ascii_lowercase
_CELL = re.compile(r"([a-z])([1-9][0-9]?)\Z")
_DEPTH = 4  # own moves in which a forced win is looked for, in whole games


class ConnectFour(Game):
    """Connect four on a board of any size.

    Args:
        setup: `rows`, `columns`, `connect`, and `played`: the moves so far as cells, by turns. `turn` is the seat that
            made the first of them (default 0), and `left` the place of the first column's letter (default 0, an a).
    """

    name = "connect_four"
    rival = "lookahead"

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.board = Board(int(setup["rows"]), int(setup["columns"]), int(setup["connect"]))
        left = int(setup.get("left", 0))
        self.letters = _LETTERS[left : left + self.board.columns]
        self.discs = [0, 0]
        self.turn = int(setup.get("turn", 0))
        self._over = False
        self._winner: int | None = None
        for move in setup.get("played", ()):
            self.play(move)

    @property
    def over(self) -> bool:
        """True if a line is complete or the board is full."""
        return self._over

    @property
    def taken(self) -> int:
        """The cells with a disc, as bits."""
        return self.discs[0] | self.discs[1]

    def rules(self, seat: int) -> str:
        """Return the rules."""
        board = self.board
        return (
            f"You play connect four on a board of {board.rows} rows and {board.columns} columns. The players drop "
            f"discs in turn, and a disc falls to the lowest empty cell of its column. The player who first has "
            f"{board.connect} discs in a line, across, up or diagonally, wins; if the board is full, it's a draw. The first "
            f"player's discs are {DISCS[0]}, the second's {DISCS[1]}; yours are {DISCS[seat]}.\n\nA move is the cell "
            f"where your disc comes to lie: the letter of the column and the number of the row."
        )

    def view(self, seat: int) -> str:
        """Return the board."""
        board = self.board
        width = len(str(board.rows))
        lines = [
            f"{row + 1:>{width}} "
            + " ".join(self._cell(column, row) for column in range(board.columns))
            for row in reversed(range(board.rows))
        ]
        return "\n".join([*lines, f"{'':>{width}} {' '.join(self.letters)}"])

    def moves(self) -> list[str]:
        """Return the lowest empty cell of each column that isn't full."""
        return [self.cell(column) for column, _ in sorted(self.board.drops(self.taken))]

    def cell(self, column: int) -> str:
        """Return the lowest empty cell of a column as text."""
        return f"{self.letters[column]}{self.board.height(column, self.taken) + 1}"

    def play(self, move: str) -> str:
        """Drop a disc. Raises `IllegalMoveError` unless the cell is the lowest empty one of its column."""
        text = move.strip().lower()
        match = _CELL.match(text)
        column = self.letters.find(match[1]) if match else -1
        if match is None or column < 0 or int(match[2]) > self.board.rows:
            raise IllegalMoveError(f"{move!r:.40} isn't a cell of the board.")
        bit = self.board.drop(column, self.taken)
        if not bit:
            raise IllegalMoveError(f"The column {match[1]} is full.")
        if self.cell(column) != text:
            raise IllegalMoveError(
                f"A disc can't come to lie in {text}: it falls to the lowest empty cell of its column."
            )
        self.discs[self.turn] |= bit
        if self.board.has_line(self.discs[self.turn]):
            self._over, self._winner = True, self.turn
        elif not self.board.drops(self.taken):
            self._over = True
        self.turn = 1 - self.turn
        return text

    def rewards(self) -> tuple[float, ...]:
        """Return 1 for a win, 0.5 for a draw and 0 for a loss."""
        if self._winner is None:
            return 0.5, 0.5
        return tuple(float(seat == self._winner) for seat in (0, 1))

    def ending(self, seat: int) -> str:
        """Tell who has won."""
        if self._winner is None:
            return "The board is full: a draw."
        return "You have won." if seat == self._winner else "The other player has won."

    def _cell(self, column: int, row: int) -> str:
        bit = self.board.bit(column, row)
        return next((DISCS[seat] for seat in (0, 1) if self.discs[seat] & bit), ".")


def lookahead(game: ConnectFour, rng: random.Random) -> str:
    """Return a move that wins at once, or else prevents the other's line, or else doesn't make way for it.

    Among several, one in the middle is likelier.
    """
    board, own, other = game.board, game.discs[game.turn], game.discs[1 - game.turn]
    drops = board.drops(own | other)
    for mine, theirs in ((own, other), (other, own)):
        at_once = board.wins_at(mine, theirs)
        if at_once:
            return game.cell(at_once[0])
    safe = [(column, bit) for column, bit in drops if not board.wins_at(other, own | bit)] or drops
    weights = [1.0 + min(column, board.columns - 1 - column) for column, _ in safe]
    return game.cell(rng.choices([column for column, _ in safe], weights)[0])


def search(game: ConnectFour, rng: random.Random) -> str:
    """Return a move that forces a win within four own moves, if there is one; otherwise a careful one."""
    own, other = game.discs[game.turn], game.discs[1 - game.turn]
    deep = WinSearch(game.board)
    _, columns = deep.shortest(own, other, _DEPTH)
    if columns:
        return game.cell(columns[0])
    drops = game.board.drops(own | other)
    safe = [c for c, bit in drops if not deep.shortest(other, own | bit, _DEPTH - 1)[0]]
    if safe:
        weights = [1.0 + min(column, game.board.columns - 1 - column) for column in safe]
        return game.cell(rng.choices(safe, weights)[0])
    return lookahead(game, rng)


ConnectFour.players = {"random": random_move, "lookahead": lookahead, "search": search}
ConnectFour.expert = search


@dataclass(frozen=True)
class ConnectLevel:
    """A board, and the own moves within which its positions can be won; 0 for whole games."""

    rows: int = 6
    columns: int = 7
    connect: int = 4
    wins_in: int = 2


LEVELS = {
    1: ConnectLevel(5, 5, 3, 2),
    2: ConnectLevel(wins_in=2),
    3: ConnectLevel(wins_in=3),
    4: ConnectLevel(wins_in=4),
    5: ConnectLevel(wins_in=0),
}
_OPENING = 4  # moves before a whole game begins, at most
_CAREFUL = 0.8  # share of moves that aren't random, in games whose positions become tasks


@environment("connect_four", gym_name="ConnectFour")
def make(
    split: str = "train",
    level: int = 2,
    opponent: Opponent = "lookahead",
    rows: int | None = None,
    columns: int | None = None,
    connect: int | None = None,
    start: Literal["won", "opening"] | None = None,
    retries: int = 2,
    mode: Mode = "boxed",
    size: int = 20_000,
    seed: int = 0,
) -> Environment:
    """Make games of connect four, with the policy in each seat equally often.

    Args:
        split: train, dev or test.
        level: 1 to 4: positions that the policy can win in two moves on a small board, then in two, three and four on
            the usual one. 5: whole games.
        opponent: the other player: `lookahead`, which wins or prevents a win if it can in a move; `random`; `search`,
            which looks four moves ahead; `self`; options of a model, `{"model": …, "base_url": …}`; or a policy.
        rows: of the board (default: the level's).
        columns: of the board (default: the level's).
        connect: discs in a line that win (default: the level's).
        start: `won`: positions that the policy can win. `opening`: after up to four random moves, each position once per
            seat. By default the level's, and `opening` if the opponent is a model.
        retries: attempts at a move after one that isn't legal; then the game is lost.
        mode: where the move is looked for.
        size: the number of tasks of the split.
        seed: of all tasks of all splits.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    if start not in (None, "won", "opening"):
        raise OptionError(f"start is 'won' or 'opening', not {start!r:.40}.")
    chosen = LEVELS[int(level)]
    board = Board(
        *(
            _size(label, value, default)
            for label, value, default in (
                ("rows", rows, chosen.rows),
                ("columns", columns, chosen.columns),
                ("connect", connect, chosen.connect),
            )
        )
    )
    if board.connect > max(board.rows, board.columns):
        raise OptionError(
            f"No line of {board.connect} fits on {board.rows} × {board.columns} cells."
        )
    is_scripted = isinstance(opponent, str) and opponent in ConnectFour.players
    start = start or ("won" if chosen.wins_in and is_scripted else "opening")
    wins_in = (chosen.wins_in or 2) if start == "won" else 0
    setups = generated(
        position,
        split=split,
        size=max(1, (size + 1) // 2) if type(size) is int else size,
        seed=seed,
        name="connect_four",
        board=board,
        wins_in=wins_in,
        part=SPLITS.get(split, (0.0, 1.0)) if isinstance(split, str) else (0.0, 1.0),
    )
    tasks = SeatedTasks(
        setups, ConnectFour, functools.partial(_seated, won=bool(wins_in)), mode, retries, size
    )
    usual = (rows, columns, connect, mode) == (None, None, None, "boxed")
    return TwoSeats(
        tasks,
        ConnectFour,
        opponent,
        retries=retries,
        mode=mode,
        max_turns=1 + (1 + retries) * ((board.rows * board.columns + 1) // 2),
        fixtures=fixtures_of("connect_four", usual and opponent == "lookahead" and retries == 2),
    )


def position(
    rng: np.random.Generator, board: Board, wins_in: int, part: tuple[float, float]
) -> Task:
    """Draw a position: one that the player to move can force a win in, in so many moves and no fewer, or an opening.

    Args:
        part: the split's share of positions. The others aren't searched, which takes longer than drawing them.
    """
    script = random.Random(int(rng.integers(2**63)))
    base = {"rows": board.rows, "columns": board.columns, "connect": board.connect}
    while True:
        game, played = ConnectFour(base), list[str]()
        if not wins_in:
            for _ in range(script.randrange(_OPENING + 1)):
                played.append(game.play(random_move(game, script)))
            if not game.over:
                return _setup(base, played, script)
            continue
        positions = []
        while not game.over:
            positions.append((game.discs[game.turn], game.discs[1 - game.turn]))
            player = lookahead if script.random() < _CAREFUL else random_move
            played.append(game.play(player(game, script)))
        # Only the last positions of a game are won in a few moves, and the early ones take longest to search.
        deep = WinSearch(board)
        for length in reversed(range(max(0, len(played) - 2 * wins_in - 2), len(played))):
            task = _setup(base, played[:length], script)
            if not part[0] <= share_of(task.text) < part[1]:
                continue
            moves, columns = deep.shortest(*positions[length], wins_in)
            if moves == wins_in and len(columns) == 1:
                return task


def _setup(base: Mapping[str, Any], played: list[str], script: random.Random) -> Task:
    # Splits are kept apart by this text; a position and its mirror image are the same problem.
    columns = int(base["columns"])
    flipped = [f"{_LETTERS[columns - 1 - _LETTERS.index(move[0])]}{move[1:]}" for move in played]
    key = min((sorted(side[::2]), sorted(side[1::2])) for side in (played, flipped))
    # Columns begin with any letter: otherwise a few cells in the middle are the answers to many tasks.
    left = script.randrange(len(_LETTERS) - columns + 1)
    moves = [f"{_LETTERS[left + _LETTERS.index(move[0])]}{move[1:]}" for move in played]
    return Task(f"{key}", {}, None, {"game": {**base, "left": left, "played": moves}})


def _seated(setup: dict[str, Any], seat: int, won: bool) -> dict[str, Any]:
    """Return the setup for a policy in that seat: in a position to be won, it is the player to move."""
    if won:
        return {**setup, "turn": (seat + len(setup["played"])) % 2}
    return setup


def _size(label: str, value: Any, default: int) -> int:
    if value is None:
        return default
    low, high = (2, 10) if label == "connect" else (2, 12)
    if type(value) is not int or not low <= value <= high:
        raise OptionError(f"{label} is a whole number from {low} to {high}, not {value!r:.40}.")
    return value
