"""Reads LaTeX and plain-text answers into trees, by precedence climbing.

Nothing that a model wrote is ever evaluated, imported or looked up by name: an unknown token ends
the reading with `Unreadable`. Length and depth are bounded, and so is time.
"""

from __future__ import annotations

from collections.abc import Callable

from rlvr.verifiers.math.arithmetic import TO, Arithmetic, last_unit, with_remark
from rlvr.verifiers.math.big import DOTS, going_on
from rlvr.verifiers.math.lexer import tokenize
from rlvr.verifiers.math.phrases import set_of_numbers
from rlvr.verifiers.math.remarks import content, is_place
from rlvr.verifiers.math.sets import INEQUALITIES, SIGNS
from rlvr.verifiers.math.tree import (
    Call,
    Group,
    Relation,
    Tree,
    Word,
    depth,
)
from rlvr.verifiers.math.units import is_part_of
from rlvr.verifiers.math.vocabulary import END, Token, Unreadable, words_of

MAX_TREE = 150
"""Levels of a tree: a sum of so many terms, or so many factorials in a row. What walks one calls itself."""

_SETS = {Token("name", letter) for letter in "ZNRQC"}
_JOINTS = {",": ",", ";": ",", "and": "and", "or": "or", "wedge": "and", "vee": "or",
           "cup": "or", "cap": "and"}  # fmt: skip


def read(text: str, how: Callable[[str], list[Token]] = tokenize) -> Tree:
    """Return the tree of cleaned `text`, with units and remarks. Raises `Unreadable`.

    Args:
        how: reads its tokens.
    """
    tokens = how(text)
    if not tokens:
        raise Unreadable("nothing there")
    reader = _Reader(tokens)
    tree = reader.listing()
    if reader.peek() is not END:
        raise Unreadable(f"unexpected {reader.peek().text!r}")
    if depth(tree) > MAX_TREE:
        raise Unreadable(f"over {MAX_TREE} levels deep")
    return tree


class _Reader(Arithmetic):
    """Every method reads one construct and leaves the position after it."""

    # ------------------------------------------------------------------ lists, relations, unions

    def listing(self) -> Tree:
        """Values joined by commas, semicolons, "and" or "or"."""
        items = [self.relation()]
        joints: list[str] = []
        while True:
            joint = ""
            kind, text = self.peek()
            while text in _JOINTS and kind != "num":
                self.at += 1
                joint = joint.strip(",") or _JOINTS[text]
                kind, text = self.peek()
            if not joint:
                break
            if self.peek() is END or self.peek().text in (")", "]", "}", "\\}"):
                raise Unreadable("a list that ends with a comma")
            began = self.at
            item = DOTS if self.skip("...", "cdots", "ldots") else self.relation()
            unit, smaller = last_unit(items[-1]), last_unit(item)
            if joint == "and" and unit and smaller and is_part_of(smaller, unit):
                items[-1] = Call("add", (items[-1], item))  # 3 hours and 20 minutes
            elif joint == "," and (where := _where(item)):
                where += "".join(
                    f" {token.text}"
                    for token in self.tokens[began : self.at]
                    if token.kind == "num"
                )
                items[-1] = with_remark("said", items[-1], where)  # 5, attained at x = 2
            else:
                joints.append(joint)
                items.append(item)
        return _listed(items, joints)

    def relation(self) -> Tree:
        """Read a value, an equation or an inequality; what can't be read before an equals sign is a name."""
        start, depth = self.at, self.depth
        try:
            tree = self._relation()
            if depth == 0 and self.peek() is not END and self.peek().text not in _JOINTS:
                raise Unreadable(f"unexpected {self.peek().text!r}")
            return tree
        except Unreadable:
            sign = self._sign_behind(start) if depth == 0 else None
            if sign is None:
                raise
        name = Word("".join(token.text for token in self.tokens[start:sign]))
        self.at, self.depth, self.bars, self.condition, self.measures = sign + 1, 0, 0, False, False
        value = self._relation()
        signs, sides = (value.signs, value.sides) if isinstance(value, Relation) else ((), (value,))
        return Relation((SIGNS[self.tokens[sign].text], *signs), (name, *sides))

    def _sign_behind(self, start: int) -> int | None:
        """Return where the value is said that what begins at `start` names: its "=" outside of brackets."""
        depth = 0
        for at in range(start, len(self.tokens)):
            kind, text = self.tokens[at]
            if kind == "num":
                continue
            if text in ("(", "[", "{", "\\{"):
                depth += 1
            elif text in (")", "]", "}", "\\}"):
                depth -= 1
            elif depth <= 0 and text in _JOINTS:
                return None
            elif depth <= 0 and text in ("=", "approx", "≈") and at > start:
                doubled = at + 1 < len(self.tokens) and self.tokens[at + 1].text in SIGNS
                return None if doubled or not _may_name(self.tokens[start:at]) else at
        return None

    def _relation(self) -> Tree:
        words = self.remark()
        named = words.endswith(":") or (bool(words) and self.peek().text in ("=", "approx", ":"))
        self.skip("=", "approx", ":" if named else "=")  # "Area = 5"
        if words and not content(words):
            words, named = "", False
            self.skip(",")  # "So, x = 5"
        if self._applied():
            words, named = f"{self.peek().text} of {self.peek(2).text}", True
            self.at += 5
        sides: list[Tree] = [Word(words.strip(": "))] if named else []
        signs = ["="] if named else []
        sides.append(self.union())
        while self.peek().text in SIGNS and self.peek().kind != "num":
            signs.append(SIGNS[self.take().text])
            remark = self.remark()
            if remark and (self.peek() is END or self.peek().text in _JOINTS):
                signs.pop()
                sides[-1] = with_remark("told", sides[-1], remark)  # n is odd
                break
            if signs[-1] in ("in", "notin") and self.peek() in _SETS:
                self.tokens[self.at] = Token("cmd", f"bb:{self.peek().text}")
            # x < 1 \cup x > 2 joins two inequalities, and x \in A \cup B has two sets
            side = self.union() if signs[-1] in ("in", "notin", "=") else self.ratio()
            sides.append(with_remark("told", side, remark))
        if words and not named and content(words):
            if signs and signs[0] in ("=", "~"):  # the sum of x and y = 5
                sides[0] = Word(words.strip())
            elif not signs or set_of_numbers(words.lower().split()) is None:  # all real x > 2
                sides[0] = with_remark("told", sides[0], words)
        return Relation(tuple(signs), tuple(sides)) if signs else sides[0]

    def _applied(self) -> bool:
        """Tell whether a function's value comes next, and what it is: y(3) = 5, of which no product is made."""
        if self.peek(1).text != "(":
            return False
        name, opening, argument, closing, sign = (self.peek(ahead) for ahead in range(5))
        between = (opening.text, closing.text, sign.text)
        return name.kind == "name" and argument.kind == "num" and between == ("(", ")", "=")

    def union(self) -> Tree:
        """Read sets with signs between them that join them; one of them is a value."""
        first = self.ratio()
        if not self.unites():
            return first
        items = [first]
        while self.unites():
            operator = self.take().text
            right = self.ratio()
            if operator in ("cup", "U"):
                items.append(right)
            else:
                items = [Call(operator, (_union(items), right))]
        return _union(items)

    def unites(self) -> bool:
        """Tell whether a sign that joins sets comes next."""
        kind, text = self.peek()
        if kind == "cmd":
            return text in ("cup", "cap", "setminus")
        if text != "U":
            return False
        # a plain U between two intervals or sets
        before, after = self.peek(-1).text, self.peek(1).text
        return before in (")", "]", "\\}") and after in ("(", "[", "\\{")

    def ratio(self) -> Tree:
        """Read a sum, or several of them with colons between them."""
        first = self.sum()
        if self.peek().text not in _BETWEEN_SUMS:
            return first
        if self.skip("choose"):
            return Call("binomial", (first, self.sum()))
        items = [first]
        while (self.peek() == TO) or (not self.condition and self.peek() == _COLON):
            self.take()
            items.append(self.sum())
        return first if len(items) == 1 else Group(":", tuple(items))


