r"""Conditions beside an answer's value: "x > 0" in "x^2, x > 0", a parameter's range in "k\pi, k \in \mathbb{Z}".

They are often left out, so they're kept apart: either side may do without, but two that differ as sets aren't the
same answer. A list of inequalities or of values is no value with a condition; see `_holds_for`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from rlvr.verifiers.math.intervals import (
    INTEGERS,
    LINE,
    Combined,
    RealSet,
    Undecided,
    Unordered,
    is_integral,
    ordered,
    same_set,
)
from rlvr.verifiers.math.phrases import set_of_numbers
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.sets import INEQUALITIES, describe
from rlvr.verifiers.math.tree import Group, Num, Relation, Sym, Tree, Word, nodes, symbols
from rlvr.verifiers.math.vocabulary import Unreadable

Same = Callable[[Tree, Tree], "bool | None"]

ANY = Sym("any")
"""The range of a parameter that is only said to be any: "for all x", "a constant C"."""

_LONGEST = 160  # characters of a condition
_ATTEMPTS = 16  # tails of one answer that are looked at

_SAID = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\s*+\{([^{}]*+)\}")
_MAY_HAVE = re.compile(
    r"[<>=]|\\(?:le|ge|ne|in|notin|forall|text|mathrm|mbox)(?![a-z])|\b(?:for|where|with|when|if|integer|constant)"
)
_MARK = re.compile(
    r"\\[{}]|\\(?:text|textrm|mbox|mathrm|mathbf)\s*+\{[^{}]*+\}|\\forall(?![a-z])|[(\[{}\])]|[,;]"
    r"|(?<![a-zA-Z\\])(?:for|where|with|when|if|provided|given)(?![a-zA-Z])"
)
_LEADING = re.compile(
    r"(?:[\s,]|\\forall(?![a-z])|\b(?:for|where|when|whenever|if|with|and|given|provided|assuming|that|such|as|long|"
    r"some|any|all|every|each|here|the|at)\b)++"
)
_WHERE = re.compile("when|where|at|for")  # "6 if x = 2" may have another value elsewhere
_NAME = r"(?:[a-zA-Z]|\\[a-z]+)(?:_(?:\w|\{\w{1,3}\}))?"
_NAMES = rf"{_NAME}(?:\s*(?:,|\band\b)\s*{_NAME})*"
_OF_NAMES = re.compile(rf"(?P<words>[a-z][a-z -]*?)\s+(?:values? (?:of|for) )?(?P<names>{_NAMES})")
_NAMES_ARE = re.compile(
    rf"(?P<names>{_NAMES})\s+(?:\b(?:is|are|be|being|denotes|an|a|any|some|arbitrary|all)\b\s*)*+"
    r"(?P<words>[a-z][a-z -]*)"
)
_WITHIN = re.compile(rf"(?P<names>{_NAMES})\s*\\in(?![a-z])\s*(?P<set>.+)")
_ALONE = re.compile(_NAMES)
_COUNTED = re.compile(
    rf"(?P<name>{_NAME})\s*=\s*(?P<first>-?\d{{1,9}})\s*,(?P<more>[\s\d,\\pm-]*?),?\s*(?:\.\.\.|\\cdots),?\s*"
)
_RELATED = re.compile(r"[<=>]|\\(?:le|ge|ne|in|notin)(?![a-z])|!=")
_ORDERED = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-z])|!=")


def without_conditions(text: str) -> tuple[str, tuple[Tree, ...]]:
    r"""Return cleaned `text` without the conditions at its end, and those: "2k" and k ∈ Z of "2k, k \in \mathbb{Z}"."""
    if not _MAY_HAVE.search(text):
        return text, ()
    rest = text
    conditions: list[Tree] = []
    attempts, bracketed, spelled = _ATTEMPTS, False, ""
    while attempts > 0:
        for start, tail in _tails(rest):
            attempts -= 1
            shorter = rest[:start].rstrip(" ,;")
            read_there = _condition(tail) if shorter and attempts >= 0 else None
            if read_there is not None:
                bracketed = bracketed or rest[start] == "("
                spelled = f"{tail}, {spelled}" if spelled else tail
                rest, more = _with_names(shorter, read_there)
                conditions = [*more, *conditions]
                break
        else:
            break
    if not conditions:
        return text, ()
    if not all(_holds_for(rest, condition) for condition in conditions):
        return (f"{rest}, {spelled}" if bracketed else text), ()  # 0 < x < 2 (x \\ne 1)
    return rest, tuple(conditions)


def of_elements(tree: Tree) -> tuple[Tree, tuple[Tree, ...]]:
    r"""Return a set like \{k\pi \mid k \in \mathbb{Z}\} as the elements k\pi and their condition; another tree as it is."""
    if not isinstance(tree, Group) or tree.kind != "builder":
        return tree, ()
    elements, condition = tree.items
    parts = (
        condition.items if isinstance(condition, Group) and condition.kind != "or" else (condition,)
    )
    ranges = [
        part
        for part in parts
        if isinstance(part, Relation) and part.signs == ("in",) and part.sides[0] != elements
    ]
    others = [part for part in parts if part not in ranges]
    if not ranges or not all(isinstance(one.sides[0], Sym) for one in ranges):
        return tree, ()
    if any(_is_finite(one.sides[1]) for one in ranges):
        return tree, ()
    if not others and not isinstance(elements, Sym | Relation):
        return elements, tuple(ranges)
    if len(others) == 1 and isinstance(others[0], Relation) and others[0].signs == ("=",):
        return (others[0], tuple(ranges)) if others[0].sides[0] == elements else (tree, ())
    return tree, ()


def _with_names(rest: str, conditions: list[Tree]) -> tuple[str, list[Tree]]:
    r"""Move the names before "t \in \mathbb{R}" in "s, t \in \mathbb{R}" from the rest to the condition."""
    last = conditions[0]
    beyond = max(0, len(rest) - _LONGEST)
    listed = re.search(rf"(?:,\s*{_NAME})+$", rest[beyond:])
    if listed is None or not isinstance(last, Relation) or last.signs != ("in",):
        return rest, conditions
    names = _names(listed.group())
    shorter = rest[: beyond + listed.start()]
    if not all(_mentions(shorter, name.name) for name in names):
        return rest, conditions
    return shorter, [*(Relation(("in",), (name, last.sides[1])) for name in names), *conditions]


def _tails(text: str) -> list[tuple[int, str]]:
    """Return the ends of `text` that may be a condition, the shortest first: behind a comma or a word, or in brackets."""
    found: list[tuple[int, str]] = []
    depth, opened = 0, 0
    earliest = len(text) - _LONGEST
    for mark in _MARK.finditer(text):
        sign, at = mark.group(), mark.start()
        if sign in ("(", "[", "{", "\\{"):
            depth += 1
            opened = at if depth == 1 else opened
        elif sign in (")", "]", "}", "\\}"):
            depth -= 1
            if (
                depth == 0
                and sign == ")"
                and text[opened] == "("
                and mark.end() == len(text)
                and opened >= earliest
            ):
                found.append((opened, text[opened + 1 : at]))
        elif depth == 0 and at >= earliest:
            found.append((at, text[at:].lstrip(",; ")))
    return found[::-1]


def _condition(tail: str) -> list[Tree] | None:
    """Return the relations that a tail says, or None if it's no condition."""
    said = _SAID.sub(
        lambda m: f" {m.group(1)} " if len(m.group(1).strip()) != 1 else m.group(1), tail
    )
    said = said.strip(" ,;")
    said = said if said.endswith("...") else said.rstrip(" .")
    if said.startswith("(") and said.endswith(")") and said.count("(") == 1:
        said = said[1:-1].strip()
    lead = _LEADING.match(said)
    spoken = lead is not None and lead.group().strip(" ,") != ""
    said = said[lead.end() :].strip() if lead is not None else said
    for pattern in (_NAMES_ARE, _OF_NAMES):
        worded = pattern.fullmatch(said)
        if worded is not None:
            within = _spoken_set(worded.group("words"))
            if within is not None:
                return [Relation(("in",), (name, within)) for name in _names(worded.group("names"))]
    if _ALONE.fullmatch(said):
        return [Relation(("in",), (name, ANY)) for name in _names(said)] if spoken else None
    counted = _COUNTED.fullmatch(said)
    if counted is not None:
        return _counted(counted)
    if not _RELATED.search(said):
        return None
    try:
        member = _WITHIN.fullmatch(said)
        if member is not None:
            values = read(f"x\\in {member.group('set')}")
            if (
                not isinstance(values, Relation)
                or values.signs != ("in",)
                or _is_finite(values.sides[1])
            ):
                return None
            names = _names(member.group("names"))
            return [Relation(("in",), (name, values.sides[1])) for name in names]
        tree = read(said)
    except Unreadable:
        return None
    relations = [node for node in nodes(tree) if isinstance(node, Relation)]
    if not relations or any(INEQUALITIES.isdisjoint(relation.signs) for relation in relations):
        says_where = lead is not None and _WHERE.search(lead.group())
        return [tree] if says_where and _is_place(tree) else None
    if isinstance(tree, Relation) or (
        isinstance(tree, Group) and isinstance(tree.items[0], Relation | Group)
    ):
        return [tree]
    return None


