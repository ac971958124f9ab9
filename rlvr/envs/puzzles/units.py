r"""Conversions between units, real and invented::

    1 mile = 1760 yards, … Convert 63 miles per hour to metres per second.    →    28.16352

Values are exact fractions; every definition that isn't a metric prefix is in the prompt, so that no
gallon is another country's. An answer counts that's exact or rounded to four decimals.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, pick, puzzle, sample
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

_DECIMALS = 4
# Half a unit of the last decimal; a little more, so that a tie may be rounded either way.
_TOLERANCE = 0.000051

# Plural of a unit, and how many of which other unit it is.
_METRIC = {
    "length": {"kilometres": "1000", "metres": "1", "centimetres": "0.01", "millimetres": "0.001",
               "micrometres": "0.000001"},
    "mass": {"tonnes": "1000000", "kilograms": "1000", "grams": "1", "milligrams": "0.001"},
    "volume": {"hectolitres": "100", "litres": "1", "centilitres": "0.01", "millilitres": "0.001"},
    "energy": {"megajoules": "1000000", "kilojoules": "1000", "joules": "1"},
    "power": {"megawatts": "1000000", "kilowatts": "1000", "watts": "1", "milliwatts": "0.001"},
}  # fmt: skip
_DEFINED = {
    "length": {"miles": ("1760", "yards"), "furlongs": ("220", "yards"), "chains": ("22", "yards"),
               "yards": ("3", "feet"), "feet": ("12", "inches"), "inches": ("2.54", "centimetres"),
               "metres": ("100", "centimetres"), "kilometres": ("1000", "metres")},
    "mass": {"stones": ("14", "pounds"), "pounds": ("16", "ounces"), "kilograms": ("1000", "grams"),
             "ounces": ("28.349523125", "grams"), "drams": ("1.7718451953125", "grams")},
    "volume": {"gallons": ("4", "quarts"), "quarts": ("2", "pints"), "pints": ("2", "cups"),
               "cups": ("236.5882365", "millilitres"), "litres": ("1000", "millilitres")},
    "time": {"weeks": ("7", "days"), "days": ("24", "hours"), "hours": ("60", "minutes"),
             "minutes": ("60", "seconds")},
}  # fmt: skip
_IMPERIAL = {
    "length": ("miles", "furlongs", "chains", "yards", "feet", "inches"),
    "mass": ("stones", "pounds", "ounces"),
    "volume": ("gallons", "quarts", "pints", "cups"),
    "time": ("weeks", "days", "hours", "minutes", "seconds"),
}
_SI = {
    "length": ("kilometres", "metres", "centimetres"),
    "mass": ("kilograms", "grams"),
    "volume": ("litres", "millilitres"),
    "time": ("seconds", "minutes", "hours"),
}
_INVENTED = [
    "florps",
    "zibs",
    "mogs",
    "trells",
    "quads",
    "plinks",
    "vorns",
    "snabs",
    "drimms",
    "kells",
    "wuffs",
    "yands",
    "brots",
    "glims",
    "harns",
    "jeps",
    "lunks",
    "nerts",
    "pobs",
    "rusks",
]


@dataclass(frozen=True)
class UnitsLevel:
    """Makes one problem of a kind from `rng`."""

    kind: Callable[[np.random.Generator], Task]


def _metric(rng: np.random.Generator) -> Task:
    units = _METRIC[pick(rng, tuple(_METRIC))]
    a, b = sample(rng, tuple(units), 2)
    return _task(rng, [], a, b, Fraction(units[a]) / Fraction(units[b]))


def _imperial(rng: np.random.Generator) -> Task:
    kind = pick(rng, tuple(_IMPERIAL))
    a, b = sample(rng, _IMPERIAL[kind], 2)
    return _converted(rng, kind, a, b)


def _across(rng: np.random.Generator) -> Task:
    kind = pick(rng, ("length", "mass", "volume"))
    pair = [pick(rng, _IMPERIAL[kind]), pick(rng, _SI[kind])]
    a, b = sample(rng, pair, 2)
    return _converted(rng, kind, a, b)


def _compound(rng: np.random.Generator) -> Task:
    """Draw a conversion of an area, a volume or a rate."""
    power = pick(rng, (1, 1, 2, 3))
    kind = pick(rng, ("length", "mass", "volume")) if power == 1 else "length"
    pair = [pick(rng, _IMPERIAL[kind][-4:]), pick(rng, _SI[kind])]
    a, b = sample(rng, pair, 2)
    if power > 1:
        shape = "square" if power == 2 else "cubic"
        factor = (_to_base(kind, a) / _to_base(kind, b)) ** power
        return _task(rng, _facts(kind, a, b), f"{shape} {a}", f"{shape} {b}", factor)
    c, d = sample(rng, _IMPERIAL["time"], 2)
    factor = _to_base(kind, a) / _to_base(kind, b) * _to_base("time", d) / _to_base("time", c)
    facts = _facts(kind, a, b) + _facts("time", c, d)
    return _task(rng, facts, f"{a} per {_one(c)}", f"{b} per {_one(d)}", factor)


def _invented(rng: np.random.Generator) -> Task:
    """Draw two chains of invented units, and a rate between them."""
    names = sample(rng, _INVENTED, 9)
    facts, ends, factor = [], [], Fraction(1)
    for chain, sign in ((names[:5], 1), (names[5:], -1)):
        for a, b in itertools.pairwise(chain):
            m, n = integer(rng, 2, 9), integer(rng, 2, 15)
            facts.append(f"{m} {a} are {n} {b}" if rng.integers(2) else f"{n} {b} are {m} {a}")
            factor *= Fraction(n, m) ** sign
        ends.append((chain[0], chain[-1]))
    (a, b), (c, d) = ends
    shuffled = sample(rng, facts, len(facts))
    return _task(rng, shuffled, f"{a} per {_one(c)}", f"{b} per {_one(d)}", factor)


def _converted(rng: np.random.Generator, kind: str, a: str, b: str) -> Task:
    return _task(rng, _facts(kind, a, b), a, b, _to_base(kind, a) / _to_base(kind, b))


def _to_base(kind: str, unit: str) -> Fraction:
    factor = Fraction(1)
    while unit in _DEFINED[kind]:
        count, unit = _DEFINED[kind][unit]
        factor *= Fraction(count)
    return factor


def _facts(kind: str, *units: str) -> list[str]:
    """Return the definitions that lead from the units to their common unit."""
    facts = []
    for unit in units:
        while unit in _DEFINED[kind]:
            count, other = _DEFINED[kind][unit]
            fact = f"1 {_one(unit)} = {count} {other}"
            if fact not in facts:
                facts.append(fact)
            unit = other
    return facts


def _one(units: str) -> str:
    irregular = {"feet": "foot", "inches": "inch"}
    return irregular.get(units, units.removesuffix("s"))


def _task(rng: np.random.Generator, facts: list[str], a: str, b: str, factor: Fraction) -> Task:
    """Make a task with a value whose conversion is neither tiny nor huge."""
    value = Fraction(integer(rng, 101, 99_999), 10 ** integer(rng, 0, 3))
    while value * factor < 1:  # four decimals would leave too little of it
        value *= 10
    hint = f"Use {'; '.join(facts)}.\n\n" if facts else ""
    prompt = (
        f"{hint}Convert {_decimal(value)} {a} to {b}. Put the number in \\boxed{{}}, exactly or "
        f"rounded to {_DECIMALS} decimals."
    )
    return Task(prompt, _decimal(value * factor), None, {"value": _decimal(value)})


def _decimal(value: Fraction) -> str:
    """Write a fraction as a decimal if that ends within 12 places, otherwise as a fraction."""
    scaled = value * 10**12
    if scaled.denominator != 1:
        return str(value)
    whole, rest = divmod(scaled.numerator, 10**12)
    return f"{whole}.{rest:012}".rstrip("0").rstrip(".")


LEVELS = {
    1: UnitsLevel(_metric),
    2: UnitsLevel(_imperial),
    3: UnitsLevel(_across),
    4: UnitsLevel(_compound),
    5: UnitsLevel(_invented),
}


def problem(rng: np.random.Generator, level: UnitsLevel) -> Task:
    """Draw one conversion of that level."""
    return level.kind(rng)


def naive(task: Task) -> str:
    """Move the value's point three places, as in the commonest metric conversion."""
    return f"\\boxed{{{_decimal(Fraction(task.metadata['value']) * 1000)}}}"


@environment("units")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make conversions between units, real and invented.

    Args:
        split: train, dev or test.
        level: 1 metric; 2 within imperial units and time; 3 across; 4 areas, volumes and rates; 5
            rates of invented units.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    judge = Math(mode, tolerance=_TOLERANCE)
    return puzzle("units", problem, judge, LEVELS, level, split, size, seed)
