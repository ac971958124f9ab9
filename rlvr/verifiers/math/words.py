r"""Answers in words: "east", "(C)", "Tuesday and Friday"; a numeral as its number."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr.verifiers.math.tree import Group, Num, Sym, Tree, Word
from rlvr.verifiers.math.vocabulary import FUNCTIONS, WORDS

_LETTERED = re.compile(r"(?:\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{)?([^{}\\^_=+*/<>]*)\}?")
_TEXT_CHOICE = re.compile(r"\(\s*\\(?:text|textbf|mathrm|mathbf)\s*\{\s*([A-Za-z])\s*\}\s*\)")
_CHOICE = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[\s:]+)?\(?([A-Za-z])\)?[.:)]?")


def _numerals() -> dict[str, int]:
    low = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen"
    )
    high = "twenty thirty forty fifty sixty seventy eighty ninety"
    found = {name: value for value, name in enumerate(low.split())}
    for tens, ten in enumerate(high.split(), 2):
        ones = {f"{ten}-{one}": 10 * tens + value for one, value in found.items() if 0 < value < 10}
        found = found | ones | {ten: 10 * tens}
    return found


_NUMERALS = _numerals()
_MEANINGS: dict[str, Tree] = {
    "empty set": Sym("empty"),
    "all real numbers": Sym("bb:R"),
    "all reals": Sym("bb:R"),
    "real numbers": Sym("bb:R"),
}
_MATHEMATICAL = WORDS | FUNCTIONS
_WORDS = re.compile(r"[A-Za-z]+")
_JOINTS = re.compile(r" ?, ?(?:and|or) | ?, ?| and | or ")  # cleaned text has single spaces alone
_ARTICLE = re.compile(r"(?:the|an?) (?=\w{2})")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")


def in_words(text: str) -> Tree | None:
    """What cleaned `text` in words means; None where it's mathematics or a quantity."""
    bracketed = _TEXT_CHOICE.fullmatch(text)
    if bracketed is not None:
        return Word(bracketed.group(1).lower())
    spoken = _LETTERED.fullmatch(text)
    if spoken is None:
        return None
    inside = _unquoted(spoken.group(1))
    numeral = _NUMERALS.get(inside.lower())
    if numeral is not None:
        return Num(Fraction(numeral))
    choice = _CHOICE.fullmatch(inside)
    if choice is not None and (choice.group(1).isupper() or inside != choice.group(1)):
        return Word(choice.group(1).lower())
    if not _is_prose(inside):
        return None
    parts = [part for part in _JOINTS.split(inside) if part]
    words = tuple(map(_phrase, parts))
    return words[0] if len(words) == 1 else Group("", words)


def _phrase(said: str) -> Tree:
    """One answer in words, without an article, an ordinal's ending or punctuation."""
    lower = _ORDINAL.sub("", _ARTICLE.sub("", said.strip().lower(), count=1))
    text = " ".join(re.findall(r"[a-z0-9]+", lower))
    return _MEANINGS.get(text, Word(text))


def _unquoted(text: str) -> str:
    """Without full stops and quotation marks around it; the prime of A' is part of it."""
    text = text.strip().strip('."').strip()
    return text.strip("'").strip() if text.startswith("'") else text


def _is_prose(text: str) -> bool:
    """Whether it's words rather than mathematics or a quantity."""
    if not text or text[0] in "([|" or text[0].isdigit() or text[0] in "-.$":
        return False
    words = [word.lower() for word in _WORDS.findall(text)]
    return any(len(word) >= 3 and word not in _MATHEMATICAL for word in words)
