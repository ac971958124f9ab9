"""The instructions that are drawn, each with how its kwargs are.

Bounds are such that any set without a conflict leaves room for a text: what must be there at least
fits into what may be there at most. `satisfying` shows it, over thousands of draws in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Kwargs: TypeAlias = dict[str, Any]
Draw: TypeAlias = Callable[[np.random.Generator, "Words"], Kwargs]

KEYWORDS = (
    "harbor", "lantern", "meadow", "compass", "orchard", "thunder", "velvet", "whistle", "pebble",
    "ribbon", "falcon", "canvas", "anchor", "glacier", "bamboo", "copper", "dolphin", "engine",
    "feather", "granite", "hammock", "island", "kettle", "ladder", "marble", "needle", "oyster",
    "pepper", "saddle", "tunnel",
)  # fmt: skip
FORBIDDEN = (
    "really", "basically", "actually", "literally", "stuff", "amazing", "awesome", "obviously",
    "totally", "nice", "utilize", "leverage",
)  # fmt: skip
ENDINGS = (
    "That is all there is to say.",
    "Thank you for reading this far.",
    "The rest is up to you.",
)
SECTION_MARKS = ("Section", "SECTION", "Part", "Chapter")
SEPARATORS = ("~~", "//", "=>")


class Words:
    """Keywords of a task: none is given out twice, so that no two instructions are about the same one."""

    def __init__(self, rng: np.random.Generator, taken: frozenset[str] = frozenset()) -> None:
        left = [word for word in KEYWORDS if word not in taken]
        self._left = [str(word) for word in rng.permutation(left)]

    def take(self, count: int = 1) -> list[str]:
        """Return the next ones."""
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def _number(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _one(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return str(choices[int(rng.integers(len(choices)))])


def _bound(
    name: str, least: tuple[int, int], most: tuple[int, int], relation: str = "relation"
) -> Draw:
    """`name` with a relation: at least a number of `least`, or less than one of `most`."""

    def draw(rng: np.random.Generator, _: Words) -> Kwargs:
        if rng.random() < 0.5:
            return {name: _number(rng, *least), relation: "at least"}
        return {name: _number(rng, *most), relation: "less than"}

    return draw


def _count(name: str, low: int, high: int) -> Draw:
    return lambda rng, _: {name: _number(rng, low, high)}


def _nothing(rng: np.random.Generator, words: Words) -> Kwargs:
    return {}


def _frequency(rng: np.random.Generator, words: Words) -> Kwargs:
    return {"keyword": words.take()[0], **_bound("frequency", (2, 4), (2, 4))(rng, words)}


def _letter(rng: np.random.Generator, words: Words) -> Kwargs:
    if rng.random() < 0.5:
        return {"letter": _one(rng, tuple("aeinost")), "let_frequency": _number(rng, 5, 30),
                "let_relation": "at least"}  # fmt: skip
    return {"letter": _one(rng, tuple("qxz")), "let_frequency": _number(rng, 12, 20),
            "let_relation": "less than"}  # fmt: skip


def _range(rng: np.random.Generator, words: Words) -> Kwargs:
    low = _number(rng, 260, 320)
    return {"min_words": low, "max_words": low + _number(rng, 60, 100)}


def _nth(rng: np.random.Generator, words: Words) -> Kwargs:
    count = _number(rng, 2, 4)
    return {"num_paragraphs": count, "nth_paragraph": _number(rng, 1, count),
            "first_word": words.take()[0]}  # fmt: skip


def _forbidden(rng: np.random.Generator, words: Words) -> Kwargs:
    chosen = rng.permutation(FORBIDDEN)[: _number(rng, 1, 3)]
    return {"forbidden_words": [str(word) for word in chosen]}


CATALOGUE: dict[str, Draw] = {
    "keywords:existence": lambda rng, words: {"keywords": words.take(_number(rng, 1, 3))},
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letter,
    "keywords:word_once": lambda rng, words: {"keyword": words.take()[0]},
    "keywords:palindrome": _nothing,
    "count:count_increment_word": lambda rng, words: dict(
        zip(("keyword1", "keyword2"), words.take(2), strict=True)
    ),
    "length_constraints:number_words": _bound("num_words", (60, 220), (420, 600)),
    "length_constraints:number_sentences": _bound("num_sentences", (4, 12), (60, 80)),
    "count:word_count_range": _range,
    "letters:letter_counting": _bound("N", (300, 1000), (3500, 4500)),
    "count:unique_word_count": _count("N", 30, 70),
    "length_constraints:number_paragraphs": _count("num_paragraphs", 2, 5),
    "paragraphs:paragraphs": _nothing,
    "paragraphs:paragraphs2": _nothing,
    "length_constraints:nth_paragraph_first_word": _nth,
    "detectable_format:number_bullet_lists": _count("num_bullets", 2, 6),
    "detectable_format:multiple_sections": lambda rng, _: {
        "section_spliter": _one(rng, SECTION_MARKS), "num_sections": _number(rng, 2, 4)
    },
    "detectable_format:title": _nothing,
    "detectable_format:number_highlighted_sections": _count("num_highlights", 1, 5),
    "detectable_content:number_placeholders": _count("num_placeholders", 1, 5),
    "detectable_content:postscript": lambda rng, _: {
        "postscript_marker": _one(rng, ("P.S.", "P.P.S"))
    },
    "startend:end_checker": lambda rng, _: {"end_phrase": _one(rng, ENDINGS)},
    "startend:quotation": _nothing,
    "first_word:first_word_answer": lambda rng, words: {"first_word": words.take()[0]},
    "last_word:last_word_answer": lambda rng, words: {"last_word": words.take()[0]},
    "punctuation:no_comma": _nothing,
    "punctuation:punctuation_dot": _nothing,
    "punctuation:punctuation_exclamation": _nothing,
    "change_case:english_lowercase": _nothing,
    "change_case:english_capital": _nothing,
    "change_case:capital_word_frequency": _bound(
        "capital_frequency", (2, 6), (25, 40), "capital_relation"
    ),
    "count:numbers": _count("N", 1, 6),
    "count:conjunctions": _count("small_n", 2, 5),
    "count:person_names": _count("N", 2, 6),
    "count:pronouns": _count("N", 3, 10),
    "format:list": lambda rng, _: {"sep": _one(rng, SEPARATORS)},
    "format:output_template": _nothing,
    "format:parentheses": _nothing,
    "format:thesis": _nothing,
}  # fmt: skip
"""Id to what draws its kwargs."""
