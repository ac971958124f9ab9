"""Reads arithmetic: sums, products, powers, and what stands behind a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction

from rlvr.verifiers.math.atoms import CONSTANTS, FENCES, Atoms
from rlvr.verifiers.math.big import BIG, series
from rlvr.verifiers.math.environments import MATRICES
from rlvr.verifiers.math.lexer import BASES
from rlvr.verifiers.math.measures import is_unit
from rlvr.verifiers.math.remarks import content
from rlvr.verifiers.math.tree import (
    ONE,
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Unit,
    Word,
    children,
)
from rlvr.verifiers.math.units import DEGREE, PERCENT, is_part_of
from rlvr.verifiers.math.vectors import transposed
from rlvr.verifiers.math.vocabulary import END, FUNCTIONS, GREEK, Token, Unreadable

TO = Token("said", " to")
_LEADING_SIGNS = frozenset({"-", "+", "pm"})
_APPENDED = frozenset({"!", "%", "\\%", "prime", "'", "_", "^", "**", "circ", "degree", "deg"})
_ENDS_PRODUCT = frozenset({"", "+", "-", "pm", "mp", ",", ")", "}", "]", "=", "&", "\\\\"})
"""Marks that are neither factors nor operators of a product, so that most products end without a further look."""
_TEMPERATURES = {"C": Unit(ONE.value, (("degC", 1),)), "F": Unit(ONE.value, (("degF", 1),))}


class Arithmetic(Atoms, ABC):
    """Every method reads one construct and leaves the position after it."""

    @abstractmethod
    def unites(self) -> bool:
        """Tell whether a sign that joins sets comes next."""

    def sum(self) -> Tree:
        """Terms with signs between them."""
        return self.deeper(self._sum)

    def _sum(self) -> Tree:
        words = self.remark()
        tree = with_remark("told", self.signed(self.product), words)
        terms = [tree]
        shown: int | None = None  # so many terms stand before the dots
        while True:
            token = self.peek()
            if token.kind == "num" or token.text not in ("+", "-", "pm", "mp"):
                if shown is None:
                    return tree
                if shown == len(terms):
                    raise Unreadable("a sum that never ends")
                return series(terms[:shown], terms[shown:])
            self.take()
            if self.skip("cdots", "ldots", "..."):
                if token.text != "+" or shown is not None or self.peek().text not in ("+", "-"):
                    raise Unreadable("dots that say nothing")
                shown = len(terms)
                continue
            term = self.signed(self.product)
            if token.text == "+":
                tree = Call("add", (tree, term))
            elif token.text == "-":
                tree = Call("add", (tree, Call("neg", (term,))))
            else:
                tree = Call(token.text, (tree, term))
            terms.append(Call("neg", (term,)) if token.text == "-" else term)
            if shown is not None and token.text in ("pm", "mp"):
                raise Unreadable("dots that say nothing")

    def signed(self, construct: Callable[[], Tree]) -> Tree:
        """Read an optional run of signs, then what `construct` reads."""
        if self.peek().text not in _LEADING_SIGNS:
            return construct()
        if self.skip("-"):
            return Call("neg", (self.deeper(lambda: self.signed(construct)),))
        if self.skip("+"):
            return self.deeper(lambda: self.signed(construct))
        if self.skip("pm"):
            return Call("pm", (ZERO, construct()))
        return construct()

    def product(self) -> Tree:
        """Read factors, with the units and remarks behind them."""
        tree = self.power()
        while True:
            kind, text = self.peek()
            if text in _ENDS_PRODUCT and kind != "num":
                return tree
            if kind == "unit" or (text in ("*", "/") and self.peek(1).kind == "unit"):
                tree = Call("unit", (tree, self.unit()))
            elif self.skip("*", "ast"):
                tree = Call("mul", (tree, self.signed(self.power)))
            elif self.skip("/"):
                tree = Call("div", (tree, self.signed(self.power)))
            elif self.skip("bmod", "mod"):
                tree = Call("mod", (tree, self.power()))
            elif self.skip("pmod"):
                modulus = self.argument()
                if not isinstance(modulus, Num | Sym):
                    raise Unreadable("a modulus that is worked out")
                tree = Call("unit", (tree, Unit(ONE.value, ((f"mod {_shown(modulus)}", 1),))))
            elif (kind, text) == TO:
                return tree
            elif remark := self.remark():
                if self.begins_factor():
                    raise Unreadable("words between two factors")
                tree = with_remark("said", tree, remark)
            elif self.begins_factor():
                tree = self.juxtaposed(tree)
            else:
                return tree

    def juxtaposed(self, left: Tree) -> Tree:
        """Two factors side by side: a product, or a mixed number."""
        token = self.peek()
        if token.kind == "num" and self.peek(-1).kind == "num":
            return self.mixed(left)
        if token.kind == "num" and (unit := last_unit(left)) is not None:
            return self.compound(left, unit)
        right = self.power()
        if (
            isinstance(left, Sym)
            and left.name.isupper()
            and isinstance(right, Group)
            and right.kind == "()"
        ):
            return Relation(("=",), (left, right))  # the point A(2, 5)
        if is_unit(right):
            return Call("unit", (left, children(right)[1]))
        if token == Token("cmd", "frac") and _is_integer(left):
            measured = isinstance(right, Call) and right.name == "unit"
            part, *units = children(right) if measured else (right,)
            if _is_simple_fraction(part):
                mixed = Call("add", (left, part))
                return Call("unit", (mixed, *units)) if units else mixed
        return Call("mul", (left, right))

    def compound(self, left: Tree, unit: Unit) -> Tree:
        """`3 h 20 min`: two quantities side by side are their sum where the second unit is a part of the first."""
        right = self.power()
        if unit == DEGREE and isinstance(right, Call) and right.name == "prime":
            right = _minutes(right)
        elif self.peek().kind == "unit":
            right = Call("unit", (right, self.unit()))
        smaller = last_unit(right)
        if smaller is None or not is_part_of(smaller, unit):
            raise Unreadable("two quantities side by side")
        return Call("add", (left, right))

    def mixed(self, left: Tree) -> Tree:
        """`2 3/4`: two numbers side by side are a mixed number or nothing."""
        top = self.power()
        if not (_is_integer(left) and _is_integer(top) and self.skip("/")):
            raise Unreadable("two numbers side by side")
        bottom = self.power()
        if not _is_integer(bottom):
            raise Unreadable("two numbers side by side")
        return Call("add", (left, Call("div", (top, bottom))))

    def begins_factor(self) -> bool:
        """Tell whether what comes next is another factor."""
        kind, text = self.peek()
        if kind == "num":
            return True
        if kind == "name":
            return text not in ("and", "or", "mod") and not (text == "U" and self.unites())
        if kind == "mark":
            return text in ("(", "{") or (text == "|" and not self.bars)
        return kind == "cmd" and (
            text in FUNCTIONS
            or text in GREEK
            or text in CONSTANTS
            or text in BIG
            or text in FENCES
            or text in ("frac", "binom", "sqrt", "overline", "bar", "vec", "hat", "max", "min")
            or text in ("Re", "Im", "gcd", "lcm", "overrightarrow", "langle", "angle", "triangle")
            or text.startswith("bb:")
            or (text.startswith("begin:") and text[6:] in MATRICES)
        )

    def power(self) -> Tree:
        """Read an atom with what is raised or appended to it."""
        base = self.atom()
        while True:
            kind, text = self.peek()
            if text not in _APPENDED or kind == "num":
                return base
            if self.skip("!"):
                double = self.skip("!")
                if double and self.peek().text == "!":
                    raise Unreadable("three factorial signs")
                base = Call("double" if double else "factorial", (base,))
            elif self.skip("%", "\\%"):
                base = Call("unit", (base, PERCENT))
            elif self.skip("prime", "'"):
                base = Call("prime", (base,))
            elif self.skip("_"):
                base = self.subscript(base)
            elif self.skip("^", "**"):
                if self._degrees(base):
                    base = Call("unit", (base, self._scale()))
                    continue
                if self._ordinal():
                    continue
                if self._primes():
                    base = Call("prime", (base,))
                    continue
                base = _raised(base, self.signed(self.exponent))
                if self.peek().text in ("^", "**"):
                    raise Unreadable("a power of a power without brackets")
            else:
                self.take()
                base = Call("unit", (base, self._scale()))

    def _degrees(self, base: Tree) -> bool:
        """Tell whether a degree sign comes next; behind a number, the letter o is one."""
        signs = ("circ", "degree", "o") if isinstance(base, Num) else ("circ", "degree")
        if self.skip(*signs):
            return True
        if self.peek().text == "{" and self.peek(1).text in signs and self.peek(2).text == "}":
            self.at += 3
            return True
        return False

    def _primes(self) -> bool:
        r"""Tell whether ^\\prime comes next, or several of them in braces."""
        if self.skip("prime", "'"):
            return True
        if self.peek().text != "{" or self.peek(1).text not in ("prime", "'"):
            return False
        self.take()
        while self.skip("prime", "'"):
            pass
        self.expect("}")
        return True

    def _scale(self) -> Unit:
        """Degrees, of an angle or of a temperature."""
        scale = self.peek()
        if scale.kind in ("name", "unit") and scale.text in ("C", "F"):
            return _TEMPERATURES[self.take().text]
        return DEGREE

    def _ordinal(self) -> bool:
        """Read the {th} of 14^{th}."""
        if self.peek().text == "{" and self.peek(1).kind == "said" and self.peek(2).text == "}":
            self.at += 3
            return True
        return False

    def subscript(self, base: Tree) -> Tree:
        """`x_1` is a symbol of its own; `101_2` a number in another base."""
        if self.skip("{"):
            inside = []
            while self.peek().text != "}":
                if self.peek() is END:
                    raise Unreadable("a subscript that never ends")
                inside.append(self.take().text)
            self.take()
            index = "".join(inside)
        else:
            index = self.take().text
        if isinstance(base, Num):
            return _in_base(base, index)
        if isinstance(base, Sym):
            return Sym(f"{base.name}_{index}")
        raise Unreadable("a subscript on an expression")

    def exponent(self) -> Tree:
        """{…}, or what follows: 10 of x^10, which nobody writes for a 1 with a 0 behind it."""
        return self.number(self.take().text) if self.peek().kind == "num" else self.argument()

    def argument(self) -> Tree:
        r"""Read a command's argument: {…}, or the next single character, as in \frac12 and \sqrt3."""
        if self.skip("{"):
            tree = self.deeper(self.listing)
            self.expect("}")
            return tree
        token = self.peek()
        if token.kind == "num" and token.text.isdigit() and len(token.text) > 1:
            self.tokens[self.at] = Token("num", token.text[1:])
            return Num(Fraction(int(token.text[0])))
        return self.atom()


