"""Regular expressions in time that is linear in the text: a model writes them, and Python's can take forever.

Python's own reader takes a pattern apart; what runs it is a machine that follows all alternatives at once (Pike's, as in RE2),
with Python's preferences among matches. Backreferences and lookaround are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

_LONGEST = 1_000  # characters of a pattern
_MOST_STEPS = 2_000  # of a program
STEPS = 3_000_000
"""Steps of all programs in one statement, which take some 2 s."""
_SHORT = 200  # characters of a text that Python's own engine may read, by a pattern with one choice at most
_VERY_SHORT = 40  # the same by a pattern with few choices, none within a repeat
_FEW = 3
_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "word": r"\w", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_CLASS = re.compile(r"\[:(\w+):\]")
_ESCAPE = re.compile(r"\\([mMyAZ])")


class TooCostly(Exception):
    """A pattern takes too many steps."""


class BadPattern(Exception):
    """A pattern can't be read, or needs what this machine lacks."""


class _Step(NamedTuple):
    """One instruction: `char` with a test, `split` and `jump` with targets, `save` with a slot, `at` with a test, `match`."""

    name: str
    test: Callable[..., bool] | None = None
    first: int = 0
    second: int = 0


class LinearPattern:
    """A compiled pattern.

    Attributes:
        groups: how many there are.
    """

    def __init__(self, pattern: str, flags: int) -> None:
        from re import _constants, _parser  # type: ignore[attr-defined]

        if len(pattern) > _LONGEST:
            raise BadPattern(f"a pattern of more than {_LONGEST} characters")
        pattern = _CLASS.sub(lambda name: _POSIX.get(name[1], name[0]), pattern)
        pattern = _ESCAPE.sub(lambda mark: {"A": r"\A", "Z": r"\Z"}.get(mark[1], r"\b"), pattern)
        try:
            tree = _parser.parse(pattern, flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise BadPattern(f"a pattern that can't be read: {error}") from None
        self.groups = tree.state.groups - 1
        self.flags = tree.state.flags
        self._names = _constants
        self._steps: list[_Step] = []
        self._choices = 0  # repeats and alternatives
        self._depth = 0  # repeats around the place that is compiled
        self._nested = False  # whether a choice is within a repeat, which can take exponential time
        self._emit_all(tree)
        self._add(_Step("match"))
        quick = self._choices <= _FEW and not self._nested
        self.quick = re.compile(pattern, flags) if quick else None
        self._longest_quick = _SHORT if self._choices <= 1 else _VERY_SHORT

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= _MOST_STEPS:
            raise BadPattern("a pattern that is too long once its repeats are written out")
        self._steps.append(step)
        return len(self._steps) - 1

    def _emit_all(self, tree: Any) -> None:
        for name, argument in tree:
            self._emit(name, argument)

    def _emit(self, name: Any, argument: Any) -> None:
        names = self._names
        if name in (names.LITERAL, names.NOT_LITERAL, names.ANY, names.IN):
            self._add(_Step("char", self._char_test(name, argument)))
        elif name is names.AT:
            self._add(_Step("at", self._position_test(argument)))
        elif name is names.SUBPATTERN:
            group, added, removed, inner = argument
            if added or removed:
                raise BadPattern("a pattern with flags inside")
            if group is not None:
                self._add(_Step("save", None, 2 * group))
            self._emit_all(inner)
            if group is not None:
                self._add(_Step("save", None, 2 * group + 1))
        elif name is names.BRANCH:
            self._branch(argument[1])
        elif name in (names.MAX_REPEAT, names.MIN_REPEAT):
            least, most, inner = argument
            self._repeat(least, most, inner, name is names.MAX_REPEAT)
        else:
            raise BadPattern(f"a pattern with {str(name).lower()}")

    def _branch(self, alternatives: list[Any]) -> None:
        self._count_choice()
        ends = []
        for inner in alternatives[:-1]:
            split = self._add(_Step("split"))
            self._emit_all(inner)
            ends.append(self._add(_Step("jump")))
            self._steps[split] = _Step("split", None, split + 1, len(self._steps))
        self._emit_all(alternatives[-1])
        for end in ends:
            self._steps[end] = _Step("jump", None, len(self._steps))

    def _repeat(self, least: int, most: Any, inner: Any, greedy: bool) -> None:
        self._count_choice()
        self._depth += 1
        self._write_repeat(least, most, inner, greedy)
        self._depth -= 1

    def _count_choice(self) -> None:
        self._choices += 1
        self._nested = self._nested or self._depth > 0

    def _write_repeat(self, least: int, most: Any, inner: Any, greedy: bool) -> None:
        for _ in range(least):
            self._emit_all(inner)
            if not len(inner):
                break
        if most is self._names.MAXREPEAT:
            split = self._add(_Step("split"))
            self._emit_all(inner)
            self._add(_Step("jump", None, split))
            self._steps[split] = self._split(split + 1, len(self._steps), greedy)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self._add(_Step("split")))
            self._emit_all(inner)
        for split in splits:
            self._steps[split] = self._split(split + 1, len(self._steps), greedy)

    def _split(self, inside: int, behind: int, greedy: bool) -> _Step:
        return _Step("split", None, *((inside, behind) if greedy else (behind, inside)))

    def _char_test(self, name: Any, argument: Any) -> Callable[[str], bool]:
        """Return a test of one character, made of Python's own, so that flags and classes mean the same."""
        names = self._names
        fold = bool(self.flags & re.IGNORECASE)
        if name is names.ANY:
            return lambda char: char != "\n"
        if name in (names.LITERAL, names.NOT_LITERAL):
            wanted = chr(argument)
            same = {wanted.lower(), wanted.upper()} if fold else {wanted}
            negated = name is names.NOT_LITERAL
            return lambda char: (char in same) is not negated
        tests = [
            self._member_test(kind, value) for kind, value in argument if kind is not names.NEGATE
        ]
        negated = any(kind is names.NEGATE for kind, _ in argument)

        def test(char: str) -> bool:
            variants = {char, char.lower(), char.upper()} if fold else {char}
            return any(predicate(c) for predicate in tests for c in variants) is not negated

        return lru_cache(maxsize=512)(test)

    def _member_test(self, kind: Any, value: Any) -> Callable[[str], bool]:
        names = self._names
        if kind is names.LITERAL:
            return lambda char: char == chr(value)
        if kind is names.RANGE:
            low, high = value
            return lambda char: len(char) == 1 and low <= ord(char) <= high
        if kind is names.CATEGORY:
            name = str(value).rsplit("_", 1)[1].lower()
            negated = "_NOT_" in str(value)
            tests: dict[str, Callable[[str], bool]] = {
                "digit": str.isdigit, "space": str.isspace, "word": lambda char: char.isalnum() or char == "_",
            }  # fmt: skip
            return lambda char: tests[name](char) is not negated
        raise BadPattern(f"a pattern with {str(kind).lower()}")

    def _position_test(self, where: Any) -> Callable[[str, int], bool]:
        names = self._names
        lines = bool(self.flags & re.MULTILINE)
        if where in (names.AT_BEGINNING, names.AT_BEGINNING_STRING):
            by_line = lines and where is names.AT_BEGINNING
            return lambda text, at: at == 0 or (by_line and text[at - 1] == "\n")
        if where in (names.AT_END, names.AT_END_STRING):
            by_line = lines and where is names.AT_END
            before_last = (
                where is names.AT_END
            )  # "$" also matches before a newline that ends the text
            return lambda text, at: (
                at == len(text)
                or (text[at] == "\n" and (by_line or (before_last and at == len(text) - 1)))
            )

        def is_word(text: str, at: int) -> bool:
            return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")

        edge = where is names.AT_BOUNDARY
        return lambda text, at: (is_word(text, at - 1) is not is_word(text, at)) is edge

    def search(self, text: str, start: int, spend: Callable[[int], None]) -> list[int] | None:
        """Return where the leftmost match and its groups begin and end, -1 for those that took no part.

        Args:
            spend: is told the steps that were taken; raises `TooCostly` if they are too many.
        """
        if self.quick is not None and len(text) <= self._longest_quick:
            spend(1)
            match = self.quick.search(text, start)
            return (
                None
                if match is None
                else [at for n in range(self.groups + 1) for at in match.span(n)]
            )
        slots = (-1,) * (2 * self.groups + 2)
        current: dict[
            int, tuple[int, ...]
        ] = {}  # the next step of each thread, the preferred one first
        seen: set[int] = set()
        best: tuple[int, ...] | None = None
        for at in range(start, len(text) + 1):
            if best is None:
                self._follow(0, (at, *slots[1:]), text, at, current, seen)
            elif not current:
                break
            spend(len(seen) + len(current) + 1)
            following: dict[int, tuple[int, ...]] = {}
            seen = set()
            char = text[at : at + 1]
            for number, saved in current.items():
                step = self._steps[number]
                if step.name == "match":
                    best = (saved[0], at, *saved[2:])
                    break
                if char and step.test is not None and step.test(char):
                    self._follow(number + 1, saved, text, at + 1, following, seen)
            current = following
        return None if best is None else list(best)

    def _follow(
        self,
        number: int,
        saved: tuple[int, ...],
        text: str,
        at: int,
        threads: dict[int, tuple[int, ...]],
        seen: set[int],
    ) -> None:
        """Add the threads that are reached from a step without reading a character, the preferred one first."""
        stack = [(number, saved)]
        while stack:
            number, saved = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            step = self._steps[number]
            if step.name in ("char", "match"):
                threads[number] = saved
            elif step.name == "jump":
                stack.append((step.first, saved))
            elif step.name == "split":
                stack.append((step.second, saved))
                stack.append((step.first, saved))
            elif step.name == "save":
                stack.append((number + 1, (*saved[: step.first], at, *saved[step.first + 1 :])))
            elif step.test is not None and step.test(text, at):
                stack.append((number + 1, saved))


@lru_cache(maxsize=256)
def program(pattern: str, flags: int) -> LinearPattern:
    """Return a compiled pattern. Raises `BadPattern`."""
    return LinearPattern(pattern, flags)


def similar(pattern: str, escape: str = "\\") -> str:
    """Return SQL's SIMILAR TO pattern as a regular expression for the whole text."""
    parts, at, in_class = [], 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == escape and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        elif in_class:
            in_class = char != "]"
            parts.append(char)
        elif char == "[":
            in_class = True
            parts.append(char)
        else:
            parts.append(
                {"%": "(?:.|\n)*", "_": "(?:.|\n)", ".": r"\.", "^": r"\^", "$": r"\$"}.get(
                    char, char
                )
            )
        at += 1
    return rf"\A(?:{''.join(parts)})\Z"
