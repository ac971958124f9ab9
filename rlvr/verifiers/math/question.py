"""What a question writes as formulas."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache

from rlvr.core.task import Task
from rlvr.verifiers.math.answer import readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Tree, children
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.written import shape

_QUESTION_LENGTH = 8000  # characters of a question that are looked at, from its end
_FORMULA_LENGTH = 300
_FORMULAS = 40

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
# Figures and programs aren't formulas, and money isn't between dollars.
_NO_FORMULA = re.compile(r"\[asy\].{0,6000}?\[/asy\]|```.{0,6000}?```|\\\$", re.DOTALL)


def asked(task: Task) -> str:
    """What the user said last: examples and turns before it are no question of this task."""
    said = next((m["content"] for m in reversed(task.prompt) if m["role"] == "user"), "")
    return said[-_QUESTION_LENGTH:]


@lru_cache(maxsize=512)
def stated(question: str) -> tuple[tuple[Tree, Tree], ...]:
    """The expressions and relations that stand in a question's formulas, each with its shape."""
    found: dict[Tree, Tree] = {}
    for formula in formulas(question)[-_FORMULAS:]:
        with contextlib.suppress(Unreadable, RecursionError):
            text = clean(formula) if len(formula) <= _FORMULA_LENGTH else ""
            for reading in readings(text) if text else ():
                for tree in _parts(reading.value):
                    found.setdefault(shape(tree), tree)
    return tuple((tree, form) for form, tree in found.items())


def formulas(question: str) -> list[str]:
    """What stands between dollars or LaTeX's brackets, else what looks like a formula."""
    question = _NO_FORMULA.sub(" ", question[-_QUESTION_LENGTH:])
    found: list[str] = []
    for match in _FORMULA.finditer(question):
        aligned = match.group(_ALIGNED)
        if aligned:
            lines = aligned.replace("&", "").split("\\\\")
            found += [*lines, " ".join(lines)]
        else:
            found.append(match[match.lastindex or 0])
    return found or [run for run in _UNMARKED.findall(question) if _SIGN.search(run)]


def _parts(tree: Tree) -> list[Tree]:
    """The expressions and relations of a formula: it, the sides of a relation, the values of a list."""
    if isinstance(tree, Relation):
        return [tree, *(one for part in children(tree) for one in _parts(part))]
    if isinstance(tree, Group) and tree.kind == "":
        return [one for part in children(tree) for one in _parts(part)]
    return [tree] if isinstance(tree, Call | Num) else []
