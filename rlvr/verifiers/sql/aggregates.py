"""Aggregates of MySQL and PostgreSQL that SQLite lacks: concatenation in an order, deviations, percentiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from rlvr.verifiers.sql.guard import VALUE_BYTES, QueryGuard

_KEPT_BYTES = 64 << 20  # of an aggregate's values
_VALUE_BYTES = 64  # of a value besides its text


def as_text(value: Any) -> str:
    """Return a value as SQLite writes it."""
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        shown = f"{value:.15g}"
        return shown if any(mark in shown for mark in ".en") else f"{shown}.0"
    return str(value)


def _rank(value: Any) -> tuple[int, Any]:
    """Return SQLite's order among values: NULL, numbers, text, blobs."""
    if value is None:
        return (0, 0)
    return (
        (1, value)
        if isinstance(value, int | float)
        else (2, value)
        if type(value) is str
        else (3, value)
    )


class _Kept:
    """Values that are kept until the end, within a bound."""

    def __init__(self, guard: QueryGuard) -> None:
        self._guard = guard
        self._size = 0
        self.rows: list[tuple[Any, ...]] = []

    def keep(self, row: tuple[Any, ...]) -> None:
        self._size += sum(_VALUE_BYTES + (len(v) if isinstance(v, str | bytes) else 0) for v in row)
        if self._size > _KEPT_BYTES:
            self.fail("an aggregate of too many values")
        self.rows.append(row)

    def fail(self, why: str) -> None:
        self._guard.too_large = why
        raise ValueError(why)


class Concatenation(_Kept):
    """GROUP_CONCAT and STRING_AGG: arguments are flags, the separator, the value and the order's keys.

    The flags are a `u` for DISTINCT and then, for each key, `a` or `d` for its direction and `f` or `l` for
    NULLs first or last.
    """

    def step(self, flags: str, separator: Any, *values: Any) -> None:
        """Take a row."""
        if values[0] is not None:
            self.keep((flags, separator, *values))

    def finalize(self) -> str | None:
        """Return the text, or NULL without rows."""
        if not self.rows:
            return None
        flags, separator = self.rows[0][:2]
        rows = [row[2:] for row in self.rows]
        keys = flags.removeprefix("u")
        for number in range(len(keys) // 2, 0, -1):
            direction, nulls = keys[2 * number - 2 : 2 * number]
            sorted_rows = sorted(
                (r for r in rows if r[number] is not None),
                key=lambda r: _rank(r[number]),
                reverse=direction == "d",
            )
            null_rows = [row for row in rows if row[number] is None]
            rows = null_rows + sorted_rows if nulls == "f" else sorted_rows + null_rows
        parts = [as_text(value) for value, *_ in rows]
        if flags.startswith("u"):
            parts = list(dict.fromkeys(parts))
        joint = "" if separator is None else str(separator)
        if sum(map(len, parts)) + len(joint) * len(parts) > VALUE_BYTES:
            self.fail(f"a concatenation of more than {VALUE_BYTES} characters")
        return joint.join(parts)


class _Spread:
    """Mean and squared distances from it, of the numbers so far (Welford)."""

    def __init__(self, guard: QueryGuard) -> None:
        self.count = 0
        self._mean = self.squares = 0.0

    def step(self, value: Any) -> None:
        """Take a number."""
        if isinstance(value, int | float):
            self.count += 1
            apart = value - self._mean
            self._mean += apart / self.count
            self.squares += apart * (value - self._mean)


class VariancePop(_Spread):
    """The variance of a population."""

    def finalize(self) -> float | None:
        """Return it, or NULL without numbers."""
        return self.squares / self.count if self.count else None


class VarianceSample(_Spread):
    """The variance of a sample."""

    def finalize(self) -> float | None:
        """Return it, or NULL for fewer than two numbers."""
        return self.squares / (self.count - 1) if self.count > 1 else None


class DeviationPop(VariancePop):
    """The standard deviation of a population."""

    def finalize(self) -> float | None:
        """Return it, or NULL without numbers."""
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


class DeviationSample(VarianceSample):
    """The standard deviation of a sample."""

    def finalize(self) -> float | None:
        """Return it, or NULL for fewer than two numbers."""
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


class _Percentile(_Kept):
    """PERCENTILE_… WITHIN GROUP: arguments are the fraction, the value, and `a` or `d`."""

    def step(self, fraction: Any, value: Any, direction: str) -> None:
        """Take a row."""
        if value is not None:
            self.keep((fraction, value, direction))

    def ordered(self) -> tuple[float, list[Any]]:
        """Return the fraction and the values in order."""
        fraction, _, direction = self.rows[0]
        values = sorted((row[1] for row in self.rows), key=_rank, reverse=direction == "d")
        return min(max(float(fraction or 0), 0.0), 1.0), values


class PercentileCont(_Percentile):
    """The interpolated percentile."""

    def finalize(self) -> Any:
        """Return it, or NULL without rows."""
        if not self.rows:
            return None
        fraction, values = self.ordered()
        place = fraction * (len(values) - 1)
        low, high = values[math.floor(place)], values[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))


class PercentileDisc(_Percentile):
    """The first value whose share of the rows reaches the fraction."""

    def finalize(self) -> Any:
        """Return it, or NULL without rows."""
        if not self.rows:
            return None
        fraction, values = self.ordered()
        return values[max(0, math.ceil(fraction * len(values)) - 1)]


class MostFrequent(_Kept):
    """MODE() WITHIN GROUP: the most frequent value, of several the first in order."""

    def step(self, value: Any) -> None:
        """Take a row."""
        if value is not None:
            self.keep((value,))

    def finalize(self) -> Any:
        """Return it, or NULL without rows."""
        counts = Counter(value for (value,) in self.rows)
        most = max(counts.values(), default=0)
        return min(
            (value for value, count in counts.items() if count == most), key=_rank, default=None
        )


AGGREGATES: dict[str, Callable[[QueryGuard], Any]] = {
    "group_concat": Concatenation,
    "stddev_pop": DeviationPop,
    "stddev_samp": DeviationSample,
    "var_pop": VariancePop,
    "var_samp": VarianceSample,
    "percentile_cont": PercentileCont,
    "percentile_disc": PercentileDisc,
    "mode": MostFrequent,
}
