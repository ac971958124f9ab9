r"""Negotiations: two players divide a pool of items that each of them values in private::

    The pool: 3 hats, 1 book, 2 balls. To you, a hat is worth 1, a book 5, a ball 1.
    →    \boxed{2 hats, 1 book}        the part that you would take; the rest is the other's

Each seat's values add up to the same total over the whole pool. A deal is made if a proposal is accepted; without a deal,
nobody gets anything.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.games.game import Game, IllegalMoveError, random_move
from rlvr.envs.games.seated import SeatedTasks
from rlvr.envs.games.two_seats import Opponent, TwoSeats
from rlvr.verifiers.extraction import Mode

ITEMS = (
    "apple", "ball", "basket", "bell", "book", "bottle", "brush", "candle", "chair", "clock", "coin", "cup", "drum",
    "fork", "hammer", "hat", "kettle", "key", "lamp", "ladder", "mirror", "pen", "pillow", "plate", "rope", "shell",
    "spoon", "stool", "towel", "vase",
)  # fmt: skip
ACCEPT = "accept"
_PART = re.compile(r"(\d{1,6})\s+([a-z]{1,20})\Z")
_LEAST = 0.5  # of its total: for less, a fair player makes no deal


class Negotiation(Game):
    """A pool that two players divide.

    Args:
        setup: `pool`, the number of each item; `values`, for each seat the value of each item; `rounds`, the messages that
            each seat has.
    """

    name = "negotiation"
    rival = "conceder"

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.pool: dict[str, int] = {str(k): int(n) for k, n in setup["pool"].items()}
        self.values: list[dict[str, int]] = [dict(values) for values in setup["values"]]
        self.rounds = int(setup["rounds"])
        self.turn = 0
        self.proposals: list[tuple[int, tuple[int, ...]]] = []
        self.deal: tuple[int, tuple[int, ...]] | None = None

    @property
    def over(self) -> bool:
        """True if a proposal was accepted or no messages are left."""
        return self.deal is not None or len(self.proposals) >= 2 * self.rounds

    def total(self, seat: int) -> int:
        """Return the value of the whole pool to a seat; in a fair game it is the same for both."""
        return self.value(seat, tuple(self.pool.values()))

    def value(self, seat: int, part: Sequence[int]) -> int:
        """Return the value of a part of the pool to a seat."""
        return sum(
            count * self.values[seat][item] for item, count in zip(self.pool, part, strict=True)
        )

    def rest(self, part: Sequence[int]) -> tuple[int, ...]:
        """Return the pool without a part."""
        return tuple(n - count for n, count in zip(self.pool.values(), part, strict=True))

    def parts(self) -> list[tuple[int, ...]]:
        """Return all parts of the pool."""
        return list(itertools.product(*(range(n + 1) for n in self.pool.values())))

    def rules(self, seat: int) -> str:
        """Return the rules, without anybody's values."""
        return (
            "Two players divide a pool of items. Each item has a value to each player, which the other player isn't told; "
            "the whole pool is worth the same to both. The players speak in turn, the first player first, and each has "
            f"{self.rounds} messages. A message proposes a deal or accepts the last proposal, which makes the deal. You get "
            "the value of your part. If no proposal is accepted, both get nothing.\n\nTo propose a deal, name the part that "
            f'you take, such as "2 hats, 1 ball" or "nothing"; the rest is the other player\'s. To accept, say "{ACCEPT}".'
        )

    def view(self, seat: int) -> str:
        """Return the pool, the seat's own values and the last proposal."""
        worth = ", ".join(f"a {item} is worth {self.values[seat][item]}" for item in self.pool)
        own = sum(1 for proposer, _ in self.proposals if proposer == seat)
        left = self.rounds - own
        lines = [
            f"The pool: {self.text_of(tuple(self.pool.values()))}.",
            f"To you, {worth}; all of it is worth {self.total(seat)}.",
            f"You have {left} message{'' if left == 1 else 's'} left.",
        ]
        if self.proposals and self.proposals[-1][0] != seat:
            taken = self.proposals[-1][1]
            lines.append(
                f"The other player proposes to take {self.text_of(taken)}, and to leave you {self.text_of(self.rest(taken))}."
            )
        return "\n".join(lines)

    def moves(self) -> list[str]:
        """Return all proposals, and the acceptance of the last one."""
        accept = [ACCEPT] if self.proposals else []
        return [*accept, *map(self.text_of, self.parts())]

    def text_of(self, part: Sequence[int]) -> str:
        """Return a part of the pool in words."""
        named = [
            f"{count} {item}{'' if count == 1 else 's'}"
            for item, count in zip(self.pool, part, strict=True)
            if count
        ]
        return ", ".join(named) or "nothing"

    def play(self, move: str) -> str:
        """Propose or accept. Raises `IllegalMoveError` for anything else."""
        text = " ".join(move.lower().split()).rstrip(".")
        if text == ACCEPT:
            if not self.proposals:
                raise IllegalMoveError("There is no proposal to accept yet.")
            self.deal = self.proposals[-1]
            return ACCEPT
        part = self._part(text)
        self.proposals.append((self.turn, part))
        self.turn = 1 - self.turn
        return self.text_of(part)

    def _part(self, text: str) -> tuple[int, ...]:
        names = {form: item for item in self.pool for form in (item, f"{item}s")}
        counts: dict[str, int] = {}
        for piece in re.split(r",? and |, ?", text) if text != "nothing" else ():
            match = _PART.match(piece.strip())
            item = names.get(match[2]) if match else None
            if match is None or item is None or item in counts:
                raise IllegalMoveError(
                    f"{piece!r:.40} isn't a number of items of the pool, each named once, such as "
                    f'"1 {next(iter(self.pool))}".'
                )
            if int(match[1]) > self.pool[item]:
                raise IllegalMoveError(f"The pool has only {self.pool[item]} of the item {item!r}.")
            counts[item] = int(match[1])
        return tuple(counts.get(item, 0) for item in self.pool)

    def part_of(self, seat: int) -> tuple[int, ...] | None:
        """Return a seat's part of the deal; None if there is no deal."""
        if self.deal is None:
            return None
        proposer, taken = self.deal
        return taken if seat == proposer else self.rest(taken)

    def rewards(self) -> tuple[float, ...]:
        """Return each seat's value as a share of its total; 0 without a deal."""
        parts = [self.part_of(seat) for seat in (0, 1)]
        return tuple(
            0.0 if part is None else self.value(seat, part) / self.total(seat)
            for seat, part in enumerate(parts)
        )

    def forfeited(self, seat: int) -> tuple[float, ...]:
        """Return 0 for both: there's no deal."""
        return 0.0, 0.0

    def best(self, seat: int) -> int:
        """Return the most that a seat can have while the other has at least half of its own total."""
        least = _LEAST * self.total(1 - seat)
        return max(
            self.value(seat, part)
            for part in self.parts()
            if self.value(1 - seat, self.rest(part)) >= least
        )

    def scale(self, seat: int) -> float:
        """Return the share of its total that a seat can have if the other one has half of its own."""
        return self.best(seat) / self.total(seat)

    def told(self, seat: int, move: str) -> str:
        """Return the other's move; `view` has a proposal in full."""
        return "The other player has answered."

    def ending(self, seat: int) -> str:
        """Tell what the seat got."""
        part = self.part_of(seat)
        if part is None:
            return "There is no deal."
        return (
            f"You got {self.text_of(part)}, worth {self.value(seat, part)} of {self.total(seat)}."
        )


