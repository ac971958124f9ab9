"""Reads LaTeX and plain-text answers: a Pratt parser over a small token set.

Nothing that a model wrote is ever evaluated, imported or looked up: an unknown token ends the
reading with `Unreadable`. Depth and length are bounded, so is time.
"""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Sym, Tree, Word

MAX_TOKENS = 2000
MAX_DEPTH = 60


class Unreadable(Exception):
    """The text isn't mathematics that this reader knows."""


_TOKEN = re.compile(
    r"\s*(?:(\d+\.\d+|\d+|\.\d+)|(\\[a-zA-Z]+|\\.)|([a-zA-Z])|(\*\*|<=|>=|!=|\.\.\.|[^\s]))"
)
_WORDS = re.compile(r"\\(?:text|mathrm|mbox|operatorname|mathbf|textbf)\s*\{([^{}]*)\}")
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "ln", "log", "exp",
}  # fmt: skip
_CONSTANTS = {"pi": "pi", "infty": "oo", "emptyset": "empty", "varnothing": "empty"}
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega", "ell",
}  # fmt: skip
_RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "\\le": "<=", "\\ge": ">=",
              "!=": "!=", "\\ne": "!=", "\\in": "in"}  # fmt: skip
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "|": "|"}


def read(text: str) -> Tree:
    """The tree of cleaned `text`. Raises `Unreadable`."""
    word = _word(text)
    if word is not None:
        return word
    text = _WORDS.sub(lambda m: _spoken(m.group(1)), text)
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            break
        tokens.append(match.group(match.lastindex or 0))
        at = match.end()
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"over {MAX_TOKENS} symbols")
    if not tokens:
        raise Unreadable("nothing there")
    reader = _Reader(tokens)
    tree = reader.listing()
    if reader.peek():
        raise Unreadable(f"unexpected {reader.peek()!r}")
    return tree


_WORD = re.compile(
    r"(?:\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{)?\s*\(?([A-Za-z][A-Za-z '’.-]*)\)?\s*\}?"
)
_LETTERS = re.compile(r"[a-zA-Z]+")


def _word(text: str) -> Word | None:
    """Text that is words: letters only, with one of at least three letters that is no function's name."""
    match = _WORD.fullmatch(text)
    if match is None:
        return None
    words = _LETTERS.findall(match.group(1))
    if len(words) == 1 and len(words[0]) == 1 and words[0].isupper():
        return Word(words[0].lower())
    if any(
        len(word) >= 3 and word.lower() not in _FUNCTIONS | {"and", "sqrt", "pi"} for word in words
    ):
        return Word(" ".join(word.lower() for word in words))
    return None


