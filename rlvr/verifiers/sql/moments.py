"""Dates, times and intervals of MySQL and PostgreSQL, as text: SQLite has no types for them.

A date is `2023-02-05`, a timestamp `2023-02-05 13:45:10`, an interval `1 mon 2 days 03:04:05`. A date plus whole
days is a date. Text that can't be read, and dates before the year 1 or after 9999, become NULL.
"""

from __future__ import annotations

import calendar
import datetime
import re
from functools import lru_cache
from typing import Any, NamedTuple

_MOMENT = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?)?"
    r"\s*(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)?\s*",
)
_COMPACT = re.compile(r"\s*(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?\s*")
_TIME = re.compile(r"\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?\s*")
_PART = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*([a-z]+)|([-+]?)(\d+):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
LONGEST = 64  # characters in the text of a moment or an interval
_UNITS = {
    "year": (12, 0, 0.0), "quarter": (3, 0, 0.0), "mon": (1, 0, 0.0), "month": (1, 0, 0.0), "decade": (120, 0, 0.0),
    "century": (1200, 0, 0.0), "week": (0, 7, 0.0), "day": (0, 1, 0.0), "hour": (0, 0, 3600.0), "minute": (0, 0, 60.0),
    "min": (0, 0, 60.0), "second": (0, 0, 1.0), "sec": (0, 0, 1.0), "millisecond": (0, 0, 1e-3), "microsecond": (0, 0, 1e-6),
    "centurie": (1200, 0, 0.0), "y": (12, 0, 0.0), "h": (0, 0, 3600.0), "d": (0, 1, 0.0),
}  # fmt: skip
_MOST = 10**12  # the largest number of a unit in an interval


class Moment(NamedTuple):
    """A timestamp if `timed`, otherwise a date."""

    at: datetime.datetime
    timed: bool

    def __str__(self) -> str:
        if not self.timed:
            return self.at.date().isoformat()
        return self.at.isoformat(" ", "microseconds" if self.at.microsecond else "seconds")


class Duration(NamedTuple):
    """Months, days and seconds, kept apart because a month has no fixed number of days, nor a day of seconds."""

    months: int
    days: int
    seconds: float

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        sign = "-" if self.months < 0 else ""
        parts = [f"{sign}{years} year{'s' * (years != 1)}"] if years else []
        parts += [f"{sign}{months} mon{'s' * (months != 1)}"] if months else []
        parts += [f"{self.days} day{'s' * (abs(self.days) != 1)}"] if self.days else []
        if self.seconds or not parts:
            minutes, seconds = divmod(abs(self.seconds), 60)
            hours, minutes = divmod(int(minutes), 60)
            shown = (
                f"{seconds:09.6f}".rstrip("0").rstrip(".") if seconds % 1 else f"{int(seconds):02}"
            )
            parts.append(f"{'-' * (self.seconds < 0)}{hours:02}:{minutes:02}:{shown}")
        return " ".join(parts)


def moment(value: Any) -> Moment | None:
    """Return the date or timestamp that a value denotes, or None."""
    if type(value) is int:
        value = str(value)
    return _moment(value) if type(value) is str and len(value) <= LONGEST else None


@lru_cache(maxsize=65_536)
def _moment(text: str) -> Moment | None:
    match = _MOMENT.fullmatch(text) or _COMPACT.fullmatch(text)
    if match is None:
        return None
    parts = match.groups()
    fraction = int((parts[6] or "0").ljust(6, "0")) if len(parts) > 6 else 0
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts[:6])
        at = datetime.datetime(year, month, day, hour, minute, second, fraction)
    except ValueError:
        return None
    return Moment(at, parts[3] is not None)


def interval(value: Any) -> Duration | None:
    """Return the interval that a text denotes (`1 year 2 mons`, `3 hours`, `-1 days 02:03:04`), or None.

    A number is an interval in seconds.
    """
    if isinstance(value, int | float):
        value = f"{value} seconds"
    return _interval(value) if type(value) is str and len(value) <= LONGEST else None


@lru_cache(maxsize=4096)
def _interval(text: str) -> Duration | None:
    months = days = 0.0
    seconds = 0.0
    text = text.strip().lower().removeprefix("@ ")
    end = 0
    for part in _PART.finditer(text):
        if text[end : part.start()].strip(" ,"):
            return None
        end = part.end()
        if part[2] is not None:
            unit = _UNITS.get(part[2]) or _UNITS.get(part[2].removesuffix("s"))
            if unit is None:
                return None
            number = float(part[1])
            if abs(number) > _MOST:
                return None
            months += number * unit[0]
            days += number * unit[1]
            seconds += number * unit[2]
        else:
            if len(part[4]) > 9:
                return None
            time = int(part[4]) * 3600 + int(part[5]) * 60 + float(part[6] or 0)
            seconds += -time if part[3] == "-" else time
    if end == 0 or text[end:].strip(" ,"):
        return None
    days += (months - int(months)) * 30
    seconds += (days - int(days)) * 86_400
    return Duration(int(months), int(days), seconds)


