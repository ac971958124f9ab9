r"""Conditions beside an answer's value: "x > 0" in "x^2, x > 0", a parameter's range in "k\pi, k \in \mathbb{Z}".

They are often left out, so they are separated from the value: either side may lack them, but two conditions that differ
as sets aren't the same answer. A list of inequalities or of values is no value with a condition; see `_holds_for`.
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
"""The range of a parameter without a named range: "for all x", "a constant C"."""

_LONGEST = 160  # characters of a condition
_ATTEMPTS = 16  # tails of one answer that are tried

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
    r"""Split cleaned `text` into its value and the conditions at its end: "2k, k \in \mathbb{Z}" into "2k" and k ∈ Z."""
    if not _MAY_HAVE.search(text):
        return text, ()
    value_text = text
    conditions: list[Tree] = []
    attempts, bracketed, conditions_text = _ATTEMPTS, False, ""
    while attempts > 0:
        for start, tail in _tails(value_text):
            attempts -= 1
            shorter = value_text[:start].rstrip(" ,;")
            relations = _condition(tail) if shorter and attempts >= 0 else None
            if relations is not None:
                bracketed = bracketed or value_text[start] == "("
                conditions_text = f"{tail}, {conditions_text}" if conditions_text else tail
                value_text, declared = _with_names(shorter, relations)
                conditions = [*declared, *conditions]
                break
        else:
            break
    if not conditions:
        return text, ()
    if not all(_holds_for(value_text, condition) for condition in conditions):
        return (
            f"{value_text}, {conditions_text}" if bracketed else text
        ), ()  # 0 < x < 2 (x \\ne 1)
    return value_text, tuple(conditions)


def of_elements(tree: Tree) -> tuple[Tree, tuple[Tree, ...]]:
    r"""Split a set like \{k\pi \mid k \in \mathbb{Z}\} into the elements k\pi and their condition; other trees stay."""
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
    other_parts = [part for part in parts if part not in ranges]
    if not ranges or not all(isinstance(part_range.sides[0], Sym) for part_range in ranges):
        return tree, ()
    if any(_is_finite(part_range.sides[1]) for part_range in ranges):
        return tree, ()
    if not other_parts and not isinstance(elements, Sym | Relation):
        return elements, tuple(ranges)
    if (
        len(other_parts) == 1
        and isinstance(other_parts[0], Relation)
        and other_parts[0].signs == ("=",)
    ):
        return (
            (other_parts[0], tuple(ranges)) if other_parts[0].sides[0] == elements else (tree, ())
        )
    return tree, ()


def _with_names(value_text: str, conditions: list[Tree]) -> tuple[str, list[Tree]]:
    r"""Move the names before "t \in \mathbb{R}" in "s, t \in \mathbb{R}" from the value to the condition."""
    last = conditions[0]
    beyond = max(0, len(value_text) - _LONGEST)
    names_before = re.search(rf"(?:,\s*{_NAME})+$", value_text[beyond:])
    if names_before is None or not isinstance(last, Relation) or last.signs != ("in",):
        return value_text, conditions
    names = _names(names_before.group())
    shorter = value_text[: beyond + names_before.start()]
    if not all(_mentions(shorter, name.name) for name in names):
        return value_text, conditions
    return shorter, [*(Relation(("in",), (name, last.sides[1])) for name in names), *conditions]


def _tails(text: str) -> list[tuple[int, str]]:
    """Return the ends of `text` that may be a condition, the shortest first: after a comma or a word, or in brackets."""
    tails: list[tuple[int, str]] = []
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
                tails.append((opened, text[opened + 1 : at]))
        elif depth == 0 and at >= earliest:
            tails.append((at, text[at:].lstrip(",; ")))
    return tails[::-1]


def _condition(tail: str) -> list[Tree] | None:
    """Return the relations in a tail, or None if it is no condition."""
    text = _SAID.sub(
        lambda m: f" {m.group(1)} " if len(m.group(1).strip()) != 1 else m.group(1), tail
    )
    text = text.strip(" ,;")
    text = text if text.endswith("...") else text.rstrip(" .")
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1].strip()
    lead = _LEADING.match(text)
    has_lead = lead is not None and lead.group().strip(" ,") != ""
    text = text[lead.end() :].strip() if lead is not None else text
    for pattern in (_NAMES_ARE, _OF_NAMES):
        worded = pattern.fullmatch(text)
        if worded is not None:
            within = _spoken_set(worded.group("words"))
            if within is not None:
                return [Relation(("in",), (name, within)) for name in _names(worded.group("names"))]
    if _ALONE.fullmatch(text):
        return [Relation(("in",), (name, ANY)) for name in _names(text)] if has_lead else None
    counted = _COUNTED.fullmatch(text)
    if counted is not None:
        return _counted(counted)
    if not _RELATED.search(text):
        return None
    try:
        member = _WITHIN.fullmatch(text)
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
        tree = read(text)
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
    """Return True if a condition fixes a symbol's value: x = 2."""
    if not isinstance(tree, Relation) or tree.signs != ("=",):
        return False
    return isinstance(tree.sides[0], Sym) and not symbols(tree.sides[1])


