r"""What stands beside an answer's value: a parameter's range, the text of a choice.

"\frac{\pi}{2} + k\pi, k \in \mathbb{Z}" and "(C) 12". Both are often left out, so they're kept apart:
either side may do without, but two that say different things aren't the same answer.
"""

from __future__ import annotations

import re

from rlvr.verifiers.math.remarks import CHANGING
from rlvr.verifiers.math.tree import Word

_SAID = r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*+"
_FOR = (
    rf"(?:{_SAID}\{{[\s,]*+(?:(?:for|where|with|and|some|any|all|every|each|constant|real)[\s,]*+)+\}}"
    r"|\b(?:for|where|with)\b(?:\s++(?:all|any|some|every|each)\b)?|\\forall(?![a-zA-Z]))"
)
_RANGE = re.compile(
    rf"[\s,;]*+(?:\(\s*+)?(?P<how>{_FOR})?\s*+(?P<name>[a-zA-Z]|\\[a-z]+)\s*+"
    r"(?:\\in\s*+(?:\\(?:mathbb|mathbf)\s*+)?(?:\{\s*+)?(?P<set>[ZNRQC])\s*+(?:\}\s*+)?(?P<part>[\^_](?:[+*0]|\{[^{}]{1,6}\}))?"
    rf"|{_SAID}\{{\s*+(?:is |be )?(?:an? |any )?(?P<words>[a-z -]*(?:integer|number|real))s?\.?\s*+\}})?\s*+\)?"
)
_SETS = {"integer": "Z", "real number": "R", "real": "R", "natural number": "N"}
_LABELLED = re.compile(
    r"\s*+(?:\(\s*+([A-J])\s*+\)|([A-J])\s*+[.:)](?!\d))\s*+(?:[.:]\s*+)?([^\s,;].*)"
)
_STYLED = re.compile(rf"{_SAID}(?=\{{)|[{{}}]")
_LONGEST = 120  # characters of a condition


def without_condition(text: str) -> tuple[str, str]:
    """Cleaned `text` without the range of one of its parameters at its end; and the range, or "".

    "2k" and "Z" of "2k, k \\in \\mathbb{Z}"; the range is "any" where none is named ("for all x").
    """
    if (
        "\\in" not in text
        and "\\forall" not in text
        and "\\text" not in text
        and " for " not in text
    ):
        return text, ""
    for start in _starts(text):
        found = _RANGE.fullmatch(text, start)
        if found is None:
            continue
        name, rest = found.group("name"), text[:start].rstrip(" ,;")
        named = re.search(
            rf"(?<![a-zA-Z\\]){re.escape(name)}(?![a-zA-Z])|(?<=[a-z]){name[-1]}\b", rest
        )
        ranged = found.group("set") or found.group("words")
        if not rest or named is None or not (ranged or found.group("how")):
            continue
        if not ranged:
            return rest, "any"
        words = (found.group("words") or "").strip()
        return rest, _SETS.get(words, words) or ranged + (found.group("part") or "")
    return text, ""


def _starts(text: str) -> list[int]:
    """Where a condition may begin: at a joint, a bracket or a word near the end of `text`."""
    marks = re.finditer(r"[,;(]|\\(?:text|mbox|mathrm|forall)|\b(?:for|where|with)\b", text)
    return [m.start() for m in marks if len(text) - m.start() <= _LONGEST][-12:]


def labelled(text: str) -> tuple[Word, str] | None:
    """The letter and the text of a choice, "(C) 12"; None where several are named, or one denied."""
    if not re.search("[A-J]", text[:20]):
        return None
    found = _LABELLED.fullmatch(_STYLED.sub(" ", text))
    if found is None:
        return None
    said = found.group(3)
    words = re.findall(r"[a-zA-Z']+", said)
    if any(len(word) == 1 and "A" <= word <= "J" for word in words):
        return None
    if any(word.lower() in CHANGING | {"or", "and"} for word in words):
        return None
    return Word((found.group(1) or found.group(2)).lower()), "".join(said.split()).lower()
