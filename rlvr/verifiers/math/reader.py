"""Reads LaTeX and plain-text answers into trees, by precedence climbing.

Nothing that a model wrote is ever evaluated, imported or looked up by name: an unknown token ends
the reading with `Unreadable`. Length and depth are bounded, and so is time.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rlvr.verifiers.math.cursor import Cursor
from rlvr.verifiers.math.lexer import tokenize
from rlvr.verifiers.math.tree import ONE, TWO, ZERO, Call, Group, Num, Relation, Sym, Tree, children
from rlvr.verifiers.math.vocabulary import END, FUNCTIONS, GREEK, Token, Unreadable

_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "ge": ">=",
    "ne": "!=", "in": "in", "approx": "~", "equiv": "=", "sim": "~", "≈": "~",
}  # fmt: skip
_CONSTANTS = {
    "pi": "pi", "infty": "oo", "infinity": "oo", "inf": "oo", "emptyset": "empty",
    "varnothing": "empty",
}  # fmt: skip
_MATRICES = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"}
_BIG = {"sum", "prod", "int", "iint", "lim"}
_FENCES = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs"),
           "lVert": ("rVert", "norm")}  # fmt: skip


def read(text: str) -> Tree:
    """The tree of cleaned `text`, units included as `unit` calls. Raises `Unreadable`."""
    tokens = tokenize(text)
    if not tokens:
        raise Unreadable("nothing there")
    reader = _Reader(tokens)
    tree = reader.listing()
    if reader.peek() is not END:
        raise Unreadable(f"unexpected {reader.peek().text!r}")
    return tree


class _Reader(Cursor):
    """Every method reads one construct and leaves the position after it."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.bars = 0  # open |…|, so that the next bar closes
        self.condition = False  # in {x : …}, where a colon makes no ratio

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
            or text in _CONSTANTS
            or text in _BIG
            or text in _FENCES
            or text in ("frac", "binom", "sqrt", "overline", "bar", "vec", "hat", "max", "min")
            or text in ("gcd", "lcm", "overrightarrow", "langle", "angle", "triangle")
            or text.startswith("bb:")
            or (text.startswith("begin:") and text[6:] in _MATRICES)
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

    # ------------------------------------------------------------------ atoms

    def atom(self) -> Tree:
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
        if word in _CONSTANTS:
            return Sym(_CONSTANTS[word])
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
        if name in _CONSTANTS:
            return Sym(_CONSTANTS[name])
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
        if name in _FENCES:
            closing, function = _FENCES[name]
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
        if name in _BIG:
            return self.big(name)
        if name.startswith("begin:"):
            return self.environment(name[6:])
        raise Unreadable(f"unexpected \\{name}")

    def function(self, name: str) -> Tree:
        base: Tree | None = None
        exponent: Tree | None = None
        for _ in range(2):
            if self.skip("_"):
                base = self.argument()
            elif self.skip("^"):
                exponent = self.signed(self.argument)
        if self.peek().text in ("(", "{") or self.peek().text in _FENCES:
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
        if name not in _MATRICES | {"vmatrix", "cases"}:
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


_BASES = "two three four five six seven eight nine ten"
_SPOKEN_BASES = {name: str(base) for base, name in enumerate(_BASES.split(), 2)}
_CLOSINGS = {"(": (")", "]"), "[": ("]", ")"), "\\{": ("\\}",), "{": ("}",)}


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


def _union(items: list[Tree]) -> Tree:
    return items[0] if len(items) == 1 else Group("u", tuple(items))


def _per(tree: Tree, unit: str) -> Tree:
    if isinstance(tree, Call) and tree.name == "unit" and isinstance(tree.args[1], Sym):
        return Call("unit", (tree.args[0], Sym(f"{tree.args[1].name}/{unit}")))
    return Call("unit", (tree, Sym(f"/{unit}")))


def _shown(tree: Num | Sym) -> str:
    return str(tree.value) if isinstance(tree, Num) else tree.name


def _is_relation(tree: Tree) -> bool:
    return isinstance(tree, Relation)


def _is_integer(tree: Tree) -> bool:
    return isinstance(tree, Num) and tree.value.denominator == 1


def _is_simple_fraction(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "div" and all(map(_is_integer, tree.args))


def _in_base(number: Num, index: str) -> Tree:
    index = _SPOKEN_BASES.get(index.strip(), index)
    if not (index.isascii() and index.isdigit() and 2 <= int(index[:3]) <= 36):
        raise Unreadable(f"a number in base {index[:10]}")
    return Call("base", (number, Num(Fraction(int(index)))))
