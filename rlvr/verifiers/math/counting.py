r"""Binomials and permutations in letters: C(n,k), C_n^k, {}_nC_k, ^nC_k, A_n^k."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rlvr.verifiers.math.tree import Call, Group, Num, Sym, Tree
from rlvr.verifiers.math.vocabulary import Token, Unreadable

if TYPE_CHECKING:
    from rlvr.verifiers.math.atoms import Atoms

_NAMES = {"C": "choose", "A": "falling", "P": "falling"}
_COUNTS = {"n", "m", "k", "r", "p", "N", "M"}


def before_letter(reader: Atoms) -> Tree:
    """Read the n, C and k of `_nC_k` or `^nC_k`, after the first mark."""
    n = reader.argument()
    letter = reader.take()
    if letter.kind != "name" or letter.text not in ("C", "P") or not reader.skip("_"):
        raise Unreadable("an index of nothing")
    return Call(_NAMES[letter.text], (n, reader.argument()))


def behind_letter(reader: Atoms, letter: str) -> Tree | None:
    """Read the indices after a C, A or P if they make it a number of choices; otherwise read nothing."""
    if letter == "C" and reader.peek().text == "(" and _has_two_items(reader):
        inside = reader.atom()
        if isinstance(inside, Group) and inside.kind == "()" and len(inside.items) == 2:
            n, k = inside.items
            if _is_count(n, k, 0):
                return Call("choose", (n, k))
        return Call("mul", (Sym(letter), inside))
    if letter not in _NAMES or reader.peek().text not in ("_", "^"):
        return None
    first = _script_end(reader, reader.at)
    if first is None or {reader.peek().text, _text(reader, first)} != {"_", "^"}:
        return None
    scripts: dict[str, Tree] = {}
    index = ""
    for _ in range(2):
        mark = reader.take().text
        end = _script_end(reader, reader.at - 1)
        if mark == "_":
            inside_index = reader.tokens[reader.at : end]
            index = "".join(token.text for token in inside_index if token.text not in "{}")
        scripts[mark] = reader.argument()
    n, k = scripts["_"], scripts["^"]
    if _is_count(n, k, 3):
        return Call(_NAMES[letter], (n, k))
    return Call("pow", (Sym(f"{letter}_{index}"), k))


def _has_two_items(reader: Atoms) -> bool:
    depth = commas = 0
    for token in reader.tokens[reader.at :]:
        if token.kind == "mark" and token.text in ("(", "[", "{", "\\{"):
            depth += 1
        elif token.kind == "mark" and token.text in (")", "]", "}", "\\}"):
            depth -= 1
            if depth == 0:
                return commas == 1
        elif token == Token("mark", ",") and depth == 1:
            commas += 1
    return False


def _script_end(reader: Atoms, at: int) -> int | None:
    """Return the position after the script whose mark is at `at`; None if the script isn't a plain one."""
    tokens = reader.tokens
    if at + 1 >= len(tokens):
        return None
    if tokens[at + 1].text != "{":
        long = tokens[at + 1].kind == "num" and len(tokens[at + 1].text) > 1
        return None if long else at + 2
    depth = 0
    for i in range(at + 1, len(tokens)):
        depth += (tokens[i].text == "{") - (tokens[i].text == "}")
        if depth == 0:
            return i + 1
    return None


def _text(reader: Atoms, at: int) -> str:
    return reader.tokens[at].text if at < len(reader.tokens) else ""


def _is_count(n: Tree, k: Tree, least: int) -> bool:
    """Return True if k of n can be meant, and not C_1 squared or a point C."""
    if isinstance(n, Num) and isinstance(k, Num):
        whole = n.value.denominator == k.value.denominator == 1
        return whole and n.value >= least and Fraction(0) <= k.value <= n.value
    if isinstance(k, Group) or (isinstance(k, Num) and (k.value < 0 or k.value.denominator > 1)):
        return False
    if isinstance(n, Num):
        return n.value.denominator == 1 and isinstance(k, Sym) and k.name in _COUNTS
    return isinstance(n, Call) or (isinstance(n, Sym) and n.name in _COUNTS)