def interval_size(value: Any) -> float | None:
    """Return an interval's seconds as PostgreSQL compares intervals: a month is 30 days, and a day is 24 hours."""
    duration = interval(value)
    if duration is None:
        return None
    return (duration.months * 30 + duration.days) * 86_400 + duration.seconds


def plus(value: Any, text: Any, sign: int = 1) -> str | None:
    """Return a moment plus or minus an interval, or the sum of two intervals."""
    base, step = moment(value), interval(text)
    if step is None:
        return None
    if base is None:
        other = interval(value)
        if other is None:
            return None
        sums = (a + sign * b for a, b in zip(other, step, strict=True))
        return str(Duration(*sums))  # type: ignore[arg-type]
    try:
        at = _months_later(base.at, sign * step.months)
        at += datetime.timedelta(days=sign * step.days, seconds=sign * step.seconds)
    except (OverflowError, ValueError):
        return None
    return str(Moment(at, base.timed or step.seconds != 0))


def _months_later(at: datetime.datetime, months: int) -> datetime.datetime:
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError(year)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


def times(text: Any, number: Any) -> str | None:
    """Return an interval times a number."""
    step = interval(text)
    if step is None or not isinstance(number, int | float) or abs(number) > _MOST:
        return None
    months, days = step.months * number, step.days * number
    days += (months - int(months)) * 30
    seconds = step.seconds * number + (days - int(days)) * 86_400
    return str(Duration(int(months), int(days), seconds)) if abs(seconds) < _MOST else None


def minus(first: Any, second: Any) -> int | str | None:
    """Return `first - second` as PostgreSQL does.

    Two dates give a number of days, two timestamps an interval, and a moment minus a whole number is that many days
    earlier.
    """
    a, b = moment(first), (None if type(second) is int else moment(second))
    if a is None:
        return None
    if b is None:
        return plus(first, f"{-second} days") if type(second) is int else None
    if not a.timed and not b.timed:
        return (a.at - b.at).days
    apart = a.at - b.at
    sign = -1 if apart < datetime.timedelta() else 1
    apart = abs(apart)
    return str(Duration(0, sign * apart.days, sign * (apart.seconds + apart.microseconds / 1e6)))


def age(first: Any, second: Any) -> str | None:
    """Return PostgreSQL's `age`: the whole months between two moments, then the days, then the remaining time."""
    a, b = moment(first), moment(second)
    if a is None or b is None:
        return None
    sign, late, early = (1, a.at, b.at) if a.at >= b.at else (-1, b.at, a.at)
    months = _whole_months(early, late)
    rest = late - _months_later(early, months)
    seconds = rest.seconds + rest.microseconds / 1e6
    return str(Duration(sign * months, sign * rest.days, sign * seconds))


def _whole_months(early: datetime.datetime, late: datetime.datetime) -> int:
    months = (late.year - early.year) * 12 + late.month - early.month
    before = (late.day, late.time()) < (early.day, early.time())
    return months - 1 if before and months > 0 else months


