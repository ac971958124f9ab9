"""References of code tasks, read and checked. docs/code.md describes their forms.

An invalid reference is the author's fault and never a wrong answer: it raises `CannotScore(gold)` with a message
that names the fault and its place.
"""

from __future__ import annotations

import builtins
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.sandboxes.base import FunctionTests, Limits, Program
from rlvr.sandboxes.carried import IN_ONE_JAIL, carried_of
from rlvr.sandboxes.languages import language_of
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.packages import DEFAULT
from rlvr.verifiers.code.compare import OutputComparison
from rlvr.verifiers.code.fields import content, items, name_of, text, utf8, wrong

_FORMS = (
    '{"tests": [{"stdin", "stdout"}]}, {"entry_point", "test"} or {"asserts": […]}, '
    "each with what docs/code.md says may go with it"
)


_CALL = re.compile(r"(?<![\w.])([^\W\d]\w*+)\s*+\(")


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a program that reads standard input."""

    stdin: bytes
    expected: bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """A code task's reference, read.

    Attributes:
        tests: Cases for a program, or tests that call a solution's functions.
        public: For each test, True if it is public.
        language: The name of the program's language, not an alias.
        limits: Limits per test of a program; for a solution, of all tests together.
        check: The comparison, or the checker program, that judges a program's output.
        entry_point: The name of the requested function if the reference gives it, otherwise "".
        sought: The name that a response's program should define: the entry point, otherwise the function
            that all asserts call, otherwise "".
        shares_jail: True if the reference requests that a solution and its tests share a process, without isolation.
        solution: A correct solution if the reference has one, otherwise None.
        needs: The languages of program and checker, and the packages that their Python code may import.
    """

    tests: tuple[Case, ...] | FunctionTests
    public: tuple[bool, ...]
    language: str
    limits: Limits
    check: OutputComparison | Program
    entry_point: str = ""
    sought: str = ""
    shares_jail: bool = False
    solution: str | None = None
    needs: Needs = field(default_factory=Needs)

    @classmethod
    def of(
        cls,
        data: Any,
        language: str = "python",
        limits: Limits | None = None,
        packages: Sequence[str] = DEFAULT,
    ) -> Reference:
        """Read a reference.

        `language`, `limits` and `packages` are defaults for what it doesn't name. Raises `CannotScore(gold)`.
        """
        if not isinstance(data, Mapping):
            raise wrong(f"is {_FORMS}; it's of type {type(data).__name__}")
        functions = any(key in data for key in ("test", "asserts"))
        if functions == ("tests" in data):
            both = "both, tests of programs and of functions" if functions else list(data)
            raise wrong(f"is one of {_FORMS}; this one has {both!s:.200}")
        try:
            named = text(data, "language", "python" if functions else language)
            spoken = language_of(named).name
            allowed = Limits.of(data.get("limits"), limits)
            check = data.get("checker")
            if functions and check is not None:
                raise wrong('has a "checker", which is for {"tests": …} alone')
            if functions and spoken != "python":
                raise wrong(f"has tests of functions, which are for Python alone, not {spoken}")
            judged = OutputComparison() if check is None else _check(check)
            needs = _needs(data, spoken, judged, packages)
        except OptionError as error:
            raise wrong(f"can't be used: {error}") from None
        shares_jail = functions and _shares_jail(data)
        tests, public = _functions(data) if functions else _cases(data, judged)
        try:
            fitting = _fitting(allowed, tests)
        except OptionError as error:
            raise wrong(f"expects more than any limit allows: {error}") from None
        if isinstance(tests, FunctionTests) and not shares_jail and carried_of(tests).refused:
            raise wrong(f"has tests that use {carried_of(tests).refused}; {IN_ONE_JAIL}")
        return cls(
            tests,
            public,
            spoken,
            fitting,
            judged,
            name_of(data),
            name_of(data) or _called(tests),
            shares_jail,
            text(data, "solution", "") or None,
            needs,
        )


def public_part(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the reference with only its public tests and no solution; None if no test is public.

    Raises `CannotScore(gold)`.
    """
    public = Reference.of(data).public
    if not any(public):
        return None
    part = {key: value for key, value in data.items() if key not in ("solution", "test")}
    for key in ("tests", "asserts"):
        if key in data:
            part[key] = [test for test, shown in zip(data[key], public, strict=False) if shown]
    if "test" in data and public[-1]:
        part["test"] = data["test"]
    return part | {"public": sum(public)}


def _cases(
    data: Mapping[str, Any], check: OutputComparison | Program
) -> tuple[tuple[Case, ...], tuple[bool, ...]]:
    tests = items(data, "tests")
    cases = []
    for number, test in enumerate(tests, 1):
        where = f"test {number}"
        if not isinstance(test, Mapping):
            raise wrong(f'has {where} of type {type(test).__name__}, not {{"stdin", "stdout"}}')
        stdin = content(test, ("stdin", "input"), where)
        cases.append(Case(stdin, content(test, ("stdout", "output"), where)))
    if isinstance(check, OutputComparison) and not any(case.expected.strip() for case in cases):
        raise wrong("expects no output in any test: a program that does nothing would pass")
    return tuple(cases), _public(data, [test.get("public") for test in tests])


