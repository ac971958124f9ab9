"""`Coherent`: full marks for a response that is a text; a gate before any verifier that can be paid with filler.

    rlvr.Coherent("strict") >> rlvr.Instructions()

It doesn't judge what is said. Filler that it is for: one word over and over, loops, the prompt
given back, punctuation, bare lists of what the instructions name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.core.verifier import Verifier
from rlvr.verifiers.coherence import measures
from rlvr.verifiers.extraction import after_thinking

Level: TypeAlias = Literal["lenient", "strict"]
_COPIES = ("repeat:", "copy:", "new:copy")  # instructions that ask for the prompt back
_CHOICES = ("format:options", "detectable_format:constrained_response")
_INLINE_LENGTH = 5_000
_SHORT = 250  # words; in longer ones it's small models' loops that are one word for the most part

_SAYS = {
    "substance": "it is nearly all punctuation",
    "compression": "it repeats itself",
    "own_words": "it has no words but those that the instructions name",
    "repetition": "it repeats itself",
    "commonest": "it is mostly one word",
    "commonest_short": "it is mostly one word",
    "variety": "it is a few words over and over",
    "copy": "it is the prompt again",
    "echo": "it is made of pieces of the prompt",
    "foreign": "it mixes writing systems",
    "misjoined": "its words aren't in an order that makes sentences",
    "unbroken": "it has no sentences or lines",
}


class Coherent(Verifier):
    """Refuses filler: repetition, word salad, and copies of the prompt::

        verifier = rlvr.Coherent() >> rlvr.Instructions()

    Args:
        level: `lenient` refuses what hardly any model answers with, loops of small models aside.
            `strict` refuses those too: for training, where a policy would find them. The thresholds
            are in `thresholds.json`, with the command that shows what they do on stored responses.

    Where the reference has instructions (`rlvr.Instructions`), their words don't count as the
    response's own, and a task that asks for the prompt back may get it.
    """

    name = "coherent"
    version = 1
    options = ("level",)

    def __init__(self, level: Level = "lenient") -> None:
        self.level = level
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` where `level` isn't one."""
        if self.level not in get_args(Level):
            raise OptionError(f"level is one of {', '.join(get_args(Level))}, not {self.level!r}.")

    def settle(self, task: Task, response: str) -> Verdict | None:
        """All but long responses."""
        return self.verify(task, response) if len(response) <= _INLINE_LENGTH else None

    def verify(self, task: Task, response: str) -> Verdict:
        """Return the verdict on any response, in linear time; its first 200,000 characters decide."""
        working_on("response")
        said = after_thinking(response)
        if not said.strip():
            return Scored(0.0, Status.UNPARSABLE, {self.name: 0.0}, "the response is empty")
        found = measured(task, said)
        wrong = reasons(found, self.level)
        feedback = "; ".join(wrong)
        status = Status.INCORRECT if wrong else Status.CORRECT
        return Scored(float(not wrong), status, {self.name: float(not wrong)}, feedback, found)


def reasons(found: Mapping[str, float], level: Level) -> list[str]:
    """Return the reasons for refusing a response with these measures, in words for a person."""
    below, above = (_thresholds()[side][level] for side in ("below", "above"))
    wrong = [
        name
        for name, value in found.items()
        if value < below.get(name, value) or value > above.get(name, value)
    ]
    return list(dict.fromkeys(_SAYS[name] for name in wrong))


def measured(task: Task, response: str) -> dict[str, float]:
    """Every measure that means something for this response (`rlvr.verifiers.coherence.measures`)."""
    ids, kwargs = _instructions(task.reference)
    words = measures.words_of(response)
    found = {
        "substance": measures.substance(response),
        "compression": measures.compression(response),
        "repetition": measures.repetition(words),
        "commonest": measures.commonest(words),
        "commonest_short": measures.commonest(words) if len(words) <= _SHORT else None,
        "variety": measures.variety(words),
        "foreign": measures.foreign(response),
        "misjoined": measures.misjoined(words),
        "unbroken": measures.unbroken(response),
    }
    copies = any(id.startswith(_COPIES) for id in ids) or any(
        "prompt_to_repeat" in k for k in kwargs
    )
    if not copies:
        prompt = measures.words_of(task.text)
        found |= {"echo": measures.echo(words, prompt), "copy": measures.copy(words, prompt)}
    if not copies and ids and not any(id in _CHOICES for id in ids):
        named = frozenset(measures.words_of(" ".join(_texts(kwargs))))
        found["own_words"] = measures.own_words(words, named)
    return {name: float(value) for name, value in found.items() if value is not None}


def _instructions(reference: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """Ids and kwargs, where the reference is one of instructions; what is wrong with it isn't ours to say."""
    if not isinstance(reference, Mapping):
        return [], []
    ids, kwargs = reference.get("instruction_id_list"), reference.get("kwargs")
    given = kwargs if isinstance(kwargs, list | tuple) else []
    named = ids if isinstance(ids, list | tuple) else []
    there = [
        {k: v for k, v in one.items() if v is not None} for one in given if isinstance(one, Mapping)
    ]
    return [one for one in named if isinstance(one, str)], there


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


@cache
def _thresholds() -> dict[str, dict[str, dict[str, float]]]:
    text = files(__package__).joinpath("thresholds.json").read_text(encoding="utf-8")
    sides: dict[str, dict[str, dict[str, float]]] = {
        side: levels for side, levels in json.loads(text).items() if side != "command"
    }
    return sides