def between(unit: Any, first: Any, second: Any) -> int | None:
    """Return MySQL's `TIMESTAMPDIFF`: the number of whole units from `first` to `second`."""
    a, b = moment(first), moment(second)
    size = _UNITS.get(str(unit).lower())
    if a is None or b is None or size is None:
        return None
    sign, early, late = (1, a.at, b.at) if a.at <= b.at else (-1, b.at, a.at)
    if size[0]:
        return sign * (_whole_months(early, late) // size[0])
    apart = (late - early) / datetime.timedelta(days=size[1], seconds=size[2])
    return sign * int(apart)


def days_between(first: Any, second: Any) -> int | None:
    """Return MySQL's `DATEDIFF`: the number of days between two dates, ignoring their times."""
    a, b = moment(first), moment(second)
    return None if a is None or b is None else (a.at.date() - b.at.date()).days


def part(unit: Any, value: Any) -> int | float | None:
    """Return a part of a moment, a time or an interval, such as its year, as EXTRACT does."""
    name = str(unit).lower()
    at = moment(value)
    if at is None:
        return _part_of_interval(name, value)
    when = at.at
    simple = {
        "year": when.year, "month": when.month, "mon": when.month, "day": when.day, "dayofmonth": when.day,
        "hour": when.hour, "minute": when.minute, "quarter": (when.month + 2) // 3, "dow": when.isoweekday() % 7,
        "dayofweek": when.isoweekday() % 7 + 1, "isodow": when.isoweekday(), "weekday": when.weekday(),
        "doy": when.timetuple().tm_yday, "dayofyear": when.timetuple().tm_yday, "week": when.isocalendar()[1],
        "weekofyear": when.isocalendar()[1], "isoyear": when.isocalendar()[0], "decade": when.year // 10,
        "century": (when.year + 99) // 100, "millennium": (when.year + 999) // 1000, "year_month": when.year * 100 + when.month,
        "day_hour": when.day * 100 + when.hour, "hour_minute": when.hour * 100 + when.minute,
    }  # fmt: skip
    if name in simple:
        return simple[name]
    if name in ("second", "epoch"):
        seconds = when.second if name == "second" else _epoch(when)
        return seconds + when.microsecond / 1e6 if when.microsecond else seconds
    seconds = when.second * 1_000_000 + when.microsecond
    scales = {"microsecond": 1, "microseconds": 1, "milliseconds": 1000, "millisecond": 1000}
    return seconds / scales[name] if name in scales else None


def _epoch(when: datetime.datetime) -> int:
    return (when.replace(microsecond=0) - datetime.datetime(1970, 1, 1)) // datetime.timedelta(
        seconds=1
    )


def _part_of_interval(name: str, value: Any) -> int | float | None:
    time = _TIME.fullmatch(value) if type(value) is str and len(value) <= LONGEST else None
    step = interval(value) if type(value) is str else None
    if step is None:
        return None
    years, months = divmod(abs(step.months), 12)
    sign = -1 if step.months < 0 else 1
    seconds = abs(step.seconds)
    turn = -1 if step.seconds < 0 else 1
    if name == "epoch":
        return (
            (step.months // 12) * 31_557_600
            + (step.months % 12) * 2_592_000
            + step.days * 86_400
            + step.seconds
        )
    parts: dict[str, int | float] = {
        "hour": turn * int(seconds // 3600), "minute": turn * int(seconds % 3600 // 60), "second": turn * (seconds % 60),
    }  # fmt: skip
    if time is None:
        parts |= {
            "year": sign * years,
            "month": sign * months,
            "day": step.days,
            "quarter": months // 3 + 1,
        }
    part = parts.get(name)
    return int(part) if part is not None and part == int(part) else part


def truncated(unit: Any, value: Any) -> str | None:
    """Return PostgreSQL's `date_trunc`; a date stays a date unless the unit is shorter than a day."""
    name, at = str(unit).lower(), moment(value)
    if at is None:
        return None
    when = at.at
    fields = ("year", "month", "day", "hour", "minute", "second")
    first: dict[str, Any] = {
        "month": 1,
        "day": 1,
        "hour": 0,
        "minute": 0,
        "second": 0,
        "microsecond": 0,
    }
    if name == "quarter":
        name, when = "month", when.replace(month=(when.month - 1) // 3 * 3 + 1, day=1)
    elif name == "week":
        try:
            name, when = "day", when - datetime.timedelta(days=when.weekday())
        except OverflowError:
            return None
    elif name in ("decade", "century", "millennium"):
        years = {"decade": 10, "century": 100, "millennium": 1000}[name]
        year = when.year // 10 * 10 if name == "decade" else (when.year - 1) // years * years + 1
        name, when = "year", when.replace(year=max(1, year), month=1, day=1)
    if name not in fields:
        return None
    kept = fields[: fields.index(name) + 1]
    when = when.replace(**{field: least for field, least in first.items() if field not in kept})
    return str(Moment(when, at.timed or name in ("hour", "minute", "second")))


def comparable(value: Any) -> Any:
    """Return a moment as a timestamp, so that dates and timestamps compare as text; return other values unchanged."""
    at = moment(value) if type(value) is str else None
    return value if at is None else str(Moment(at.at, True))


def without_midnight(value: Any) -> Any:
    """Return a timestamp at midnight as a date, because SQLite has no types that distinguish the two."""
    if type(value) is str and len(value) == len(_MIDNIGHT) + 10 and value.endswith(_MIDNIGHT):
        return value[:10] if moment(value) else value
    return value


_MIDNIGHT = " 00:00:00"
