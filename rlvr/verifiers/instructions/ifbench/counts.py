"""IFBench's counts and shares: words, names, numbers, sentences by their kind, trigrams of a text."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain

from rlvr.verifiers.instructions import matching, segmentation
from rlvr.verifiers.instructions.kwargs import wrong
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import EDGES, ResponseText
from rlvr.verifiers.instructions.vocabulary import CONJUNCTIONS, NAMES, PRONOUNS, STOP_WORDS


@instruction("count:unique_word_count", says="Use at least {N} different words.", cheap=True)
def unique_word_count(text: ResponseText, N: int) -> bool:
    """Compare words in any case; punctuation is none."""
    return len(set(text.lower_words)) >= N


@instruction(
    "count:word_count_range", says="Use between {min_words} and {max_words} words.", cheap=True
)
def word_count_range(text: ResponseText, min_words: int, max_words: int) -> bool:
    """Count words, both bounds included: "don't" and "3.50" are one each."""
    return min_words <= len(text.words) <= max_words


@instruction("words:repeats", says="Use no word more than {small_n} times.", cheap=True)
def repeats(text: ResponseText, small_n: int) -> bool:
    """Compare words in any case."""
    return max(Counter(text.lower_words).values(), default=0) <= small_n


@instruction(
    "count:conjunctions",
    says="Use at least {small_n} different coordinating conjunctions.",
    cheap=True,
)
def conjunctions(text: ResponseText, small_n: int) -> bool:
    """Count those of and, but, for, nor, or, so, yet that are there."""
    return len(CONJUNCTIONS.intersection(text.lower_words)) >= small_n


@instruction(
    "count:keywords_multiple",
    says="Use {keyword1!r} once, {keyword2!r} twice, {keyword3!r} three times, {keyword4!r} five "
    "times and {keyword5!r} seven times.",
    cheap=True,
)
def keywords_multiple(
    text: ResponseText, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Count each and its plural as whole words, in any case."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    return all(
        matching.occurrences(word, text.normal) == count
        for word, count in zip(keywords, (1, 2, 3, 5, 7), strict=True)
    )


_NAME = re.compile(rf"(?<![^\W_])(?:{'|'.join((*NAMES, *map(str.upper, NAMES)))})(?![^\W_])")


@instruction(
    "count:person_names",
    says="Mention at least {N} different names from this list: " + ", ".join(NAMES) + ".",
    cheap=True,
)
def person_names(text: ResponseText, N: int) -> bool:
    """Find them as whole words, as they are in the list or in capitals."""
    return len(set(map(str.title, _NAME.findall(text.normal)))) >= N


# A time, a date and a fraction are one number; a range and a list without spaces are several; a digit
# behind a letter ("H2O") is part of a name.
_NUMBER = re.compile(
    r"(?<![^\W\d_])(?:\d{4}-\d{2}-\d{2}(?!\d)|\d{1,3}(?:[,'_]\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d{1,3}(?:\.\d{3})+(?!\d),\d+|\d+(?:[.:/]\d+)+|(?<!\d,)\d+,\d+(?![\d,])|\d+)"
)
_BEHIND_LETTER = re.compile(r"[^\W\d_]\d+")


@instruction("count:numbers", says="Use exactly {N} numbers.", cheap=True)
def numbers(text: ResponseText, N: int) -> bool:
    """Count numbers in digits: "1,200.5" and "10:30" are one each, "10-20" is two."""
    plain = _BEHIND_LETTER.sub("x", text.normal)
    return sum(1 for _ in _NUMBER.finditer(plain)) == N


@instruction("count:pronouns", says="Use at least {N} pronouns.")
def pronouns(text: ResponseText, N: int) -> bool:
    """Count each time one is used; "she/her" is two, and "it's" has one."""
    spaced = ResponseText(text.raw.replace("/", " ").lower())
    return sum(token in PRONOUNS for token in spaced.treebank_tokens) >= N


@instruction(
    "count:punctuation",
    says="Use every standard punctuation mark, including semicolon, colon and the interrobang (?!).",
    cheap=True,
)
def every_mark(text: ResponseText) -> bool:
    """Find `. , ! ? ; :` and one of `?!`, `!?`, `‽`, whose two signs count for nothing else."""
    raw = text.raw
    mark = next((interrobang for interrobang in ("?!", "!?", "‽") if interrobang in raw), None)
    if mark is None:
        return False
    rest = raw if mark == "‽" else raw.replace(mark, "", 1)
    return all(sign in rest for sign in ".,!?;:")


_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@instruction("count:words_japanese", says="Make every {N}th word Japanese.", cheap=True)
def words_japanese(text: ResponseText, N: int) -> bool:
    """Find a kana or a Chinese character in it; numbers may be in its place, and dashes are no words."""
    if N < 1:
        raise wrong("count:words_japanese: N is at least 1, not 0.")
    chunks = [chunk for chunk in text.chunks if any(map(str.isalnum, chunk))]
    every = (chunk.strip(EDGES) for chunk in chunks[N - 1 :: N])
    return all(_JAPANESE.search(word) or word.isdigit() for word in every)


@instruction(
    "ratio:stop_words",
    says="Make at most {percentage}% of the words stop words.",
    cheap=True,
)
def stop_words(text: ResponseText, percentage: float) -> bool:
    """Compare shares of all words; a text without words is no answer."""
    if not text.words:
        return False
    stops = sum(
        word in STOP_WORDS or word.partition("'")[0] in STOP_WORDS for word in text.lower_words
    )
    return 100 * stops <= percentage * len(text.words)


_CLOSERS = "\"'”’»)]*_ "
_STATEMENT, _QUESTION, _EXCLAMATION = ".。．।።۔", "?？؟", "!！"


@instruction(
    "ratio:sentence_type",
    says="Write twice as many declarative sentences as questions, and at least one question.",
)
def sentence_type(text: ResponseText) -> bool:
    """Tell sentences by the mark each ends with, quotes and brackets that close after it aside."""
    statements, questions, _ = _kinds(text)
    return questions > 0 and statements == 2 * questions


@instruction(
    "ratio:sentence_balance",
    says="Write as many statements as questions as exclamations, and at least one of each.",
)
def sentence_balance(text: ResponseText) -> bool:
    """Tell sentences by the mark each ends with, quotes and brackets that close after it aside."""
    statements, questions, exclamations = _kinds(text)
    return statements == questions == exclamations > 0


def _kinds(text: ResponseText) -> tuple[int, int, int]:
    """Return the numbers of statements, questions and exclamations."""
    ends = [sentence.rstrip(_CLOSERS)[-1:] for sentence in text.sentences]
    statements, questions, exclamations = (
        sum(1 for end in ends if end and end in marks)
        for marks in (_STATEMENT, _QUESTION, _EXCLAMATION)
    )
    return statements, questions, exclamations


@instruction(
    "ratio:sentence_words",
    says="Answer in three sentences of the same number of characters, with no word used twice.",
)
def sentence_words(text: ResponseText) -> bool:
    """Compare words in any case."""
    words = [word.casefold() for word in chain.from_iterable(text.sentence_words)]
    lengths = {len(sentence) for sentence in text.sentences}
    return len(text.sentences) == 3 and len(lengths) == 1 and len(set(words)) == len(words)


@instruction(
    "ratio:overlap",
    says="Let {percentage}% (±2%) of the trigrams of your words be those of the reference text.",
    cheap=True,
)
def overlap(text: ResponseText, reference_text: str, percentage: float) -> bool:
    """Compare the response's different trigrams of words, in any case, punctuation aside."""
    theirs = segmentation.words(segmentation.normal(reference_text).lower())
    return within(trigrams(text.lower_words), trigrams(theirs), percentage)


def trigrams(units: str | list[str]) -> set[tuple[str, str, str]]:
    """Return the different runs of three."""
    return set(zip(units, units[1:], units[2:], strict=False))


def within(
    ours: set[tuple[str, str, str]], theirs: set[tuple[str, str, str]], wanted: float
) -> bool:
    """Return whether the share of ours that is theirs is within two percentage points."""
    return bool(ours) and abs(100 * (len(ours & theirs) / len(ours)) - wanted) <= 2
