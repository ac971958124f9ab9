"""Read the parts of an expression: numbers, names, commands, functions, and bracketed expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from rlvr.verifiers.math.big import BIG, read_big
from rlvr.verifiers.math.counting import before_letter, behind_letter
from rlvr.verifiers.math.environments import SYSTEMS, Environments
from rlvr.verifiers.math.measures import Measures
from rlvr.verifiers.math.sets import SIGNS
from rlvr.verifiers.math.tree import (
    ONE,
    TWO,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Word,
    children,
    nodes,
)
from rlvr.verifiers.math.units import CURRENCIES, unit_of
from rlvr.verifiers.math.vocabulary import (
    FUNCTION_NAMES,
    FUNCTIONS,
    GREEK,
    INVERSES,
    Token,
    Unreadable,
)

CONSTANTS = {
    "pi": "pi", "infty": "oo", "infinity": "oo", "inf": "oo", "emptyset": "empty",
    "varnothing": "empty", "top": "top",
}  # fmt: skip
FENCES = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs"),
           "lVert": ("rVert", "norm")}  # fmt: skip
_CLOSINGS = {"(": (")", "]", "["), "[": ("]", ")", "["), "]": ("[", "]", ")"), "\\{": ("\\}",),
             "{": ("}",)}  # fmt: skip
_PARTS = {
    "+": "+", "-": "-", "*": "*", "ast": "*", "ne0": "*", "!=0": "*", ">0": "+", "<0": "-", "ge0": "0+",
    ">=0": "0+", "le0": "0-", "<=0": "0-", "ge1": "+", ">=1": "+",
}  # fmt: skip
"""What is written at \\mathbb{R} for a part of it: the positive numbers, those from 0 on."""


class Atoms(Measures, Environments, ABC):
    """Reads one atom; what is inside of it is read by the methods that a reader adds."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.bars = 0  # open |…|, so that the next bar closes
        self.condition = False  # in {x : …}, where a colon makes no ratio

    @abstractmethod
    def relation(self) -> Tree:
        """Read a value, an equation or an inequality."""

    @abstractmethod
    def sum(self) -> Tree:
        """Terms with signs between them."""

    @abstractmethod
    def product(self) -> Tree:
        """Factors."""

    @abstractmethod
    def power(self) -> Tree:
        """Read an atom with what is raised or appended to it."""

    @abstractmethod
    def begins_factor(self) -> bool:
        """Tell whether another factor comes next."""

    def atom(self) -> Tree:
        """Read an expression that can be raised to a power, or stand alone."""
        return self.deeper(self._atom)

    def _atom(self) -> Tree:
        kind, text = self.take()
        if kind == "num":
            return self.number(text)
        if kind == "mark" and text in ("_", "^"):
            return before_letter(self)
        if kind == "mark":
            return self.bracketed(text)
        if kind == "name":
            return self.named(text)
        if kind == "cmd":
            return self.commanded(text)
        if kind == "based":
            digits, _, base = text.partition("_")
            return Call("base", (Word(digits), Num(Fraction(int(base)))))
        if kind == "unit" and (unit := unit_of(text)) is not None:
            if text in CURRENCIES or {base for base, _ in unit.powers} & CURRENCIES:
                return Call("unit", (self.power(), unit))  # $5
            if self.measures:
                self.at -= 1
                return Call("unit", (ONE, self.unit()))
        raise Unreadable(f"unknown {text}" if kind == "odd" else f"unexpected {text or 'end'}")

    def number(self, text: str) -> Tree:
        """Return decimal digits exactly; with a bar over those that repeat."""
        whole, point, decimals = text.partition(".")
        value = Fraction(int(whole + decimals or "0"), 10 ** len(decimals) if point else 1)
        if self.peek().text in ("overline", "bar") and decimals + whole:
            repeating = self._repeating()
            if repeating is not None:
                nines = (10 ** len(repeating) - 1) * 10 ** len(decimals)
                return Num(value + Fraction(int(repeating), nines))
        return Num(value)

    def _repeating(self) -> str | None:
        """Read the digits under the bar of 0.1(6), where that is what comes next."""
        _, opening, digits, ending = (self.peek(i) for i in range(4))
        if opening.text != "{" or digits.kind != "num" or ending.text != "}":
            return None
        if not digits.text.isdigit() or len(digits.text) > 100:
            return None
        self.at += 4
        return digits.text

    def bracketed(self, opening: str) -> Tree:
        """Read the content of brackets, braces or bars: a value, a tuple, an interval, a set."""
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
        if opening == "<":
            return self.angled()
        if opening not in _CLOSINGS:
            raise Unreadable(f"unexpected {opening}")
        if opening == "{" and self.skip("}") and self.peek().text in ("_", "^"):
            return self.atom()  # {}_nC_k
        if opening == "{" and self.peek(-1) == Token("mark", "}"):
            raise Unreadable("empty braces")
        if opening == "\\{":
            if self.skip("\\}"):
                return Sym("empty")
            kind, text = self.peek()
            if (
                kind == "cmd"
                and text.startswith("begin:")
                and text[6:] in SYSTEMS | {"array", "matrix"}
            ):
                return self.braced()
        bars, condition = self.bars, self.condition
        self.bars, self.condition = 0, False
        if opening == "\\{":
            self.bars, self.condition = self._separators()
        inside = self.deeper(self.listing)
        if opening == "\\{" and self.skip("mid", "|", ":"):
            return self.builder(inside, bars, condition)
        self.bars, self.condition = bars, condition
        if opening == "{" and self.skip("over"):
            inside = Call("div", (inside, self.deeper(self.listing)))
        closing = self.expect(*_CLOSINGS[opening])
        return _fenced(opening, closing, inside)

    def _separators(self) -> tuple[int, bool]:
        """Tell whether a bar in these braces is one that separates (1 or 0), and whether a colon does.

        Absolute values have two bars, so an odd number has a separator; a colon before a relation is one.
        """
        at, level, bars, related = self.at, 1, 0, False
        while level and at < len(self.tokens):
            kind, text = self.tokens[at]
            level += (text == "\\{") - (text == "\\}")
            bars += level == 1 and text == "|"
            related = related or (kind != "num" and text in SIGNS)
            at += 1
        return bars % 2, related

    def builder(self, elements: Tree, bars: int, condition: bool) -> Tree:
        """Read a set by its condition."""
        self.bars = 0
        inside = self.deeper(self.listing)
        self.expect("\\}")
        self.bars, self.condition = bars, condition
        if not any(isinstance(part, Relation) for part in (inside, *children(inside))):
            raise Unreadable("a set whose condition is none")
        return Group("builder", (elements, inside))

    def angled(self) -> Tree:
        """Read a vector in plain angle brackets, <3, -2>."""
        items = [self.sum()]
        while self.skip(","):
            items.append(self.sum())
        self.expect(">")
        if len(items) == 1:
            raise Unreadable("unexpected <")
        return Group("()", tuple(items))

    def named(self, word: str) -> Tree:
        """Read a word that has a meaning, or a letter: a variable."""
        if word in CONSTANTS:
            return Sym(CONSTANTS[word])
        if word in ("sqrt", "cbrt"):
            degree = TWO if word == "sqrt" else Num(Fraction(3))
            inside = self.atom() if self.peek().kind == "num" else self.argument()
            return Call("root", (inside, degree))  # sqrt 57; of LaTeX's \sqrt57 the 7 is outside
        if word in FUNCTIONS:
            return self.function(word)
        if word in ("and", "or", "mod"):
            raise Unreadable(f"unexpected {word}")
        counted = behind_letter(self, word)
        if counted is not None:
            return counted
        if word in ("f", "g", "h") and self.peek().text == "(":
            inside = self.atom()
            args = inside.items if isinstance(inside, Group) else (inside,)
            return Call(f"apply:{word}", args)
        return Sym(word)

    def commanded(self, name: str) -> Tree:
        """Read a LaTeX command with its arguments."""
        if name in CONSTANTS:
            return Sym(CONSTANTS[name])
        if name in FUNCTIONS:
            return self.function(name)
        if name in GREEK:
            return Sym(name)
        if name == "frac":
            return self.fraction()
        if name == "binom":
            top = self.argument()
            return Call("binomial", (top, self.argument()))
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
            if name in ("overline", "bar") and isinstance(inside, Sym) and inside.name != "i":
                name = "hat"  # a conjugate or a mean, and not the variable itself
            elif name in ("overline", "bar") and not _is_segment(inside):
                return Call("conj", (inside,))
            return Call("hat", (inside,)) if name == "hat" else inside
        if name.startswith("bb:"):
            return Sym(name + self._part(name))
        if name in ("angle", "triangle") and self.peek().kind == "name":
            return Call(name, (self.power(),))  # ∠A, and ∠ABC by what follows
        if name in ("Re", "Im"):
            return self.function(name)
        if name in ("max", "min", "gcd", "lcm"):
            inside = self.atom()
            return Call(name, inside.items if isinstance(inside, Group) else (inside,))
        if name in BIG:
            return read_big(self, name)
        if name.startswith("begin:"):
            return self.environment(name[6:])
        raise Unreadable(f"unexpected \\{name}")

    def _part(self, name: str) -> str:
        r"""Read the mark that's left of a set of numbers: the + of \mathbb{R}^+, the * of \mathbb{N}^{*}."""
        if self.peek().text not in ("^", "_"):
            return ""
        size = 1
        if self.peek(1).text == "{":
            size = next((n for n in range(2, 6) if self.peek(1 + n - 1).text == "}"), 0)
        inside = "".join(self.peek(1 + n).text for n in range(size)).strip("{}")
        part = "0+" if inside == "0" and name == "bb:N" else _PARTS.get(inside, "")
        if part:
            self.at += 1 + size
        return part

    def function(self, spelling: str) -> Tree:
        r"""Read a function of one argument: \sin x, \log_2 8, \tan^{-1} x."""
        name = FUNCTION_NAMES[spelling]
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
        if exponent == Call("neg", (ONE,)) and name in INVERSES:
            name, exponent = INVERSES[name], None
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

    def bound(self) -> Tree:
        r"""Return what stands below a sum or a limit: k = 1, x \to 0."""
        if not self.skip("{"):
            return self.argument()
        inside = self.relation()
        if self.skip("to", "rightarrow"):
            inside = Relation(("to",), (inside, self.sum()))
        self.expect("}")
        return inside


def _is_segment(tree: Tree) -> bool:
    """Tell whether a bar over it is a segment's, or a numeral's, and not a conjugate's: AB, 3a5."""
    return all(
        isinstance(node, Num)
        or (isinstance(node, Sym) and node.name[0] not in "izw")
        or (isinstance(node, Call) and node.name in ("mul", "prime"))
        for node in nodes(tree)
    )


def _fenced(opening: str, closing: str, inside: Tree) -> Tree:
    # ]1, 2[ is (1, 2)
    opening, closing = opening.replace("]", "("), closing.replace("[", ")")
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
