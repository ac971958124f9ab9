r"""`Math`: whether the answer in a response equals the gold answer.

Example, from GSM8K: the reference "18" and a response ending "…so she makes \boxed{\$18.00}".

Cheap answers are settled in the caller's thread: the same text, two numbers, two short expressions
whose normal forms decide. The rest is compared in a worker: numerically, then by SymPy. Nothing a
model wrote reaches `eval`, `sympify` or `parse_expr`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import MODES, Found, Mode, find_answer, in_form
from rlvr.verifiers.math.answer import Answer, has_sums, is_plain, is_simplified, readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.compare import Comparison
from rlvr.verifiers.math.conditions import agree, parameters
from rlvr.verifiers.math.golds import INLINE_LENGTH, Gold, golds_of
from rlvr.verifiers.math.leaf import Leaf, Truth, at_once, within
from rlvr.verifiers.math.numbers import read_integer, read_number
from rlvr.verifiers.math.quantities import quantity, says
from rlvr.verifiers.math.question import asked
from rlvr.verifiers.math.renaming import renamed, renamings, replaced
from rlvr.verifiers.math.restated import RESTATED, asks_for_a_form, restated, restates
from rlvr.verifiers.math.tree import Num, Tree, symbols
from rlvr.verifiers.math.vocabulary import Unreadable

Units: TypeAlias = Literal["lenient", "required", "ignored"]


class Math(Verifier):
    """Pays full reward if the answer equals `task.reference`, otherwise none::

        task = rlvr.Task("What is a half of a half?", "1/4")
        rlvr.score([task], ["It's \\\\boxed{0.25}."], rlvr.Math())[0].reward  # 1.0

    The reference is a string in LaTeX or plain text: one answer, or a list where several are asked
    for. A list of strings holds alternatives, each of them right.

    Args:
        mode: where the answer is: `boxed` (for training), `flexible`, `minerva`, or `whole`;
            see `rlvr.verifiers.extraction.find_answer`.
        ordered: whether the order of a bare list counts ("1, 2"); tuples are ordered always.
        units: `lenient`: may be missing, but not be others. `required`: must be there where the
            reference has them. `ignored`: don't count.
        simplified: refuse what isn't in simplest form: 2/4 for 1/2, √8 for 2√2.
        unevaluated: accept an expression that still has to be worked out where the reference is a
            plain number: 6*7 for 42. Off by default, since the question itself often is one.
        rounded: accept a value that rounds to a decimal reference at the reference's own digits,
            and one rounded to at least 3 digits of a reference that isn't a decimal.
        tolerance: accept a number within this absolute distance of the reference.
        rename: accept other names for the variables (in order of appearance).
        restated: accept what the question itself states where the reference has another form:
            x^2-49 for "Factor x^2-49". Off by default: copying it solves nothing.
        hide_reference: leave the reference out of the feedback, so that the model may read it as the next
            observation of a conversation.
    """

    name = "math"
    version = 7
    limit_s = 1.0
    worker_imports = ("sympy", "rlvr.verifiers.math.symbolic")
    options = (
        "mode", "ordered", "units", "simplified", "unevaluated", "rounded", "tolerance", "rename",
        "restated", "hide_reference",
    )  # fmt: skip

    def __init__(
        self,
        mode: Mode = "boxed",
        *,
        ordered: bool = False,
        units: Units = "lenient",
        simplified: bool = False,
        unevaluated: bool = False,
        rounded: bool = False,
        tolerance: float = 0.0,
        rename: bool = False,
        restated: bool = False,
        hide_reference: bool = False,
    ) -> None:
        self.mode = mode
        self.ordered = ordered
        self.units = units
        self.simplified = simplified
        self.unevaluated = unevaluated
        self.rounded = rounded
        self.tolerance = tolerance
        self.rename = rename
        self.restated = restated
        self.hide_reference = hide_reference
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` where an option's value isn't one of its own."""
        if self.mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}.")
        if self.units not in get_args(Units):
            raise OptionError(f"units is one of {', '.join(get_args(Units))}, not {self.units!r}.")
        for flag in (
            "ordered",
            "simplified",
            "unevaluated",
            "rounded",
            "rename",
            "restated",
            "hide_reference",
        ):
            if not isinstance(getattr(self, flag), bool):
                raise OptionError(f"{flag} is true or false, not {getattr(self, flag)!r}.")
        if isinstance(self.tolerance, bool) or not isinstance(self.tolerance, int | float):
            raise OptionError(f"tolerance is a number, not {self.tolerance!r}.")
        if not 0 <= self.tolerance < float("inf"):
            raise OptionError(f"tolerance is at least 0 and finite, not {self.tolerance!r}.")

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Return the verdict if text, numbers or normal forms decide, otherwise None."""
        golds = golds_of(task.reference)
        if isinstance(golds, Unscored):
            return golds
        extracted = self._find(response, golds)
        if extracted.answer is None:
            return refused(self.name, Status.UNPARSABLE, extracted.reason)
        if len(golds) == 1 and (integer := read_integer(extracted.answer)) is not None:
            number = golds[0].number
            if number is not None and number.value == integer:
                return self._verdict(
                    "number", extracted.answer, golds[0], self._units_missing(golds[0])
                )
        text = clean(extracted.answer)
        if not text:
            return refused(self.name, Status.UNPARSABLE, "the answer is empty or too long to read")
        undecided = False
        question = asked(task)
        for gold in golds:
            verdict = self._settle_one(gold, text, extracted, question)
            if verdict is None:
                undecided = True
            elif verdict.status is Status.CORRECT:
                return verdict
        return None if undecided else verdict

    def _find(self, response: str, golds: tuple[Gold, ...]) -> Found:
        return find_answer(response, self.mode, golds[0].accepts, golds[0].parts)

    def _settle_one(self, gold: Gold, text: str, extracted: Found, question: str) -> Scored | None:
        answer = extracted.answer or ""
        if text == gold.cleaned:
            return self._verdict("text", answer, gold)
        if gold.number is not None and (number := read_number(text)) is not None:
            if gold.number.equals(number):
                wrong = self._units_missing(gold)
                if self.simplified and not number.reduced:
                    wrong = "not in simplest form"
                elif not number.worked_out and not self.unevaluated:
                    wrong = "not worked out to a number"
                elif gold.number.value.denominator > 1 or gold.number.percent:  # of several forms
                    wrong = self._restates_number(question, gold, text)
                return self._verdict("number", answer, gold, wrong)
            if not self.rounded and not self.tolerance and "," not in gold.cleaned:
                return self._verdict("number", answer, gold, "another number")
        if len(text) > INLINE_LENGTH or len(gold.cleaned) > INLINE_LENGTH:
            return None
        leaf = self._adjusted(at_once, inline=True)
        return self._compare(gold, text, extracted, question, leaf, "form")

    def verify(self, task: Task, response: str) -> Verdict:
        """Return the verdict on any response."""
        working_on("reference")
        golds = golds_of(task.reference)
        if isinstance(golds, Unscored):
            return golds
        for gold in golds:
            gold.readings  # noqa: B018  (read now, on the reference's account)
        working_on("response")
        settled = self.settle(task, response)
        if settled is not None:
            return settled
        # Not at the top: SymPy takes 0.2 s to import, and only workers need it.
        from rlvr.verifiers.math.symbolic import Stages

        working_on("reference")
        for gold in golds:
            gold.rehearse()
        working_on("response")

        extracted = self._find(response, golds)
        assert extracted.answer is not None
        verdict: Scored | None = None
        for gold in golds:
            stages = Stages()
            leaf = self._adjusted(stages, inline=False)
            verdict = self._compare(
                gold, clean(extracted.answer), extracted, asked(task), leaf, stages
            )
            assert verdict is not None
            if verdict.status is Status.CORRECT:
                break
        assert verdict is not None
        return verdict

    def demonstrate(self, task: Task) -> str | None:
        r"""Return the reference in the form of the mode, such as `\boxed{reference}`."""
        golds = golds_of(task.reference)
        if isinstance(golds, Unscored):
            return None
        # In a sentence the answer is on one line; in math mode a line break is a space.
        inside = golds[0].inside.replace("\n", " ") if self.mode == "minerva" else golds[0].inside
        return in_form(inside, "boxed" if self.mode == "whole" else self.mode)

    # ------------------------------------------------------------------ one answer, one gold

    def _compare(
        self, gold: Gold, text: str, extracted: Found, question: str, leaf: Leaf, stages: Any
    ) -> Scored | None:
        """Return the verdict by comparing all readings of answer and gold; None if `leaf` can't decide."""
        answer_text = extracted.answer or ""
        try:
            answers = readings(text)
        except Unreadable as error:
            return self._verdict("unreadable", answer_text, gold, f"it can't be read: {error}")
        if gold.readings is None:
            return self._verdict("text", answer_text, gold, "another text")
        comparison = Comparison(
            leaf, self.ordered or extracted.how == "parts" or gold.ordered, self.units
        )
        undecided = False
        wrong = "another value"
        for gold_answer in gold.readings:
            for answer in answers:
                if gold_answer.loose or (answer.loose and gold_answer.beside):
                    continue
                refusal = self._refusal(gold, gold_answer, answer)
                if refusal:
                    wrong = refusal
                    continue
                comparison.why = ""
                same = self._same(comparison, gold_answer, answer)
                if same is False and comparison.why:
                    wrong = comparison.why
                if same and question and not self.restated:
                    refused_for = restated(question, gold_answer.value, answer.value, leaf)
                    if refused_for:
                        wrong = refused_for
                        continue
                    if refused_for is None:
                        same = None
                if same:
                    return self._verdict(getattr(stages, "stage", stages), answer_text, gold)
                undecided = undecided or same is None
        if undecided:
            return None
        return self._verdict(getattr(stages, "stage", stages), answer_text, gold, wrong)

    def _same(self, comparison: Comparison, gold: Answer, answer: Answer) -> Truth:
        """Tell whether two readings have the same value under the same conditions, by any names that are free."""
        tree = renamed(gold.written, answer.written) if self.rename else answer.written
        ours, theirs = parameters(gold.conditions), parameters(answer.conditions)
        seen: Truth = False
        for names in renamings(gold.written, tree, ours, theirs):
            same = comparison.same(gold.written, replaced(tree, names) if names else tree)
            if same is not False and answer.conditions:
                there = [replaced(condition, names) for condition in answer.conditions]
                agreed = agree(gold.conditions, there, comparison.same)
                same = same and agreed if agreed is not False else False
            if same:
                return True
            seen = None if same is None else seen
        return seen

    def _refusal(self, gold: Gold, gold_answer: Answer, answer: Answer) -> str:
        """Return the reason why this reading of the answer can't count, whatever its value; "" if it can."""
        if gold_answer.guessed and (answer.guessed or quantity(answer.written).unit is None):
            return "another value"
        if gold_answer.beside and answer.beside and gold_answer.beside != answer.beside:
            return "another condition, or another text of the choice"
        # The exact value behind a decimal that was rounded isn't an echo of the question.
        exact_wanted = (
            self.rounded and gold.number is not None and gold.number.value.denominator > 1
        )
        if gold.plain and not self.unevaluated and not exact_wanted and not is_plain(answer.tree):
            return "not worked out to a number"
        if not self.unevaluated and has_sums(answer.tree) and not has_sums(gold_answer.tree):
            return "not worked out"
        if self.simplified and not is_simplified(answer.tree):
            return "not in simplest form"
        return ""

    def _adjusted(self, leaf: Leaf, inline: bool) -> Leaf:
        """Return `leaf` with the rounding and the tolerance an author allows; `inline` as `within` has it."""
        if not self.rounded and not self.tolerance:
            return leaf

        def adjusted(gold: Tree, answer: Tree) -> Truth:
            same = leaf(gold, answer)
            if same is False or (same is None and isinstance(gold, Num)):
                near = within(gold, answer, self.tolerance, self.rounded, inline)
                if near is None and inline and not symbols(gold) and not symbols(answer):
                    return None  # for a worker: there, values are worked out
                return near if near is not None else same
            return same

        return adjusted

    def _units_missing(self, gold: Gold) -> str:
        if self.units != "required" or not gold.readings:
            return ""
        return (
            "the unit is missing"
            if any(says(quantity(r.written).unit) for r in gold.readings)
            else ""
        )

    def _restates_number(self, question: str, gold: Gold, text: str) -> str:
        if self.restated or not asks_for_a_form(question):
            return ""
        return RESTATED if restates(question, gold.cleaned, text) else ""

    def _verdict(self, stage: str, answer: str, gold: Gold, wrong: str = "") -> Scored:
        if not wrong:
            return correct(self.name, "", answer=answer[:500], stage=stage)
        right = "the right answer" if self.hide_reference else repr(gold.text[:80])
        feedback = f"{answer[:80]!r} is not {right}: {wrong}"
        return refused(self.name, Status.INCORRECT, feedback, answer=answer[:500], stage=stage)
