"""IFBench's counts, words and sentences as published, faults included, if ours differ: what `reference_bugs` brings back."""

from __future__ import annotations

import re
import string
from collections import Counter
from itertools import pairwise

from rlvr.verifiers.instructions import matching, resources
from rlvr.verifiers.instructions.ifbench.counts import trigrams, within
from rlvr.verifiers.instructions.ifbench.words import PRIMES, alliterating, nth
from rlvr.verifiers.instructions.kwargs import wrong
from rlvr.verifiers.instructions.registry import Difference, deviates
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, ResponseText, spoken
from rlvr.verifiers.instructions.vocabulary import CONJUNCTIONS, NAMES, STOP_WORDS

_PIECES: Difference = {
    "published": "takes punctuation and curly quotes for words or for parts of them",
    "ours": "compares words alone",
    "report": "none found",
}
_HALVES: Difference = {
    "published": "cuts contractions in two",
    "ours": "takes them for one word",
    "report": "https://github.com/allenai/IFBench/issues/22",
}


@deviates("count:unique_word_count", **_PIECES, cheap=True)
def unique_word_count(text: ResponseText, N: int) -> bool:
    """Strip ASCII punctuation off what white space separates."""
    return len({chunk.strip(EDGES) for chunk in text.lower.split()}) >= N


@deviates(
    "count:word_count_range",
    published='takes "don\'t" and "3.50" for two words each',
    ours="takes them for one",
    report="none found",
    cheap=True,
)
def word_count_range(text: ResponseText, min_words: int, max_words: int) -> bool:
    r"""Count the matches of `\w+`."""
    return min_words <= len(text.word_runs) <= max_words


@deviates("words:repeats", **_PIECES, cheap=True)
def repeats(text: ResponseText, small_n: int) -> bool:
    """Compare without ASCII punctuation."""
    return max(Counter(text.bare_words).values(), default=0) <= small_n


@deviates(
    "count:conjunctions",
    published='counts "and", "And" and "and," as three different ones, and misses “And”',
    ours="counts them as one",
    report="none found",
    cheap=True,
)
def conjunctions(text: ResponseText, small_n: int) -> bool:
    """Count different spellings, case and punctuation included."""
    spellings = {chunk for chunk in text.chunks if chunk.strip(EDGES).lower() in CONJUNCTIONS}
    return len(spellings) >= small_n


@deviates(
    "count:keywords_multiple",
    published="finds keywords within other words",
    ours="finds them as whole words or plurals",
    report="https://github.com/modelscope/evalscope/issues/1755",
    cheap=True,
)
def keywords_multiple(
    text: ResponseText, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Count occurrences, also within other words."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    return all(
        text.lower.count(word.strip().lower()) == count
        for word, count in zip(keywords, (1, 2, 3, 5, 7), strict=True)
    )


_NAME = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")


@deviates(
    "count:person_names",
    published="misses a name in capitals, and between underscores",
    ours="finds it",
    report="none found",
    cheap=True,
)
def person_names(text: ResponseText, N: int) -> bool:
    r"""Find names between `\b`s, in their own case."""
    return len(set(_NAME.findall(text.raw))) >= N


_DIGITS = re.compile(r"\d+")


@deviates(
    "count:numbers",
    published='removes punctuation first, so that "10-20" and "1,2,3" are one number each; counts H2O',
    ours="counts them apart, and no digit of a name",
    report="none found",
    cheap=True,
)
def numbers(text: ResponseText, N: int) -> bool:
    """Count runs of digits without ASCII punctuation."""
    return len(_DIGITS.findall(text.bare)) == N


_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@deviates(
    "count:words_japanese",
    published="counts a dash as a word",
    ours="doesn't",
    report="none found",
    cheap=True,
)
def words_japanese(text: ResponseText, N: int) -> bool:
    """Count everything between white space."""
    if N < 1:
        raise wrong("count:words_japanese: N is at least 1, not 0.")
    every = (chunk.strip(EDGES) for chunk in text.chunks[N - 1 :: N])
    return all(_JAPANESE.search(word) for word in every if word and not word.isdigit())


