"""IF-RLVR's checks as published, faults included, if ours differ: what `reference_bugs` brings back."""

from __future__ import annotations

import re
from itertools import pairwise

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.ifbench.words import nth
from rlvr.verifiers.instructions.ifeval import published as ifeval
from rlvr.verifiers.instructions.ifeval.length import filled
from rlvr.verifiers.instructions.kwargs import Relation, holds
from rlvr.verifiers.instructions.matching import published_count
from rlvr.verifiers.instructions.registry import Difference, deviates
from rlvr.verifiers.instructions.text import ResponseText

_NO_REPORT = "none found"


@deviates("keywords:word_once", **ifeval.KEYWORD)
def word_once(text: ResponseText, keyword: str) -> bool:
    """Take it for a pattern."""
    return published_count(keyword.strip(), text.raw) == 1


@deviates("keywords:word_count_different_numbers", **ifeval.KEYWORD)
def word_count(text: ResponseText, keyword: str, frequency: int, relation: Relation) -> bool:
    """Take it for a pattern."""
    return holds(published_count(keyword.strip(), text.raw), relation, frequency)


@deviates("count:count_increment_word", **ifeval.KEYWORD)
def count_increment_word(text: ResponseText, keyword1: str, keyword2: str) -> bool:
    """Take them for patterns."""
    first = published_count(keyword1.strip(), text.raw)
    return first == 1 and published_count(keyword2.strip(), text.raw) == 2


@deviates(
    "keywords:exclude_word_harder",
    published="misses the word beside punctuation, at either end, or in another case",
    ours="finds it as a whole word",
    report=_NO_REPORT,
    cheap=True,
)
def exclude_word(text: ResponseText, keyword: str, instruction: str = "") -> bool:
    """Look for the word between two spaces."""
    return f" {keyword.strip()} " not in text.raw


@deviates(
    "keywords:palindrome",
    published='any word will do: "a", "I", a dash; in its own case, punctuation included',
    ours="three letters or more, whatever the case and the punctuation around",
    report=_NO_REPORT,
    cheap=True,
)
def palindrome(text: ResponseText) -> bool:
    """Accept anything between spaces, a single sign included."""
    return any(chunk == chunk[::-1] for chunk in text.chunks)


_PIECES: Difference = {
    "published": "takes punctuation for words or for parts of them, and cuts contractions in two",
    "ours": "compares words alone",
    "report": _NO_REPORT,
}


@deviates("keywords:no_adjacent_consecutive", **_PIECES, cheap=True)
def no_adjacent_consecutive(text: ResponseText) -> bool:
    """Look at the first signs of the parts between white space."""
    firsts = [chunk[0].lower() for chunk in text.chunks]
    if len(firsts) > 1 and any(len(first) != 1 for first in firsts):
        return False  # a few capitals have two signs for a small letter
    return all(ord(b) - ord(a) != 1 for a, b in pairwise(firsts))


@deviates(
    "keywords:keyword_specific_position",
    published="counts punctuation as words, and wants the keyword's own case",
    ours="counts words alone, in any case",
    report="https://github.com/allenai/IFBench/issues/22",
)
def keyword_position(text: ResponseText, keyword: str, n: int, m: int) -> bool:
    """Count all tokens."""
    sentence = nth(text.punkt_sentences, n, "keywords:keyword_specific_position: n")
    tokens = resources.sentence_tokens(sentence)
    return 0 < m <= len(tokens) and tokens[m - 1] == keyword.strip()


@deviates("keywords:start_end", **_PIECES)
def start_end(text: ResponseText) -> bool:
    """Compare the first token and the last, punctuation included."""
    tokens = text.treebank_tokens
    return len(tokens) > 1 and tokens[0].lower() == tokens[-1].lower()


@deviates("first_word:first_word_answer", **_PIECES, cheap=True)
def first_word_answer(text: ResponseText, first_word: str) -> bool:
    """Compare up to the first white space."""
    return text.chunks[0].lower() == first_word.strip().lower()


@deviates("first_word:first_word_sent", **_PIECES)
def first_word_sent(text: ResponseText, first_word: str) -> bool:
    """Compare up to the first white space."""
    wanted = first_word.strip().lower()
    firsts = (sentence.split(maxsplit=1)[0] for sentence in text.punkt_sentences)
    return all(first.lower() == wanted for first in firsts)


_NO_WORD = re.compile(r"[^\w\s]")


@deviates("last_word:last_word_answer", **_PIECES, cheap=True)
def last_word_answer(text: ResponseText, last_word: str) -> bool:
    """Remove punctuation from the last part between white space."""
    return _NO_WORD.sub("", text.chunks[-1]).lower() == last_word.strip().lower()


@deviates("last_word:last_word_sent", **_PIECES)
def last_word_sent(text: ResponseText, last_word: str) -> bool:
    """Remove punctuation from each last part between white space."""
    wanted = last_word.strip().lower()
    ends = (sentence.rsplit(maxsplit=1)[-1] for sentence in text.punkt_sentences)
    return all(_NO_WORD.sub("", end).lower() == wanted for end in ends)


@deviates("count:count_unique", **_PIECES)
def count_unique(text: ResponseText) -> bool:
    """Compare the Treebank tokens, punctuation and case included."""
    return len(set(text.treebank_tokens)) == len(text.treebank_tokens)


_LOWERCASE_WORD = re.compile(r"\b[a-z]+\b")
_LETTER = re.compile(r"[a-zA-Z]")


