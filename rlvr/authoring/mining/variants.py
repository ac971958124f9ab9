"""Variants of tests that expect other values, made by changing the literals of an assertion.

The literals' changes are symmetric: with a number, its neighbours in a range in which it has any place; with a text,
other letters at some places, in all combinations. So a test and its variants can't be told apart by comparing them.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_NAME = "@NAME@"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class FoundTest:
    """A test in a file's source.

    Attributes:
        name: `test_a`, or `Class::test_a`.
        lines: its first and last line, with decorators.
        node: its syntax tree.
    """

    name: str
    lines: tuple[int, int]
    node: Function


def found_tests(source: str) -> list[FoundTest]:
    """Return the tests of a file: functions at its top and methods of its classes. Raises `SyntaxError`."""
    found = []
    for node in ast.parse(source).body:
        inside = (
            node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        )
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for each in inside:
            if isinstance(each, Function) and each.name.startswith("test"):
                first = min([each.lineno, *(d.lineno for d in each.decorator_list)])
                found.append(FoundTest(prefix + each.name, (first, each.end_lineno or first), each))
    return found


def variants(source: str, test: FoundTest, most: int, rng: random.Random) -> list[list[str]]:
    """Return lists of variants of a test, each of one place: the test itself first, then others that expect other values.

    Args:
        source: the file's.
        test: one of `found_tests`.
        most: variants per list, the test itself included.
        rng: chooses what is changed.
    """
    lines = source.splitlines(keepends=True)
    first, last = test.lines
    found = []
    for place in _places(test.node):
        edits = [options for literal in place if (options := _options(literal, most, rng))]
        rng.shuffle(edits)
        edits.sort(key=lambda options: -len(options[1]))
        chosen: list[tuple[ast.Constant, list[str]]] = []
        count = 1
        for literal, texts in edits:
            if count < most:
                chosen.append((literal, texts))
                count *= len(texts)
        if count < 2:
            continue
        combinations = list(itertools.product(*(texts for _, texts in chosen)))
        original, *others = combinations
        rng.shuffle(others)
        written = [
            _named(
                _edited(lines, first, last, [literal for literal, _ in chosen], texts),
                test.node.name,
            )
            for texts in [original, *others[: most - 1]]
        ]
        if None not in written:
            found.append([text for text in written if text is not None])
    return found


def _places(node: Function) -> Iterator[list[ast.Constant]]:
    """Yield the literals of what each assertion compares with; those of a parametrized test are in its decorator."""
    for each in ast.walk(node):
        if isinstance(each, ast.Assert) and isinstance(each.test, ast.Compare):
            compared = each.test
            if len(compared.ops) == 1 and isinstance(compared.ops[0], ast.Eq):
                for side in (compared.comparators[0], compared.left):
                    if literals := list(_literals(side)):
                        yield literals
                        break
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize"):
            cases = decorator.args[1] if len(decorator.args) > 1 else None
            if isinstance(cases, ast.List | ast.Tuple):
                for case in cases.elts:
                    last = case.elts[-1] if isinstance(case, ast.Tuple) and case.elts else None
                    if last is not None and (literals := list(_literals(last))):
                        yield literals


def _literals(node: ast.expr) -> Iterator[ast.Constant]:
    """Yield the literals of a value: a constant, or those in a display."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool | int | str) and node.lineno == node.end_lineno:
            yield node
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            yield from _literals(item)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _literals(value)
    elif isinstance(node, ast.Call) and not node.keywords:
        for argument in node.args:
            yield from _literals(argument)


def _options(
    literal: ast.Constant, most: int, rng: random.Random
) -> tuple[ast.Constant, list[str]] | None:
    """Return a literal's texts, its own first; None if it can't be changed."""
    value = literal.value
    if isinstance(value, bool):
        return literal, [repr(value), repr(not value)]
    if isinstance(value, int):
        low = 0 if 0 <= value < most else value - rng.randrange(most)
        return literal, [repr(value), *(repr(n) for n in range(low, low + most) if n != value)]
    if isinstance(value, str):
        places = [i for i, c in enumerate(value) if c.lower() in _LETTERS or c.isdecimal()]
        bits = max(1, (most - 1).bit_length())
        places = sorted(rng.sample(places, min(bits, len(places))))
        if not places:
            return None
        others = {place: _other(value[place], rng) for place in places}
        texts = []
        for swapped in itertools.product((False, True), repeat=len(places)):
            letters = list(value)
            for place, swap in zip(places, swapped, strict=True):
                letters[place] = others[place] if swap else letters[place]
            texts.append(repr("".join(letters)))
        return literal, texts
    return None


def _other(letter: str, rng: random.Random) -> str:
    if letter.isdecimal():
        return rng.choice([c for c in "0123456789" if c != letter])
    other = rng.choice([c for c in _LETTERS if c != letter.lower()])
    return other.upper() if letter.isupper() else other


def _edited(
    lines: Sequence[str],
    first: int,
    last: int,
    literals: Sequence[ast.Constant],
    texts: Sequence[str],
) -> str:
    """Return the lines of a test with other texts in the place of some literals."""
    changed = list(lines)
    order = sorted(zip(literals, texts, strict=True), key=lambda pair: -pair[0].col_offset)
    for literal, text in order:
        line = changed[literal.lineno - 1].encode()  # columns count bytes
        assert literal.end_col_offset is not None
        changed[literal.lineno - 1] = (
            line[: literal.col_offset] + text.encode() + line[literal.end_col_offset :]
        ).decode()
    return "".join(changed[first - 1 : last])


def _named(text: str, name: str) -> str | None:
    """Return a test's source with a mark in place of its name; None if that isn't there once."""
    mark = f"def {name}("
    return text.replace(mark, f"def {_NAME}(") if text.count(mark) == 1 else None
