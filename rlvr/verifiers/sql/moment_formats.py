"""Formats of moments: MySQL's DATE_FORMAT and STR_TO_DATE, PostgreSQL's to_char, to_date and to_timestamp."""

from __future__ import annotations

import calendar
import datetime
import re
from typing import Any

from rlvr.verifiers.sql.moments import LONGEST, Moment, moment

_MYSQL = re.compile(r"%(.)", re.DOTALL)
_POSTGRES = re.compile(
    r'"([^"]*)"|(FM)?(YYYY|YYY|YY|Y,YYY|MONTH|Month|month|MON|Mon|mon|MM|DAY|Day|day|DY|Dy|dy|DDD|DD|D|ID|HH24|HH12|HH'
    r"|MI|SS|MS|US|AM|PM|am|pm|A\.M\.|P\.M\.|Q|WW|IW|W|CC|J)(?:th|TH)?"
)


def _clock(hour: int) -> int:
    return (hour + 11) % 12 + 1


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def mysql_format(value: Any, pattern: Any) -> str | None:
    """Return MySQL's DATE_FORMAT."""
    at = moment(value) or _time_of_day(value)
    if at is None or len(str(pattern)) > 1000:
        return None
    when = at.at
    iso = when.isocalendar()
    fields = {
        "Y": f"{when.year:04}", "y": f"{when.year % 100:02}", "m": f"{when.month:02}", "c": str(when.month),
        "d": f"{when.day:02}", "e": str(when.day), "M": calendar.month_name[when.month],
        "b": calendar.month_abbr[when.month], "W": calendar.day_name[when.weekday()], "a": calendar.day_abbr[when.weekday()],
        "H": f"{when.hour:02}", "k": str(when.hour), "h": f"{_clock(when.hour):02}", "I": f"{_clock(when.hour):02}",
        "l": str(_clock(when.hour)), "i": f"{when.minute:02}", "s": f"{when.second:02}", "S": f"{when.second:02}",
        "f": f"{when.microsecond:06}", "p": "PM" if when.hour > 11 else "AM", "j": f"{when.timetuple().tm_yday:03}",
        "w": str(when.isoweekday() % 7), "D": _ordinal(when.day), "T": when.strftime("%H:%M:%S"), "v": f"{iso[1]:02}",
        "x": f"{iso[0]:04}", "u": f"{_week_of(when, True):02}", "U": f"{_week_of(when, False):02}",
        "r": f"{_clock(when.hour):02}:{when.minute:02}:{when.second:02} {'PM' if when.hour > 11 else 'AM'}", "%": "%",
    }  # fmt: skip
    return _MYSQL.sub(lambda mark: fields.get(mark[1], mark[1]), str(pattern))


def _time_of_day(value: Any) -> Moment | None:
    return moment(f"2000-01-01 {value.strip()}") if type(value) is str and len(value) < 20 else None


def _week_of(when: datetime.datetime, monday_first: bool) -> int:
    """Return the week of the year from 0, as MySQL's modes 0 (Sunday first) and 1 (four days make a week) have it."""
    day = when.timetuple().tm_yday
    if not monday_first:
        return (day + 6 - when.isoweekday() % 7) // 7
    first = datetime.date(when.year, 1, 1).weekday()
    return (day + first - 1) // 7 + (1 if first <= 3 else 0)


def mysql_week(value: Any, mode: Any = 0) -> int | None:
    """Return MySQL's WEEK in modes 0, 1 and 3."""
    at = moment(value)
    if at is None or mode not in (0, 1, 3):
        return None
    return at.at.isocalendar()[1] if mode == 3 else _week_of(at.at, mode == 1)


