"""The reader's part for units of measure: those after a value, and fractions of units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from rlvr.verifiers.math.cursor import Cursor
from rlvr.verifiers.math.tree import (
    ONE,
    Call,
    Num,
    Sym,
    Tree,
    Unit,
)
from rlvr.verifiers.math.units import NOTHING, UNITS, over, times, unit_of
from rlvr.verifiers.math.vocabulary import (
    Token,
    Unreadable,
)


class Measures(Cursor, ABC):
    """Reads units; their powers are read by the methods that a reader adds."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.measures = False  # in a fraction, whose top and bottom may be units alone

    @abstractmethod
    def signed(self, construct: Callable[[], Tree]) -> Tree:
        """Read an optional run of signs, then `construct`."""

    @abstractmethod
    def argument(self) -> Tree:
        """Read a command's argument: {…}, or the next single character."""

    def fraction(self) -> Tree:
        """Read a fraction, of units alone as well: metres over seconds."""
        measures, self.measures = self.measures, True
        top, bottom = self.argument(), self.argument()
        self.measures = measures
        if is_unit(top) and is_unit(bottom):
            assert isinstance(top, Call)
            assert isinstance(bottom, Call)
            over_, under = top.args[1], bottom.args[1]
            assert isinstance(over_, Unit)
            assert isinstance(under, Unit)
            return Call("unit", (ONE, times(over_, over(under, -1))))
        if top == Sym("d") and isinstance(bottom, Call) and bottom.args[0] == top:
            return Call("prime", (top,))  # d/dx
        return Call("div", (top, bottom))

    def unit(self) -> Unit:
        """Read units of measure that belong together: cm^2, km/h, kg m s^{-2}."""
        product, power, sign = NOTHING, 1, 1
        while True:
            token, after = self.peek(), self.peek(1)
            if token.kind == "unit" and token.text in ("sq", "cu", "/"):
                power = {"sq": 2, "cu": 3}.get(token.text, power)
                sign = -1 if token.text == "/" else sign
                self.at += 1
            elif token.kind == "unit":
                self.at += 1
                unit = unit_of(token.text)
                if unit is None:
                    raise Unreadable(f"unknown {token.text}")
                product = times(product, over(unit, sign * power * self._unit_power()))
                power = sign = 1
            elif token.text in ("/", "*") and after.kind == "unit":
                sign = -1 if token.text == "/" else sign
                self.at += 1
            else:
                product = product if power == 1 else times(product, over(UNITS, power))
                return _temperature(product)

    def _unit_power(self) -> int:
        if self.peek().text not in ("^", "**") or self.peek(1).text in ("circ", "prime"):
            return 1
        self.at += 1
        exponent = self.signed(self.argument)
        if isinstance(exponent, Call) and exponent.name == "neg":
            exponent, turned = exponent.args[0], -1
        else:
            turned = 1
        if not isinstance(exponent, Num) or exponent.value not in range(1, 13):
            raise Unreadable("a unit to a strange power")
        return turned * int(exponent.value)


def _temperature(unit: Unit) -> Unit:
    """Return degrees Celsius or Fahrenheit for "degrees" followed by the scale's name."""
    bases = {base for base, _ in unit.powers}
    if "deg" in bases and bases & {"degC", "degF"}:
        return Unit(unit.scale, tuple(power for power in unit.powers if power[0] != "deg"))
    return unit


def is_unit(tree: Tree) -> bool:
    """Return True for a unit alone, without a number."""
    return isinstance(tree, Call) and tree.name == "unit" and tree.args[0] == ONE
