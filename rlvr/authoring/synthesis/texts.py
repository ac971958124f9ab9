"""Checks of a candidate's text alone: nothing hidden in it, no markers of chat templates, no answer told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from rlvr.authoring.synthesis.proposal import Proposal
from rlvr.authoring.synthesis.similar import is_invisible, plain
from rlvr.core.task import Task
from rlvr.verifiers.judge.prompt import harmless

_MOST_TOLD = 0.1
"""Share of the examples from which on an answer may stand in the question, as in choices or reading."""
_LATIN, _CYRILLIC = re.compile(r"[A-Za-z]"), re.compile(r"[\u0400-\u04ff]")
# "The answer is 42", "Solution: 42", "#### 42", "\boxed{42}", "(hint: 42)".
_TELLING = r"(?:\b(?:answers?|solutions?|results?|references?|hint|gold|correct)\b[^.?!\n]{0,30}?|####|\\boxed\s*\{)"
_BOXED = re.compile(r"\\boxed\s*\{\s*\}")


def check_text(candidate: Proposal, answers_in_questions: bool) -> None:
    """Reject a candidate whose text hides something or tells its answer.

    Args:
        answers_in_questions: True if the examples' answers often stand in their questions; then only a text that
            names its answer as such is rejected.
    """
    task = candidate.task
    assert task is not None
    texts = list(_texts(candidate.row))
    hidden = next((char for text in texts for char in text if _is_hidden(char)), None)
    if hidden is not None:
        candidate.reject("text", "invisible characters", f"U+{ord(hidden):04X}")
    if any(
        _LATIN.search(word) and _CYRILLIC.search(word) for text in texts for word in text.split()
    ):
        candidate.reject("text", "two scripts in one word")
    if any(harmless(text) != text for text in texts):
        candidate.reject("text", "markers of a chat template")
    if not candidate.question.strip():
        candidate.reject("text", "no question")
    answer = short_answer(task)
    if answer is None:
        return
    if is_told(answer, candidate.question):
        candidate.reject("text", "the question tells the answer", answer)
    elif not answers_in_questions and len(answer) > 1 and is_inside(answer, candidate.question):
        candidate.reject("text", "the answer stands in the question", answer)


def short_answer(task: Task) -> str | None:
    """Return a reference that is a short text or a number, as text; None for any other."""
    reference = task.reference
    if isinstance(reference, list) and len(reference) == 1:
        reference = reference[0]
    if isinstance(reference, bool) or not isinstance(reference, str | int | float):
        return None
    text = str(reference).strip()
    return text if 0 < len(text) <= 200 else None


def answers_stand_in(pairs: Iterable[tuple[Task, str]]) -> bool:
    """Return True if more than a tenth of tasks have their answer in their question, given as pairs of both."""
    inside = []
    for task, question in pairs:
        answer = short_answer(task)
        if answer is not None and len(answer) > 1:
            inside.append(is_inside(answer, question))
    return bool(inside) and sum(inside) > _MOST_TOLD * len(inside)


def is_inside(answer: str, question: str) -> bool:
    """Return True if the answer stands in the question as a whole word, in digits or in words."""
    pattern = re.compile(rf"(?<![\w.,]){re.escape(plain(answer))}(?![\w]|[.,]\d)", re.IGNORECASE)
    return bool(pattern.search(plain(question)))


def is_told(answer: str, question: str) -> bool:
    """Return True if the question names the answer as such ("the answer is 42")."""
    text = plain(_BOXED.sub("", question))
    pattern = rf"{_TELLING}\W{{0,4}}{re.escape(plain(answer))}(?![\w]|[.,]\d)"
    return bool(re.search(pattern, text, re.IGNORECASE))


def _is_hidden(char: str) -> bool:
    # Joiners write emoji and some scripts; "\n" and "\t" are plain white space.
    if char in "\n\t\r\u200c\u200d" or char.isprintable():
        return False
    return is_invisible(char) or (ord(char) < 32 or char == "\x7f")


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield json.dumps(value)
