r"""Whether an answer is still what the question states: x² - 49 for "Factor x² - 49".

Equal in value isn't solved where the question itself states an expression and asks for another form
of it ("Simplify", "Compute tan 75°", "Expand"): whoever copies it would be paid for nothing. So an
equal answer counts as restated where it stands in the question, but for the order of its terms and
factors, and the reference is written otherwise. Where the question says to factor or to expand, the
answer has to be as far factored or expanded as the reference.
"""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache

from rlvr.verifiers.math.answer import is_name, is_plain, readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.normal import Undefined, key, normal
from rlvr.verifiers.math.tree import (
    ONE,
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Tree,
    children,
    nodes,
    rebuilt,
    symbols,
)
from rlvr.verifiers.math.vocabulary import Unreadable

RESTATED = "it's what the question states, in that form"

_QUESTION_LENGTH = 8000  # characters of a question that are looked at, from its end
_FORMULA_LENGTH = 400
_FORMULAS = 64

_FORMULA = re.compile(  # lengths: many that are opened and never closed must cost little
    r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[(.{1,400}?)\\\]|\\\((.{1,400}?)\\\)"
    r"|\\begin\{align\*?\}(.{1,2000}?)\\end",
    re.DOTALL,
)
_ALIGNED = 5  # its group with several lines
# In a question without any of these marks: letters that stand alone, numbers and signs, side by side.
_UNMARKED = re.compile(
    r"(?:(?<![a-zA-Z])(?:[a-zA-Z]|sqrt|sin|cos|tan|log|ln|pi)(?![a-zA-Z])|[-\d+*/^(). =])+"
)
_SIGN = re.compile(r"[-+*/^]|sqrt|sin|cos|tan|log|ln")
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
    """The same of texts; False where one can't be read."""
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
    question = question[-_QUESTION_LENGTH:]
    gold, answer = _value(gold), _value(answer)
    if _stands_in(question, gold, answer):
        return RESTATED
    if _FACTOR.search(question) and 2 <= _factors(gold) > _factors(answer):
        return "not factored as the question asks"
    if _EXPAND.search(question) and _is_expanded(gold) and not _is_expanded(answer):
        return "not expanded as the question asks"
    return ""


def asks_for_a_form(question: str) -> bool:
    """Whether a question asks for another form of a number."""
    return _CONVERT.search(question[-_QUESTION_LENGTH:]) is not None


def _stands_in(question: str, gold: Tree, answer: Tree) -> bool:
    if not isinstance(answer, Call | Num) or (is_plain(answer) and not asks_for_a_form(question)):
        return False
    shape = _shape(answer)
    if shape == _shape(gold):
        return False
    shapes, normals = _stated(question)
    if shape in shapes:
        return True
    form = _normal(answer)
    return form is not None and form in normals and form != _normal(gold)


@lru_cache(maxsize=512)
def _stated(question: str) -> tuple[frozenset[Tree], frozenset[Tree]]:
    """The expressions that a question states: their shapes, and their normal forms."""
    found: list[Tree] = []
    for formula in formulas(question)[-_FORMULAS:]:
        with contextlib.suppress(Unreadable, RecursionError):
            text = clean(formula) if len(formula) <= _FORMULA_LENGTH else ""
            for reading in readings(text) if text else ():
                found += _expressions(reading.tree)
    forms = (_normal(tree) for tree in found)
    return frozenset(map(_shape, found)), frozenset(form for form in forms if form is not None)


def formulas(question: str) -> list[str]:
    """What a question writes as formulas: between dollars or LaTeX's brackets, else what looks like one."""
    found: list[str] = []
    for match in _FORMULA.finditer(question):
        aligned = match.group(_ALIGNED)
        if aligned:
            found += aligned.replace("&", "").split("\\\\")
        else:
            found.append(match[match.lastindex or 0])
    return found or [run for run in _UNMARKED.findall(question) if _SIGN.search(run)]


def _expressions(tree: Tree) -> list[Tree]:
    """The expressions of a formula: it, the sides of a relation, the values of a list."""
    if isinstance(tree, Relation) or (isinstance(tree, Group) and tree.kind == ""):
        return [one for part in children(tree) for one in _expressions(part)]
    return [tree] if isinstance(tree, Call | Num) else []


def _value(tree: Tree) -> Tree:
    """The value that an equation states last."""
    if isinstance(tree, Relation):
        values = [side for side in tree.sides if not is_name(side)]
        return values[-1] if values else tree
    return tree


def _normal(tree: Tree) -> Tree | None:
    try:
        return normal(tree)
    except (Undefined, RecursionError):
        return None


def _shape(tree: Tree) -> Tree:
    """What is written, but for order, brackets, and what has no effect (a factor 1, a term 0)."""
    inside = tuple(map(_shape, children(tree)))
    if not isinstance(tree, Call):
        return rebuilt(tree, inside) if inside else tree
    if tree.name == "neg":
        return _negated(inside[0])
    if tree.name == "add":
        return _joined("add", inside, ZERO)
    if tree.name == "mul":
        signs, factors = 0, []
        for factor in inside:
            negative = isinstance(factor, Call) and factor.name == "neg"
            signs += negative
            factors.append(children(factor)[0] if negative else factor)
        product = _joined("mul", tuple(factors), ONE)
        return _negated(product) if signs % 2 else product
    if tree.name in ("div", "pow") and inside[1] == ONE:
        return inside[0]
    return Call(tree.name, inside)


def _joined(name: str, args: tuple[Tree, ...], nothing: Num) -> Tree:
    flat: list[Tree] = []
    for arg in args:
        flat += children(arg) if isinstance(arg, Call) and arg.name == name else [arg]
    flat = sorted((arg for arg in flat if arg != nothing), key=key)
    if not flat:
        return nothing
    return flat[0] if len(flat) == 1 else Call(name, tuple(flat))


def _negated(tree: Tree) -> Tree:
    if isinstance(tree, Call) and tree.name == "neg":
        return tree.args[0]
    return Num(-tree.value) if isinstance(tree, Num) else Call("neg", (tree,))


# ---------------------------------------------------------------------- factored, expanded


def _factors(tree: Tree) -> int:
    """How many factors with a symbol in them are written, powers counted as often as they say."""
    if not symbols(tree):
        return 0
    if not isinstance(tree, Call):
        return 1
    if tree.name in ("mul", "neg"):
        return sum(map(_factors, tree.args))
    if tree.name == "pow" and isinstance(tree.args[1], Num):
        power = tree.args[1].value
        if power.denominator == 1 and 1 <= power <= 1000:
            return int(power) * _factors(tree.args[0])
    if tree.name == "div" and not symbols(tree.args[1]):
        return _factors(tree.args[0])
    return 1


def _is_expanded(tree: Tree) -> bool:
    """Whether no product or whole power of a sum is left in it."""
    return not any(map(_is_product_of_sum, nodes(tree)))


def _is_product_of_sum(tree: Tree) -> bool:
    if not isinstance(tree, Call):
        return False
    if tree.name == "pow":
        base, power = tree.args
        return _is_sum(base) and isinstance(power, Num) and power.value.denominator == 1
    return tree.name == "mul" and any(map(_is_sum, tree.args))


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "add" and bool(symbols(tree))