def conceder(game: Negotiation, rng: random.Random) -> str:
    """Return the move of a player who first claims all that's worth anything to it, and comes down to half of its total.

    It accepts what is worth its present claim, and gives away what is worth nothing to it. In its last message it accepts
    any proposal that is worth half.
    """
    seat = game.turn
    turn = sum(1 for proposer, _ in game.proposals if proposer == seat)
    patience = turn / max(1, game.rounds - 1)
    claim = game.total(seat) * (1 - (1 - _LEAST) * patience)
    last = game.proposals[-1] if game.proposals else None
    if last is not None and last[0] != seat and game.value(seat, game.rest(last[1])) >= claim:
        return ACCEPT
    if turn == 0:
        return game.text_of(tuple(game.pool.values()))
    parts = [part for part in game.parts() if game.value(seat, part) >= claim]
    cheapest = min((game.value(seat, part), sum(part)) for part in parts)
    return game.text_of(
        rng.choice([part for part in parts if (game.value(seat, part), sum(part)) == cheapest])
    )


def haggler(game: Negotiation, rng: random.Random) -> str:
    """Return the move of a player who knows the other's values: it claims all until the other has to take half."""
    seat = game.turn
    own = sum(1 for proposer, _ in game.proposals if proposer == seat)
    # The other's last answer follows the first seat's last message, and the second seat's last but one.
    if own < game.rounds - (1 if seat == 0 else 2):
        return game.text_of(tuple(game.pool.values()))
    best = game.best(seat)
    least = _LEAST * game.total(1 - seat)
    parts = [
        part
        for part in game.parts()
        if game.value(seat, part) == best and game.value(1 - seat, game.rest(part)) >= least
    ]
    return game.text_of(rng.choice(parts))


