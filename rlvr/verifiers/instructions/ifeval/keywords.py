"""IFEval's words, letters and languages: what a response must contain, and in which case."""

from __future__ import annotations

import re

from rlvr.core.errors import nearest
from rlvr.verifiers.instructions import english, matching, resources, segmentation
from rlvr.verifiers.instructions.kwargs import Relation, holds, wrong
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText


@instruction("keywords:existence", says="Include the keywords {keywords}.", cheap=True)
def existence(text: ResponseText, keywords: list[str]) -> bool:
    """Find all of them as whole words, in any case; a plural will do."""
    return all(matching.contains(word, text.normal) for word in keywords)


@instruction(
    "keywords:frequency",
    says="Use the word {keyword!r} {relation} {frequency} times.",
    cheap=True,
)
def frequency(text: ResponseText, keyword: str, frequency: int, relation: Relation) -> bool:
    """Count it and its plural as whole words, in any case."""
    return holds(matching.occurrences(keyword, text.normal), relation, frequency)


@instruction("keywords:forbidden_words", says="Don't use the words {forbidden_words}.", cheap=True)
def forbidden_words(text: ResponseText, forbidden_words: list[str]) -> bool:
    """Find none of them as a whole word, in any case; emphasis doesn't hide one."""
    return not any(matching.contains_exactly(word, text.normal) for word in forbidden_words)


@instruction(
    "keywords:letter_frequency",
    says="Use the letter {letter!r} {let_relation} {let_frequency} times.",
    cheap=True,
)
def letter_frequency(
    text: ResponseText, letter: str, let_frequency: int, let_relation: Relation
) -> bool:
    """Count it in either case; a sign such as # is counted as it is."""
    sign = segmentation.normal(letter.strip()).lower()
    if len(sign) != 1:
        raise wrong(f"keywords:letter_frequency: letter is one character, not {letter!r:.80}.")
    return holds(text.normal.lower().count(sign), let_relation, let_frequency)


_OTHER_CODES = {"iw": "he", "nb": "no", "nn": "no", "in": "id", "fil": "tl", "zh-hans": "zh-cn",
                "zh-sg": "zh-cn", "zh-hant": "zh-tw", "zh-hk": "zh-tw", "zh-mo": "zh-tw"}  # fmt: skip
"""Codes of the languages that langdetect knows by another one."""


@instruction(
    "language:response_language",
    says="Write everything in the language with the code {language!r}.",
)
def response_language(text: ResponseText, language: str) -> bool:
    """Detect the language; `zh` is Chinese in either script, and `pt-BR` is Portuguese."""
    codes = _codes(language)
    return ("en" in codes and english.is_english(text.raw)) or text.language in codes


def _codes(language: str) -> tuple[str, ...]:
    """Return the detector's codes for a language. Raises `CannotScore(gold)` for one it doesn't know."""
    code = language.strip().lower().replace("_", "-")
    codes = resources.languages()
    if code in ("zh", "zho", "cmn"):
        return ("zh-cn", "zh-tw")
    for name in (code, _OTHER_CODES.get(code, ""), code.partition("-")[0]):
        name = _OTHER_CODES.get(name, name)
        if name in codes:
            return (name,)
    raise wrong(
        f"language:response_language: no detector knows the language code {language!r:.40}. "
        f"{nearest(code, codes)}"
    )


@instruction("change_case:english_capital", says="Write in English and in capital letters only.")
def english_capital(text: ResponseText) -> bool:
    """Find some letters, all capital, and English words."""
    return text.raw.isupper() and english.is_english(text.raw)


@instruction(
    "change_case:english_lowercase", says="Write in English and in lowercase letters only."
)
def english_lowercase(text: ResponseText) -> bool:
    """Find some letters, none of them capital, and English words."""
    return text.raw.islower() and english.is_english(text.raw)


@instruction(
    "change_case:capital_word_frequency",
    says="Use words in all capital letters {capital_relation} {capital_frequency} times.",
    cheap=True,
)
def capital_word_frequency(
    text: ResponseText, capital_frequency: int, capital_relation: Relation
) -> bool:
    """Count words of two letters or more, all capital: "I" and "A" are written so anyway."""
    count = sum(map(_is_capital, text.words))
    return holds(count, capital_relation, capital_frequency)


def _is_capital(word: str) -> bool:
    word = word.removesuffix("'s")
    return word.isupper() and sum(map(str.isalpha, word)) > 1


_COMMAS = re.compile(
    "[,\u055d\u060c\u07f8\u1363\u1802\u1808\u2e32\u2e34\u2e41\u2e49\u2e4c\u3001\ua4fe\ua60d\ua6f5"
    "\ufe10\ufe11\ufe50\ufe51\uff0c\uff64]|(?<=\\w)\u201a"
)
"""The commas of all scripts, and the low quotation mark that looks like one behind a word."""


@instruction("punctuation:no_comma", says="Use no commas.", cheap=True)
def no_comma(text: ResponseText) -> bool:
    """Find no comma of any script."""
    return _COMMAS.search(text.raw) is None
