"""A text that follows a composed set: the proof that there's one, and an oracle's answer.

It's assembled from plain sentences that none of the instructions minds (no comma, digit, capital word
or keyword in them), and from one piece for each instruction that wants something; sentences are
added until every lower bound is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.verifiers.instructions.composing.catalogue import CATALOGUE
from rlvr.verifiers.instructions.composing.pieces import (
    BANK,
    Kwargs,
    beginning,
    closing,
    first_of,
    pieces,
)
from rlvr.verifiers.instructions.registry import find
from rlvr.verifiers.instructions.text import ResponseText

_MOST = 60  # sentences that are added


def satisfying(ids: Sequence[str], kwargs: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a text that follows all of these instructions; None if it can't be built this way."""
    if any(id not in CATALOGUE for id in ids) or len(set(ids)) < len(ids):
        return None
    wanted = {id: dict(options) for id, options in zip(ids, kwargs, strict=True)}
    try:
        return _grown(wanted)
    except CannotScore:
        return None


def _grown(wanted: Mapping[str, Kwargs]) -> str | None:
    checks = [(find(id), kwargs) for id, kwargs in wanted.items()]
    for extra in range(_MOST):
        text = ResponseText(_assembled(wanted, extra))
        if all(check.function(text, **check.bound(kwargs)) for check, kwargs in checks):
            return text.raw
    return None


def _assembled(wanted: Mapping[str, Kwargs], extra: int) -> str:
    count, joint, nth = _paragraphs(wanted)
    paragraphs: list[list[str]] = [[BANK[number % len(BANK)]] for number in range(count)]
    if nth:
        first = wanted["length_constraints:nth_paragraph_first_word"]["first_word"]
        paragraphs[nth - 1].insert(0, first_of(first))
    paragraphs[0][:0] = beginning(wanted)
    for number in range(extra):
        paragraphs[number % count].append(BANK[(count + number) % len(BANK)])
    lines = [" ".join(sentences) for sentences in paragraphs]
    lines[-1] = "\n".join([lines[-1], *pieces(wanted), *closing(wanted)])
    text = joint.join(lines)
    if "punctuation:punctuation_dot" in wanted:
        text = text.replace(".", "")
    if "startend:quotation" in wanted:
        text = f'"{text}"'
    if "change_case:english_lowercase" in wanted:
        return text.lower()
    return text.upper() if "change_case:english_capital" in wanted else text


def _paragraphs(wanted: Mapping[str, Kwargs]) -> tuple[int, str, int]:
    """Return the number of paragraphs, their separator, and the one that begins with a given word (0: none)."""
    if "length_constraints:nth_paragraph_first_word" in wanted:
        kwargs = wanted["length_constraints:nth_paragraph_first_word"]
        return kwargs["num_paragraphs"], "\n\n", kwargs["nth_paragraph"]
    if "length_constraints:number_paragraphs" in wanted:
        count = wanted["length_constraints:number_paragraphs"]["num_paragraphs"]
        return count, "\n***\n", 0
    if "paragraphs:paragraphs" in wanted:
        return 2, "\n***\n", 0
    return 2, "\n\n", 0
