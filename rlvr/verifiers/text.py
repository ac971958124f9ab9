"""Verifiers of a response's form, whatever its content."""

from __future__ import annotations

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Status, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import find_answer

KINDS = ("boxed", "think")


class Format(Verifier):
    """Rewards a form, whatever the answer. Use it as a small part of a sum, or as a gate::

    0.95 * Math() + 0.05 * Format.boxed()
    Format.think() >> Math()
    """

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise OptionError(f"Format is one of {', '.join(KINDS)}, not {kind!r}.")
        self.kind = kind
        self.name = f"format_{kind}"

    @classmethod
    def boxed(cls) -> Format:
        r"""Give full marks to a non-empty, closed `\boxed{…}` after the thinking part."""
        return cls("boxed")

    @classmethod
    def think(cls) -> Format:
        """Give full marks to `<think>…</think>` once, at the start, with something after it."""
        return cls("think")

    def verify(self, task: Task, response: str) -> Verdict:
        """Judge any response, in linear time."""
        working_on("response")
        wrong = _boxed(response) if self.kind == "boxed" else _think(response)
        if wrong:
            return refused(self.name, Status.INCORRECT, wrong)
        return correct(self.name)

    settle = verify


def _boxed(response: str) -> str:
    found = find_answer(response, "boxed")
    return "" if found.answer is not None else found.reason


def _think(response: str) -> str:
    text = response.strip()
    if not text.startswith("<think>"):
        return "the response doesn't begin with <think>"
    if text.count("<think>") != 1 or text.count("</think>") != 1:
        return "there isn't exactly one <think>…</think>"
    return "" if text.partition("</think>")[2].strip() else "nothing follows </think>"
