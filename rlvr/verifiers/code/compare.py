"""Comparison of a program's output with the expected one: on bytes, linear, whatever was printed.

Source of the rules: the checkers of Codeforces' testlib (`wcmp`, `lcmp`, `rcmp`).
"""

from __future__ import annotations

import decimal
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rlvr.core.errors import OptionError

KINDS = ("tokens", "lines", "exact")
_TOLERANCES = {"absolute", "relative"}
_NUMBER = re.compile(rb"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,9})?")
_LONGEST = 1000  # digits of a number that's compared by its value
# Enough to hold two such numbers and their difference exactly, unless they're worlds apart.
_EXACT = decimal.Context(prec=3 * _LONGEST, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
_SHOWN = 60  # bytes of a token or line in a message


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """A way to compare output with the expectation.

    Attributes:
        kind: `tokens`: what whitespace separates is equal, byte for byte. `lines`: lines are equal
            up to whitespace at their ends, and blank lines at the end don't count. `exact`: all
            bytes are equal.
        absolute: with tokens, how far a number may be off.
        relative: the same as a share of the expected number; the larger of both counts.
    """

    kind: str = "tokens"
    absolute: float = 0.0
    relative: float = 0.0

    @classmethod
    def of(cls, choice: Any) -> OutputComparison:
        """Read it from a name, or from `{"absolute": a, "relative": r}`. Raises `OptionError`."""
        if isinstance(choice, str) and choice in KINDS:
            return cls(choice)
        if isinstance(choice, Mapping) and choice and set(choice) <= _TOLERANCES:
            for name, value in choice.items():
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not number or not 0 <= value < float("inf"):
                    raise OptionError(f"{name} is a number, at least 0, not {value!r:.40}.")
            return cls("tokens", **{name: float(value) for name, value in choice.items()})
        raise OptionError(
            f'Outputs are compared by {", ".join(KINDS)} or {{"absolute": a, "relative": r}}, '
            f"not {choice!r:.80}."
        )

    def difference(self, got: bytes, expected: bytes) -> str:
        """Return a description of the first difference, with the expected text; "" if there is none."""
        if got == expected:
            return ""
        if self.kind == "exact":
            return _first_byte(got, expected)
        # No more of the output is taken apart than tells that there's too much of it.
        if self.kind == "lines":
            unit, ours = "line", _lines(expected)
            theirs = _lines(got, len(ours))
        else:
            unit, ours = "token", expected.split()
            theirs = got.split(None, len(ours))
        if theirs == ours:
            return ""
        for number, (actual, wanted) in enumerate(itertools.zip_longest(theirs, ours), 1):
            if actual is None:
                return f"{unit} {number} is missing: {_shown(wanted)} is expected"
            if wanted is None:
                return f"{unit} {number} is one too many: {_shown(actual)}"
            if actual != wanted and not (self._tolerant and self._near(actual, wanted)):
                return f"{unit} {number} is {_shown(actual)}, not {_shown(wanted)}"
        return ""

    @property
    def _tolerant(self) -> bool:
        return self.absolute > 0 or self.relative > 0

    def _near(self, got: bytes, expected: bytes) -> bool:
        actual, wanted = _number(got), _number(expected)
        if actual is None or wanted is None:
            return False
        # Decimals of their shortest texts: the author wrote 1e-6, not the double next to it.
        share = _EXACT.multiply(Decimal(repr(self.relative)), _EXACT.abs(wanted))
        most = max(Decimal(repr(self.absolute)), share)
        return _EXACT.abs(_EXACT.subtract(actual, wanted)) <= most


def _number(token: bytes) -> Decimal | None:
    """Return a decimal number as C and Python print it. None for all else: NaN, inf, 0x10, 1_000, long ones."""
    if len(token) > _LONGEST or _NUMBER.fullmatch(token) is None:
        return None
    number = _EXACT.create_decimal(token.decode("ascii"))
    return number if number.is_finite() else None


def _lines(text: bytes, most: int = -1) -> list[bytes]:
    return [line.rstrip() for line in text.rstrip().split(b"\n", most)]


def _first_byte(got: bytes, expected: bytes) -> str:
    """Describe the first byte that differs, found by halving, so that nothing is looked at byte by byte in Python."""
    low, high = 0, min(len(got), len(expected))
    while low < high:
        middle = (low + high + 1) // 2
        if got[low:middle] == expected[low:middle]:
            low = middle
        else:
            high = middle - 1
    line = got.count(b"\n", 0, low) + 1
    return f"byte {low + 1} (line {line}) begins {_shown(got[low:])}, not {_shown(expected[low:])}"


def _shown(part: bytes) -> str:
    text = part[:_SHOWN].decode("utf-8", "backslashreplace")
    return repr(text) + ("…" if len(part) > _SHOWN else "")
