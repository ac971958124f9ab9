"""How many words, sentences and paragraphs."""

from __future__ import annotations

import re

from rlvr.verifiers.instructions.kwargs import (
    Relation,
    holds,
    wrong,
)
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import Text

_DIVIDER = re.compile(r"\s?\*\*\*\s?")


@instruction(
    "length_constraints:number_words", says="Answer with {relation} {num_words} words.", cheap=True
)
def number_words(text: Text, num_words: int, relation: Relation) -> bool:
    """Runs of letters and digits: "don't" is two."""
    return holds(len(text.words), relation, num_words)


@instruction(
    "length_constraints:number_sentences", says="Answer in {relation} {num_sentences} sentences."
)
def number_sentences(text: Text, num_sentences: int, relation: Relation) -> bool:
    """By Punkt."""
    return holds(len(text.sentences), relation, num_sentences)


@instruction(
    "length_constraints:number_paragraphs",
    says="Write {num_paragraphs} paragraphs, separated by the markdown divider ***.",
    cheap=True,
)
def number_paragraphs(text: Text, num_paragraphs: int) -> bool:
    """Between dividers, none of them empty but for what is before the first and after the last."""
    return _filled(_DIVIDER.split(text.raw)) == num_paragraphs


@instruction(
    "paragraphs:paragraphs",
    says="Write two paragraphs, separated by the markdown divider ***.",
    cheap=True,
)
def two_divided(text: Text) -> bool:
    """As `length_constraints:number_paragraphs` with 2."""
    return _filled(_DIVIDER.split(text.raw)) == 2


@instruction(
    "paragraphs:paragraphs2", says="Write two paragraphs, separated by a blank line.", cheap=True
)
def two_apart(text: Text) -> bool:
    """Separated by two newlines."""
    return _filled(text.raw.split("\n\n")) == 2


@instruction(
    "length_constraints:nth_paragraph_first_word",
    says="Write {num_paragraphs} paragraphs, separated by a blank line; paragraph {nth_paragraph} "
    "begins with the word {first_word!r}.",
    cheap=True,
)
def nth_paragraph_first_word(
    text: Text, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Blank paragraphs don't count, neither for their number nor for which is the n-th."""
    there = [one for one in text.raw.split("\n\n") if one.strip()]
    return _begins(there, len(there), num_paragraphs, nth_paragraph, first_word)


@deviates(
    "length_constraints:nth_paragraph_first_word",
    published="leaves blank paragraphs out of the number, but not when it looks for the n-th",
    ours="leaves them out of both",
    report="https://github.com/scitix/sieval/pull/104",
)
def published_nth_paragraph(
    text: Text, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """The n-th of all, counted among those that aren't blank."""
    every = text.raw.split("\n\n")
    filled = sum(1 for one in every if one.strip())
    return _begins(every, filled, num_paragraphs, nth_paragraph, first_word)


def _begins(paragraphs: list[str], count: int, wanted: int, nth: int, first_word: str) -> bool:
    if not 1 <= nth <= wanted:
        raise wrong(
            f"length_constraints:nth_paragraph_first_word: nth_paragraph is from 1 to "
            f"num_paragraphs ({wanted}), not {nth}."
        )
    if count != wanted or not paragraphs[nth - 1].strip():
        return False
    word = paragraphs[nth - 1].split(maxsplit=1)[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first_word.lower()


def _filled(paragraphs: list[str]) -> int:
    """How many there are; -1 where one within is blank."""
    if any(not one.strip() for one in paragraphs[1:-1]):
        return -1
    ends = [paragraphs[0]] if len(paragraphs) == 1 else [paragraphs[0], paragraphs[-1]]
    return len(paragraphs) - sum(1 for one in ends if not one.strip())


@instruction(
    "count:word_count_range", says="Use between {min_words} and {max_words} words.", cheap=True
)
def word_count_range(text: Text, min_words: int, max_words: int) -> bool:
    """Runs of letters and digits, both bounds included."""
    return min_words <= len(text.words) <= max_words