@deviates("ratio:stop_words", **_HALVES, cheap=True)
def stop_words(text: ResponseText, percentage: float) -> bool:
    r"""Compare shares of the matches of `\w+`."""
    if not text.word_runs:
        return False
    stops = sum(word.lower() in STOP_WORDS for word in text.word_runs)
    return 100 * stops <= percentage * len(text.word_runs)


@deviates(
    "ratio:sentence_type",
    published="accepts a text without any such sentence, and misses a mark before a quote",
    ours="wants a question, and looks through quotes and brackets",
    report="https://github.com/scitix/sieval/pull/105",
)
def sentence_type(text: ResponseText) -> bool:
    """None to none is two to one."""
    statements, questions, _ = _marks(text.punkt_sentences)
    return statements == 2 * questions


@deviates(
    "ratio:sentence_balance",
    published="accepts a text without any such sentence, and misses a mark before a quote",
    ours="wants one of each, and looks through quotes and brackets",
    report="https://github.com/scitix/sieval/pull/105",
)
def sentence_balance(text: ResponseText) -> bool:
    """None of each is balanced."""
    statements, questions, exclamations = _marks(text.punkt_sentences)
    return statements == questions == exclamations


def _marks(sentences: list[str]) -> tuple[int, int, int]:
    statements, questions, exclamations = (
        sum(1 for sentence in sentences if sentence.endswith(mark)) for mark in ".?!"
    )
    return statements, questions, exclamations


@deviates(
    "ratio:sentence_words",
    published="never looks whether the words differ",
    ours="does",
    report="https://github.com/modelscope/evalscope/issues/1675",
)
def sentence_words(text: ResponseText) -> bool:
    """Compare lengths alone."""
    sentences = text.punkt_sentences
    return len(sentences) == 3 and len(set(map(len, sentences))) == 1


@deviates(
    "ratio:overlap",
    published="takes the trigrams of characters",
    ours="takes those of words",
    report="https://github.com/allenai/IFBench/pull/34",
    cheap=True,
)
def overlap(text: ResponseText, reference_text: str, percentage: float) -> bool:
    """Compare trigrams of characters."""
    return within(trigrams(text.raw), trigrams(reference_text), percentage)


@deviates("words:alphabet", **_PIECES, cheap=True)
def alphabet(text: ResponseText) -> bool:
    """Compare without ASCII punctuation."""
    letters = [word[0] for word in text.bare_words]
    if not letters or not "a" <= letters[0] <= "z":
        return False
    begin = ord(letters[0]) - 97
    return all(ord(letter) - 97 == (begin + place) % 26 for place, letter in enumerate(letters))


@deviates(
    "words:vowel",
    published="doesn't see vowels with accents",
    ours="does",
    report="none found",
    cheap=True,
)
def vowel(text: ResponseText) -> bool:
    """Look for a, e, i, o and u."""
    return "\n" not in text.stripped and len(set("aeiou").intersection(text.lower)) <= 3


_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")


@deviates("words:consonants", **_PIECES, cheap=True)
def consonants(text: ResponseText) -> bool:
    """Look at everything between white space."""
    return all(_CLUSTER.search(word) for word in text.lower.split())


@deviates("words:palindrome", **_PIECES, cheap=True)
def palindrome(text: ResponseText) -> bool:
    """Compare without ASCII punctuation."""
    return sum(len(word) >= 5 and word == word[::-1] for word in text.bare_words) >= 10


@deviates("words:prime_lengths", **_PIECES, cheap=True)
def prime_lengths(text: ResponseText) -> bool:
    """Measure everything between white space without ASCII punctuation."""
    return all(len(word) in PRIMES for word in text.bare.split())


@deviates("words:no_consecutive", **_PIECES, cheap=True)
def no_consecutive(text: ResponseText) -> bool:
    """Compare without ASCII punctuation."""
    return all(a[0] != b[0] for a, b in pairwise(text.bare_words))


