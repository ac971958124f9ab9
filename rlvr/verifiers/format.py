"""`Format`: a verifier of a response's form."""

from __future__ import annotations

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Status, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import find_answer

KINDS = ("boxed", "think")


class Format(Verifier):
    """Rewards a response's form, whatever its answer is. Use it as a small part of a sum, or as a gate::

        verifier = 0.95 * rlvr.Math() + 0.05 * rlvr.Format.boxed()
        verifier = rlvr.Format.think() >> rlvr.Math()

    Make one with `Format.boxed()` or `Format.think()`.
    """

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise OptionError(f"Format is one of {', '.join(KINDS)}, not {kind!r}.")
        self.kind = kind
        self.name = f"format_{kind}"

    @classmethod
    def boxed(cls) -> Format:
        r"""Return a verifier that requires a non-empty, closed `\boxed{…}` after the thinking part."""
        return cls("boxed")

    @classmethod
    def think(cls) -> Format:
        """Return a verifier that requires exactly one `<think>…</think>` at the start, with text after it."""
        return cls("think")

    def __repr__(self) -> str:
        return f"Format.{self.kind}()"

    def verify(self, task: Task, response: str) -> Verdict:
        """Judge any response, in linear time."""
        working_on("response")
        wrong = _boxed(response) if self.kind == "boxed" else _think(response)
        if wrong:
            return refused(self.name, Status.INCORRECT, wrong)
        return correct(self.name)

    settle = verify


def _boxed(response: str) -> str:
    extracted = find_answer(response, "boxed")
    return "" if extracted.answer is not None else extracted.reason


def _think(response: str) -> str:
    text = response.strip()
    if not text.startswith("<think>"):
        return "the response doesn't begin with <think>"
    if text.count("<think>") != 1 or text.count("</think>") != 1:
        return "there isn't exactly one <think>…</think>"
    return "" if text.partition("</think>")[2].strip() else "nothing follows </think>"