def _is_place(tree: Tree) -> bool:
    """Tell whether it says at what value of a symbol something holds: x = 2."""
    if not isinstance(tree, Relation) or tree.signs != ("=",):
        return False
    return isinstance(tree.sides[0], Sym) and not symbols(tree.sides[1])


def _is_finite(tree: Tree) -> bool:
    r"""Tell whether a range names its values: 2k with k \in \\{1, 2\\} is those two, and not 2k."""
    return isinstance(tree, Group) and tree.kind == "{}"


def _spoken_set(words: str) -> Tree | None:
    """Return the set that "positive integer" or "arbitrary constant" names; a word for what isn't known as one."""
    parts = words.replace("-", " ").split()
    if not parts or not any(
        part.rstrip("s") in ("integer", "number", "real", "constant", "natural") for part in parts
    ):
        return None
    if any(part.rstrip("s") == "constant" for part in parts):
        return ANY
    numbers = set_of_numbers(
        [part for part in parts if part not in ("arbitrary", "fixed", "some", "given")]
    )
    return numbers if numbers is not None else Word(" ".join(part.rstrip("s") for part in parts))


def _names(said: str) -> list[Sym]:
    return [
        Sym(re.sub(r"[\\{}]", "", name))
        for name in re.findall(_NAME, re.sub(r"\band\b", ",", said))
    ]


