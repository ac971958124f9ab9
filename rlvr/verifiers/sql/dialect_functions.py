"""Functions of MySQL and PostgreSQL that SQLite lacks, as SQLite functions.

They are on the connections of their dialect alone, under names like `mysql_year`: a query in SQLite's dialect can't
call them. None reads the clock or chance, and each is bounded: in the size of what it returns, in the work of a
regular expression per statement, and in what an aggregate keeps.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from rlvr.verifiers.sql import dialect_texts as texts
from rlvr.verifiers.sql import moment_formats, moments
from rlvr.verifiers.sql.aggregates import AGGREGATES, as_text
from rlvr.verifiers.sql.guard import VALUE_BYTES, QueryGuard
from rlvr.verifiers.sql.patterns import STEPS, BadPattern, TooCostly, program, similar


def install(connection: sqlite3.Connection, guard: QueryGuard, dialect: str) -> None:
    """Define a dialect's functions on a connection; their errors are reported to `guard`."""
    for name, function in FUNCTIONS[dialect].items():
        called = _guarded(name, function, guard)
        connection.create_function(f"{dialect}_{name}", -1, called, deterministic=True)
    for name, kind in AGGREGATES.items():
        connection.create_aggregate(f"{dialect}_{name}", -1, lambda kind=kind: kind(guard))  # type: ignore[misc]


