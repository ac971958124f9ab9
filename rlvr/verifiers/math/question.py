"""What a question writes as formulas, and what may be asked of them."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import NamedTuple

from rlvr.verifiers.math.answer import readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Tree, children, symbols
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.written import has_functions, has_products_of_matrices, shape

QUESTION_LENGTH = 8000
"""Characters of a question that are looked at, from its end."""

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


class Stated(NamedTuple):
    """The formulas of a question.

    Attributes:
        shapes: of expressions and relations, as they are written.
        normals: their normal forms.
        functions: whether there's a function's value to work out, such as tan 75°.
        matrices: whether there are matrices to add up or to multiply.
    """

    shapes: frozenset[Tree]
    normals: frozenset[Tree]
    functions: bool
    matrices: bool


@lru_cache(maxsize=512)
def stated(question: str) -> Stated:
    """What stands in a question's formulas."""
    found: list[Tree] = []
    for formula in formulas(question[-QUESTION_LENGTH:])[-_FORMULAS:]:
        with contextlib.suppress(Unreadable, RecursionError):
            text = clean(formula) if len(formula) <= _FORMULA_LENGTH else ""
            for reading in readings(text) if text else ():
                found += _parts(reading.tree)
    normals = (normal_or_none(tree) for tree in found)
    return Stated(
        frozenset(map(shape, found)),
        frozenset(form for form in normals if form is not None),
        any(has_functions(tree) and not symbols(tree) for tree in found),
        any(map(has_products_of_matrices, found)),
    )


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


def normal_or_none(tree: Tree) -> Tree | None:
    """The normal form; None where there's none."""
    try:
        return normal(tree)
    except (Undefined, RecursionError):
        return None


def _parts(tree: Tree) -> list[Tree]:
    """The expressions and relations of a formula: it, the sides of a relation, the values of a list."""
    if isinstance(tree, Relation):
        return [tree, *(one for part in children(tree) for one in _parts(part))]
    if isinstance(tree, Group) and tree.kind == "":
        return [one for part in children(tree) for one in _parts(part)]
    return [tree] if isinstance(tree, Call | Num) else []