@deviates(
    "count:lowercase_counting",
    published="takes \"don't\" for two words, and doesn't see letters beyond a–z",
    ours="takes it for one, and does",
    report=_NO_REPORT,
    cheap=True,
)
def lowercase_counting(text: ResponseText, N: int) -> bool:
    """Count words of a to z alone."""
    return sum(1 for _ in _LOWERCASE_WORD.finditer(text.raw)) <= N


@deviates(
    "letters:letter_counting",
    published="doesn't see letters beyond a–z",
    ours="does",
    report=_NO_REPORT,
    cheap=True,
)
def letter_counting(text: ResponseText, N: int, relation: Relation) -> bool:
    """Count letters of a to z in either case."""
    return holds(sum(1 for _ in _LETTER.finditer(text.raw)), relation, N)


deviates(
    "letters:letter_counting2",
    published="draws a random letter in place of one that isn't in a–z",
    ours="counts the sign itself",
    report="https://github.com/google-research/google-research/issues/3427",
    cheap=True,
)(ifeval.published_letter_frequency)


@deviates(
    "count:counting_composition",
    published="counts Treebank tokens, so that a sentence's mark is a word",
    ours="counts words",
    report=_NO_REPORT,
)
def counting_composition(text: ResponseText, n_sent: int, n_words: int) -> bool:
    """Count the tokens of each sentence."""
    paragraphs = ifeval.STARS.split(text.raw)
    if not paragraphs[0].strip():
        del paragraphs[0]
    if paragraphs and not paragraphs[-1].strip():
        del paragraphs[-1]
    return len(paragraphs) == 3 and all(
        [
            len(resources.sentence_tokens(sentence))
            for sentence in ResponseText(paragraph).punkt_sentences
        ]
        == [n_words] * n_sent
        for paragraph in paragraphs
    )


_NORMAL: Difference = {
    "published": "takes a curly apostrophe or a carriage return for another text",
    "ours": "takes it for the same",
    "report": _NO_REPORT,
}


def _published_same(text: str, other: str) -> bool:
    return text.strip().lower() == other.strip().lower()


@deviates("copy:copy", **_NORMAL, cheap=True)
def copy(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare character by character."""
    return _published_same(text.raw, prompt_to_repeat)


@deviates("copy:copying_simple", **_NORMAL, cheap=True)
def copying_simple(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare character by character."""
    return _published_same(text.raw, prompt_to_repeat)


@deviates("copy:copying_multiple", **_NORMAL, cheap=True)
def copying_multiple(text: ResponseText, prompt_to_repeat: str, N: int) -> bool:
    """Compare character by character."""
    parts = text.raw.split("******")
    return len(parts) == N and all(_published_same(part, prompt_to_repeat) for part in parts)


@deviates(
    "new:copy_span_idx",
    published='leaves out the last character of a span that is said to be "including" it',
    ours="includes it",
    report="https://github.com/allenai/IFBench/pull/25",
    cheap=True,
)
def copy_span_idx(text: ResponseText, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Compare without the last character."""
    return _published_same(text.raw, prompt_to_repeat[n_start:n_end])


@deviates(
    "detectable_format:square_brackets",
    published="refuses a mark behind the brackets",
    ours="accepts it",
    report=_NO_REPORT,
    cheap=True,
)
def square_brackets(text: ResponseText) -> bool:
    """Look at everything between white space."""
    return all(word[0] == "[" and word[-1] == "]" for word in text.chunks)


@deviates(
    "detectable_format:bigram_wrapping",
    published="refuses a mark behind the brackets",
    ours="accepts it",
    report=_NO_REPORT,
    cheap=True,
)
def bigram_wrapping(text: ResponseText) -> bool:
    """Look at everything between white space."""
    pairs = zip(text.chunks[::2], text.chunks[1::2], strict=False)
    return all(a.startswith("<<") and b.endswith(">>") for a, b in pairs)


@deviates(
    "detectable_format:sentence_hyphens",
    published="splits also at hyphens within words, and doesn't compare the number of parts",
    ours="splits behind sentences, and does",
    report=_NO_REPORT,
)
def sentence_hyphens(text: ResponseText) -> bool:
    """Split at every hyphen."""
    parts = text.raw.split("-")
    whole = ResponseText(text.raw.replace("-", " ")).punkt_sentences
    return all(part == sentence for part, sentence in zip(parts, whole, strict=False))


@deviates(
    "paragraphs:paragraphs",
    published="divides also within ***a bold italic*** word and at four stars",
    ours="does neither",
    report=_NO_REPORT,
    cheap=True,
)
def two_divided(text: ResponseText) -> bool:
    """Divide at every three stars."""
    return filled(ifeval.STARS.split(text.raw)) == 2


@deviates(
    "paragraphs:paragraphs2",
    published="takes two blank lines for an empty paragraph, and carriage returns for none",
    ours="counts what blank lines separate",
    report=_NO_REPORT,
    cheap=True,
)
def two_apart(text: ResponseText) -> bool:
    """Split at two line feeds."""
    return filled(text.raw.split("\n\n")) == 2


@deviates(
    "punctuation:punctuation_dot",
    published="looks for U+002E alone",
    ours="knows the full stops of other scripts, and the ellipsis",
    report=_NO_REPORT,
    cheap=True,
)
def no_dot(text: ResponseText) -> bool:
    """Find no U+002E."""
    return "." not in text.raw


@deviates(
    "punctuation:punctuation_exclamation",
    published="looks for U+0021 alone",
    ours="knows the exclamation marks of other scripts",
    report=_NO_REPORT,
    cheap=True,
)
def no_exclamation(text: ResponseText) -> bool:
    """Find no U+0021."""
    return "!" not in text.raw
