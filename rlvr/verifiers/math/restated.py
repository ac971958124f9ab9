r"""Whether an answer is still what the question states: x² - 49 for "Factor x² - 49".

Equal in value isn't solved where the question itself states an expression and asks for another form
of it ("Simplify", "Compute tan 75°", "Expand"): whoever copies it would be paid for nothing. So an
equal answer counts as restated where it stands in the question, but for the order of its terms and
factors, and the reference is written otherwise. Where the question says to factor or to expand, the
answer has to be as far factored or expanded as the reference.
"""

from __future__ import annotations

import re

from rlvr.verifiers.math.answer import is_name, is_plain, readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.question import QUESTION_LENGTH, normal_or_none, stated
from rlvr.verifiers.math.tree import Call, Num, Relation, Tree, symbols
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.written import (
    factors,
    has_functions,
    has_products_of_matrices,
    is_expanded,
    shape,
)

RESTATED = "it's what the question states, in that form"

_FACTOR = re.compile(
    r"(?:^|[.!?:]\s+|\n[ \t]*)(?:Completely |Fully )?Factor(?:i[sz]e)?\b(?! of| is)"
    r"|\b[Ff]actor(?:i[sz]e)? (?:completely|fully|the (?:expression|polynomial|quadratic|following))"
    r"|\b[Ff]actored form|\b(?:completely|fully) factored"
)
_EXPAND = re.compile(r"(?:^|[.!?:]\s+|\n[ \t]*)(?:Expand|Multiply out)\b|\bin expanded form")
# Another form of a number is asked for. Else a number of the question may well be the answer too.
_CONVERT = re.compile(
    r"\b(?:decimal|fraction|percent|percentage|mixed number|[Ss]implify|[Rr]educe|[Cc]onvert)\b"
)


def restates(question: str, gold: str, answer: str) -> bool:
    """`restated` of texts; False where one can't be read."""
    try:
        trees = [readings(clean(text))[0].tree for text in (gold, answer)]
    except Unreadable:
        return False
    return bool(restated(question, *trees))


def restated(question: str, gold: Tree, answer: Tree) -> str:
    """Why an answer of the gold's value isn't what was asked for; "" where it is.

    Args:
        question: the task's prompt.
        gold: the reference's tree, without units.
        answer: the answer's.
    """
    question = question[-QUESTION_LENGTH:]
    if not question or shape(gold) == shape(answer):
        return ""
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return RESTATED if shape(answer) in stated(question).shapes else ""
    gold, answer = _value(gold), _value(answer)
    if _stands_in(question, gold, answer):
        return RESTATED
    if _FACTOR.search(question) and 2 <= factors(gold) > factors(answer):
        return "not factored as the question asks"
    if _EXPAND.search(question) and is_expanded(gold) and not is_expanded(answer):
        return "not expanded as the question asks"
    if has_functions(answer) and not has_functions(gold) and not symbols(gold):
        return "not worked out" if stated(question).functions else ""
    if has_products_of_matrices(answer) and not has_products_of_matrices(gold):
        return "not worked out" if stated(question).matrices else ""
    return ""


def asks_for_a_form(question: str) -> bool:
    """Whether a question asks for another form of a number."""
    return _CONVERT.search(question[-QUESTION_LENGTH:]) is not None


def _stands_in(question: str, gold: Tree, answer: Tree) -> bool:
    if not isinstance(answer, Call | Num) or (is_plain(answer) and not asks_for_a_form(question)):
        return False
    written = shape(answer)
    if written == shape(gold):
        return False
    if written in stated(question).shapes:
        return True
    form = normal_or_none(answer)
    return form is not None and form in stated(question).normals and form != normal_or_none(gold)


def _value(tree: Tree) -> Tree:
    """The value that an equation states last."""
    if isinstance(tree, Relation):
        values = [side for side in tree.sides if not is_name(side)]
        return values[-1] if values else tree
    return tree