def _counted(counted: re.Match[str]) -> list[Tree]:
    r"""n = 1, 2, 3, \ldots as the integers from 1 on."""
    (name,) = _names(counted.group("name"))
    integers = Relation(("in",), (name, Sym("bb:Z")))
    if "p" in counted.group("more"):  # 0, \pm 1, \pm 2, …
        return [integers]
    return [integers, Relation((">=",), (name, Num(Fraction(int(counted.group("first"))))))]


def _holds_for(rest: str, condition: Tree) -> bool:
    """Tell whether a condition is one on the value that's left: on a symbol in it, and not on the unknown it determines."""
    declared = isinstance(condition, Relation) and condition.signs == ("in",)
    everything = (
        declared
        and isinstance(condition, Relation)
        and condition.sides[1] in (ANY, Sym("bb:R"), Sym("bb:C"))
    )
    ordered_rest = _ORDERED.search(rest) is not None
    named = False
    if _is_place(condition):
        return not any(_mentions(rest, name) for name in symbols(condition))  # not x^2 when x = 2
    if _selects(rest, condition):
        return False
    for name in symbols(condition):
        lone = re.compile(_LONE.replace("NAME", rf"\\?{re.escape(name)}"))
        if not everything and ordered_rest and lone.search(rest):
            return False
        named = named or _mentions(rest if declared else lone.sub(" ", rest), name)
    return named and (declared or not ordered_rest)


def _selects(rest: str, condition: Tree) -> bool:
    r"""Tell whether a condition takes some of the values that are left: x \in (0, 5) of x = k\pi."""
    if not isinstance(condition, Relation) or condition.signs != ("in",):
        return False
    name, within = condition.sides
    if within == ANY or (isinstance(within, Sym) and within.name.startswith("bb:")):
        return False
    return isinstance(name, Sym) and bool(
        re.search(rf"(?:^|[,;])\s*\\?{re.escape(name.name)}\s*=", rest)
    )


