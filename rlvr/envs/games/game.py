"""`Game`: the rules of a game as an object, one per episode: seats, views, moves and rewards, all as text and numbers."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from rlvr.core.errors import RlvrError

FIRST, SECOND = 0, 1
SEATS = ("first", "second")


class IllegalMoveError(RlvrError, ValueError):
    """A move that the rules don't allow. Its text is a sentence that the player reads."""


class Game(ABC):
    """The rules of a game, and its state. Subclass it to have your own game played::

        class Nim(rlvr.games.Game):
            name = "nim"

            def __init__(self, setup):
                self.left, self.turn = setup["stones"], 0

            @property
            def over(self):
                return self.left == 0

            def rules(self, seat):
                return "Players take 1 to 3 stones in turn. Who takes the last stone wins."

            def view(self, seat):
                return f"{self.left} stones are left."

            def moves(self):
                return [str(n) for n in (1, 2, 3) if n <= self.left]

            def play(self, move):
                if move not in self.moves():
                    raise rlvr.games.IllegalMoveError("Take 1 to 3 of the stones that are left.")
                self.left -= int(move)
                self.turn = 1 - self.turn
                return move

            def rewards(self):
                return (0.0, 1.0) if self.turn == 0 else (1.0, 0.0)

        env = rlvr.games.TwoSeats(rlvr.games.both_seats([{"stones": 21}], Nim), Nim)

    A player sees `rules` and `view` of its own seat, and the moves of the other seat as `play` returned them. So what a
    seat mustn't know stays out of `view`, and no text of a player reaches the other one.

    Attributes:
        name: the name of the game.
        seats: the names of the seats: two, or one for a game that is played alone.
        turn: the number of the seat whose move it is.
        players: scripted players by name: functions of the game and a random generator that return a legal move.
        rival: the name of the script that plays the other seat by default.
        expert: a script that plays better than the rival, from which right episodes are made; None if there is none.
    """

    name: ClassVar[str] = "game"
    seats: ClassVar[tuple[str, ...]] = SEATS
    players: ClassVar[Mapping[str, Player]]
    rival: ClassVar[str] = "random"
    expert: ClassVar[Player | None] = None
    turn: int = FIRST

    @property
    @abstractmethod
    def over(self) -> bool:
        """True if the game has ended by its rules."""

    @abstractmethod
    def rules(self, seat: int) -> str:
        """Return the rules as the prompt has them, and how a move is written."""

    @abstractmethod
    def view(self, seat: int) -> str:
        """Return what a seat may see of the state."""

    @abstractmethod
    def play(self, move: str) -> str:
        """Make a move of the seat whose turn it is, and return it in its usual form.

        Raises `IllegalMoveError` with an explanation, before anything has changed. `move` is any text.
        """

    @abstractmethod
    def rewards(self) -> tuple[float, ...]:
        """Return the reward of each seat, in [0, 1], when the game is over."""

    def moves(self) -> Sequence[str]:
        """Return the legal moves of the seat whose turn it is. Only scripts need it."""
        raise NotImplementedError(f"{type(self).__name__} needs moves() for scripted players.")

    def forfeited(self, seat: int) -> tuple[float, ...]:
        """Return the rewards if a seat gives up, breaks the rules or isn't there any more: by default it loses."""
        return tuple(float(other != seat) for other in range(len(self.seats)))

    def scale(self, seat: int) -> float:
        """Return the game's reward that counts as full reward of a policy in that seat (default 1)."""
        return 1.0

    def told(self, seat: int, move: str) -> str:
        """Return the sentence by which a seat learns of the other's move."""
        return f"The other player played {move}."

    def ending(self, seat: int) -> str:
        """Return a sentence about the end of the game, for the record."""
        return ""

    def close(self) -> None:  # noqa: B027  (most games hold nothing)
        """Let go of what the game holds, such as another library's environment."""


Player: TypeAlias = Callable[[Any, random.Random], str]
"""A script that plays: a function of a `Game` and a `random.Random` that returns a legal move as text."""


def random_move(game: Game, rng: random.Random) -> str:
    """Return any legal move."""
    return rng.choice(list(game.moves()))


Game.players = {"random": random_move}


def setup_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setup of a task's game."""
    return dict(metadata["game"])