def postgres_format(value: Any, pattern: Any) -> str | None:
    """Return PostgreSQL's `to_char` of a moment."""
    at = moment(value)
    if at is None or len(str(pattern)) > 1000:
        return None
    when = at.at
    month, weekday = calendar.month_name[when.month], calendar.day_name[when.weekday()]

    def field(mark: re.Match[str]) -> str:
        if mark[1] is not None:
            return mark[1]
        name, short = mark[3], mark[2] is not None
        named = {"MONTH": month, "DAY": weekday}.get(name.upper())
        named = named or {"MON": month[:3], "DY": weekday[:3]}.get(name.upper())
        if named is not None:
            cased = named.upper() if name.isupper() else named.lower() if name.islower() else named
            return cased if short or (len(name) <= 3 and name.upper() != "DAY") else cased.ljust(9)
        hour = _clock(when.hour)
        half = "PM" if when.hour > 11 else "AM"
        number, width = {
            "YYYY": (when.year, 4), "YYY": (when.year % 1000, 3), "YY": (when.year % 100, 2), "MM": (when.month, 2),
            "DDD": (when.timetuple().tm_yday, 3), "DD": (when.day, 2), "D": (when.isoweekday() % 7 + 1, 1),
            "ID": (when.isoweekday(), 1), "HH24": (when.hour, 2), "HH12": (hour, 2), "HH": (hour, 2), "MI": (when.minute, 2),
            "SS": (when.second, 2), "MS": (when.microsecond // 1000, 3), "US": (when.microsecond, 6),
            "Q": ((when.month + 2) // 3, 1), "WW": ((when.timetuple().tm_yday - 1) // 7 + 1, 2),
            "IW": (when.isocalendar()[1], 2), "W": ((when.day - 1) // 7 + 1, 1), "CC": ((when.year + 99) // 100, 2),
            "J": (when.toordinal() + 1_721_425, 1),
        }.get(name, (None, 0))  # fmt: skip
        if number is None:
            if name == "Y,YYY":
                return f"{when.year:,}"
            cased = f"{half[0]}.M." if "." in name else half
            return cased.lower() if name.islower() else cased
        return str(number) if short else f"{number:0{width}}"

    return _POSTGRES.sub(field, str(pattern))


_READ = {
    "Y": ("year", r"(\d{4})"), "y": ("yy", r"(\d{2})"), "m": ("month", r"(\d{1,2})"), "c": ("month", r"(\d{1,2})"),
    "d": ("day", r"(\d{1,2})"), "e": ("day", r"(\d{1,2})"), "H": ("hour", r"(\d{1,2})"), "k": ("hour", r"(\d{1,2})"),
    "h": ("hour12", r"(\d{1,2})"), "I": ("hour12", r"(\d{1,2})"), "l": ("hour12", r"(\d{1,2})"),
    "i": ("minute", r"(\d{1,2})"), "s": ("second", r"(\d{1,2})"), "S": ("second", r"(\d{1,2})"), "p": ("half", "([AaPp][Mm])"),
    "M": ("name", "([A-Za-z]{3,9})"), "b": ("name", "([A-Za-z]{3})"), "W": ("", "([A-Za-z]{6,9})"), "a": ("", "([A-Za-z]{3})"),
}  # fmt: skip
_MOST_FIELDS = 10  # in a format that is read: adjacent ones can share their digits in many ways
_TO_MYSQL = {
    "YYYY": "Y", "YY": "y", "MM": "m", "MONTH": "M", "MON": "b", "DD": "d", "HH24": "H", "HH12": "h", "HH": "h",
    "MI": "i", "SS": "s", "AM": "p", "PM": "p", "DAY": "W", "DY": "a",
}  # fmt: skip


def read(text: Any, pattern: Any) -> str | None:
    """Return the moment that a text names in a format of MySQL's (STR_TO_DATE)."""
    pattern = str(pattern).replace("%T", "%H:%i:%s").replace("%r", "%h:%i:%s %p")
    text = str(text)
    if len(text) > LONGEST or len(pattern) > LONGEST or pattern.count("%") > _MOST_FIELDS:
        return None
    names: list[str] = []
    expression = ""
    at = 0
    for mark in _MYSQL.finditer(pattern):
        expression += re.escape(pattern[at : mark.start()])
        at = mark.end()
        name, field = ("", "%") if mark[1] == "%" else _READ.get(mark[1], ("", ""))
        if not field:
            return None
        names += [name] * field.startswith("(")
        expression += field
    match = re.fullmatch(expression + re.escape(pattern[at:]), text.strip())
    if match is None:
        return None
    fields = dict(zip(names, match.groups(), strict=True))
    return _built(fields)


def _built(fields: dict[str, str]) -> str | None:
    numbers = {name: int(value) for name, value in fields.items() if value.isdigit()}
    year = numbers.get("year", numbers.get("yy", 0))
    if "yy" in numbers:
        year += 2000 if year < 70 else 1900
    month = numbers.get("month", 1)
    if "name" in fields:
        names = [name[:3].lower() for name in calendar.month_name]
        if fields["name"][:3].lower() not in names:
            return None
        month = names.index(fields["name"][:3].lower())
    hour = numbers.get("hour", numbers.get("hour12", 0))
    if "hour12" in numbers:
        hour = hour % 12 + (12 if fields.get("half", "").lower() == "pm" else 0)
    timed = bool({"hour", "hour12", "minute", "second"} & set(fields))
    try:
        when = datetime.datetime(
            year,
            month,
            numbers.get("day", 1),
            hour,
            numbers.get("minute", 0),
            numbers.get("second", 0),
        )
    except ValueError:
        return None
    return str(Moment(when, timed))


def postgres_read(text: Any, pattern: Any) -> str | None:
    """Return the moment that a text names in a format of PostgreSQL's (`to_date`, `to_timestamp`)."""
    converted = _POSTGRES.sub(
        lambda mark: (
            "%" + _TO_MYSQL[mark[3].upper()]
            if mark[3] and mark[3].upper() in _TO_MYSQL
            else mark[1] or mark[0]
        ),
        str(pattern)[: LONGEST + 1].replace("%", "%%"),
    )
    return read(text, converted)
