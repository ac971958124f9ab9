"""`SynthesisOptions`: the numbers and thresholds of a synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from rlvr.core.errors import OptionError

_LEAST_YIELD = 20  # replies per reply that would do if each task were kept


@dataclass(frozen=True)
class SynthesisOptions:
    """The options of a synthesis.

    Attributes:
        count: the number of tasks to keep.
        shown: examples in each request for tasks.
        per_reply: tasks that each request asks for.
        personas: personas to make first; each request for tasks then has one of them. 0 for none.
        agree: solver's responses that must earn full reward with the proposed reference.
        of: solver's responses per task.
        difficulty: the least and the greatest pass rate of a kept task.
        near: the Jaccard similarity from which on two questions with the same numbers are near-duplicates.
        templates: treat near-duplicates with other numbers as duplicates, too.
        against: evaluation sets, as files or environments, none of whose problems is kept.
        seed: decides the examples and personas of each request, and the seeds of sampling.
        replies: the most replies to ask for; by default 20 times as many as would do if each task were kept.
        patience: candidates in a row of which none is kept, after which it stops.

    Raises `OptionError` if an option has an invalid value, or if no pass rate could satisfy them.
    """

    count: int = 100
    shown: int = 4
    per_reply: int = 5
    personas: int = 0
    agree: int = 2
    of: int = 3
    difficulty: tuple[float, float] = (0.0, 1.0)
    near: float = 0.5
    templates: bool = False
    against: Sequence[str] = ()
    seed: int = 0
    replies: int | None = None
    patience: int = 500

    def __post_init__(self) -> None:
        for name in ("count", "shown", "per_reply", "agree", "of", "patience"):
            self._check_whole(name, 1)
        for name in ("personas", "seed"):
            self._check_whole(name, 0)
        if self.replies is not None:
            self._check_whole("replies", 1)
        if self.agree > self.of:
            raise OptionError(f"agree is at most of: {self.agree} of {self.of} can't agree.")
        if not 0 < self.near <= 1:
            raise OptionError(f"near is a similarity in (0, 1], not {self.near}.")
        low, high = self.difficulty
        if not 0 <= low <= high <= 1:
            raise OptionError(f"difficulty is an interval of [0, 1], not {low},{high}.")
        if not any(low <= solved / self.of <= high for solved in range(self.agree, self.of + 1)):
            raise OptionError(
                f"No task can be kept: with {self.agree} to {self.of} agreeing responses of {self.of}, no pass "
                f"rate is in {low:g} to {high:g}. Ask for more responses (of), or fewer that agree (agree)."
            )

    def _check_whole(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if type(value) is not int or value < least:
            raise OptionError(f"{name} is a whole number from {least}, not {value!r:.60}.")

    @property
    def most_replies(self) -> int:
        """The most replies that are asked for."""
        if self.replies is not None:
            return self.replies
        return _LEAST_YIELD * (1 + ceil(self.count / self.per_reply))

    def to_json(self) -> dict[str, Any]:
        """Return the options as a plain dictionary."""
        names = self.__dataclass_fields__
        return {
            name: list(value) if isinstance(value, tuple | list) else value
            for name, value in ((name, getattr(self, name)) for name in names)
        }
