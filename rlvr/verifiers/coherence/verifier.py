"""`Coherent`: full reward for a response that is a text. It is a gate before verifiers that filler could satisfy.

    rlvr.Coherent("strict") >> rlvr.Instructions()

It doesn't judge the content. It refuses filler: one word over and over, loops, copies of the prompt, punctuation,
bare lists of the words that the instructions name.
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
from rlvr.core.thinking import after_thinking
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.core.verifier import Verifier
from rlvr.verifiers.coherence import measures

Level: TypeAlias = Literal["lenient", "strict"]
_COPIES = ("repeat:", "copy:", "new:copy")  # instructions that ask for the prompt back
_CHOICES = ("format:options", "detectable_format:constrained_response")
_INLINE_LENGTH = 5_000
_SHORT = 250  # words; longer responses that are mostly one word are loops of small models

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
        level: `lenient` refuses filler that hardly any model writes, and keeps loops of small models.
            `strict` refuses those, too: it is for training, in which a policy would find them. The thresholds
            are in `thresholds.json`, with the command that shows their effect on stored responses.

    If the reference has instructions (`rlvr.Instructions`), their words don't count as the response's own. A task
    that asks for the prompt to be repeated accepts a copy of it.
    """

    name = "coherent"
    version = 1
    options = ("level",)

    def __init__(self, level: Level = "lenient") -> None:
        self.level = level
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` if `level` isn't a level."""
        if self.level not in get_args(Level):
            raise OptionError(f"level is one of {', '.join(get_args(Level))}, not {self.level!r}.")

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Judge all responses in the caller's thread, except long ones."""
        return self.verify(task, response) if len(response) <= _INLINE_LENGTH else None

    def verify(self, task: Task, response: str) -> Verdict:
        """Return the verdict on any response in linear time, by its first 200,000 characters."""
        working_on("response")
        text = after_thinking(response)
        if not text.strip():
            return Scored(0.0, Status.UNPARSABLE, {self.name: 0.0}, "the response is empty")
        values = measured(task, text)
        wrong = reasons(values, self.level)
        feedback = "; ".join(wrong)
        status = Status.INCORRECT if wrong else Status.CORRECT
        return Scored(float(not wrong), status, {self.name: float(not wrong)}, feedback, values)


def reasons(values: Mapping[str, float], level: Level) -> list[str]:
    """Return the reasons for refusing a response with these measures, in words for a person."""
    below, above = (_thresholds()[side][level] for side in ("below", "above"))
    wrong = [
        name
        for name, value in values.items()
        if value < below.get(name, value) or value > above.get(name, value)
    ]
    return list(dict.fromkeys(_SAYS[name] for name in wrong))


def measured(task: Task, response: str) -> dict[str, float]:
    """Return all measures that apply to this response (`rlvr.verifiers.coherence.measures`)."""
    ids, kwargs = _instructions(task.reference)
    words = measures.words_of(response)
    values = {
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
        values |= {"echo": measures.echo(words, prompt), "copy": measures.copy(words, prompt)}
    if not copies and ids and not any(id in _CHOICES for id in ids):
        named_words = frozenset(measures.words_of(" ".join(_texts(kwargs))))
        values["own_words"] = measures.own_words(words, named_words)
    return {name: float(value) for name, value in values.items() if value is not None}


def _instructions(reference: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the ids and kwargs of a reference with instructions; malformed parts are left out without an error."""
    if not isinstance(reference, Mapping):
        return [], []
    ids, kwargs = reference.get("instruction_id_list"), reference.get("kwargs")
    kwargs_list = kwargs if isinstance(kwargs, list | tuple) else []
    id_list = ids if isinstance(ids, list | tuple) else []
    arguments = [
        {k: v for k, v in item.items() if v is not None}
        for item in kwargs_list
        if isinstance(item, Mapping)
    ]
    return [item for item in id_list if isinstance(item, str)], arguments


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


@cache
def _thresholds() -> dict[str, dict[str, dict[str, float]]]:
    text = files(__package__).joinpath("thresholds.json").read_text(encoding="utf-8")
    sides: dict[str, dict[str, dict[str, float]]] = {
        side: levels for side, levels in json.loads(text).items() if side != "command"
    }
    return sides
