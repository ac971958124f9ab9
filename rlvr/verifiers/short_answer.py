"""`ShortAnswer`: a name, a date or a number, equal to the reference or one of its aliases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from rlvr.core.blame import working_on
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import MODES, Mode, find_answer, in_form

MOST_CHARACTERS = 300
"""Characters of an answer that is read. A longer one is a quotation."""

_DRESS = re.compile(
    r"\\(?:text|texttt|textbf|textit|mathrm|mathbf|mathit|emph)\s*(?=\{)|\\[,;:! ]|[{}$`*]"
)
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Between digits, "1.5", "1/5" and "1:5" differ; "C", "C++" and "C#" do, too.
_SEPARATORS = re.compile(r"(?<!\d)[.:/−–-]|[.:/−–-](?!\d)|[^\w+#%.:/−–-]|_")
_ARTICLE = re.compile(r"^[\W_]*(?:the|a|an)\s+(?=\w)")


class ShortAnswer(Verifier):
    """Full reward for an answer that equals the reference, as text.

        verifier = rlvr.ShortAnswer()
        task = rlvr.Task("Where was she born?", {"answers": ["New York City", "NYC"]})
        rlvr.score([task], ["In \\\\boxed{the New York City}."], verifier)

    The answer is all of what is boxed. Case, accents, punctuation, a first article and commas in numbers don't count. An
    answer that lists several candidates, or that quotes a sentence with the right one in it, is another text, so it is
    incorrect.

    The reference is a text, a list of texts that are equally right, or an object with such a list under `answers`.

    Args:
        mode: where the answer is: "boxed", or another of `rlvr.verifiers.extraction`.
    """

    name = "short_answer"
    options = ("mode",)

    def __init__(self, mode: Mode = "boxed") -> None:
        self.mode = mode
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` if `mode` isn't a mode of extraction."""
        if self.mode not in MODES:
            raise OptionError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}.")

    def settle(self, task: Task, response: Any) -> Verdict | None:
        """Judge here: it takes linear time."""
        return self.verify(task, response)

    def verify(self, task: Task, response: str) -> Verdict:
        """Compare the answer with each that is right. Raises `CannotScore` if the reference is no text."""
        working_on("reference")
        right = {plain_answer(answer) for answer in answers_of(task.reference)}
        working_on("response")
        match = find_answer(response, self.mode)
        if match.answer is None:
            return refused(self.name, Status.UNPARSABLE, match.reason)
        if len(match.answer) > MOST_CHARACTERS:
            feedback = f"the answer has over {MOST_CHARACTERS} characters"
            return refused(self.name, Status.INCORRECT, feedback)
        if plain_answer(match.answer) in right:
            return _with_answer(correct(self.name), match.answer)
        feedback = f"{self.name}: got {match.answer[:100]!r}"
        return _with_answer(refused(self.name, Status.INCORRECT, feedback), match.answer)

    def demonstrate(self, task: Task) -> str | None:
        """Return the first right answer in its form; None if the reference has none."""
        try:
            return in_form(answers_of(task.reference)[0], self.mode)
        except CannotScore:
            return None


def _with_answer(verdict: Scored, answer: str) -> Scored:
    return Scored(
        verdict.reward, verdict.status, verdict.components, verdict.feedback, {"answer": answer}
    )


def answers_of(reference: Any) -> list[str]:
    """Return the right answers in a reference. Raises `CannotScore` if it has none, or one without a word."""
    answers = reference.get("answers") if isinstance(reference, Mapping) else reference
    answers = (
        [answers] if isinstance(answers, str | int) and not isinstance(answers, bool) else answers
    )
    if not isinstance(answers, Iterable) or isinstance(answers, Mapping | bytes):
        raise CannotScore(Cause.GOLD, f"the reference has no answers, but {reference!r:.100}")
    texts = [str(answer) for answer in answers]
    if not texts or not all(plain_answer(text) for text in texts):
        raise CannotScore(
            Cause.GOLD, f"the reference has no answer, or an empty one: {reference!r:.100}"
        )
    return texts


def plain_answer(text: str) -> str:
    """Return a text without what doesn't count in an answer."""
    text = _GROUPED.sub("", _DRESS.sub(" ", text))
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    sign = "minus " if re.match(r"\s*[-−]\s*\d", letters) else ""  # which isn't punctuation
    letters = _ARTICLE.sub("", letters.casefold())
    return sign + " ".join(_SEPARATORS.sub(" ", letters).split())