_SIGN = r"(?:[<>=]|\\(?:le|ge|ne|in)(?![a-z]))"
_LONE = rf"(?<![\w\\}})\]^_])NAME(?=\s*{_SIGN})|{_SIGN}\s*NAME\s*(?=$|[,;]|{_SIGN})"
"""A symbol that is one side of a relation."""


def _mentions(text: str, name: str) -> bool:
    if len(name) > 1 and "_" not in name:
        return re.search(rf"\\{name}(?![a-zA-Z])", text) is not None
    letters = re.sub(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\\[a-zA-Z]+", " ", text)
    return name in (letters if len(name) == 1 else re.sub("[{}]", "", letters))


# ---------------------------------------------------------------------- two answers' conditions


def agree(gold: Sequence[Tree], answer: Sequence[Tree], same: Same) -> bool | None:
    """Return whether no condition of one contradicts the other's; None if a worker has to find out."""
    if not gold or not answer:
        return True
    ours, our_rest = _by_variable(gold)
    theirs, their_rest = _by_variable(answer)
    truths = [_same_range(name, ours[name], theirs[name], same) for name in ours if name in theirs]
    if _bounded(gold) - {*theirs} and _bounded(answer) - {*ours}:
        return False  # one says x > 0, and the other y > 0
    for one, other in ((our_rest, theirs), (their_rest, ours)):
        for condition in one:
            if not symbols(condition).isdisjoint(other):
                return False
    if our_rest and their_rest:
        for condition in our_rest:
            truths.append(_any([same(condition, other) for other in their_rest]))
        for condition in their_rest:
            truths.append(_any([same(other, condition) for other in our_rest]))
    if False in truths:
        return False
    return None if None in truths else True


def _by_variable(conditions: Sequence[Tree]) -> tuple[Mapping[str, RealSet], list[Tree]]:
    """Return the set of each symbol's values, and the conditions that are about none or several."""
    ranges: dict[str, RealSet] = {}
    rest: list[Tree] = []
    for condition in conditions:
        if isinstance(condition, Relation) and condition.sides[-1] == ANY:
            continue
        described = describe(condition)
        if described is None or not described.variable:
            rest.append(condition)
        elif described.variable in ranges:
            both = (ranges[described.variable], described.values)
            ranges[described.variable] = Combined("and", both)
        else:
            ranges[described.variable] = described.values
    return ranges, rest


def _bounded(conditions: Sequence[Tree]) -> set[str]:
    """Return the symbols that inequalities bound."""
    return {
        name
        for condition in conditions
        if not (isinstance(condition, Relation) and condition.signs == ("in",))
        for name in symbols(condition)
    }


def _same_range(name: str, gold: RealSet, answer: RealSet, same: Same) -> bool | None:
    """Tell whether two ranges are the same; n ≥ 1 is the positive integers, as n > 0 is."""
    if LINE in (gold, answer) and is_integral(gold) != is_integral(answer):
        return False  # all real numbers, and the integers
    if name in ("n", "m", "k") or is_integral(gold) or is_integral(answer):
        gold, answer = (Combined("and", (INTEGERS, one)) for one in (gold, answer))
    try:
        return same_set(gold, answer, partial(ordered, same=same), same)
    except Undecided:
        return None
    except Unordered:
        return gold == answer


def _any(truths: Sequence[bool | None]) -> bool | None:
    if True in truths:
        return True
    return None if None in truths else False


def parameters(conditions: Sequence[Tree]) -> dict[str, Tree]:
    """Return the symbols that are declared to range over a set, with it; k of k \\ge 1 ranges over integers."""
    counted = {
        side.name: Sym("bb:Z")
        for condition in conditions
        if isinstance(condition, Relation) and not INEQUALITIES.isdisjoint(condition.signs)
        for side in condition.sides
        if isinstance(side, Sym) and re.fullmatch("[i-n]", side.name)
    }
    return counted | {
        condition.sides[0].name: condition.sides[1]
        for condition in conditions
        if isinstance(condition, Relation)
        and condition.signs == ("in",)
        and isinstance(condition.sides[0], Sym)
    }
