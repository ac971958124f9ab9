"""Texts on which a regular expression would take quadratic time, made of the expression's own parts.

For each repeat in a pattern, a text has the part before it, then the repeated part thousands of times, then an end
that doesn't match. A pattern that backtracks, or that starts again within a run, takes seconds on one of them.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
import re._constants as ops  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = ("rlvr.verifiers", "rlvr.envs")
LENGTH = 8_000
_FAST_S = 0.02  # processor time for a text of `LENGTH`; every pattern of linear time takes less
_GROWTH = 3.0  # ratio of the times for a text of twice the length: 2 is linear, 4 quadratic

_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ENDS = ("\0", "1 ", "\n")
_CLASSES = {
    "CATEGORY_DIGIT": "1",
    "CATEGORY_SPACE": " \n",
    "CATEGORY_WORD": "a1_",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": " .",
    "CATEGORY_NOT_DIGIT": "a",
}


def modules() -> Iterator[ModuleType]:
    """Yield the modules that read responses."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def patterns() -> dict[str, re.Pattern[str]]:
    """Return the patterns of all modules by their variables' names, also those in collections."""
    by_name: dict[str, re.Pattern[str]] = {}
    for module in modules():
        todo: list[tuple[str, Any]] = list(vars(module).items())
        while todo:
            name, value = todo.pop()
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                if value not in by_name.values():
                    by_name[f"{module.__name__}.{name}"] = value
            elif isinstance(value, dict):
                todo += [(f"{name}[{key!r:.20}]", part) for key, part in list(value.items())[:300]]
            elif isinstance(value, tuple | list):
                todo += [(f"{name}[{place}]", part) for place, part in enumerate(value[:100])]
    return by_name


def quadratic(name: str, pattern: re.Pattern[str], seed: int = 0) -> str | None:
    """Return the beginning of a text made for the pattern on which its time grows with the square of the length.

    A pattern that its module only matches at a text's start is tried there; another is searched for.
    """
    rng = random.Random(seed)
    anchored = _is_anchored(name)

    def spent(times: int) -> float:
        text = head + unit * (times * LENGTH // len(unit)) + end
        start = time.thread_time()
        if anchored:
            pattern.match(text)
            pattern.fullmatch(text)
        else:
            for _ in pattern.finditer(text):
                pass
        return time.thread_time() - start

    for head, unit in _pumps(parser.parse(pattern.pattern, pattern.flags), rng):
        for end in _ENDS:  # noqa: B007
            if spent(1) > _FAST_S:
                short = min(spent(1) for _ in range(3))
                if min(spent(2) for _ in range(2)) > _GROWTH * short:
                    return head + unit[:80]
    return None


@cache
def _source(module: str) -> str:
    return Path(importlib.import_module(module).__file__ or "").read_text(encoding="utf-8")


def _is_anchored(name: str) -> bool:
    module, _, variable = name.rpartition(".")
    while module and not variable.isidentifier():  # one of a collection
        return True
    used = set(re.findall(rf"\b{variable}\.(\w+)\(", _source(module)))
    return bool(used) and used <= {"match", "fullmatch"}


def _pumps(tree: Any, rng: random.Random) -> list[tuple[str, str]]:
    """Return (head, unit) pairs: a repeat's content after the part that precedes it, and together with that part."""
    pumps: dict[tuple[str, str], None] = {}

    def walk(nodes: Any, before: str) -> None:
        items = list(nodes)
        for place, (op, args) in enumerate(items):
            head = before + _sample(items[:place], rng)
            if op in _REPEATS:
                _, most, inside = args
                if most is ops.MAXREPEAT or most > 8:
                    for _ in range(2):
                        unit = _sample(inside, rng)
                        if unit:
                            pumps[head, unit] = pumps["", head + unit * 3] = None
                            pumps["", head + unit + _sample(items[place + 1 :], rng)[:6]] = None
                walk(inside, head)
            elif op is ops.SUBPATTERN:
                walk(args[3], head)
            elif op is ops.BRANCH:
                for branch in args[1]:
                    walk(branch, head)
            elif op is ops.ATOMIC_GROUP:
                walk(args, head)
            elif op in (ops.ASSERT, ops.ASSERT_NOT):
                walk(args[1], head)

    walk(tree, "")
    for _ in range(3):
        sample = _sample(tree, rng)
        if len(sample) > 1:
            pumps["", sample] = pumps["", sample[:-1]] = None
    return list(pumps)


def _sample(nodes: Any, rng: random.Random) -> str:
    """Return a text that the nodes match, as far as lookarounds allow."""
    parts: list[str] = []
    for op, args in nodes:
        if op is ops.LITERAL:
            parts.append(chr(args))
        elif op is ops.NOT_LITERAL:
            parts.append("x" if args != ord("x") else "y")
        elif op is ops.ANY:
            parts.append(rng.choice("a 1"))
        elif op is ops.IN:
            parts.append(_of_class(args, rng))
        elif op in _REPEATS:
            least, most, inside = args
            count = min(40, rng.choice((least, min(least + 1, int(most)))))
            parts += [_sample(inside, rng) for _ in range(count)]
        elif op is ops.SUBPATTERN:
            parts.append(_sample(args[3], rng))
        elif op is ops.ATOMIC_GROUP:
            parts.append(_sample(args, rng))
        elif op is ops.BRANCH:
            parts.append(_sample(rng.choice(args[1]), rng))
        elif op is ops.ASSERT and args[0] > 0 and rng.random() < 0.5:
            parts.append(_sample(args[1], rng))
    return "".join(parts)


def _of_class(items: Any, rng: random.Random) -> str:
    signs: list[str] = []
    for op, args in items:
        if op is ops.LITERAL:
            signs.append(chr(args))
        elif op is ops.RANGE:
            signs += [chr(args[0]), chr(args[1])]
        elif op is ops.CATEGORY:
            signs += _CLASSES.get(str(args), "a")
    if items and items[0][0] is ops.NEGATE:
        signs = [sign for sign in "ax1 .(\n*\\" if sign not in signs]
    return rng.choice(signs or ["q"])
