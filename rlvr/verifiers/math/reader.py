"""Reads LaTeX and plain-text answers into trees, by precedence climbing.

Nothing that a model wrote is ever evaluated, imported or looked up by name: an unknown token ends
the reading with `Unreadable`. Length and depth are bounded, and so is time.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rlvr.verifiers.math.atoms import BIG, CONSTANTS, FENCES, MATRICES, Atoms
from rlvr.verifiers.math.lexer import tokenize
from rlvr.verifiers.math.tree import ZERO, Call, Group, Num, Relation, Sym, Tree, depth
from rlvr.verifiers.math.vocabulary import END, FUNCTIONS, GREEK, Token, Unreadable

MAX_TREE = 150
"""Levels of a tree: a sum of so many terms, or so many factorials in a row. What walks one calls itself."""

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "ge": ">=",
    "ne": "!=", "in": "in", "approx": "~", "equiv": "=", "sim": "~", "≈": "~",
}  # fmt: skip


def read(text: str) -> Tree:
    """The tree of cleaned `text`, units included as `unit` calls. Raises `Unreadable`."""
    tokens = tokenize(text)
    if not tokens:
        raise Unreadable("nothing there")
    reader = _Reader(tokens)
    tree = reader.listing()
    if reader.peek() is not END:
        raise Unreadable(f"unexpected {reader.peek().text!r}")
    if depth(tree) > MAX_TREE:
        raise Unreadable(f"over {MAX_TREE} levels deep")
    return tree


class _Reader(Atoms):
    """Every method reads one construct and leaves the position after it."""

    # ------------------------------------------------------------------ lists, relations, unions

    def listing(self) -> Tree:
        """Values joined by commas, semicolons, "and" or "or"."""
        items = [self.relation()]
        while True:
            joined = False
            while self.skip(",", ";", "and", "or"):
                joined = True
            if not joined:
                break
            if self.peek() is END or self.peek().text in (")", "]", "}", "\\}"):
                raise Unreadable("a list that ends with a comma")
            items.append(self.relation())
        return items[0] if len(items) == 1 else Group("", tuple(items))

    def relation(self) -> Tree:
        self.unsaid()
        self.skip("=", "approx")  # "Area = 5", whose words are gone
        sides, signs = [self.union()], []
        while self.peek().kind != "num" and self.peek().text in _RELATIONS:
            signs.append(_RELATIONS[self.take().text])
            sides.append(self.union())
        return Relation(tuple(signs), tuple(sides)) if signs else sides[0]

    def union(self) -> Tree:
        items = [self.ratio()]
        while self.peek().text in ("cup", "cap", "setminus") and self.peek().kind == "cmd":
            operator = self.take().text
            right = self.ratio()
            if operator == "cup":
                items.append(right)
            else:
                items = [Call(operator, (_union(items), right))]
        return _union(items)

    def ratio(self) -> Tree:
        items = [self.sum()]
        while not self.condition and self.skip(":"):
            items.append(self.sum())
        return items[0] if len(items) == 1 else Group(":", tuple(items))

    # ------------------------------------------------------------------ arithmetic

    def sum(self) -> Tree:
        return self.deeper(self._sum)

    def _sum(self) -> Tree:
        self.unsaid()
        tree = self.signed(self.product)
        while True:
            token = self.peek()
            if token.kind == "num" or token.text not in ("+", "-", "pm", "mp"):
                return tree
            self.take()
            term = self.signed(self.product)
            if token.text == "+":
                tree = Call("add", (tree, term))
            elif token.text == "-":
                tree = Call("add", (tree, Call("neg", (term,))))
            else:
                tree = Call(token.text, (tree, term))

    def signed(self, construct: Callable[[], Tree]) -> Tree:
        """An optional run of signs, then `construct`."""
        if self.skip("-"):
            return Call("neg", (self.deeper(lambda: self.signed(construct)),))
        if self.skip("+"):
            return self.deeper(lambda: self.signed(construct))
        if self.skip("pm"):
            return Call("pm", (ZERO, construct()))
        return construct()

    def product(self) -> Tree:
        tree = self.power()
        while True:
            if self.skip("*", "ast"):
                tree = Call("mul", (tree, self.signed(self.power)))
            elif self.skip("/"):
                if self.peek().kind == "unit":
                    tree = _per(tree, self.unit())
                else:
                    tree = Call("div", (tree, self.signed(self.power)))
            elif self.peek().kind == "unit":
                tree = Call("unit", (tree, Sym(self.unit())))
            elif self.skip("bmod", "mod"):
                tree = Call("mod", (tree, self.power()))
            elif self.skip("pmod"):
                modulus = self.argument()
                if not isinstance(modulus, Num | Sym):
                    raise Unreadable("a modulus that is worked out")
                tree = Call("unit", (tree, Sym(f"mod {_shown(modulus)}")))
            elif self.unsaid():
                if self.begins_factor():
                    raise Unreadable("words between two factors")
            elif self.begins_factor():
                tree = self.juxtaposed(tree)
            else:
                return tree

    def juxtaposed(self, left: Tree) -> Tree:
        """Two factors side by side: a product, or a mixed number."""
        token = self.peek()
        if token.kind == "num" and self.peek(-1).kind == "num":
            return self.mixed(left)
        right = self.power()
        if token == Token("cmd", "frac") and _is_integer(left) and _is_simple_fraction(right):
            return Call("add", (left, right))
        return Call("mul", (left, right))

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
        kind, text = self.peek()
        if kind == "num":
            return True
        if kind == "name":
            return text not in ("and", "or", "mod")
        if kind == "mark":
            return text in ("(", "{") or (text == "|" and not self.bars)
        return kind == "cmd" and (
            text in FUNCTIONS
            or text in GREEK
            or text in CONSTANTS
            or text in BIG
            or text in FENCES
            or text in ("frac", "binom", "sqrt", "overline", "bar", "vec", "hat", "max", "min")
            or text in ("gcd", "lcm", "overrightarrow", "langle", "angle", "triangle")
            or text.startswith("bb:")
            or (text.startswith("begin:") and text[6:] in MATRICES)
        )

    def power(self) -> Tree:
        base = self.atom()
        while True:
            if self.skip("!"):
                base = Call("factorial", (base,))
            elif self.skip("%", "\\%"):
                base = Call("unit", (base, Sym("%")))
            elif self.skip("prime", "'"):
                base = Call("prime", (base,))
            elif self.peek().text == "_":
                self.take()
                base = self.subscript(base)
            elif self.skip("^", "**"):
                if self._degrees():
                    base = Call("unit", (base, Sym(f"deg{self._scale()}")))
                    continue
                if self._ordinal():
                    continue
                if self.skip("prime", "'"):
                    base = Call("prime", (base,))
                    continue
                base = Call("pow", (base, self.signed(self.argument)))
                if self.peek().text in ("^", "**"):
                    raise Unreadable("a power of a power without brackets")
            elif self.skip("circ", "degree", "deg"):
                base = Call("unit", (base, Sym(f"deg{self._scale()}")))
            else:
                return base

    def _degrees(self) -> bool:
        if self.skip("circ", "degree"):
            return True
        if self.peek().text == "{" and self.peek(1).text == "circ" and self.peek(2).text == "}":
            self.at += 3
            return True
        return False

    def _scale(self) -> str:
        """The C or F of a temperature."""
        scale = self.peek()
        if scale.kind == "name" and scale.text in ("C", "F"):
            return self.take().text
        return ""

    def _ordinal(self) -> bool:
        """The {th} of 14^{th}."""
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

    def argument(self) -> Tree:
        r"""A command's argument: {…}, or the next single character, as in \frac12 and \sqrt3."""
        if self.skip("{"):
            tree = self.deeper(self.listing)
            self.expect("}")
            return tree
        token = self.peek()
        if token.kind == "num" and token.text.isdigit() and len(token.text) > 1:
            self.tokens[self.at] = Token("num", token.text[1:])
            return Num(Fraction(int(token.text[0])))
        return self.atom()


_BASES = "two three four five six seven eight nine ten"
_SPOKEN_BASES = {name: str(base) for base, name in enumerate(_BASES.split(), 2)}


def _union(items: list[Tree]) -> Tree:
    return items[0] if len(items) == 1 else Group("u", tuple(items))


def _per(tree: Tree, unit: str) -> Tree:
    if isinstance(tree, Call) and tree.name == "unit" and isinstance(tree.args[1], Sym):
        return Call("unit", (tree.args[0], Sym(f"{tree.args[1].name}/{unit}")))
    return Call("unit", (tree, Sym(f"/{unit}")))


def _shown(tree: Num | Sym) -> str:
    return str(tree.value) if isinstance(tree, Num) else tree.name


def _is_integer(tree: Tree) -> bool:
    return isinstance(tree, Num) and tree.value.denominator == 1


def _is_simple_fraction(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "div" and all(map(_is_integer, tree.args))


def _in_base(number: Num, index: str) -> Tree:
    index = _SPOKEN_BASES.get(index.strip(), index)
    if not (index.isascii() and index.isdigit() and len(index) <= 2 and 2 <= int(index) <= 36):
        raise Unreadable(f"a number in base {index[:10]}")
    return Call("base", (number, Num(Fraction(int(index)))))