def _guarded(name: str, function: Callable[..., Any], guard: QueryGuard) -> Callable[..., Any]:
    costly = getattr(function, "needs_guard", False)

    def called(*args: Any) -> Any:
        try:
            value = function(guard, *args) if costly else function(*args)
        except (texts.TooLargeValue, TooCostly) as error:
            guard.too_large = (
                f"{name}(): {error}"
                if str(error)
                else f"{name}() of more than {VALUE_BYTES} characters"
            )
            raise ValueError(guard.too_large) from None
        except BadPattern as error:
            guard.failure = f"{name}(): {error}"
            raise ValueError(guard.failure) from None
        except TypeError:
            guard.failure = f"{name}() isn't called with {len(args)} arguments of these kinds"
            raise ValueError(guard.failure) from None
        except (ValueError, OverflowError, ZeroDivisionError):
            return None
        if type(value) is bool:
            return int(value)
        if type(value) is int and not -(2**63) <= value < 2**63:
            return float(value)
        return value

    return called


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function be NULL if an argument is."""

    def called(*args: Any) -> Any:
        return None if None in args else function(*args)

    if getattr(function, "needs_guard", False):
        called.needs_guard = True  # type: ignore[attr-defined]
    return called


# ---------------------------------------------------------------- regular expressions


def _needs_guard(function: Callable[..., Any]) -> Callable[..., Any]:
    function.needs_guard = True  # type: ignore[attr-defined]
    return function


def _spending(guard: QueryGuard) -> Callable[[int], None]:
    def spend(steps: int) -> None:
        guard.work += steps
        if guard.work > STEPS:
            raise TooCostly(f"regular expressions take more than {STEPS} steps")

    return spend


def _flags(options: Any, fold: bool) -> int:
    options = as_text(options or "")
    fold = "i" in options or (fold and "c" not in options)
    return (re.IGNORECASE if fold else 0) | (
        re.MULTILINE if "m" in options or "n" in options else 0
    )


def _regexp(fold: bool) -> Callable[..., Any]:
    @_needs_guard
    def matches(guard: QueryGuard, text: Any, pattern: Any, options: Any = "") -> bool:
        compiled = program(as_text(pattern), _flags(options, fold))
        return compiled.search(as_text(text), 0, _spending(guard)) is not None

    return matches


@_needs_guard
def _similar(guard: QueryGuard, text: Any, pattern: Any) -> bool:
    return (
        program(similar(as_text(pattern)[:1000]), 0).search(as_text(text), 0, _spending(guard))
        is not None
    )


def _regexp_substr(fold: bool) -> Callable[..., Any]:
    @_needs_guard
    def part(
        guard: QueryGuard,
        text: Any,
        pattern: Any,
        start: Any = 1,
        number: Any = 1,
        options: Any = "",
    ) -> str | None:
        text = as_text(text)
        compiled = program(as_text(pattern), _flags(options, fold))
        at = max(0, texts.as_int(start) - 1)
        match: list[int] = []
        for _ in range(min(max(1, texts.as_int(number)), 1000)):
            span = compiled.search(text, at, _spending(guard)) if at <= len(text) else None
            if span is None:
                return None
            match = span
            at = match[1] + (match[0] == match[1])
        # PostgreSQL's substring is the first group's, if there is one.
        group = 1 if not fold and compiled.groups else 0
        return text[match[2 * group] : match[2 * group + 1]] if match[2 * group] >= 0 else None

    return part


def _regexp_replace(
    guard: QueryGuard, fold: bool, every: bool, text: str, pattern: str, new: str, options: str
) -> str:
    compiled = program(pattern, _flags(options, fold))
    marks = re.compile(r"\\(\d|&|\\)" if not fold else r"[$\\](\d)")
    parts: list[str] = []
    at = last = size = 0
    while at <= len(text):
        match = compiled.search(text, at, _spending(guard))
        if match is None:
            break
        groups = ["" if b < 0 else text[b:e] for b, e in zip(match[::2], match[1::2], strict=True)]

        def put(mark: re.Match[str], groups: list[str] = groups) -> str:
            if not mark[1].isdigit():
                return groups[0] if mark[1] == "&" else "\\"
            return groups[int(mark[1])] if int(mark[1]) < len(groups) else ""

        filled = marks.sub(put, new) if len(new) <= 1000 else new
        parts += (text[last : match[0]], filled)
        size += match[0] - last + len(filled)
        texts.check_length(size)
        last = match[1]
        at = match[1] + (match[0] == match[1])
        if not every:
            break
    return "".join([*parts, text[last:]])


@_needs_guard
def _mysql_replace(guard: QueryGuard, text: Any, pattern: Any, new: Any, *rest: Any) -> str:
    options = as_text(rest[2]) if len(rest) > 2 else ""
    return _regexp_replace(
        guard, True, True, as_text(text), as_text(pattern), as_text(new), options
    )


@_needs_guard
def _postgres_replace(
    guard: QueryGuard, text: Any, pattern: Any, new: Any, options: Any = ""
) -> str:
    every = "g" in as_text(options)
    return _regexp_replace(
        guard, False, every, as_text(text), as_text(pattern), as_text(new), as_text(options)
    )


# ---------------------------------------------------------------- what each dialect has


def _part(unit: str) -> Callable[..., Any]:
    return lambda value: moments.part(unit, value)


def _unix_timestamp(value: Any) -> Any:
    return moments.part("epoch", value)


def _from_unixtime(seconds: Any, pattern: Any = None) -> str | None:
    value = moments.plus("1970-01-01 00:00:00", f"{texts.as_number(seconds)} seconds")
    return value if pattern is None else moment_formats.mysql_format(value, as_text(pattern))


def _last_day(value: Any) -> str | None:
    first = moments.truncated("month", str(value)[:10])
    return moments.plus(moments.plus(first, "1 month"), "-1 day")


def _make_date(year: Any, month: Any, day: Any) -> str | None:
    return moments.plus(
        f"{texts.as_int(year):04}-{texts.as_int(month):02}-{texts.as_int(day):02}", "0 day"
    )


def _day_of_year(year: Any, day: Any) -> str | None:
    return moments.plus(f"{texts.as_int(year):04}-01-01", f"{texts.as_int(day) - 1} days")


def _time_to_sec(value: Any) -> Any:
    at = moments.moment(value)
    return (
        (at.at.hour * 60 + at.at.minute) * 60 + at.at.second if at else moments.part("epoch", value)
    )


def _interval(number: Any, unit: Any) -> str | None:
    number = texts.as_number(number)
    return f"{number} {unit}" if abs(number) < 1e12 else None


def _yearweek(value: Any) -> Any:
    year, week = moments.part("isoyear", value), moments.part("week", value)
    return None if year is None or week is None else year * 100 + week


_PARTS = {
    "year": "year", "month": "month", "day": "day", "dayofmonth": "day", "dayofweek": "dayofweek", "weekday": "weekday",
    "dayofyear": "doy", "weekofyear": "week", "quarter": "quarter", "hour": "hour", "minute": "minute", "second": "second",
    "microsecond": "microsecond",
}  # fmt: skip
_COMMON: dict[str, Callable[..., Any]] = {
    "date_plus": moments.plus, "date_less": lambda value, step: moments.plus(value, step, -1), "interval": _interval,
    "interval_times": moments.times, "interval_size": moments.interval_size, "part": moments.part,
    "comparable": moments.comparable, "repeat": texts.repeat, "reverse": lambda text: as_text(text)[::-1], "ascii": texts.first_code,
    "lpad": texts.lpad, "rpad": texts.rpad, "md5": texts.digest("md5"), "round": texts.rounded, "mod": texts.remainder, "truncated": texts.truncated,
}  # fmt: skip
_OF_MYSQL: dict[str, Callable[..., Any]] = {
    **{name: _part(unit) for name, unit in _PARTS.items()},
    "left": texts.left, "right": texts.right, "space": lambda count: texts.repeat(" ", count), "substring_index": texts.substring_index,
    "mid": texts.mid, "locate": texts.locate, "insert": texts.insert, "find_in_set": texts.find_in_set, "format": texts.grouped, "ord": _COMMON["ascii"],
    "strcmp": texts.strcmp, "conv": texts.conv, "bin": lambda n: f"{texts.as_int(n):b}", "oct": lambda n: f"{texts.as_int(n):o}", "sha": texts.digest("sha1"),
    "sha1": texts.digest("sha1"), "truncate": texts.truncated, "week": moment_formats.mysql_week, "yearweek": _yearweek, "last_day": _last_day,
    "dayname": lambda value: moment_formats.mysql_format(value, "%W"), "monthname": lambda value: moment_formats.mysql_format(value, "%M"),
    "date_format": moment_formats.mysql_format, "time_format": moment_formats.mysql_format, "str_to_date": moment_formats.read,
    "unix_timestamp": _unix_timestamp, "from_unixtime": _from_unixtime, "datediff": moments.days_between,
    "timestampdiff": moments.between, "makedate": _day_of_year, "time_to_sec": _time_to_sec, "timediff": moments.minus,
    "sec_to_time": lambda seconds: moments.times("1 second", texts.as_number(seconds)), "regexp_like": _regexp(True),
    "to_days": lambda value: None if (days := moments.days_between(value, "0001-01-01")) is None else days + 366,
    "regexp_substr": _regexp_substr(True), "regexp_replace": _mysql_replace,
}  # fmt: skip
_OF_POSTGRES: dict[str, Callable[..., Any]] = {
    "left": texts.postgres_left, "right": texts.postgres_right, "split_part": texts.split_part, "initcap": texts.initcap, "translate": texts.translate,
    "overlay": texts.overlay, "to_char": texts.to_char, "to_date": moment_formats.postgres_read, "to_timestamp": moment_formats.postgres_read,
    "make_date": _make_date, "age": moments.age, "date_trunc": moments.truncated, "date_part": moments.part, "div": texts.quotient,
    "minus": moments.minus, "to_number": texts.to_number, "regexp_like": _regexp(False), "regexp_substr": _regexp_substr(False),
    "regexp_replace": _postgres_replace, "similar": _similar, "to_hex": lambda n: f"{texts.as_int(n):x}", "trunc": texts.truncated,
    "starts_with": lambda text, start: as_text(text).startswith(as_text(start)),
}  # fmt: skip
_NOT_STRICT: dict[str, Callable[..., Any]] = {
    "concat_ws": texts.concat_ws, "field": texts.field, "elt": texts.element, "char": texts.characters, "row": texts.row,
}  # fmt: skip
FUNCTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "mysql": {**{name: _strict(f) for name, f in (_COMMON | _OF_MYSQL).items()}, **_NOT_STRICT},
    "postgres": {
        **{name: _strict(f) for name, f in (_COMMON | _OF_POSTGRES).items()},
        **_NOT_STRICT,
        "concat": texts.concat,
        "chr": texts.characters,
    },
}
