"""How many letters, and in which case."""

from __future__ import annotations

import re

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.keywords import letter_frequency, published_letter_frequency
from rlvr.verifiers.instructions.kwargs import (
    Relation,
    holds,
)
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import Text

_UNDETECTED = {
    "published": "counts as followed where the language can't be detected, as in a text without letters",
    "ours": "counts as not followed",
    "report": "https://github.com/allenai/open-instruct/pull/1777",
}
# A token in capitals ends in one; and the tokenizer cuts "'Tis" after its T, "CAn't" before its n.
_CAPITAL_END = re.compile(r"[A-Z](?![a-z])|'T(?:is|was)|[A-Z]n'[tT]")
_LETTER = re.compile(r"[a-zA-Z]")
_LOWERCASE_WORD = re.compile(r"\b[a-z]+\b")


@instruction("change_case:english_capital", says="Write in English and in capital letters only.")
def english_capital(text: Text) -> bool:
    """Some letters, all capital, in English: langdetect is asked about the small ones."""
    return text.raw.isupper() and resources.language_of(text.lower) == "en"


@deviates(
    "change_case:english_capital",
    published="asks for the language of a text in capitals, most of which langdetect skips, and counts "
    "as followed where it can't tell",
    ours="asks for that of the text in small letters, and wants English",
    report="https://github.com/Mimino666/langdetect/issues/120",
)
def published_english_capital(text: Text) -> bool:
    """English, or of no language that can be told."""
    return text.raw.isupper() and text.language in ("en", None)


@instruction(
    "change_case:english_lowercase", says="Write in English and in lowercase letters only."
)
def english_lowercase(text: Text) -> bool:
    """Some letters, none of them capital, in English."""
    return text.raw.islower() and text.language == "en"


@deviates("change_case:english_lowercase", **_UNDETECTED)
def published_english_lowercase(text: Text) -> bool:
    """English, or of no language that can be told."""
    return text.raw.islower() and text.language in ("en", None)


@instruction(
    "change_case:capital_word_frequency",
    says="Use words in all capital letters {capital_relation} {capital_frequency} times.",
)
def capital_word_frequency(text: Text, capital_frequency: int, capital_relation: Relation) -> bool:
    """Among the Treebank tokens; "I" and "A" are such words too."""
    likely = (one for one in text.sentences if not one.isascii() or _CAPITAL_END.search(one))
    count = sum(token.isupper() for one in likely for token in resources.sentence_tokens(one))
    return holds(count, capital_relation, capital_frequency)


@instruction(
    "count:lowercase_counting",
    says="Use at most {N} words in all lowercase letters.",
    cheap=True,
)
def lowercase_counting(text: Text, N: int) -> bool:
    """Words of a to z alone."""
    return sum(1 for _ in _LOWERCASE_WORD.finditer(text.raw)) <= N


@instruction("letters:letter_counting", says="Answer with {relation} {N} letters.", cheap=True)
def letter_counting(text: Text, N: int, relation: Relation) -> bool:
    """Letters of a to z in either case."""
    return holds(sum(1 for _ in _LETTER.finditer(text.raw)), relation, N)


@instruction(
    "letters:letter_counting2",
    says="Use the letter {letter!r} {let_relation} {let_frequency} times.",
    cheap=True,
)
def letter_counting2(text: Text, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    """As `keywords:letter_frequency`."""
    return letter_frequency(text, letter, let_frequency, let_relation)


deviates(
    "letters:letter_counting2",
    published="draws a random letter in place of one that isn't in a–z",
    ours="counts the sign itself",
    report="https://github.com/google-research/google-research/issues/3427",
)(published_letter_frequency)
