"""What an expression is made of: numbers, names, commands, functions, and what stands in brackets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction

from rlvr.verifiers.math.cursor import Cursor
from rlvr.verifiers.math.tree import ONE, TWO, ZERO, Call, Group, Num, Relation, Sym, Tree, children
from rlvr.verifiers.math.vocabulary import FUNCTIONS, GREEK, Token, Unreadable

CONSTANTS = {
    "pi": "pi", "infty": "oo", "infinity": "oo", "inf": "oo", "emptyset": "empty",
    "varnothing": "empty",
}  # fmt: skip
MATRICES = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"}
BIG = {"sum", "prod", "int", "iint", "lim"}
FENCES = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs"),
           "lVert": ("rVert", "norm")}  # fmt: skip
_CLOSINGS = {"(": (")", "]"), "[": ("]", ")"), "\\{": ("\\}",), "{": ("}",)}


class Atoms(Cursor, ABC):
    """Reads one atom; what is inside of it is read by the methods that a reader adds."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.bars = 0  # open |…|, so that the next bar closes
        self.condition = False  # in {x : …}, where a colon makes no ratio

    @abstractmethod
    def listing(self) -> Tree:
        """Values joined by commas, "and" or "or"."""

    @abstractmethod
    def relation(self) -> Tree:
        """A value, an equation or an inequality."""

    @abstractmethod
    def sum(self) -> Tree:
        """Terms with signs between them."""

    @abstractmethod
    def product(self) -> Tree:
        """Factors."""

    @abstractmethod
    def power(self) -> Tree:
        """An atom with what is raised or appended to it."""

    @abstractmethod
    def signed(self, construct: Callable[[], Tree]) -> Tree:
        """An optional run of signs, then `construct`."""

    @abstractmethod
    def argument(self) -> Tree:
        """A command's argument: {…}, or the next single character."""

    @abstractmethod
    def begins_factor(self) -> bool:
        """Whether what comes next is another factor."""

    def atom(self) -> Tree:
        """What can be raised to a power, or stand alone."""
        return self.deeper(self._atom)

    def _atom(self) -> Tree:
        kind, text = self.take()
        if kind == "num":
            return self.number(text)
        if kind == "mark":
            return self.bracketed(text)
        if kind == "name":
            return self.named(text)
        if kind == "cmd":
            return self.commanded(text)
        if kind == "unit" and text == "$":
            return Call("unit", (self.power(), Sym("$")))
        raise Unreadable(f"unexpected {text or 'end'}")

    def number(self, text: str) -> Tree:
        """Decimal digits, exactly; with a bar over those that repeat."""
        whole, _, decimals = text.partition(".")
        value = Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
        if self.peek().text in ("overline", "bar") and decimals + whole:
            repeating = self._repeating()
            if repeating is not None:
                nines = (10 ** len(repeating) - 1) * 10 ** len(decimals)
                return Num(value + Fraction(int(repeating), nines))
        return Num(value)

    def _repeating(self) -> str | None:
        """The digits under the bar of 0.1(6), where that is what comes next."""
        _, opening, digits, ending = (self.peek(i) for i in range(4))
        if opening.text != "{" or digits.kind != "num" or ending.text != "}":
            return None
        if not digits.text.isdigit() or len(digits.text) > 100:
            return None
        self.at += 4
        return digits.text

    def bracketed(self, opening: str) -> Tree:
        """What stands in brackets, braces or bars: a value, a tuple, an interval, a set."""
        if opening == "|":
            self.bars += 1
            inside = self.sum()
            self.bars -= 1
            self.expect("|")
            return Call("abs", (inside,))
        if opening == "\\|":
            inside = self.sum()
            self.expect("\\|")
            return Call("norm", (inside,))
        if opening not in ("(", "[", "\\{", "{"):
            raise Unreadable(f"unexpected {opening}")
        if opening == "{" and self.peek() == Token("mark", "}"):
            raise Unreadable("empty braces")
        if opening == "\\{" and self.skip("\\}"):
            return Sym("empty")
        bars, self.bars = self.bars, 0
        condition = self.condition
        self.condition = opening == "\\{" and self.peek().kind == "name"
        inside = self.deeper(self.listing)
        if opening == "\\{" and self.skip("mid", "|", ":"):
            return self.builder(inside, bars, condition)
        self.bars, self.condition = bars, condition
        if opening == "{" and self.skip("over"):
            inside = Call("div", (inside, self.deeper(self.listing)))
        closing = self.expect(*_CLOSINGS[opening])
        return _fenced(opening, closing, inside)

    def builder(self, elements: Tree, bars: int, condition: bool) -> Tree:
        """A set by its condition: over the reals, what the condition says."""
        inside = self.deeper(self.listing)
        self.expect("\\}")
        self.bars, self.condition = bars, condition
        if not any(isinstance(part, Relation) for part in (inside, *children(inside))):
            raise Unreadable("a set whose condition is none")
        reals = isinstance(elements, Relation) and elements.sides[1:] == (Sym("bb:R"),)
        if isinstance(elements, Sym) or reals:
            return inside
        return Group("{}", (elements, inside))

    def named(self, word: str) -> Tree:
        """A word that has a meaning, or a letter: a variable."""
        if word in CONSTANTS:
            return Sym(CONSTANTS[word])
        if word in ("sqrt", "cbrt"):
            degree = TWO if word == "sqrt" else Num(Fraction(3))
            return Call("root", (self.argument(), degree))
        if word in FUNCTIONS:
            return self.function(word)
        if word in ("and", "or", "mod"):
            raise Unreadable(f"unexpected {word}")
        if word in ("f", "g", "h") and self.peek().text == "(":
            inside = self.atom()
            args = inside.items if isinstance(inside, Group) else (inside,)
            return Call(f"apply:{word}", args)
        return Sym(word)

    def commanded(self, name: str) -> Tree:
        """A LaTeX command with its arguments."""
        if name in CONSTANTS:
            return Sym(CONSTANTS[name])
        if name in FUNCTIONS:
            return self.function(name)
        if name in GREEK:
            return Sym(name)
        if name in ("frac", "binom"):
            top = self.argument()
            return Call("div" if name == "frac" else "binomial", (top, self.argument()))
        if name == "sqrt":
            degree: Tree = TWO
            if self.skip("["):
                degree = self.sum()
                self.expect("]")
            return Call("root", (self.argument(), degree))
        if name in FENCES:
            closing, function = FENCES[name]
            inside = self.sum()
            self.expect(closing)
            return Call(function, (inside,))
        if name == "langle":
            inside = self.deeper(self.listing)
            self.expect("rangle")
            return Group("()", inside.items if isinstance(inside, Group) else (inside,))
        if name in ("overline", "bar", "vec", "overrightarrow", "hat"):
            inside = self.argument()
            if name in ("overline", "bar") and isinstance(inside, Sym):
                name = "hat"  # a conjugate or a mean, and not the variable itself
            return Call("hat", (inside,)) if name == "hat" else inside
        if name.startswith("bb:"):
            return Sym(name)
        if name in ("angle", "triangle") and self.peek().kind == "name":
            return Call(name, (self.power(),))  # ∠A, and ∠ABC by what follows
        if name in ("max", "min", "gcd", "lcm"):
            inside = self.atom()
            return Call(name, inside.items if isinstance(inside, Group) else (inside,))
        if name in BIG:
            return self.big(name)
        if name.startswith("begin:"):
            return self.environment(name[6:])
        raise Unreadable(f"unexpected \\{name}")

    def function(self, name: str) -> Tree:
        r"""A function of one argument: \sin x, \log_2 8, \tan^{-1} x."""
        base: Tree | None = None
        exponent: Tree | None = None
        for _ in range(2):
            if self.skip("_"):
                base = self.argument()
            elif self.skip("^"):
                exponent = self.signed(self.argument)
        if self.peek().text in ("(", "{") or self.peek().text in FENCES:
            argument = self.atom()
        else:
            argument = self.bare_argument()
        if isinstance(argument, Group):
            raise Unreadable(f"{name} of several values")
        inverse = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
        if exponent == Call("neg", (ONE,)) and name in inverse:
            name, exponent = inverse[name], None
        if name == "lg":
            name, base = "log", Num(Fraction(10))
        tree = Call(name, (argument,) if base is None else (argument, base))
        return tree if exponent is None else Call("pow", (tree, exponent))

    def bare_argument(self) -> Tree:
        """`\\sin 2x`: the factors that follow, up to the next function or sign."""
        argument = self.signed(self.power)
        while self.begins_factor() and self.peek().text not in FUNCTIONS | {"("}:
            argument = Call("mul", (argument, self.power()))
        if self.skip("/"):
            argument = Call("div", (argument, self.power()))
        return argument

    def big(self, name: str) -> Tree:
        """A sum, product, integral or limit: kept as it stands, and never worked out."""
        low: Tree = ZERO
        high: Tree = ZERO
        for _ in range(2):
            if self.skip("_"):
                low = self._bound()
            elif self.skip("^"):
                high = self.argument()
        return Call(f"big:{name}", (self.product(), low, high))

    def _bound(self) -> Tree:
        if not self.skip("{"):
            return self.argument()
        inside = self.relation()
        if self.skip("to", "rightarrow"):
            inside = Relation(("to",), (inside, self.sum()))
        self.expect("}")
        return inside

    def environment(self, name: str) -> Tree:
        """A matrix, a determinant, or cases."""
        if name not in MATRICES | {"vmatrix", "cases"}:
            raise Unreadable(f"unexpected environment {name}")
        rows: list[tuple[Tree, ...]] = []
        row: list[Tree] = []
        while not self.skip(f"end:{name}"):
            if self.skip("\\\\"):
                rows.append(tuple(row))
                row = []
            elif self.skip("&"):
                continue
            else:
                row.append(self.deeper(self.listing))
        if row:
            rows.append(tuple(row))
        if len({len(row) for row in rows}) != 1:
            raise Unreadable("rows of different lengths")
        cells = tuple(cell for row in rows for cell in row)
        if name == "cases" and len(cells) == len(rows) and all(map(_is_relation, cells)):
            return Group("", cells)  # a system's solution
        kind = {"vmatrix": "det", "cases": "cases"}.get(name, "rows")
        return Group(kind, tuple(Group("row", row) for row in rows))

    def unit(self) -> str:
        """A unit of measure in one spelling: "cm^2", "mi/h"."""
        parts: list[str] = []
        power = ""
        while self.peek().kind == "unit" or (
            self.peek().text == "/" and self.peek(1).kind == "unit"
        ):
            text = self.take().text
            if text in ("sq", "cu"):
                power = "^2" if text == "sq" else "^3"
                continue
            parts.append(text + power if text != "/" else text)
            if text != "/":
                power = ""
                if self.skip("^", "**"):
                    exponent = self.argument()
                    if not isinstance(exponent, Num):
                        raise Unreadable("a unit to a strange power")
                    parts.append(f"^{exponent.value}")
        return "".join(parts) + ("unit" + power if power else "")


def _fenced(opening: str, closing: str, inside: Tree) -> Tree:
    several = isinstance(inside, Group) and inside.kind == ""
    items = inside.items if isinstance(inside, Group) and several else (inside,)
    if opening == "\\{":
        return Group("{}", items)
    if opening == "{":
        return inside
    if several:
        return Group(opening + closing, items)
    if opening + closing in ("()", "[]"):
        return inside
    raise Unreadable(f"{opening} closed by {closing}")


def _is_relation(tree: Tree) -> bool:
    return isinstance(tree, Relation)