def _is_finite(tree: Tree) -> bool:
    r"""Return True if a range names its values: 2k with k \in \\{1, 2\\} is those two, and not 2k."""
    return isinstance(tree, Group) and tree.kind == "{}"


def _spoken_set(words: str) -> Tree | None:
    """Return the set that "positive integer" or "arbitrary constant" names; a `Word` for an unknown set of numbers."""
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


def _names(text: str) -> list[Sym]:
    return [
        Sym(re.sub(r"[\\{}]", "", name))
        for name in re.findall(_NAME, re.sub(r"\band\b", ",", text))
    ]


def _counted(counted: re.Match[str]) -> list[Tree]:
    r"""Return n = 1, 2, 3, \ldots as the integers from 1 on."""
    (name,) = _names(counted.group("name"))
    integers = Relation(("in",), (name, Sym("bb:Z")))
    if "p" in counted.group("more"):  # 0, \pm 1, \pm 2, …
        return [integers]
    return [integers, Relation((">=",), (name, Num(Fraction(int(counted.group("first"))))))]


def _holds_for(value_text: str, condition: Tree) -> bool:
    """Return True if a condition is about a symbol in the value, and not about the unknown that the value determines."""
    declared = isinstance(condition, Relation) and condition.signs == ("in",)
    everything = (
        declared
        and isinstance(condition, Relation)
        and condition.sides[1] in (ANY, Sym("bb:R"), Sym("bb:C"))
    )
    is_ordered = _ORDERED.search(value_text) is not None
    is_mentioned = False
    if _is_place(condition):
        return not any(
            _mentions(value_text, name) for name in symbols(condition)
        )  # not x^2 when x = 2
    if _selects(value_text, condition):
        return False
    for name in symbols(condition):
        lone = re.compile(_LONE.replace("NAME", rf"\\?{re.escape(name)}"))
        if not everything and is_ordered and lone.search(value_text):
            return False
        is_mentioned = is_mentioned or _mentions(
            value_text if declared else lone.sub(" ", value_text), name
        )
    return is_mentioned and (declared or not is_ordered)


def _selects(value_text: str, condition: Tree) -> bool:
    r"""Return True if a condition excludes some of the values: x \in (0, 5) of x = k\pi."""
    if not isinstance(condition, Relation) or condition.signs != ("in",):
        return False
    name, within = condition.sides
    if within == ANY or (isinstance(within, Sym) and within.name.startswith("bb:")):
        return False
    return isinstance(name, Sym) and bool(
        re.search(rf"(?:^|[,;])\s*\\?{re.escape(name.name)}\s*=", value_text)
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
    """Return True if no condition of one answer contradicts the other's; None if a worker must decide."""
    if not gold or not answer:
        return True
    ours, our_others = _by_variable(gold)
    theirs, their_others = _by_variable(answer)
    truths = [_same_range(name, ours[name], theirs[name], same) for name in ours if name in theirs]
    if _bounded(gold) - {*theirs} and _bounded(answer) - {*ours}:
        return False  # one says x > 0, and the other y > 0
    for conditions_left, ranges in ((our_others, theirs), (their_others, ours)):
        for condition in conditions_left:
            if not symbols(condition).isdisjoint(ranges):
                return False
    if our_others and their_others:
        for condition in our_others:
            truths.append(_any([same(condition, ranges) for ranges in their_others]))
        for condition in their_others:
            truths.append(_any([same(ranges, condition) for ranges in our_others]))
    if False in truths:
        return False
    return None if None in truths else True


def _by_variable(conditions: Sequence[Tree]) -> tuple[Mapping[str, RealSet], list[Tree]]:
    """Return the set of each symbol's values, and the conditions on no symbol or on several."""
    ranges: dict[str, RealSet] = {}
    unassigned: list[Tree] = []
    for condition in conditions:
        if isinstance(condition, Relation) and condition.sides[-1] == ANY:
            continue
        described = describe(condition)
        if described is None or not described.variable:
            unassigned.append(condition)
        elif described.variable in ranges:
            both = (ranges[described.variable], described.values)
            ranges[described.variable] = Combined("and", both)
        else:
            ranges[described.variable] = described.values
    return ranges, unassigned


def _bounded(conditions: Sequence[Tree]) -> set[str]:
    """Return the symbols that inequalities bound."""
    return {
        name
        for condition in conditions
        if not (isinstance(condition, Relation) and condition.signs == ("in",))
        for name in symbols(condition)
    }


def _same_range(name: str, gold: RealSet, answer: RealSet, same: Same) -> bool | None:
    """Return True if two ranges are the same; n ≥ 1 is the positive integers, as n > 0 is."""
    if LINE in (gold, answer) and is_integral(gold) != is_integral(answer):
        return False  # all real numbers, and the integers
    if name in ("n", "m", "k") or is_integral(gold) or is_integral(answer):
        gold, answer = (Combined("and", (INTEGERS, values)) for values in (gold, answer))
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
    """Return the symbols that are declared to range over a set, with that set; k in k \\ge 1 ranges over integers."""
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
