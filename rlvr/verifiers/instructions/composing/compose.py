"""Drawing a set of instructions that don't conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlvr.core.errors import OptionError
from rlvr.verifiers.instructions.composing.catalogue import CATALOGUE, KEYWORDS, Words
from rlvr.verifiers.instructions.composing.conflicts import fits
from rlvr.verifiers.instructions.registry import find

MOST = 10
"""Instructions that a set may have."""


@dataclass(frozen=True)
class Constraint:
    """One drawn instruction: its id and kwargs."""

    id: str
    kwargs: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The instruction as a sentence."""
        return find(self.id).sentence(self.kwargs)


def compose(rng: np.random.Generator, count: int) -> list[Constraint]:
    """`count` instructions that one text can follow. Raises `OptionError` where that's too many."""
    if not 1 <= count <= MOST:
        raise OptionError(f"A set has from 1 to {MOST} instructions, not {count!r}.")
    chosen: list[str] = []
    while len(chosen) < count:
        left = [id for id in CATALOGUE if fits(id, chosen)]
        if not left:  # a corner; never seen with so few
            chosen.clear()
            continue
        chosen.append(str(left[int(rng.integers(len(left)))]))
    words = Words(rng)
    return [Constraint(id, CATALOGUE[id](rng, words)) for id in chosen]


def redraw(
    rng: np.random.Generator, constraints: Sequence[Constraint], which: int
) -> list[Constraint]:
    """Return the set with the kwargs of one constraint drawn anew, and different.

    Raises `OptionError` if that constraint has no kwargs.
    """
    old = constraints[which]
    if not old.kwargs:
        raise OptionError(f"{old.id} has no kwargs: there's nothing to change.")
    taken = frozenset(
        word for constraint in constraints for word in KEYWORDS if word in repr(constraint.kwargs)
    )
    while True:
        new = Constraint(old.id, CATALOGUE[old.id](rng, Words(rng, taken)))
        if new != old:
            return [*constraints[:which], new, *constraints[which + 1 :]]
