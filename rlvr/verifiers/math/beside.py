"""The text of a choice beside its letter, "(C) 12": it may be missing, but not be another."""

from __future__ import annotations

import re

from rlvr.verifiers.math.remarks import CHANGING
from rlvr.verifiers.math.tree import Word

_SAID = r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*+"
_LABELLED = re.compile(
    r"\s*+(?:\(\s*+([A-J])\s*+\)|([A-J])(?:\s*+[.:)](?!\d)|\s++[-–—](?=\s++[a-zA-Z][a-z]*+ [^0-9=+*/^\\]++$)))\s*+(?:[.:]\s*+)?([^\s,;].*)"
)
_IS_FORMULA = re.compile(
    r"(?:-?\d|-?\\[a-zA-Z]|\(|[a-z](?![a-z]))"
)  # no sign of a sum with the letter
_STYLED = re.compile(rf"{_SAID}(?=\{{)|[{{}}]")


def labelled(text: str) -> tuple[Word, str, str] | None:
    """The letter of a choice, "(C) 12", its text as it's compared, and its formula.

    None where several choices are named, or one is denied.
    """
    if not re.search("[A-J]", text[:20]):
        return None
    found = _LABELLED.fullmatch(_STYLED.sub(" ", text))
    if found is None:
        return None
    said = found.group(3)
    words = re.findall(r"[a-zA-Z']+", said)
    letters = [word for word in words if len(word) == 1 and "A" <= word <= "J"]
    if letters and (
        letters != ["A"] or not re.match("A [a-z]{2}", said)
    ):  # "A test" has an article
        return None
    if any(word.lower() in CHANGING | {"or", "and"} for word in words):
        return None
    at = text.rfind(said) if _IS_FORMULA.match(said) else -1
    formula = text[at:] if at >= 0 else ""
    letter = Word((found.group(1) or found.group(2)).lower())
    return letter, "".join(said.split()).lower(), formula
