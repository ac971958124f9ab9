"""`Text`: one response, taken apart at most once; and the eight variants that the loose mode tries."""

from __future__ import annotations

import re
import string
from functools import cached_property, lru_cache

from rlvr.verifiers.instructions import resources

EDGES = string.punctuation + " "
"""What is taken off a word's ends where only its letters count."""

NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+")


class Text:
    """A response as the checks see it. Each view is made when a check first asks for it.

    Attributes:
        raw: the response itself.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw

    @cached_property
    def stripped(self) -> str:
        """Without white space at its ends."""
        return self.raw.strip()

    @cached_property
    def lower(self) -> str:
        """In lower case."""
        return self.raw.lower()

    @cached_property
    def words(self) -> list[str]:
        """Runs of letters, digits and underscores."""
        return _WORD.findall(self.raw)

    @cached_property
    def chunks(self) -> list[str]:
        """What stands between white space."""
        return self.raw.split()

    @cached_property
    def bare(self) -> str:
        """Without ASCII punctuation."""
        return self.raw.translate(NO_PUNCTUATION)

    @cached_property
    def bare_words(self) -> list[str]:
        """What stands between white space once ASCII punctuation is gone, in lower case."""
        return self.bare.lower().split()

    @cached_property
    def lines(self) -> list[str]:
        """Split at newlines; empty ones stay."""
        return self.raw.split("\n")

    @cached_property
    def sentences(self) -> list[str]:
        """By Punkt, white space between them gone."""
        return resources.sentences(self.raw)

    @cached_property
    def tokens(self) -> list[str]:
        """Treebank tokens: punctuation stands by itself, "don't" is two."""
        return [one for sentence in self.sentences for one in resources.sentence_tokens(sentence)]

    @cached_property
    def spoken_tokens(self) -> list[str]:
        """The tokens with a letter or a digit in them."""
        return spoken(self.tokens)

    @cached_property
    def language(self) -> str | None:
        """The language's code; None where there are no letters to go by."""
        return resources.language_of(self.raw)


def spoken(tokens: list[str]) -> list[str]:
    """Those with a letter or a digit in them: words, not punctuation."""
    return [token for token in tokens if any(map(str.isalnum, token))]


@lru_cache(maxsize=8)
def variants(response: str) -> tuple[Text, ...]:
    """The texts of which one must follow an instruction in loose mode, the response itself first.

    It, without its first line, without its last, without both; and these four without asterisks.
    Those that are blank can't follow anything and are left out, as are those that are there
    already: most responses have fewer than eight, and what one check took apart the next finds.
    """
    lines = response.split("\n")
    cut = [response]
    if len(lines) > 1:
        ranges = (slice(1, None), slice(None, -1), slice(1, -1))
        cut += ["\n".join(lines[part]).strip() for part in ranges]
    every = dict.fromkeys([*cut, *(one.replace("*", "") for one in cut)])
    return tuple(Text(one) for one in every if one.strip())
