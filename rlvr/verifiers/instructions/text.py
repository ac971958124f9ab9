"""`ResponseText`: one response, taken apart at most once; and the eight variants that the loose mode tries."""

from __future__ import annotations

import re
import string
from functools import cached_property, lru_cache

from rlvr.verifiers.instructions import resources, segmentation

EDGES = string.punctuation + " "
"""Punctuation that the published checks strip off the ends of a word."""

NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD_RUN = re.compile(r"\w+")


class ResponseText:
    """A response as the checks see it. Each view is computed when a check first asks for it.

    `words`, `sentences` and `paragraphs` are what a careful reader counts, in any script. What the
    published checks count in their place is in `word_runs`, `treebank_tokens` and `punkt_sentences`.

    Attributes:
        raw: the response itself.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw

    @cached_property
    def normal(self) -> str:
        """The response with line feeds, composed letters and straight apostrophes."""
        return segmentation.normal(self.raw)

    @cached_property
    def stripped(self) -> str:
        """The response without white space at its ends."""
        return self.raw.strip()

    @cached_property
    def lower(self) -> str:
        """The response in lower case."""
        return self.raw.lower()

    @cached_property
    def words(self) -> list[str]:
        """The words: "don't", "3.50" and "well-known" are one each, a Chinese character is one."""
        return segmentation.words(self.normal)

    @cached_property
    def lower_words(self) -> list[str]:
        """The words in lower case."""
        return [word.lower() for word in self.words]

    @cached_property
    def lines(self) -> list[str]:
        """The lines; empty ones stay."""
        return self.normal.split("\n")

    @cached_property
    def paragraphs(self) -> list[str]:
        """The parts that blank lines separate."""
        return segmentation.paragraphs(self.normal)

    @cached_property
    def sentence_pieces(self) -> list[str]:
        """The text cut where sentences end; an emoji after a full stop is a piece of its own."""
        return segmentation.sentence_pieces(self.normal)

    @cached_property
    def sentences(self) -> list[str]:
        """The sentences, without headings and the marks of list items."""
        return [piece for piece in self.sentence_pieces if any(map(str.isalnum, piece))]

    @cached_property
    def sentence_words(self) -> list[list[str]]:
        """The words of each sentence."""
        return [segmentation.words(sentence) for sentence in self.sentences]

    @cached_property
    def language(self) -> str | None:
        """The language's code by langdetect; None for a text without letters."""
        return resources.language_of(self.raw)

    # The published checks' own units.

    @cached_property
    def chunks(self) -> list[str]:
        """The parts between white space."""
        return self.raw.split()

    @cached_property
    def raw_lines(self) -> list[str]:
        """The response split at line feeds alone."""
        return self.raw.split("\n")

    @cached_property
    def word_runs(self) -> list[str]:
        r"""The matches of `\w+`."""
        return _WORD_RUN.findall(self.raw)

    @cached_property
    def bare(self) -> str:
        """The response without ASCII punctuation."""
        return self.raw.translate(NO_PUNCTUATION)

    @cached_property
    def bare_words(self) -> list[str]:
        """The parts between white space of `bare`, in lower case."""
        return self.bare.lower().split()

    @cached_property
    def punkt_sentences(self) -> list[str]:
        """The sentences by nltk's Punkt for English."""
        return resources.sentences(self.raw)

    @cached_property
    def treebank_tokens(self) -> list[str]:
        """Treebank tokens: punctuation is a token, "don't" is two."""
        return [
            token
            for sentence in self.punkt_sentences
            for token in resources.sentence_tokens(sentence)
        ]


def spoken(tokens: list[str]) -> list[str]:
    """Return the tokens with a letter or a digit in them: words, not punctuation."""
    return [token for token in tokens if any(map(str.isalnum, token))]


@lru_cache(maxsize=8)
def variants(response: str) -> tuple[ResponseText, ...]:
    """Return the texts of which one must follow an instruction in loose mode, the response itself first.

    They are the response, without its first line, without its last, without both; and these four
    without asterisks. Blank ones can't follow anything and are left out, as are duplicates: most
    responses have fewer than eight, and checks share what they take apart.
    """
    lines = response.split("\n")
    cut = [response]
    if len(lines) > 1:
        ranges = (slice(1, None), slice(None, -1), slice(1, -1))
        cut += ["\n".join(lines[part]).strip() for part in ranges]
    every = dict.fromkeys([*cut, *(variant.replace("*", "") for variant in cut)])
    return tuple(ResponseText(variant) for variant in every if variant.strip())