def _spoken(said: str) -> str:
    """What stands in \\text{…} within a formula: "and" and "or" join; a unit or remark is dropped."""
    if said.strip().lower() in ("and", "or"):
        return " , "
    if said.strip() in _FUNCTIONS:
        return " \\" + said.strip() + " "
    return " "


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, *wanted: str) -> str:
        token = self.take()
        if token not in wanted:
            raise Unreadable(f"{' or '.join(wanted)} expected, not {token or 'the end'!r}")
        return token

    # listing := relation ((',' | ';' | 'and' | 'or') relation)*
    def listing(self) -> Tree:
        items = [self.relation()]
        while self.peek() in (",", ";") or self._spelled("and") or self._spelled("or"):
            if self.peek() in (",", ";"):
                self.take()
                if self._spelled("and") or self._spelled("or"):
                    self.at += len("and") if self._spelled("and") else len("or")
            else:
                self.at += len("and") if self._spelled("and") else len("or")
            items.append(self.relation())
        return items[0] if len(items) == 1 else Group("", tuple(items))

    def _spelled(self, word: str) -> bool:
        return "".join(self.tokens[self.at : self.at + len(word)]) == word

    def relation(self) -> Tree:
        left = self.union()
        while self.peek() in _RELATIONS:
            sign = _RELATIONS[self.take()]
            right = self.union()
            left = Relation(sign, left, right)
        return left

    def union(self) -> Tree:
        items = [self.sum()]
        while self.peek() == "\\cup":
            self.take()
            items.append(self.sum())
        return items[0] if len(items) == 1 else Group("u", tuple(items))

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable(f"over {MAX_DEPTH} levels deep")
        sign = self.take() if self.peek() in ("+", "-", "\\pm") else "+"
        tree = self._signed(sign, self.product())
        while self.peek() in ("+", "-", "\\pm", "\\mp"):
            sign = self.take()
            term = self.product()
            if sign in ("\\pm", "\\mp"):
                tree = Call("pm", (tree, term))
            else:
                tree = Call("add", (tree, self._signed(sign, term)))
        self.depth -= 1
        return tree

    @staticmethod
    def _signed(sign: str, tree: Tree) -> Tree:
        if sign == "-":
            return Call("neg", (tree,))
        return Call("pm", (Num(Fraction(0)), tree)) if sign == "\\pm" else tree

    def product(self) -> Tree:
        tree = self.power()
        while True:
            token = self.peek()
            if token in ("*", "/"):
                self.take()
                sign = self.take() if self.peek() in ("+", "-") else "+"
                factor = self._signed(sign, self.power())
                tree = Call("mul" if token == "*" else "div", (tree, factor))
            elif self._begins_factor(token):
                if token[0].isdigit() and self.tokens[self.at - 1][0].isdigit():
                    raise Unreadable("two numbers side by side")
                factor = self.power()
                mixed = (
                    isinstance(tree, Num)
                    and isinstance(factor, Call)
                    and factor.name == "div"
                    and token == "\\frac"
                    and all(isinstance(arg, Num) for arg in factor.args)
                )
                tree = Call("add" if mixed else "mul", (tree, factor))
            else:
                return tree

    def _begins_factor(self, token: str) -> bool:
        if not token or token in _RELATIONS or self._spelled("and") or self._spelled("or"):
            return False
        if token[0].isalnum() or token in ("(", "{", "\\{", "["):
            return token != "[" and token != "\\{"
        return token.startswith("\\") and (
            token[1:] in _FUNCTIONS | _GREEK | set(_CONSTANTS) | {"frac", "sqrt", "binom"}
        )

    def power(self) -> Tree:
        base = self.atom()
        while True:
            token = self.peek()
            if token in ("^", "**"):
                self.take()
                if self.peek() == "\\circ" or self.tokens[self.at : self.at + 3] == [
                    "{",
                    "\\circ",
                    "}",
                ]:
                    self.at += 1 if self.peek() == "\\circ" else 3
                    continue  # degrees: the number counts
                exponent = self._signed("-", self.atom()) if self._minus() else self.argument()
                base = Call("pow", (base, exponent))
            elif token == "!":
                self.take()
                base = Call("factorial", (base,))
            elif token in ("%", "\\%"):
                self.take()
                base = Call("div", (base, Num(Fraction(100))))
            elif token == "_" and isinstance(base, Sym | Num):
                self.take()
                base = self._subscript(base)
            else:
                return base

    def _minus(self) -> bool:
        if self.peek() == "-":
            self.take()
            return True
        return False

    def _subscript(self, base: Sym | Num) -> Tree:
        if self.peek() == "{":
            self.take()
            inside = []
            while self.peek() not in ("}", ""):
                inside.append(self.take())
            self.expect("}")
            index = "".join(inside)
        else:
            index = self.take()
        if isinstance(base, Num):
            return Call("base", (base, Word(index)))
        return Sym(f"{base.name}_{index}")

    def argument(self) -> Tree:
        r"""A command's argument: {…}, or the next single character, as in \frac12."""
        if self.peek() == "{":
            self.take()
            tree = self.listing()
            self.expect("}")
            return tree
        token = self.peek()
        if token[:1].isdigit() and len(token) > 1 and token.isdigit():
            self.tokens[self.at] = token[1:]
            return Num(Fraction(int(token[0])))
        return self.atom()

    def atom(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable(f"over {MAX_DEPTH} levels deep")
        tree = self._atom(self.take())
        self.depth -= 1
        return tree

    def _atom(self, token: str) -> Tree:
        if not token:
            raise Unreadable("it ends too soon")
        if token[0].isdigit() or (token[0] == "." and len(token) > 1 and token[1].isdigit()):
            if len(token) > 5000 or not token.isascii():
                raise Unreadable("a number of over 5000 digits")
            # int(), not Fraction("…"): Fraction's own regex takes exponents of any size
            whole, _, decimals = token.partition(".")
            _check_digits(whole + decimals)
            return Num(Fraction(int(whole + decimals), 10 ** len(decimals)))
        if token in ("(", "[", "\\{", "{"):
            return self._bracketed(token)
        if token == "|":
            inside = self.sum()
            self.expect("|")
            return Call("abs", (inside,))
        if len(token) == 1 and token.isalpha() and token.isascii():
            return self._letter(token)
        if token == "\\frac" or token == "\\binom":
            name = "div" if token == "\\frac" else "binomial"
            return Call(name, (self.argument(), self.argument()))
        if token == "\\sqrt":
            root: Tree = Num(Fraction(2))
            if self.peek() == "[":
                self.take()
                root = self.sum()
                self.expect("]")
            return Call("root", (self.argument(), root))
        name = token[1:] if token[0] == "\\" else token
        if name in _FUNCTIONS:
            return self._function(name)
        if name in _CONSTANTS:
            return Sym(_CONSTANTS[name])
        if name in _GREEK:
            return Sym(name)
        raise Unreadable(f"unknown {token!r}")

    def _letter(self, letter: str) -> Tree:
        for length in (6, 5, 4, 3, 2):
            word = "".join(self.tokens[self.at - 1 : self.at - 1 + length])
            if word in _FUNCTIONS or word in ("sqrt", "pi"):
                self.at += length - 1
                if word == "sqrt":
                    return Call("root", (self.argument(), Num(Fraction(2))))
                return Sym("pi") if word == "pi" else self._function(word)
        return Sym(letter)

    def _function(self, name: str) -> Tree:
        power: Tree | None = None
        base: Tree | None = None
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.argument()
        if self.peek() == "^":
            self.take()
            power = self.argument()
        if self.peek() in ("(", "{"):
            argument = self.atom()
        else:
            argument = self.power()
            while self._begins_factor(self.peek()) and self.peek()[1:] not in _FUNCTIONS:
                argument = Call("mul", (argument, self.power()))
        tree = Call(name, (argument,) if base is None else (argument, base))
        return tree if power is None else Call("pow", (tree, power))

    def _bracketed(self, opening: str) -> Tree:
        if opening == "\\{" and self.peek() == "\\}":
            self.take()
            return Sym("empty")
        inside = self.listing()
        closings = {"(": (")", "]"), "[": ("]", ")"), "\\{": ("\\}",), "{": ("}",)}
        closing = self.expect(*closings[opening])
        several = isinstance(inside, Group) and inside.kind == ""
        items = inside.items if isinstance(inside, Group) and several else (inside,)
        if opening == "\\{":
            return Group("{}", items)
        if opening == "{" or (opening, closing) == ("(", ")"):
            return Group("()", items) if several and opening == "(" else inside
        if several:
            return Group(opening + closing, items)
        if (opening, closing) == ("[", "]"):
            return inside
        raise Unreadable(f"{opening} closed by {closing}")


def _check_digits(digits: str) -> None:
    if len(digits) > 4000:
        raise Unreadable("a number of over 4000 digits")