_COLON = Token("mark", ":")
_BETWEEN_SUMS = frozenset({"choose", TO.text, _COLON.text})


_NOT_OF_NAMES = words_of(
    "Rightarrow rightarrow to implies \\\\ & \\& ne != < > <= >= le ge approx in neg cdots ldots ... ? # @ and or"
)


def _may_name(tokens: list[Token]) -> bool:
    """Tell whether tokens may be the name of a value: no number among them but in brackets and indices, and no relation."""
    depth, named = 0, False
    for before, (kind, text) in zip([Token("", ""), *tokens], tokens, strict=False):
        depth += (text in ("(", "[", "{", "\\{")) - (text in (")", "]", "}", "\\}"))
        if kind != "num" and text in _NOT_OF_NAMES and depth <= 0:
            return False
        if kind == "num" and depth <= 0 and before.text not in ("^", "_"):
            return False
        named = (
            named
            or kind in ("name", "said")
            or (kind in ("cmd", "odd") and text.strip("\\").isalpha())
        )
    return named


def _where(item: Tree) -> str:
    """Return the words before a place or a case that the value before holds for, "attained at"; "" for another value."""
    leading = item.sides[0] if isinstance(item, Relation) else item
    if isinstance(leading, Call) and leading.name == "told" and isinstance(leading.args[1], Word):
        words = leading.args[1].text
        return words if is_place(words) else ""
    return leading.text if isinstance(leading, Word) and is_place(leading.text) else ""


def _listed(items: list[Tree], joints: list[str]) -> Tree:
    """Return the items as a list; with an inequality among them, as conditions: all of them or any of them."""
    if not joints:
        return items[0]
    if DOTS in items:
        items = going_on(items)
    conditional = any(
        isinstance(i, Relation) and not INEQUALITIES.isdisjoint(i.signs) for i in items
    )
    if not conditional or {*joints} == {","}:
        return Group("", tuple(items))
    last = len(joints) - joints[::-1].index("or") if "or" in joints else 0
    if last and {*joints[last:]} == {","}:  # x < 1 or x > 2, x \ne 5
        return Group("", (_listed(items[: last + 1], joints[:last]), *items[last + 1 :]))
    if "or" not in joints or "and" not in joints:
        return Group("or" if "or" in joints else "and", tuple(items))
    alternatives = [[items[0]]]
    for joint, item in zip(joints, items[1:], strict=True):
        if joint == "or":
            alternatives.append([item])
        else:
            alternatives[-1].append(item)
    return Group(
        "or",
        tuple(
            conditions[0] if len(conditions) == 1 else Group("and", tuple(conditions))
            for conditions in alternatives
        ),
    )


def _union(items: list[Tree]) -> Tree:
    return items[0] if len(items) == 1 else Group("u", tuple(items))
