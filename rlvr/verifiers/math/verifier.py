r"""`Math`: whether the answer in a response equals the gold answer.

Example, from GSM8K: the reference "18" and a response ending "…so she makes \boxed{\$18.00}".

Cheap answers are settled in the caller's thread: the same text, or two numbers. Everything else
is read into a tree and compared in a worker: exactly, then numerically, then by SymPy. Nothing a
model wrote reaches `eval`, `sympify` or `parse_expr`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import MODES, Mode, find_answer
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.numbers import Number, read_integer, read_number
from rlvr.verifiers.math.reader import Unreadable, read
from rlvr.verifiers.math.tree import Tree, is_plain


class Math(Verifier):
    """Full reward where the answer equals `task.reference`, else none.

    Args:
        mode: where the answer is: `boxed` (for training), `flexible`, or `whole`;
            see `rlvr.verifiers.extraction.find_answer`.
        unevaluated: accept an expression that still has to be worked out where the gold is a plain
            number: 6*7 for 42. Off by default, since the question itself often is one.

    The reference is a string, in LaTeX or plain: one answer, or a list where several are asked for.
    """

    name = "math"
    version = 1
    limit_s = 1.0
    options = ("mode", "unevaluated")

    def __init__(self, mode: Mode = "boxed", unevaluated: bool = False) -> None:
        self.mode = mode
        self.unevaluated = unevaluated
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` where `mode` isn't one."""
        if self.mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}.")
        if not isinstance(self.unevaluated, bool):
            raise OptionError(f"unevaluated is true or false, not {self.unevaluated!r}.")

    def settle(self, task: Task, response: str) -> Verdict | None:
        """The verdict where there's no answer, where the texts are the same, or where both are numbers."""
        gold = _gold(task.reference)
        if isinstance(gold, Unscored):
            return gold
        found = find_answer(response, self.mode)
        if found.answer is None:
            return refused(self.name, Status.UNPARSABLE, found.reason)
        integer = read_integer(found.answer)
        if integer is not None and gold.number is not None and not gold.number.percent:
            return self._verdict(gold.number.value == integer, found.answer, gold.text, "number")
        text = clean(found.answer)
        if not text:
            return refused(self.name, Status.UNPARSABLE, "the answer is empty or too long to read")
        if text == gold.cleaned:
            return self._verdict(True, found.answer, gold.text, "text")
        if gold.number is not None:
            number = read_number(text)
            if number is not None:
                return self._verdict(gold.number.equals(number), found.answer, gold.text, "number")
        return None

    def verify(self, task: Task, response: str) -> Verdict:
        """The verdict on any response."""
        working_on("reference")
        settled = self.settle(task, response)
        if settled is not None:
            return settled
        gold = _gold(task.reference)
        assert not isinstance(gold, Unscored)
        try:
            gold_tree: Tree | None = read(gold.cleaned)
        except Unreadable:
            gold_tree = None  # a gold that is prose is compared as text alone
        working_on("response")
        answer = find_answer(response, self.mode).answer
        assert answer is not None
        try:
            tree = read(clean(answer))
        except Unreadable as error:
            feedback = f"can't read {answer[:80]!r}: {error}"
            return refused(self.name, Status.INCORRECT, feedback, answer=answer[:500])
        if gold_tree is None:
            return self._verdict(False, answer, gold.text, "text")
        if gold.number is not None and not self.unevaluated and not is_plain(tree):
            feedback = f"{answer[:80]!r} is not worked out to a number"
            return refused(self.name, Status.INCORRECT, feedback, answer=answer[:500], stage="form")
        # Not at the top: SymPy takes 0.2 s to import, and only workers need it.
        from rlvr.verifiers.math.algebra import equal

        same, stage = equal(gold_tree, tree)
        return self._verdict(same, answer, gold.text, stage)

    def demonstrate(self, task: Task) -> str | None:
        r"""`\boxed{reference}`."""
        return f"\\boxed{{{task.reference}}}"

    def _verdict(self, same: bool, answer: str, gold: str, stage: str) -> Scored:
        if same:
            return correct(self.name, "", answer=answer[:500], stage=stage)
        feedback = f"{answer[:80]!r} is not {gold[:80]!r}"
        return refused(self.name, Status.INCORRECT, feedback, answer=answer[:500], stage=stage)


class _Gold:
    __slots__ = ("cleaned", "number", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.cleaned = clean(text)
        self.number: Number | None = read_number(self.cleaned)


def _gold(reference: Any) -> _Gold | Unscored:
    if isinstance(reference, int | float) and not isinstance(reference, bool):
        reference = str(reference)
    if not isinstance(reference, str):
        return Unscored(Cause.GOLD, f"a math reference is a string, not {type(reference).__name__}")
    gold = _read_gold(reference)
    if not gold.cleaned:
        return Unscored(
            Cause.GOLD, f"the reference {reference[:80]!r} is empty or too long to read"
        )
    return gold


@lru_cache(maxsize=4096)
def _read_gold(reference: str) -> _Gold:
    return _Gold(reference)