def _fitting(limits: Limits, tests: tuple[Case, ...] | FunctionTests) -> Limits:
    """Return the limits, raised if the reference's own output or integers wouldn't fit. Raises `OptionError`.

    They are raised to powers of two: programs can see some limits, and must not learn an exact length from them.
    """
    if isinstance(tests, FunctionTests):
        texts = [source.encode() for source in (*tests.asserts, tests.check)]
        largest = 0
    else:
        texts = [text for case in tests for text in (case.stdin, case.expected)]
        largest = max(len(case.expected) for case in tests)
    if largest > limits.output_kb << 10:
        limits = dataclasses.replace(limits, output_kb=_twice(largest >> 10))
    digits = max(map(_digits, texts))
    if digits > limits.int_digits:
        limits = dataclasses.replace(limits, int_digits=_twice(digits))
    return limits


def _twice(needed: int) -> int:
    return 2 << needed.bit_length()


_STRIDE = Limits().int_digits // 2
_DIGITS = re.compile(rb"[0-9]++")


def _digits(text: bytes) -> int:
    """Return the length of the longest integer, 0 if every program may have integers of that length."""
    # A longer integer covers at least one of these parts completely; only then is all of the text searched.
    parts = (text[at : at + _STRIDE] for at in range(0, len(text) - _STRIDE + 1, _STRIDE))
    if not any(map(bytes.isdigit, parts)):
        return 0
    return max(len(number) for number in _DIGITS.findall(text))


def _functions(data: Mapping[str, Any]) -> tuple[FunctionTests, tuple[bool, ...]]:
    asserts: list[str] = []
    flags: list[Any] = []
    for number, test in enumerate(items(data, "asserts") if "asserts" in data else (), 1):
        flags.append(test.get("public") if isinstance(test, Mapping) else None)
        source = test.get("assert") if isinstance(test, Mapping) else test
        if not isinstance(source, str) or not source.strip():
            raise wrong(
                f"has assert {number} of type {type(test).__name__}, or blank; it's a statement"
            )
        utf8(source, f"assert {number}")
        asserts.append(source)
    check = text(data, "test", "")
    if "test" in data:
        flags.append(None)
        if not check.strip() or not name_of(data):
            raise wrong('has a "test" without source, or without the "entry_point" it gets')
    setup, prelude = text(data, "setup", ""), text(data, "prelude", "")
    tests = FunctionTests(tuple(asserts), check, name_of(data), setup, prelude)
    return tests, _public(data, flags)


def _shares_jail(data: Mapping[str, Any]) -> bool:
    isolation = text(data, "isolation", "jails")
    if isolation not in ("jails", "shared"):
        raise wrong(f'has "isolation": {isolation!r:.40}; it is "jails" or "shared"')
    return isolation == "shared"


def _called(tests: tuple[Case, ...] | FunctionTests) -> str:
    """Return the only function, except Python's own, that every assert calls; "" if there are none or several."""
    if not isinstance(tests, FunctionTests) or not tests.asserts:
        return ""
    called = set.intersection(*(set(_CALL.findall(test)) for test in tests.asserts))
    names = [name for name in called if not hasattr(builtins, name) and not iskeyword(name)]
    return names[0] if len(names) == 1 else ""


def _public(data: Mapping[str, Any], flags: list[Any]) -> tuple[bool, ...]:
    first = data.get("public")
    first = 0 if first is None else first
    if isinstance(first, bool) or not isinstance(first, int) or not 0 <= first <= len(flags):
        raise wrong(
            f'has "public": {first!r:.40}; it\'s how many of the {len(flags)} tests are public'
        )
    for number, flag in enumerate(flags, 1):
        if flag is not None and not isinstance(flag, bool):
            raise wrong(f'has "public": {flag!r:.40} in test {number}; it\'s true or false')
    return tuple(bool(flag) or number < first for number, flag in enumerate(flags))


def _needs(
    data: Mapping[str, Any],
    language: str,
    check: OutputComparison | Program,
    packages: Sequence[str],
) -> Needs:
    """Return the languages and packages that the task needs. Raises `OptionError` for an invalid one."""
    named = data.get("packages")
    if named is not None and not isinstance(named, list | tuple):
        raise wrong(f'has "packages" of type {type(named).__name__}; it is a list of names')
    languages = [language, check.language] if isinstance(check, Program) else [language]
    if named is None and "python" not in languages:
        packages = ()
    return Needs.of(languages, packages if named is None else named)


def _check(data: Any) -> OutputComparison | Program:
    """Read a checker: a comparison or a program. Raises `OptionError` if it is invalid."""
    if not isinstance(data, Mapping) or "source" not in data:
        return OutputComparison.of(data)
    source, language = text(data, "source", ""), text(data, "language", "python")
    if not source.strip():
        raise wrong("has a checker without source")
    return Program(utf8(source, "the checker"), language_of(language).name)
