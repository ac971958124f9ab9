"""`Calculator`: a tool that computes exactly, by a reader of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, ClassVar

from rlvr.core.errors import ToolError
from rlvr.envs.toolboxes.base import Toolbox

MOST_CHARACTERS = 500
"""Characters of an expression."""

MOST_BITS = 2048
"""Bits of a numerator or a denominator: over 600 digits."""

_MOST_DEPTH = 50
_MOST_FACTORIAL = 300
_MOST_EXPONENT = 10_000
_SHOWN_DECIMALS = 12
_LONGEST_DECIMAL = 40  # digits of a fraction that is written out, if its decimals end
_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d{1,4})?|\.\d+(?:[eE][+-]?\d{1,4})?)|([a-z]+)|(\*\*|//|[-+*/%^()!,]))"
)
_SPELLED = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})


class CalculatorSession:
    """The calculator, which keeps nothing."""

    def calculate(self, expression: str) -> str:
        """Compute an expression exactly. There are + - * / // % ^ ! and brackets, and functions: sqrt, abs, floor, ceil,
        round, min, max, gcd, lcm, comb.

        Args:
            expression: the expression, such as "(3/4 + 1.25) ^ 2".
        """
        return calculate(expression)


@dataclass(frozen=True)
class Calculator(Toolbox):
    """A tool `calculate(expression)`, which is exact: numbers are fractions.

        env = rlvr.ToolEnv(tasks, rlvr.UsedTool("calculate") >> rlvr.Math(), rlvr.tools.Calculator())

    An expression is read by a grammar of its own and never evaluated as code. It is short, and its numbers have up to 600
    digits, so each takes less than a few milliseconds.
    """

    name: ClassVar[str] = "calculator"  # type: ignore[misc]
    session: ClassVar[type[Any]] = CalculatorSession


def calculate(expression: str) -> str:
    """Return the value of an expression as text: a whole number, a decimal or a fraction with its decimals.

    Raises `ToolError` with a sentence for the model if it has none, or if it is too large.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ToolError(f"an expression has at most {MOST_CHARACTERS} characters")
    reader = _Reader(_tokens(expression))
    value = reader.sum()
    if reader.next:
        raise ToolError(f"{reader.next!r} is in a place where the expression should end")
    return shown_number(value, reader.rounded)


def shown_number(value: Fraction, rounded: bool = False) -> str:
    """Return a number as a model reads it; `rounded` says that it isn't exact."""
    if rounded:
        return f"≈ {_decimals(value)}"
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1 and len(text := _ending(value)) <= _LONGEST_DECIMAL:
        return text
    return f"{value.numerator}/{value.denominator} ≈ {_decimals(value)}"


def _ending(value: Fraction) -> str:
    """Return a fraction whose decimals end."""
    with localcontext() as context:
        context.prec = 2 * MOST_BITS
        return format(Decimal(value.numerator) / Decimal(value.denominator), "f")


def _decimals(value: Fraction) -> str:
    with localcontext() as context:
        context.prec = _SHOWN_DECIMALS
        context.Emax, context.Emin = 10**6, -(10**6)
        return str((Decimal(value.numerator) / Decimal(value.denominator)).normalize())


def _tokens(expression: str) -> list[str]:
    text = expression.casefold().translate(_SPELLED).rstrip()
    tokens: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ToolError(
                f"{text[place:].strip()[:20]!r} can't be read: numbers, + - * / // % ^ ! and brackets can"
            )
        tokens.append(match[1] or match[2] or match[3])
        place = match.end()
    return tokens