Negotiation.players = {"random": random_move, "conceder": conceder, "haggler": haggler}
Negotiation.expert = haggler


@dataclass(frozen=True)
class NegotiationLevel:
    """The kinds of items, the most of each, and the messages per seat."""

    kinds: int
    most: int
    rounds: int


LEVELS = {
    1: NegotiationLevel(2, 4, 2),
    2: NegotiationLevel(3, 4, 3),
    3: NegotiationLevel(3, 5, 4),
    4: NegotiationLevel(4, 4, 4),
    5: NegotiationLevel(5, 4, 5),
}
_TOTAL = {1: 10, 2: 10, 3: 20, 4: 20, 5: 30}


@environment("negotiation", gym_name="Negotiation")
def make(
    split: str = "train",
    level: int = 2,
    opponent: Opponent = "conceder",
    rounds: int | None = None,
    retries: int = 2,
    mode: Mode = "boxed",
    size: int = 20_000,
    seed: int = 0,
) -> Environment:
    """Make negotiations, with the policy in each seat equally often.

    Args:
        split: train, dev or test.
        level: 1 to 5: more kinds of items, more of each, more messages.
        opponent: the other player: `conceder`, who comes down from all to half of its total; `random`; `haggler`, who
            knows the policy's values; `self`; options of a model, `{"model": …, "base_url": …}`; or a policy.
        rounds: messages of each player (default: the level's).
        retries: attempts at a move after one that isn't legal; then there's no deal.
        mode: where the move is looked for.
        size: the number of tasks of the split.
        seed: of all tasks of all splits.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    chosen = LEVELS[int(level)]
    rounds = chosen.rounds if rounds is None else rounds
    if type(rounds) is not int or not 2 <= rounds <= 50:
        raise OptionError(f"rounds is a whole number from 2 to 50, not {rounds!r:.40}.")
    setups = generated(
        pool,
        split=split,
        size=max(1, (size + 1) // 2) if type(size) is int else size,
        seed=seed,
        name="negotiation",
        kinds=chosen.kinds,
        most=chosen.most,
        total=_TOTAL[int(level)],
        rounds=rounds,
    )
    usual = opponent == "conceder" and mode == "boxed" and retries == 2
    return TwoSeats(
        SeatedTasks(setups, Negotiation, None, mode, retries, size),
        Negotiation,
        opponent,
        retries=retries,
        mode=mode,
        max_turns=1 + (1 + retries) * rounds,
        fixtures=fixtures_of("negotiation", usual),
    )


def pool(rng: np.random.Generator, kinds: int, most: int, total: int, rounds: int) -> Task:
    """Draw a pool, and values of it for each seat: with the same total, and different from each other."""
    while True:
        items = [ITEMS[i] for i in rng.permutation(len(ITEMS))[:kinds].tolist()]
        counts = [int(n) for n in rng.integers(1, most + 1, size=kinds)]
        values = [_values(rng, counts, total) for _ in range(2)]
        setup = {
            "pool": dict(zip(items, counts, strict=True)),
            "values": [dict(zip(items, v, strict=True)) for v in values if v is not None],
            "rounds": rounds,
        }
        # A deal that gives half to one seat and nothing to the other would be the best for neither.
        if None not in values and values[0] != values[1]:
            game = Negotiation(setup)
            if min(game.best(0), game.best(1)) >= _LEAST * total:
                break
    text = f"{sorted(zip(items, counts, strict=True))} {sorted(map(str, values))}"
    return Task(text, {}, None, {"game": setup})


def _values(rng: np.random.Generator, counts: Sequence[int], total: int) -> list[int] | None:
    """Return a value of each item, so that the pool is worth `total`; None if this draw came to none."""
    left, values = total, [0] * len(counts)
    order = rng.permutation(len(counts)).tolist()
    for place in order[:-1]:
        values[place] = int(rng.integers(0, left // counts[place] + 1))
        left -= values[place] * counts[place]
    last = order[-1]
    if left % counts[last]:
        return None
    values[last] = left // counts[last]
    return values
