"""IF-RLVR's words and letters: which must be there, where, and how often."""

from __future__ import annotations

import re
from itertools import pairwise

from rlvr.verifiers.instructions import matching, segmentation
from rlvr.verifiers.instructions.ifbench.words import (
    keyword_of,
    keywords_specific_position,
    plain,
)
from rlvr.verifiers.instructions.ifeval.keywords import frequency as keyword_frequency
from rlvr.verifiers.instructions.ifeval.keywords import letter_frequency
from rlvr.verifiers.instructions.kwargs import Relation, holds
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText


@instruction("keywords:word_once", says="Use the keyword {keyword!r} exactly once.", cheap=True)
def word_once(text: ResponseText, keyword: str) -> bool:
    """Count it and its plural as whole words, in any case."""
    return matching.occurrences(keyword, text.normal) == 1


@instruction(
    "keywords:word_count_different_numbers",
    says="Use the word {keyword!r} {relation} {frequency} times.",
    cheap=True,
)
def word_count(text: ResponseText, keyword: str, frequency: int, relation: Relation) -> bool:
    """Judge as `keywords:frequency` does."""
    return keyword_frequency(text, keyword, frequency, relation)


@instruction(
    "count:count_increment_word",
    says="Use the keyword {keyword1!r} once and the keyword {keyword2!r} twice.",
    cheap=True,
)
def count_increment_word(text: ResponseText, keyword1: str, keyword2: str) -> bool:
    """Count each and its plural as whole words, in any case."""
    counts = [matching.occurrences(word, text.normal) for word in (keyword1, keyword2)]
    return counts == [1, 2]


@instruction("keywords:exclude_word_harder", says="Don't use the keyword {keyword!r}.", cheap=True)
def exclude_word(text: ResponseText, keyword: str, instruction: str = "") -> bool:
    """Don't find it as a whole word, in any case. `instruction` is where the keyword was taken from."""
    return not matching.contains_exactly(keyword, text.normal)


@instruction("keywords:palindrome", says="Include a palindrome.", cheap=True)
def palindrome(text: ResponseText) -> bool:
    """Find a word of three letters or more that reads the same backwards, in any case."""
    return any(
        len(word) >= 3 and word.isalpha() and word == word[::-1] for word in text.lower_words
    )


@instruction(
    "keywords:no_adjacent_consecutive",
    says="Begin no word with the letter that follows the first letter of the word before it.",
    cheap=True,
)
def no_adjacent_consecutive(text: ResponseText) -> bool:
    """Compare first letters in any case, accents aside."""
    firsts = [plain(word)[:1] for word in text.words]
    return all(ord(b) - ord(a) != 1 for a, b in pairwise(firsts) if a and b)


@instruction(
    "keywords:keyword_specific_position",
    says="Make {keyword!r} word {m} of sentence {n}.",
)
def keyword_specific_position(text: ResponseText, keyword: str, n: int, m: int) -> bool:
    """Judge as `words:keywords_specific_position` does."""
    return keywords_specific_position(text, keyword, n, m)


@instruction(
    "keywords:start_end",
    says="Begin and end with the same word, and nothing after it.",
    cheap=True,
)
def start_end(text: ResponseText) -> bool:
    """Compare in any case; a mark after the last word is something."""
    words = text.lower_words
    return len(words) > 1 and words[0] == words[-1] and text.normal.rstrip()[-1:].isalnum()


@instruction("first_word:first_word_answer", says="Begin with the word {first_word!r}.", cheap=True)
def first_word_answer(text: ResponseText, first_word: str) -> bool:
    """Compare in any case; punctuation behind the word and marks before it don't count."""
    expected = segmentation.words(keyword_of(first_word))
    return bool(expected) and text.lower_words[: len(expected)] == expected


@instruction("first_word:first_word_sent", says="Begin each sentence with the word {first_word!r}.")
def first_word_sent(text: ResponseText, first_word: str) -> bool:
    """Compare in any case, punctuation aside."""
    wanted = keyword_of(first_word)
    return all(words[0].lower() == wanted for words in _sentences(text))


@instruction("last_word:last_word_answer", says="End with the word {last_word!r}.", cheap=True)
def last_word_answer(text: ResponseText, last_word: str) -> bool:
    """Compare in any case, punctuation aside."""
    expected = segmentation.words(keyword_of(last_word))
    return bool(expected) and text.lower_words[-len(expected) :] == expected


@instruction("last_word:last_word_sent", says="End each sentence with the word {last_word!r}.")
def last_word_sent(text: ResponseText, last_word: str) -> bool:
    """Compare in any case, punctuation aside."""
    wanted = keyword_of(last_word)
    return all(words[-1].lower() == wanted for words in _sentences(text))


def _sentences(text: ResponseText) -> list[list[str]]:
    return [words for words in text.sentence_words if words] or [[""]]


@instruction("count:count_unique", says="Use no word twice.", cheap=True)
def count_unique(text: ResponseText) -> bool:
    """Compare words in any case; punctuation is none."""
    return len(set(text.lower_words)) == len(text.words) > 0


@instruction(
    "count:lowercase_counting",
    says="Use at most {N} words in all lowercase letters.",
    cheap=True,
)
def lowercase_counting(text: ResponseText, N: int) -> bool:
    """Count words without a capital letter."""
    return sum(map(str.islower, text.words)) <= N


@instruction("letters:letter_counting", says="Answer with {relation} {N} letters.", cheap=True)
def letter_counting(text: ResponseText, N: int, relation: Relation) -> bool:
    """Count the letters of any script."""
    return holds(sum(map(str.isalpha, text.normal)), relation, N)


@instruction(
    "letters:letter_counting2",
    says="Use the letter {letter!r} {let_relation} {let_frequency} times.",
    cheap=True,
)
def letter_counting2(
    text: ResponseText, letter: str, let_frequency: int, let_relation: Relation
) -> bool:
    """Judge as `keywords:letter_frequency` does."""
    return letter_frequency(text, letter, let_frequency, let_relation)


_DIVIDER = re.compile(r"(?<!\S)(?:\*\*\*|\* \* \*)(?!\S)")


@instruction(
    "count:counting_composition",
    says="Write three paragraphs, separated by the markdown divider ***, each with exactly {n_sent} "
    "sentences of exactly {n_words} words.",
)
def counting_composition(text: ResponseText, n_sent: int, n_words: int) -> bool:
    """Count words; punctuation is none."""
    paragraphs = _DIVIDER.split(text.normal)
    if not paragraphs[0].strip():
        del paragraphs[0]
    if paragraphs and not paragraphs[-1].strip():
        del paragraphs[-1]
    return len(paragraphs) == 3 and all(
        [len(words) for words in ResponseText(paragraph).sentence_words] == [n_words] * n_sent
        for paragraph in paragraphs
    )
