"""IFBench's words: what every word must be like, where one must be, and how sentences go on."""

from __future__ import annotations

import re
import string
from itertools import pairwise

from rlvr.verifiers.instructions import english, matching, resources, segmentation
from rlvr.verifiers.instructions.kwargs import wrong
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText

_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
PRIMES = frozenset(n for n in range(2, 98) if all(n % d for d in range(2, n)))


def plain(text: str) -> str:
    """Return the text without accents, in lower case."""
    return segmentation.unaccented(text).lower()


@instruction(
    "words:alphabet",
    says="Begin each word with the next letter of the alphabet, and with A again after Z.",
    cheap=True,
)
def alphabet(text: ResponseText) -> bool:
    """Compare first letters in any case, accents aside; the first word may begin with any of a to z."""
    letters = [plain(word)[:1] for word in text.words]
    if not letters or not "a" <= letters[0] <= "z":
        return False
    begin = ord(letters[0]) - 97
    return all(
        letter and ord(letter) - 97 == (begin + place) % 26 for place, letter in enumerate(letters)
    )


@instruction(
    "words:vowel", says="Write one paragraph with at most three of the five vowels.", cheap=True
)
def vowel(text: ResponseText) -> bool:
    """Find one line; a, e, i, o and u count in either case, with or without accents."""
    body = text.normal.strip()
    return "\n" not in body and len(set("aeiou").intersection(plain(body))) <= 3


@instruction(
    "words:consonants",
    says="Use only words in which two consonants stand together.",
    cheap=True,
)
def consonants(text: ResponseText) -> bool:
    """Look at each word with letters; y is a consonant."""
    words = [plain(word) for word in text.words if any(map(str.isalpha, word))]
    return bool(words) and all(map(_CLUSTER.search, words))


@instruction(
    "words:palindrome",
    says="Use at least ten words of five letters or more that read the same backwards.",
    cheap=True,
)
def palindrome(text: ResponseText) -> bool:
    """Compare in any case; the same one counts each time."""
    return sum(len(word) >= 5 and word == word[::-1] for word in text.lower_words) >= 10


@instruction(
    "words:prime_lengths", says="Use only words whose length is a prime number.", cheap=True
)
def prime_lengths(text: ResponseText) -> bool:
    """Count letters and digits, up to 97; marks within a word aren't counted."""
    return bool(text.words) and all(sum(map(str.isalnum, word)) in PRIMES for word in text.words)


@instruction(
    "words:no_consecutive",
    says="Begin no two neighbouring words with the same letter.",
    cheap=True,
)
def no_consecutive(text: ResponseText) -> bool:
    """Compare in any case; a number begins with no letter."""
    return all(a[0] != b[0] or not a[0].isalpha() for a, b in pairwise(text.lower_words))


@instruction(
    "words:odd_even_syllables",
    says="Alternate words of an odd and of an even number of syllables.",
)
def odd_even_syllables(text: ResponseText) -> bool:
    """Count by syllapy."""
    parities = (_syllables(word) % 2 for word in text.lower_words)
    return all(a != b for a, b in pairwise(parities))


def _syllables(word: str) -> int:
    parts = word.replace("'", "").replace("_", "-").split("-")
    return sum(map(resources.syllables, parts))


@instruction("words:start_verb", says="Begin with a verb.")
def start_verb(text: ResponseText) -> bool:
    """Look at the first word, markup and quotation marks aside: any form of a verb, an imperative too."""
    if not text.sentences:
        return False
    first = re.sub(r"^[^\w]+|[*_]", "", text.sentences[0])
    tokens = resources.sentence_tokens(first)
    return bool(tokens) and english.begins_with_verb(tokens)


@instruction(
    "words:words_position",
    says="Make both the second word and the second to last word {keyword!r}.",
    cheap=True,
)
def words_position(text: ResponseText, keyword: str) -> bool:
    """Compare in any case; punctuation is no word, and a contraction is one."""
    words = text.lower_words
    return len(words) > 1 and words[1] == words[-2] == keyword_of(keyword)


def keyword_of(keyword: str) -> str:
    """Return a keyword of a reference as words are compared."""
    return segmentation.normal(keyword).strip().lower()


@instruction(
    "words:keywords_specific_position",
    says="Make {keyword!r} word {m} of sentence {n}.",
)
def keywords_specific_position(text: ResponseText, keyword: str, n: int, m: int) -> bool:
    """Compare in any case; punctuation is no word; both are counted from 1."""
    words = segmentation.words(nth(text.sentences, n, "words:keywords_specific_position: n"))
    if m < 1:
        raise wrong(f"words:keywords_specific_position: m is at least 1, not {m}.")
    return m <= len(words) and words[m - 1].lower() == keyword_of(keyword)


@instruction(
    "sentence:keyword",
    says="Use the keyword {word!r} in sentence {N}.",
)
def sentence_keyword(text: ResponseText, word: str, N: int) -> bool:
    """Find it as a whole word, in any case; sentences are counted from 1."""
    return matching.contains_exactly(word, nth(text.sentences, N, "sentence:keyword: N"))


def nth(sentences: list[str], n: int, name: str) -> str:
    """Return sentence n, counted from 1; "" if there's none."""
    if n < 1:
        raise wrong(f"{name} is at least 1, not {n}.")
    return sentences[n - 1] if n <= len(sentences) else ""


@instruction(
    "words:last_first",
    says="Begin each sentence with the word that the one before it ended with.",
)
def last_first(text: ResponseText) -> bool:
    """Compare in any case, punctuation aside."""
    return all(a[-1].lower() == b[0].lower() for a, b in pairwise(text.sentence_words))


@instruction(
    "words:paragraph_last_first",
    says="End each paragraph with the word it begins with; paragraphs are separated by a newline.",
    cheap=True,
)
def paragraph_last_first(text: ResponseText) -> bool:
    """Compare in any case, punctuation aside; lines without words don't count."""
    paragraphs = (segmentation.words(line.lower()) for line in text.lines)
    return all(words[0] == words[-1] for words in paragraphs if words)


@instruction(
    "sentence:increment",
    says="Give each sentence exactly {small_n} more words than the one before it.",
)
def increment(text: ResponseText, small_n: int) -> bool:
    """Count words; punctuation is none."""
    counts = [len(words) for words in text.sentence_words]
    return all(b == a + small_n for a, b in pairwise(counts))


@instruction(
    "sentence:alliteration_increment",
    says="Give each sentence more neighbouring words that begin alike than the one before it.",
)
def alliteration_increment(text: ResponseText) -> bool:
    """Count words that begin as a neighbour does, over the whole sentence."""
    counts = [alliterating([word[0].lower() for word in words]) for words in text.sentence_words]
    return all(a < b for a, b in pairwise(counts))


def alliterating(firsts: list[str]) -> int:
    """Return how many words begin as a neighbour does."""
    alike = [a == b for a, b in pairwise(firsts)]
    # A run of n pairs has n + 1 words.
    return sum(alike) + sum(b and not a for a, b in pairwise([False, *alike]))


@instruction(
    "custom:sentence_alphabet",
    says="Tell a story in 26 sentences whose first words begin with A, B, C and so on to Z.",
)
def sentence_alphabet(text: ResponseText) -> bool:
    """Compare first letters in any case; quotation marks and emphasis before them don't count."""
    firsts = [plain(words[0])[:1] for words in text.sentence_words if words]
    return firsts == list(string.ascii_lowercase)
