"""Answers that just miss, made from the text of a right one.

Each is (the change, True if the result is certainly another answer, the text). Lenient verifiers have accepted all of
them: another sign, point, unit, list item or JSON key, a number that is some percent off.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from rlvr.core.task import Task

Near: TypeAlias = tuple[str, bool, str]
_INTEGER = re.compile(r"-?\d{1,60}")
_DECIMAL = re.compile(r"-?\d{1,30}\.\d{1,30}")
_WITH_UNIT = re.compile(r"(-?\d[\d.,]*\s*)([a-zA-ZµΩ°%€$£]{1,12})")
_ITEMS = re.compile(r",\s*")
# If the prompt allows it, a number that is nearly right may be right.
_ROUGHLY = re.compile(
    r"approximat|about|nearest|nearly|round|within|toleran|estimat|roughly|decimal place"
    r"|significant|percent|%|±|error",
    re.IGNORECASE,
)
_FLOATS_TO = 10**9  # below it math.isclose tells neighbours apart by default


def near_texts(gold: str, task: Task, rng: random.Random) -> Iterator[Near]:
    """Yield changed texts of a right answer. If it isn't the reference, others may be right as well."""
    yield "with text before it", True, f"not {gold}"
    yield "with text after it", True, f"{gold} or 7919"
    sole = _is_reference(gold, task.reference)
    for name, certain, text in _near(gold, task.text, rng):
        yield name, certain and sole, text


def _is_reference(gold: str, reference: Any) -> bool:
    if isinstance(reference, list):
        return _ITEMS.split(gold.strip()) == [str(item) for item in reference]
    return gold.strip() == str(reference).strip()


def _near(gold: str, prompt: str, rng: random.Random) -> Iterator[Near]:
    yield "twice", True, f"{gold} {gold}"
    if len(gold) > 1:
        yield "without its end", True, gold[: max(1, len(gold) // 2)]
        yield "without its beginning", True, gold[(len(gold) + 1) // 2 :]
        if gold[::-1] != gold:
            yield "backwards", True, gold[::-1]
    digits = [i for i, char in enumerate(gold) if char in "0123456789"]
    if digits:
        i = digits[0]
        replacement = str((int(gold[i]) + rng.randint(1, 8)) % 10)
        yield "with another digit", True, f"{gold[:i]}{replacement}{gold[i + 1 :]}"
    letters = [i for i, char in enumerate(gold) if char.isalpha()]
    if letters:
        i = rng.choice(letters)
        replacement = "q" if gold[i] not in "qQ" else "x"
        yield "with another letter", True, f"{gold[:i]}{replacement}{gold[i + 1 :]}"
    yield from _near_numbers(gold.strip(), not _ROUGHLY.search(prompt))
    yield from _near_lists(gold)


def _near_numbers(gold: str, exact: bool) -> Iterator[Near]:
    if _INTEGER.fullmatch(gold):
        value = int(gold)
        if value:
            yield "with the other sign", True, str(-value)
        yield "one more", exact and abs(value) < _FLOATS_TO, str(value + 1)
        yield "and a half", exact and abs(value) < _FLOATS_TO, f"{gold}.5"
        for percent in (0.5, 5):
            changed = value + int(value * percent / 100)
            if changed not in (value, value + 1):
                yield f"{percent:g} % more", exact, str(changed)
    elif _DECIMAL.fullmatch(gold):
        if float(gold):
            yield "with the other sign", True, gold[1:] if gold[0] == "-" else f"-{gold}"
            yield "5 % more", exact, f"{float(gold) * 1.05:.10g}"
            yield "0.5 % more", False, f"{float(gold) * 1.005:.10g}"
        if gold.lstrip("-0.").strip("0"):
            yield "without its point", True, gold.replace(".", "")
        yield "with a letter for its point", True, gold.replace(".", "x")
    elif match := _WITH_UNIT.fullmatch(gold):
        unit = "kg" if match[2] != "kg" else "cm"
        yield "with another unit", True, f"{match[1]}{unit}"
        yield "without its unit", False, match[1].strip()


def _near_lists(gold: str) -> Iterator[Near]:
    items = _ITEMS.split(gold.strip())
    if len(items) < 2 or not all(items) or re.fullmatch(r"-?\d{1,3}(,\d{3})+", gold.strip()):
        return
    yield "without its last item", True, ", ".join(items[:-1])
    yield "without its first item", True, ", ".join(items[1:])
    yield "with an item more", True, f"{gold}, 7919"


def near_json(answer: str, prompt: str) -> Iterator[Near]:
    """Yield JSON with other content than a right answer that is an object or array."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict) and value:
        key = next(reversed(value))
        shorter = {k: v for k, v in value.items() if k != key}
        yield "an empty object", True, "{}"
        yield "without a key", True, json.dumps(shorter) if shorter else "null"
        yield "with another value", True, json.dumps({**value, key: _other(value[key])})
    elif isinstance(value, list) and value:
        yield "an empty array", True, "[]"
        yield "with another item", True, json.dumps([*value[:-1], _other(value[-1])])
    exact = not _ROUGHLY.search(prompt)
    for percent in (0.5, 5):
        changed = _scaled(value, 1 + percent / 100)
        if changed != value:
            yield f"{percent:g} % more in its numbers", exact, json.dumps(changed)


def _other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 7919
    return f"{value}q" if isinstance(value, str) else "7919"


def _scaled(value: Any, factor: float) -> Any:
    """Return a JSON value with each number multiplied; integers stay integers, and small ones the same."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        scaled = int(value * factor) if abs(value) < 10**15 else value
        return scaled if scaled not in (value, value + 1) else value
    if isinstance(value, float):
        return value * factor
    if isinstance(value, list):
        return [_scaled(item, factor) for item in value]
    if isinstance(value, dict):
        return {key: _scaled(item, factor) for key, item in value.items()}
    return value