@deviates("words:odd_even_syllables", **_PIECES)
def odd_even_syllables(text: ResponseText) -> bool:
    """Count without ASCII punctuation."""
    parities = (resources.syllables(word) % 2 for word in text.bare_words)
    return all(a != b for a, b in pairwise(parities))


@deviates(
    "words:start_verb",
    published="takes most imperatives for nouns, as the tagger does at the beginning of a sentence",
    ours="knows the base forms of verbs, and looks at what follows",
    report="none found",
)
def start_verb(text: ResponseText) -> bool:
    """Ask the tagger."""
    tokens = text.treebank_tokens
    # It reads left to right and looks two words ahead, so what comes later can't matter.
    return bool(tokens) and "VB" in resources.tags(tokens[:3])[0]


@deviates(
    "words:words_position",
    published="counts punctuation as words, except one mark at the end, and contractions as two",
    ours="counts words",
    report="https://github.com/allenai/IFBench/issues/22",
)
def words_position(text: ResponseText, keyword: str) -> bool:
    """Count all tokens except a last one that is punctuation."""
    tokens, wanted = text.treebank_tokens, keyword.strip().lower()
    last = -3 if tokens and tokens[-1] in string.punctuation else -2
    return len(tokens) >= -last and tokens[1].lower() == tokens[last].lower() == wanted


@deviates("words:keywords_specific_position", **_HALVES)
def keywords_specific_position(text: ResponseText, keyword: str, n: int, m: int) -> bool:
    """Count the Treebank tokens with a letter or digit."""
    sentence = nth(text.punkt_sentences, n, "words:keywords_specific_position: n")
    words = spoken(resources.sentence_tokens(sentence))
    if m < 1:
        raise wrong(f"words:keywords_specific_position: m is at least 1, not {m}.")
    return m <= len(words) and words[m - 1].lower() == keyword.strip().lower()


_LIST_NUMBERS: Difference = {
    "published": "takes the numbers of list items for sentences",
    "ours": "leaves them out",
    "report": "none found",
}


@deviates("sentence:keyword", **_LIST_NUMBERS)
def sentence_keyword(text: ResponseText, word: str, N: int) -> bool:
    """Count sentences by Punkt."""
    sentence = nth(text.punkt_sentences, N, "sentence:keyword: N")
    return matching.published_contains_whole(word, sentence)


@deviates("words:last_first", **_PIECES)
def last_first(text: ResponseText) -> bool:
    """Strip ASCII punctuation."""
    for sentence, after in pairwise(text.punkt_sentences):
        last, first = sentence.rstrip(EDGES).split(), after.lstrip(EDGES).split()
        if not last or not first or last[-1].lower() != first[0].lower():
            return False
    return True


@deviates("words:paragraph_last_first", **_PIECES, cheap=True)
def paragraph_last_first(text: ResponseText) -> bool:
    """Strip ASCII punctuation."""
    paragraphs = (line.strip().lower().strip(EDGES).split() for line in text.raw_lines)
    return all(words[0] == words[-1] for words in paragraphs if words)


@deviates("sentence:increment", **_LIST_NUMBERS)
def increment(text: ResponseText, small_n: int) -> bool:
    """Count what white space separates, without ASCII punctuation."""
    counts = [len(sentence.translate(NO_PUNCTUATION).split()) for sentence in text.punkt_sentences]
    return all(b == a + small_n for a, b in pairwise(counts))


@deviates("sentence:alliteration_increment", **_PIECES)
def alliteration_increment(text: ResponseText) -> bool:
    """Strip ASCII punctuation off the words' beginnings."""
    words = (sentence.lower().split() for sentence in text.punkt_sentences)
    firsts = ([word[0] for chunk in chunks if (word := chunk.lstrip(EDGES))] for chunks in words)
    return all(a < b for a, b in pairwise(map(alliterating, firsts)))


@deviates("custom:sentence_alphabet", **_PIECES)
def sentence_alphabet(text: ResponseText) -> bool:
    """Take each sentence's very first character."""
    firsts = [sentence.split(maxsplit=1)[0][0].lower() for sentence in text.punkt_sentences]
    return firsts == list(string.ascii_lowercase)
