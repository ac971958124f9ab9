r"""Recognize answers that repeat the question's expression: x² - 49 for "Factor x² - 49".

If the question states an expression of the gold's value and asks for another form of it ("Simplify",
"Compute tan 75°"), a copy of the expression has the right value and solves nothing. So an answer with the gold's value is
refused if

- it is, or contains, an expression of that value that the question asks about (see `question`), up to the order
  of terms and factors, and the reference has another form;
- the question says to factor or to expand such an expression, and the answer is less factored or
  expanded than the reference;
- such an expression is a function's value or matrices to evaluate ("Compute cos 72°"), and the
  answer, unlike the reference, is still one.
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

# The verb, and a formula right after it: "Factor in all cases" asks for nothing.
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
# The question asks for another form of a number. Otherwise a number of the question may be the answer, too.
_CONVERT = re.compile(
    r"\b(?:as|to|into|in|of) (?:an? |its |the )?(?:[a-z-]+ ){0,3}"
    r"(?:decimal|fraction|percent|percentage|mixed number|scientific notation)\b"
    r"|\b(?:[Ww]hat|the) (?:[a-z-]+ ){0,2}(?:decimal|fraction|percent|percentage|mixed number)\b.{0,90}\b(?:equal|equivalent)"
    r"|\bdecimal expansion\b"
    r"|\b(?:[Ss]implify|[Rr]educe|[Cc]onvert)\b(?! your| my| the (?:answer|result)| all| any| as| each| where| if)",
    re.DOTALL,
)
# The question asks to choose among the values that it states.
_CHOICE = re.compile(
    r"(?:^|[.?!:,]\s|\n)(?:[Ww]hich|[Oo]f)\b|\bwhich (?:of|one|is (?:the )?(?:larg|small|great|bigg|least|most))"
)
_REWRITE = re.compile(r"\b(?:form|[Ss]implify|[Rr]ewrite)\b")


def asks_for_a_form(question: str) -> bool:
    """Return True if a question asks for another form of a number."""
    return _CONVERT.search(question) is not None and not _CHOICE.search(question)


def restates(question: str, gold: str, answer: str, leaf: Leaf = quick) -> bool:
    """Return True if `restated` gives a reason for two texts of equal value; False if one can't be read."""
    try:
        golds, answers = readings(clean(gold)), readings(clean(answer))
    except Unreadable:
        return False
    return bool(restated(question, golds[0].value, answers[0].value, leaf))


def restated(question: str, gold: Tree, answer: Tree, leaf: Leaf) -> str | None:
    """Return the reason why an answer with the gold's value isn't in the requested form.

    The result is "" if the answer is in that form, and None if `leaf` can't decide.

    Args:
        question: the last message of the task's user; see `rlvr.verifiers.math.question`.
        gold: the reference's tree, without units.
        answer: the answer's tree.
        leaf: compares two expressions.
    """
    if not question or gold == answer or _CHOICE.search(question):
        return ""
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _equation(question, gold, answer)
    answer = spread(answer)
    if isinstance(answer, Group) and answer.kind == "" and not isinstance(gold, Group):
        reasons = [restated(question, gold, item, leaf) for item in answer.items]
        return next((reason for reason in reasons if reason), None if None in reasons else "")
    # Of `question = result` and `result = question` the result counts.
    reasons = [_side(question, _last(gold), side, leaf) for side in _values(answer)]
    if "" in reasons or not reasons:
        return ""
    return None if None in reasons else reasons[-1]


def _side(question: str, gold: Tree, answer: Tree, leaf: Leaf) -> str | None:
    answer_shape, gold_shape = shape(answer), shape(gold)
    if answer_shape == gold_shape or not isinstance(answer, Call | Num):
        return ""
    converts = asks_for_a_form(question)
    candidates = [
        (tree, form)
        for tree, form in stated(question)
        if form != gold_shape and (converts or not is_plain(tree))
    ]
    if any(form == answer_shape for _, form in candidates):
        return RESTATED
    if not candidates or is_plain(answer):
        return ""
    for why, trees in (
        (RESTATED, [tree for tree, form in candidates if contains(answer_shape, form)]),
        (_unfinished(question, gold, answer), [tree for tree, _ in candidates]),
        (_NOT_DONE, _left_to_do(gold, answer, [tree for tree, _ in candidates])),
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
    """Return the question's expressions that are still to be evaluated, if the answer has such expressions, too."""
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
