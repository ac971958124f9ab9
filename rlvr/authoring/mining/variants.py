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
_LISTS = 2
_OPPOSITES: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: (" < ", " >= "),
    ast.GtE: (" >= ", " < "),
    ast.Gt: (" > ", " <= "),
    ast.LtE: (" <= ", " > "),
}


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
    tests = []
    for node in ast.parse(source).body:
        inside = (
            node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        )
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for function in inside:
            if isinstance(function, Function) and function.name.startswith("test"):
                first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
                tests.append(
                    FoundTest(
                        prefix + function.name, (first, function.end_lineno or first), function
                    )
                )
    return tests


def variants(source: str, test: FoundTest, most: int, rng: random.Random) -> list[list[str]]:
    """Return lists of variants of a test: in each the test itself first, then others that expect something else.

    A list changes some places, in all combinations, so that none of its texts is nearer to the others than the rest.

    Args:
        source: the file's.
        test: one of `found_tests`.
        most: variants per list, the test itself included.
        rng: chooses what is changed.
    """
    lines = source.splitlines(keepends=True)
    slots = [slot for slot in _slots(test.node, most, rng) if slot is not None]
    lists = []
    for _ in range(_LISTS):
        rng.shuffle(slots)
        slots.sort(key=lambda slot: slot.flips)  # literals first: an operator tells more
        chosen: list[_Slot] = []
        count = 1
        for slot in slots:
            if count < most:
                chosen.append(slot)
                count *= len(slot.texts)
        if count < 2:
            break
        original, *alternatives = itertools.product(*(slot.texts for slot in chosen))
        rng.shuffle(alternatives)
        written = [
            _named(_edited(lines, test.lines, chosen, texts), test.node.name)
            for texts in [original, *alternatives[: most - 1]]
        ]
        if None not in written:
            lists.append([text for text in written if text is not None])
    return lists


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place of a line and the texts that it may have, its own first; columns count bytes."""

    line: int
    start: int
    end: int
    texts: tuple[str, ...]
    flips: bool = False


def _slots(node: Function, most: int, rng: random.Random) -> Iterator[_Slot | None]:
    """Yield the places of a test's assertions that may be changed; those of a parametrized one are in its decorator."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assert) and part.test.lineno == part.test.end_lineno:
            compared = part.test
            if isinstance(compared, ast.Compare) and len(compared.ops) == 1:
                yield from _of_comparison(compared, most, rng)
            elif isinstance(compared, ast.UnaryOp) and isinstance(compared.op, ast.Not):
                end = compared.operand.col_offset
                yield _Slot(compared.lineno, compared.col_offset, end, ("not ", ""), flips=True)
            elif isinstance(compared, ast.Call | ast.Name | ast.Attribute | ast.Subscript):
                yield _Slot(
                    compared.lineno,
                    compared.col_offset,
                    compared.col_offset,
                    ("", "not "),
                    flips=True,
                )
        elif (
            isinstance(part, ast.Assert)
            and isinstance(part.test, ast.Compare)
            and len(part.test.ops) == 1
        ):
            yield from _of_comparison(part.test, most, rng)
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize"):
            cases = decorator.args[1] if len(decorator.args) > 1 else None
            if isinstance(cases, ast.List | ast.Tuple):
                for case in cases.elts:
                    last = case.elts[-1] if isinstance(case, ast.Tuple) and case.elts else None
                    if last is not None:
                        yield from (_options(literal, most, rng) for literal in _literals(last))


def _of_comparison(compared: ast.Compare, most: int, rng: random.Random) -> Iterator[_Slot | None]:
    op, left, right = compared.ops[0], compared.left, compared.comparators[0]
    if isinstance(op, ast.Eq | ast.Is):
        for side in (right, left):
            if literals := list(_literals(side)):
                yield from (_options(literal, most, rng) for literal in literals)
                return
    elif type(op) in _OPPOSITES and left.end_lineno == right.lineno:
        texts = _OPPOSITES[type(op)]
        assert left.end_col_offset is not None
        yield _Slot(right.lineno, left.end_col_offset, right.col_offset, texts, flips=True)


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


def _options(literal: ast.Constant, most: int, rng: random.Random) -> _Slot | None:
    """Return the texts that a literal may have, its own first; None if it can't be changed."""
    value = literal.value
    if isinstance(value, bool):
        texts = [repr(value), repr(not value)]
    elif isinstance(value, int):
        low = 0 if 0 <= value < most else value - rng.randrange(most)
        texts = [repr(value), *(repr(n) for n in range(low, low + most) if n != value)]
    elif isinstance(value, str):
        places = [i for i, c in enumerate(value) if c.lower() in _LETTERS or c.isdecimal()]
        bits = max(1, (most - 1).bit_length())
        places = sorted(rng.sample(places, min(bits, len(places))))
        if not places:
            return None
        replacements = {place: _other(value[place], rng) for place in places}
        texts = []
        for swapped in itertools.product((False, True), repeat=len(places)):
            letters = list(value)
            for place, swap in zip(places, swapped, strict=True):
                letters[place] = replacements[place] if swap else letters[place]
            texts.append(repr("".join(letters)))
    else:
        return None
    assert literal.end_col_offset is not None
    return _Slot(literal.lineno, literal.col_offset, literal.end_col_offset, tuple(texts))


def _other(letter: str, rng: random.Random) -> str:
    if letter.isdecimal():
        return rng.choice([c for c in "0123456789" if c != letter])
    other = rng.choice([c for c in _LETTERS if c != letter.lower()])
    return other.upper() if letter.isupper() else other


def _edited(
    lines: Sequence[str], span: tuple[int, int], slots: Sequence[_Slot], texts: Sequence[str]
) -> str:
    """Return the lines of a test with other texts in some places."""
    changed = list(lines)
    for slot, text in sorted(zip(slots, texts, strict=True), key=lambda pair: -pair[0].start):
        line = changed[slot.line - 1].encode()
        changed[slot.line - 1] = (line[: slot.start] + text.encode() + line[slot.end :]).decode()
    return "".join(changed[span[0] - 1 : span[1]])


def _named(text: str, name: str) -> str | None:
    """Return a test's source with a mark in place of its name; None if that isn't there once."""
    mark = f"def {name}("
    return text.replace(mark, f"def {_NAME}(") if text.count(mark) == 1 else None
