"""What every word must be like, and how it goes with its neighbour."""

from __future__ import annotations

import re
from itertools import pairwise

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.kwargs import (
    wrong,
)
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import EDGES, Text

_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_PRIMES = frozenset(n for n in range(2, 98) if all(n % d for d in range(2, n)))


@instruction(
    "words:alphabet",
    says="Begin each word with the next letter of the alphabet, and with A again after Z.",
    cheap=True,
)
def alphabet(text: Text) -> bool:
    """In whatever case, punctuation aside; the first may begin with any of a to z."""
    letters = [word[0] for word in text.bare_words]
    if not letters or not "a" <= letters[0] <= "z":
        return False
    begin = ord(letters[0]) - 97
    return all(ord(one) - 97 == (begin + i) % 26 for i, one in enumerate(letters))


@instruction(
    "words:vowel", says="Write one paragraph with at most three of the five vowels.", cheap=True
)
def vowel(text: Text) -> bool:
    """One line; a, e, i, o and u in whatever case."""
    return "\n" not in text.stripped and len(set("aeiou").intersection(text.lower)) <= 3


@instruction(
    "words:consonants",
    says="Use only words in which two consonants stand together.",
    cheap=True,
)
def consonants(text: Text) -> bool:
    """Whatever stands between white space; y is a consonant."""
    return all(_CLUSTER.search(word) for word in text.lower.split())


@instruction(
    "words:palindrome",
    says="Use at least ten words of five letters or more that read the same backwards.",
    cheap=True,
)
def palindrome(text: Text) -> bool:
    """In whatever case, punctuation aside; the same one counts each time."""
    return sum(len(word) >= 5 and word == word[::-1] for word in text.bare_words) >= 10


@instruction(
    "words:prime_lengths", says="Use only words whose length is a prime number.", cheap=True
)
def prime_lengths(text: Text) -> bool:
    """Up to 97, punctuation aside."""
    return all(len(word) in _PRIMES for word in text.bare.split())


@instruction(
    "words:no_consecutive",
    says="Begin no two neighbouring words with the same letter.",
    cheap=True,
)
def no_consecutive(text: Text) -> bool:
    """In whatever case, punctuation aside."""
    return all(a[0] != b[0] for a, b in pairwise(text.bare_words))


@instruction(
    "keywords:no_adjacent_consecutive",
    says="Begin no word with the letter that follows the first letter of the word before it.",
    cheap=True,
)
def no_adjacent_consecutive(text: Text) -> bool:
    """In whatever case, punctuation included."""
    firsts = [chunk[0].lower() for chunk in text.chunks]
    if len(firsts) > 1 and any(len(one) != 1 for one in firsts):
        return False  # a few capitals have two signs for a small letter
    return all(ord(b) - ord(a) != 1 for a, b in pairwise(firsts))


@instruction(
    "words:odd_even_syllables",
    says="Alternate words of an odd and of an even number of syllables.",
)
def odd_even_syllables(text: Text) -> bool:
    """By syllapy's count."""
    parities = (resources.syllables(word) % 2 for word in text.bare_words)
    return all(a != b for a, b in pairwise(parities))


@instruction("words:start_verb", says="Begin with a verb.")
def start_verb(text: Text) -> bool:
    """By nltk's tagger: any form of a verb."""
    return bool(text.tokens) and "VB" in resources.tag_of_first(text.tokens)


@instruction("count:words_japanese", says="Make every {N}th word Japanese.", cheap=True)
def words_japanese(text: Text, N: int) -> bool:
    """It has a kana or a Chinese character in it; numbers may stand in its place."""
    if N < 1:
        raise wrong("count:words_japanese: N is at least 1, not 0.")
    every = (chunk.strip(EDGES) for chunk in text.chunks[N - 1 :: N])
    return all(_JAPANESE.search(word) for word in every if word and not word.isdigit())


@instruction(
    "words:words_position",
    says="Make both the second word and the second to last word {keyword!r}.",
)
def words_position(text: Text, keyword: str) -> bool:
    """In whatever case; punctuation is no word."""
    words, wanted = text.spoken_tokens, keyword.strip().lower()
    return len(words) > 1 and words[1].lower() == words[-2].lower() == wanted


@deviates(
    "words:words_position",
    published="counts punctuation as words, but for one mark at the end",
    ours="counts none",
    report="https://github.com/allenai/IFBench/issues/22",
)
def published_words_position(text: Text, keyword: str) -> bool:
    """Among all tokens, but for a last one that is punctuation."""
    tokens, wanted = text.tokens, keyword.strip().lower()
    last = -3 if tokens and tokens[-1] in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" else -2
    return len(tokens) >= -last and tokens[1].lower() == tokens[last].lower() == wanted
