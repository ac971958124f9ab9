r"""Recognize answers that still are the question's expression: x² - 49 for "Factor x² - 49".

Equal in value isn't solved where the question itself states an expression of that value and asks for
another form of it ("Simplify", "Compute tan 75°"): copying it would be paid for nothing. So
an answer of the gold's value doesn't count

- where it is, or contains, an expression of that value which the question asks for (see `question`), except for the order
  of terms and factors, and the reference is written otherwise;
- where the question says to factor or to expand such an expression, and the answer is less factored or
  expanded than the reference;
- where such an expression is a function's value or matrices to work out ("Compute cos 72°"), and the
  answer is one still, unlike the reference.
"""

from __future__ import annotations

import re

from rlvr.verifiers.math.answer import is_name, is_plain, readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.leaf import Leaf, Truth, quick
from rlvr.verifiers.math.lists import spread
from rlvr.verifiers.math.question import stated
from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Tree, symbols
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.written import (
    contains,
    factors,
    has_functions,
    has_products_of_matrices,
    is_expanded,
    shape,
)

RESTATED = "it's what the question states, in that form"

# The verb, and a formula right behind it: "Factor in all cases" asks for nothing.
_THIS = (
    r"(?: (?:the|this|following|given|product|expression|polynomial|quadratic|trinomial|and|simplify|completely|fully"
    r"|as|far|possible))*:?\s{0,3}(?:\$|\\\[|\\\(|\\begin|[(\d]|[a-z](?![a-z]))"
)
_FACTOR = re.compile(
    r"(?:^|[.!?:,]\s|\n) ?(?:[Cc]ompletely |[Ff]ully )?[Ff]actor(?:i[sz]e)?\b" + _THIS
    + r"|(?:\$|\\\]|\\\)|\w) in (?:completely |fully )?factored form"
)  # fmt: skip
_EXPAND = re.compile(
    r"(?:^|[.!?:,]\s|\n) ?(?:[Ee]xpand|[Mm]ultiply out)\b" + _THIS
    + r"|(?:\$|\\\]|\\\)|\w) in expanded form"
)  # fmt: skip
# Another form of a number is asked for. Else a number of the question may well be the answer too.
_CONVERT = re.compile(
    r"\b(?:as|to|into|in|of) (?:an? |its |the )?(?:[a-z-]+ ){0,3}"
    r"(?:decimal|fraction|percent|percentage|mixed number|scientific notation)\b"
    r"|\b(?:[Ww]hat|the) (?:[a-z-]+ ){0,2}(?:decimal|fraction|percent|percentage|mixed number)\b.{0,90}\b(?:equal|equivalent)"
    r"|\bdecimal expansion\b"
    r"|\b(?:[Ss]implify|[Rr]educe|[Cc]onvert)\b(?! your| my| the (?:answer|result)| all| any| as| each| where| if)",
    re.DOTALL,
)
# Of what is stated one is to be chosen.
_CHOICE = re.compile(
    r"(?:^|[.?!:,]\s|\n)(?:[Ww]hich|[Oo]f)\b|\bwhich (?:of|one|is (?:the )?(?:larg|small|great|bigg|least|most))"
)
_REWRITE = re.compile(r"\b(?:form|[Ss]implify|[Rr]ewrite)\b")


def asks_for_a_form(question: str) -> bool:
    """Tell whether a question asks for another form of a number."""
    return _CONVERT.search(question) is not None and not _CHOICE.search(question)


def restates(question: str, gold: str, answer: str, leaf: Leaf = quick) -> bool:
    """`restated` of texts that are known to be equal; False where one can't be read."""
    try:
        golds, answers = readings(clean(gold)), readings(clean(answer))
    except Unreadable:
        return False
    return bool(restated(question, golds[0].value, answers[0].value, leaf))


def restated(question: str, gold: Tree, answer: Tree, leaf: Leaf) -> str | None:
    """Return the reason why an answer of the gold's value isn't in the form asked for; "" if it is, None if `leaf` can't tell.

    Args:
        question: what the task's user said last; see `rlvr.verifiers.math.question`.
        gold: the reference's tree, without units.
        answer: the answer's.
        leaf: compares two expressions.
    """
    if not question or gold == answer or _CHOICE.search(question):
        return ""
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _equation(question, gold, answer)
    answer = spread(answer)
    if isinstance(answer, Group) and answer.kind == "" and not isinstance(gold, Group):
        found = [restated(question, gold, item, leaf) for item in answer.items]
        return next((one for one in found if one), None if None in found else "")
    # Of `question = result` and `result = question` the result counts.
    found = [_side(question, _last(gold), side, leaf) for side in _values(answer)]
    if "" in found or not found:
        return ""
    return None if None in found else found[-1]


def _side(question: str, gold: Tree, answer: Tree, leaf: Leaf) -> str | None:
    written, wanted = shape(answer), shape(gold)
    if written == wanted or not isinstance(answer, Call | Num):
        return ""
    asked = asks_for_a_form(question)
    there = [
        (tree, form)
        for tree, form in stated(question)
        if form != wanted and (asked or not is_plain(tree))
    ]
    if any(form == written for _, form in there):
        return RESTATED
    if not there or is_plain(answer):
        return ""
    for why, trees in (
        (RESTATED, [tree for tree, form in there if contains(written, form)]),
        (_unfinished(question, gold, answer), [tree for tree, _ in there]),
        (_NOT_DONE, _left_to_do(gold, answer, [tree for tree, _ in there])),
    ):
        if why and trees:
            same = _any_equal(gold, trees, leaf)
            if same is not False:
                return why if same else None
    return ""


_NOT_DONE = "not worked out"


def _unfinished(question: str, gold: Tree, answer: Tree) -> str:
    if 2 <= factors(gold) > factors(answer) and _FACTOR.search(question):
        return "not factored as the question asks"
    if is_expanded(gold) and not is_expanded(answer) and _EXPAND.search(question):
        return "not expanded as the question asks"
    return ""


def _left_to_do(gold: Tree, answer: Tree, trees: list[Tree]) -> list[Tree]:
    """Return the question's expression that is to be worked out, if the answer still has it."""
    if not symbols(gold) and has_functions(answer) and not has_functions(gold):
        return [tree for tree in trees if has_functions(tree)]
    if has_products_of_matrices(answer) and not has_products_of_matrices(gold):
        return [tree for tree in trees if has_products_of_matrices(tree)]
    return []


def _any_equal(gold: Tree, trees: list[Tree], leaf: Leaf) -> Truth:
    undecided = False
    for tree in trees:
        same = leaf(gold, tree)
        if same:
            return True
        undecided = undecided or same is None
    return None if undecided else False


def _equation(question: str, gold: Relation, answer: Relation) -> str:
    if not _REWRITE.search(question) or shape(answer) == shape(gold):
        return ""
    return RESTATED if any(form == shape(answer) for _, form in stated(question)) else ""


def _values(tree: Tree) -> list[Tree]:
    """Return the values that an equation states, or the tree itself."""
    if not isinstance(tree, Relation):
        return [tree]
    return [side for side in tree.sides if not is_name(side)]


def _last(tree: Tree) -> Tree:
    return (_values(tree) or [tree])[-1]