class _Reader:
    """Reads and computes by recursive descent. Depth, exponents and the size of each number are bounded."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self.rounded = False

    @property
    def next(self) -> str:
        """The next token; "" at the end."""
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self.next
        if token not in wanted:
            return ""
        self._place += 1
        return token

    def sum(self) -> Fraction:
        """Read terms with + and - between them."""
        value = self._product()
        while operator := self._take("+", "-"):
            term = self._product()
            value = _bounded(value + term if operator == "+" else value - term)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while operator := self._take("*", "/", "//", "%"):
            factor = self._signed()
            if operator == "*":
                value = _bounded(value * factor)
                continue
            if not factor:
                raise ToolError("it divides by zero")
            if operator == "/":
                value = _bounded(value / factor)
            else:
                quotient = Fraction(value // factor)
                value = quotient if operator == "//" else _bounded(value - quotient * factor)
        return value

    def _signed(self) -> Fraction:
        """Read signs; they bind less than a power: -2^2 is -4."""
        sign = 1
        while operator := self._take("-", "+"):
            sign = -sign if operator == "-" else sign
        return sign * self._power()

    def _power(self) -> Fraction:
        base = self._factorial()
        if not self._take("^", "**"):
            return base
        self._enter()
        exponent = self._signed()  # from the right: 2^3^2 is 2^9
        self._depth -= 1
        return self._raised(base, exponent)

    def _factorial(self) -> Fraction:
        value = self._atom()
        while self._take("!"):
            if value.denominator != 1 or not 0 <= value <= _MOST_FACTORIAL:
                raise ToolError(f"n! is for whole numbers from 0 to {_MOST_FACTORIAL}")
            value = _bounded(Fraction(math.factorial(int(value))))
        return value

    def _atom(self) -> Fraction:
        token = self.next
        if not token:
            raise ToolError("the expression isn't complete")
        self._place += 1
        if token[0].isdigit() or token[0] == ".":
            return _number(token)
        if token == "(":
            self._enter()
            value = self.sum()
            self._depth -= 1
            self._close()
            return value
        if token in FUNCTIONS:
            return self._function(token)
        if token.isalpha():
            raise ToolError(
                f"there's no {token!r:.40}; there are the functions {', '.join(FUNCTIONS)}"
            )
        raise ToolError(f"{token!r} is in a place where a number should be")

    def _function(self, name: str) -> Fraction:
        if not self._take("("):
            raise ToolError(f"{name} takes brackets: {name}(…)")
        self._enter()
        values = [self.sum()]
        while self._take(","):
            values.append(self.sum())
        self._depth -= 1
        self._close()
        least, most, function = FUNCTIONS[name]
        if not least <= len(values) <= most:
            raise ToolError(
                f"{name} takes {least if least == most else f'{least} or more'} numbers, not {len(values)}"
            )
        if name == "sqrt":
            value, exact = _root(values[0])
            self.rounded = self.rounded or not exact
            return value
        return _bounded(Fraction(function(values)))

    def _raised(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent == Fraction(1, 2):
            value, exact = _root(base)
            self.rounded = self.rounded or not exact
            return value
        if exponent.denominator != 1 or abs(exponent) > _MOST_EXPONENT:
            raise ToolError(f"an exponent is a whole number of at most {_MOST_EXPONENT}, or 1/2")
        if not base and exponent < 0:
            raise ToolError("it divides by zero")
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and (bits - 1) * abs(exponent) > MOST_BITS:
            raise _too_large()
        return _bounded(base ** int(exponent))

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ToolError(f"brackets and powers are nested more than {_MOST_DEPTH} deep")

    def _close(self) -> None:
        if not self._take(")"):
            raise ToolError(
                "a bracket isn't closed"
                if not self.next
                else f"{self.next!r} is in a place where ) should be"
            )


def _number(token: str) -> Fraction:
    mantissa, _, exponent = token.partition("e")
    if exponent and abs(int(exponent)) > 600:
        raise _too_large()
    return _bounded(Fraction(mantissa.rstrip(".") or "0") * Fraction(10) ** int(exponent or 0))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise _too_large()
    return value


def _too_large() -> ToolError:
    return ToolError("a number in it has more than 600 digits")


def _root(value: Fraction) -> tuple[Fraction, bool]:
    """Return a square root, and True if it is exact; otherwise it has 30 digits at least."""
    if value < 0:
        raise ToolError("the square root of a negative number isn't real")
    numerator, denominator = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if numerator**2 == value.numerator and denominator**2 == value.denominator:
        return Fraction(numerator, denominator), True
    # Enough digits behind the point for 30 that count, also of a small number.
    places = 30 + max(0, value.denominator.bit_length() - value.numerator.bit_length()) // 6
    scale = 10**places
    return _bounded(
        Fraction(math.isqrt(value.numerator * scale**2 // value.denominator), scale)
    ), False


def _whole(values: Sequence[Fraction], name: str) -> list[int]:
    if any(value.denominator != 1 for value in values):
        raise ToolError(f"{name} is for whole numbers")
    return [int(value) for value in values]


def _rounded(values: Sequence[Fraction]) -> Fraction:
    """Round to the nearest, halves away from zero, as people do."""
    places = _whole(values[1:], "the number of places")[0] if len(values) > 1 else 0
    if abs(places) > 100:
        raise ToolError("round takes at most 100 places")
    scaled = abs(values[0]) * Fraction(10) ** places
    nearest = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (nearest if values[0] >= 0 else -nearest) / Fraction(10) ** places


def _comb(values: Sequence[Fraction]) -> int:
    n, k = _whole(values, "comb")
    if n < 0 or k < 0:
        raise ToolError("comb is for numbers from 0 on")
    k = min(k, n - k)
    if k > 0 and k * max(1, n.bit_length() - k.bit_length()) > 2 * MOST_BITS:
        raise _too_large()
    return math.comb(n, k) if k >= 0 else 0


FUNCTIONS: Mapping[str, tuple[int, int, Callable[[Sequence[Fraction]], Fraction | int]]] = {
    "sqrt": (1, 1, lambda values: values[0]),
    "abs": (1, 1, lambda values: abs(values[0])),
    "floor": (1, 1, lambda values: math.floor(values[0])),
    "ceil": (1, 1, lambda values: math.ceil(values[0])),
    "round": (1, 2, _rounded),
    "min": (1, 99, min),
    "max": (1, 99, max),
    "gcd": (2, 99, lambda values: math.gcd(*_whole(values, "gcd"))),
    "lcm": (2, 99, lambda values: math.lcm(*_whole(values, "lcm"))),
    "comb": (2, 2, _comb),
}
