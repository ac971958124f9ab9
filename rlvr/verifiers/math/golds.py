"""References, read once: the golds that an answer is compared with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from rlvr.core.verdict import Cause, Unscored
from rlvr.verifiers.extraction import labelled_values
from rlvr.verifiers.math.answer import Answer, gold_text, readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.numbers import Number, read_integer, read_number
from rlvr.verifiers.math.quantities import quantity
from rlvr.verifiers.math.tree import Group, Relation, Tree, Word, symbols
from rlvr.verifiers.math.vocabulary import Unreadable

INLINE_LENGTH = 300
"""Most characters of an answer whose tree is made in the caller's thread."""


class Gold:
    """A reference, read once."""

    __slots__ = ("_readings", "_rehearsed", "cleaned", "inside", "number", "ordered", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        answer = gold_text(text)
        parts = labelled_values(answer) if "(" in answer else []
        self.ordered = bool(parts)
        self.inside = ", ".join(parts) if parts else answer
        self.cleaned = self.inside if read_integer(text) is not None else clean(self.inside)
        self.number: Number | None = read_number(self.cleaned)
        self._readings: tuple[Answer, ...] | Literal[False] | None = False
        self._rehearsed = False

    @property
    def readings(self) -> tuple[Answer, ...] | None:
        """The ways to read the gold; None for prose, which is compared as text."""
        if self._readings is False:
            try:
                self._readings = readings(self.cleaned)
            except Unreadable:
                self._readings = None
        return self._readings

    def rehearse(self) -> None:
        """Evaluate the gold once, so that its cost isn't counted against a response."""
        if not self._rehearsed:
            from rlvr.verifiers.math.numeric import rehearse

            for reading in self.readings or ():
                rehearse(reading.value)
            self._rehearsed = True

    def parts(self) -> int:
        """Return the number of values in a bare list; 1 for any other gold."""
        if self.number is not None:
            return 1
        tree = self.readings[0].tree if self.readings else None
        return len(tree.items) if isinstance(tree, Group) and tree.kind == "" else 1

    @property
    def plain(self) -> bool:
        """True for a plain number."""
        return self.number is not None

    def accepts(self, candidate: str) -> bool:
        """Return True if `candidate` could be an answer of this kind: for a number, an expression with a value."""
        if self.number is None or read_integer(candidate) is not None:
            return True
        if len(candidate) > INLINE_LENGTH:
            return (
                False  # no number is written in so many characters, and this is the caller's thread
            )
        text = clean(candidate)
        if read_number(text) is not None:
            return True
        try:
            return any(
                _has_value(reading.tree) and not quantity(reading.written).leading
                for reading in readings(text)
            )
        except Unreadable:
            return False


def _has_value(tree: Tree) -> bool:
    """Return True for a number, evaluated or not, or a statement of one."""
    if isinstance(tree, Relation):
        return _has_value(tree.sides[-1])
    if isinstance(tree, Group):
        return all(map(_has_value, tree.items))
    return not isinstance(tree, Word) and not symbols(tree)


def golds_of(reference: Any) -> tuple[Gold, ...] | Unscored:
    """Return the alternatives that a reference holds, each of them right."""
    if isinstance(reference, str):
        return _read_golds((reference,))
    if isinstance(reference, int | float) and not isinstance(reference, bool):
        return _read_golds((str(reference),))
    if (
        isinstance(reference, list | tuple)
        and reference
        and all(isinstance(alternative, str) for alternative in reference)
    ):
        return _read_golds(tuple(reference))
    return Unscored(
        Cause.GOLD, f"a math reference is a string or a list of strings, not {reference!r:.80}"
    )


@lru_cache(maxsize=2048)
def _read_golds(references: tuple[str, ...]) -> tuple[Gold, ...] | Unscored:
    golds = tuple(Gold(reference) for reference in references)
    for gold in golds:
        if not gold.cleaned:
            message = f"the reference {gold.text[:80]!r} is empty or too long to read"
            return Unscored(Cause.GOLD, message)
    return golds
