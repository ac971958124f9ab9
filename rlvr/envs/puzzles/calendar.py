r"""Dates, weekdays and working days in the Gregorian calendar::

    What date is 217 days after 2031-11-05?    →    \boxed{2032-06-09}

No task asks for a weekday alone, where one guess in seven is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, plain, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DATE = "Put the date in \\boxed{} as year-month-day, such as \\boxed{2024-02-09}."
_WORKING = "Working days are Monday to Friday"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class CalendarLevel:
    """Makes one problem of a kind from `rng`."""

    kind: Callable[[np.random.Generator], Task]


def _some_day(rng: np.random.Generator) -> date:
    return date(1900, 1, 1) + integer(rng, 0, 109_000) * _DAY  # to the middle of 2198


def _after(rng: np.random.Generator) -> Task:
    start, days = _some_day(rng), integer(rng, 40, 400)
    if rng.integers(2):
        question, end = f"What date is {days} days after {start}?", start + days * _DAY
    else:
        question, end = f"What date is {days} days before {start}?", start - days * _DAY
    rough = _rough(start, days if end > start else -days)
    return Task(f"{question} {_DATE}", str(end), None, {"naive": rough})


def _between(rng: np.random.Generator) -> Task:
    start, end = sorted((_some_day(rng), _some_day(rng)))
    days = (end - start).days
    rough = 365 * (end.year - start.year) + 30 * (end.month - start.month) + end.day - start.day
    question = f"How many days after {start} is {end}? Put the number in \\boxed{{}}."
    return Task(question, str(days), None, {"naive": str(rough)})


def working_days_after(start: date, count: int, holidays: frozenset[date] = frozenset()) -> date:
    """Return the day `count` working days after `start`, which doesn't count itself."""
    day = start
    while count:
        day += _DAY
        if day.weekday() < 5 and day not in holidays:
            count -= 1
    return day


def _working(rng: np.random.Generator) -> Task:
    start, count = _some_day(rng), integer(rng, 25, 90)
    span = (working_days_after(start, count) - start).days
    holidays = {start + integer(rng, 1, span) * _DAY for _ in range(8)}
    end = working_days_after(start, count, frozenset(holidays))
    listed = ", ".join(map(str, sorted(holidays)))
    question = (
        f"{start} is a {WEEKDAYS[start.weekday()]}. {_WORKING}, without these holidays: {listed}. "
        f"What date is {count} working days after {start} (which doesn't count itself)?"
    )
    return Task(
        f"{question} {_DATE}", str(end), None, {"naive": str(start + count * 7 // 5 * _DAY)}
    )


def _meetings(rng: np.random.Generator) -> Task:
    shifts = 0
    while shifts < 2:  # else adding up would do
        start = _some_day(rng)
        if start.weekday() > 4:
            continue
        every, number = integer(rng, 9, 75), integer(rng, 6, 15)
        day, shifts = start, 0
        for _ in range(number - 1):
            day += every * _DAY
            if day.weekday() > 4:
                day += (7 - day.weekday()) * _DAY
                shifts += 1
    question = (
        f"A club meets for the first time on {start}, and each time again {every} days after its last "
        f"meeting; where that day is a Saturday or a Sunday, on the Monday after it. What's the "
        f"date of its meeting number {number}?"
    )
    rough = start + every * (number - 1) * _DAY
    return Task(f"{question} {_DATE}", str(day), None, {"naive": str(rough)})


def _chain(rng: np.random.Generator) -> Task:
    """Draw a problem with several kinds of steps, one after the other."""
    start = day = rough = _some_day(rng)
    steps = []
    for i in range(integer(rng, 4, 6)):
        kind = integer(rng, 0, 3) if i else 0
        if kind == 0:
            n = integer(rng, 8, 60)
            steps.append(f"Go {n} working days on.")
            day, rough = working_days_after(day, n), rough + n * 7 // 5 * _DAY
        elif kind == 1:
            weekday = integer(rng, 0, 6)
            steps.append(f"Go to the first {WEEKDAYS[weekday]} after that day.")
            day += ((weekday - day.weekday() - 1) % 7 + 1) * _DAY
            rough += 4 * _DAY
        elif kind == 2:
            steps.append("Go to the last working day of the month after that day's month.")
            day = _last_working_day(day.year + day.month // 12, day.month % 12 + 1)
            rough += 30 * _DAY
        else:
            n = integer(rng, 30, 300)
            steps.append(f"Go {n} days back.")
            day, rough = day - n * _DAY, rough - n * _DAY
    listed = "\n".join(f"{i}. {step}" for i, step in enumerate(steps, 1))
    question = (
        f"{_WORKING}; there are no holidays. Start on {start} and take these steps in order:\n\n"
        f"{listed}\n\nOn which date do you end?"
    )
    return Task(f"{question} {_DATE}", str(day), None, {"naive": str(rough)})


def _last_working_day(year: int, month: int) -> date:
    day = date(year + month // 12, month % 12 + 1, 1) - _DAY
    while day.weekday() > 4:
        day -= _DAY
    return day


def _rough(start: date, days: int) -> str:
    """Return the date `days` later, as if every month had 30 days."""
    months = start.year * 360 + (start.month - 1) * 30 + start.day - 1 + days
    return f"{months // 360}-{months % 360 // 30 + 1:02}-{months % 30 + 1:02}"


LEVELS = {
    1: CalendarLevel(_after),
    2: CalendarLevel(_between),
    3: CalendarLevel(_working),
    4: CalendarLevel(_meetings),
    5: CalendarLevel(_chain),
}
_ISO = re.compile(r"(\d{4})\s*[-–/]\s*(\d{1,2})\s*[-–/]\s*(\d{1,2})\.?", re.ASCII)
_COUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.0+)?\s*(?:days?)?\.?", re.ASCII)


def problem(rng: np.random.Generator, level: CalendarLevel) -> Task:
    """Draw one problem of that level."""
    return level.kind(rng)


def judge(task: Task, answer: str) -> bool:
    """Tell whether the answer is the reference's date or number of days."""
    if len(answer) > 100:
        return False
    text = plain(answer.replace("{,}", ",").replace("\\!", ""))
    iso = _ISO.fullmatch(text)
    if "-" in task.reference:
        return iso is not None and "{}-{:0>2}-{:0>2}".format(*iso.groups()) == task.reference
    count = _COUNT.fullmatch(text)
    return count is not None and int(count.group(1).replace(",", "")) == int(task.reference)


def naive(task: Task) -> str:
    """Count with months of 30 days, weeks of five working days, no holidays and no weekends."""
    return f"\\boxed{{{task.metadata['naive']}}}"


@environment("calendar")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make problems about dates, weekdays and working days.

    Args:
        split: train, dev or test.
        level: 1 days after and before; 2 days between; 3 working days with holidays; 4 meetings
            that shift; 5 several steps.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "calendar", inline=True)
    return puzzle("calendar", problem, verifier, LEVELS, level, split, size, seed)