def _raised(base: Tree, exponent: Tree) -> Tree:
    """Return a power; or the transpose of a vector."""
    if isinstance(base, Group) and exponent in (Sym("T"), Sym("t"), Sym("top")):
        column = transposed(base)
        if column is not None:
            return column
    return Call("pow", (base, exponent))


def with_remark(where: str, tree: Tree, text: str) -> Tree:
    """Return a value and what is said of it; the value alone where that's nothing."""
    return Call(where, (tree, Word(text))) if text and content(text) else tree


def last_unit(tree: Tree) -> Unit | None:
    """Return the unit at the end of a quantity: h of 3 h, min of 3 h 20 min."""
    if isinstance(tree, Call) and tree.name == "add":
        return last_unit(tree.args[1])
    if isinstance(tree, Call) and tree.name == "unit" and isinstance(tree.args[1], Unit):
        return tree.args[1]
    return None


def _minutes(tree: Call) -> Tree:
    """Minutes of arc, 15', and seconds, 15'', in degrees."""
    (inside,) = tree.args
    parts = 60
    if isinstance(inside, Call) and inside.name == "prime":
        (inside,), parts = inside.args, 3600
    return Call("unit", (inside, Unit(Fraction(1, parts), DEGREE.powers)))


def _shown(tree: Num | Sym) -> str:
    return str(tree.value) if isinstance(tree, Num) else tree.name


def _is_integer(tree: Tree) -> bool:
    return isinstance(tree, Num) and tree.value.denominator == 1


def _is_simple_fraction(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "div" and all(map(_is_integer, tree.args))


def _in_base(number: Num, index: str) -> Tree:
    index = BASES.get(index.strip("() "), index.strip("() "))
    if not (index.isascii() and index.isdigit() and len(index) <= 2 and 2 <= int(index) <= 36):
        raise Unreadable(f"a number in base {index[:10]}")
    digits = str(number.value)
    if any(not digit.isdigit() or int(digit) >= int(index) for digit in digits):
        raise Unreadable(f"{digits[:20]} is no number in base {index}")
    return Call("base", (Word(digits), Num(Fraction(int(index)))))
