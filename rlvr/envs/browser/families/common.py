"""`BrowserDraft`: a task of `browser` as its family writes it; and names, dates and schemas for the families."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.envs.browser.walk import Step
from rlvr.envs.puzzles.common import integer, sample

Row: TypeAlias = dict[str, Any]

LEVELS = (1, 2, 3)
"""The levels of every family."""
FIRST = (
    "Ada", "Ben", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Karin", "Leo", "Marta", "Nils",
    "Olga", "Paul", "Rosa", "Simon", "Tessa", "Viktor", "Wanda", "Yusuf", "Zoe",
)  # fmt: skip
LAST = (
    "Adler", "Becker", "Costa", "Dahl", "Egger", "Fuchs", "Gruber", "Hansen", "Ivanov", "Jansen", "Keller", "Lindt",
    "Moreau", "Novak", "Olsen", "Petit", "Rossi", "Silva", "Toth", "Urban", "Vogel", "Weber", "Zeman",
)  # fmt: skip
TOWNS = ("Aalen", "Bergen", "Cork", "Delft", "Evora", "Faro", "Ghent", "Haarlem", "Izmir", "Jena")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
STREETS = (
    "Mill Lane",
    "High Street",
    "Station Road",
    "Church Hill",
    "Park Avenue",
    "Bridge Street",
)
WORDS = (
    "amber", "anchor", "basin", "beacon", "birch", "bridge", "candle", "canyon", "cedar", "copper", "coral", "cotton",
    "delta", "ember", "falcon", "flint", "garnet", "glacier", "granite", "hazel", "heron", "indigo", "island", "ivory",
    "jasper", "juniper", "lagoon", "lantern", "laurel", "linen", "maple", "marble", "meadow", "nickel", "olive", "orchid",
    "otter", "pebble", "pepper", "quartz", "raven", "river", "saffron", "silver", "spruce", "summit", "thistle", "timber",
    "tulip", "valley", "velvet", "walnut", "willow", "zephyr",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BrowserDraft:
    """A task in a web application before it has a prompt.

    Attributes:
        instruction: what the model is asked to do.
        app: the schema of the application; see `rlvr.envs.browser.application`.
        tables: its rows, by table.
        steps: a way to do it.
        changed: new values by field, by the row's id, by table.
        added: the rows that are added, by table; without their ids.
        removed: the ids of the rows that are removed, by table.
    """

    instruction: str
    app: Mapping[str, Any]
    tables: Mapping[str, Sequence[Row]]
    steps: Sequence[Step]
    changed: Mapping[str, Mapping[int, Row]] = field(default_factory=dict)
    added: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    removed: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def task(self, prompt: Any, family: str, level: int, tools: str) -> Task:
        """Return the task, with its prompt made of a template."""
        reference = {
            "changed": {
                table: {str(id): dict(values) for id, values in rows.items()}
                for table, rows in self.changed.items()
                if rows
            },
            "added": {table: [dict(row) for row in rows] for table, rows in self.added.items()},
            "removed": {table: list(ids) for table, ids in self.removed.items() if ids},
            "steps": [list(step) for step in self.steps],
        }
        state = {
            "app": dict(self.app),
            "tables": {name: [dict(row) for row in rows] for name, rows in self.tables.items()},
        }
        fields = {"instruction": self.instruction, "title": self.app["title"], "tools": tools}
        metadata = {"family": family, "level": level, "site": state}
        # As it is after a file: lists for tuples.
        reference, metadata = json.loads(json.dumps([reference, metadata]))
        return Task(prompt.render(fields), reference, None, metadata)


def by_level(level: int, *values: int) -> int:
    """Return the value of a level from 1 on. Raises `OptionError` if there's no such level."""
    if level not in LEVELS:
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r:.40}.")
    return values[level - 1]


def schema_field(name: str, label: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """Return a field of a table's schema."""
    return {"name": name, "label": label, "kind": kind, **more}


def numbered(rows: Sequence[Row]) -> list[Row]:
    """Return rows with ids from 1 on."""
    return [{"id": number, **row} for number, row in enumerate(rows, 1)]


def people(rng: np.random.Generator, count: int) -> list[str]:
    """Return that many different names."""
    numbers = sample(rng, range(len(FIRST) * len(LAST)), count)
    return [f"{FIRST[number // len(LAST)]} {LAST[number % len(LAST)]}" for number in numbers]


def day(rng: np.random.Generator, low: str = "2026-01-01", days: int = 330) -> str:
    """Return a date within so many days from another one."""
    begin = datetime.date.fromisoformat(low)
    return (begin + datetime.timedelta(days=integer(rng, 0, days))).isoformat()


def spoken(date: str) -> str:
    """Return a date as people write it: 9 March 2026."""
    moment = datetime.date.fromisoformat(date)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def address(rng: np.random.Generator) -> str:
    """Return an address."""
    street, town = sample(rng, STREETS, 1)[0], sample(rng, TOWNS, 1)[0]
    return f"{integer(rng, 1, 99)} {street}, {town}"


def phrase(rng: np.random.Generator, words: int) -> str:
    """Return different random words."""
    return " ".join(sample(rng, WORDS, words))


def title_phrase(rng: np.random.Generator, words: int) -> str:
    """Return different random words, the first with a capital."""
    return phrase(rng, words).capitalize()


def listed(items: Sequence[str]) -> str:
    """Return items as a sentence lists them."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
