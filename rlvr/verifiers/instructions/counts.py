"""How many different words, names, numbers, conjunctions, pronouns."""

from __future__ import annotations

import re
from collections import Counter

from rlvr.verifiers.instructions.registry import deviates, instruction
from rlvr.verifiers.instructions.resources import sentence_tokens
from rlvr.verifiers.instructions.text import EDGES, Text
from rlvr.verifiers.instructions.vocabulary import CONJUNCTIONS, NAMES, PRONOUNS

_DIGITS = re.compile(r"\d+")
_DIVIDER = re.compile(r"\s?\*\*\*\s?")
_NAME = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")


@instruction("count:unique_word_count", says="Use at least {N} different words.", cheap=True)
def unique_word_count(text: Text, N: int) -> bool:
    """In whatever case, punctuation at their ends aside."""
    return len({chunk.strip(EDGES) for chunk in text.lower.split()}) >= N


@instruction("count:count_unique", says="Use no word twice.")
def count_unique(text: Text) -> bool:
    """Among the Treebank tokens, punctuation and case included."""
    return len(set(text.tokens)) == len(text.tokens)


@instruction("words:repeats", says="Use no word more than {small_n} times.", cheap=True)
def repeats(text: Text, small_n: int) -> bool:
    """In whatever case, punctuation aside."""
    return max(Counter(text.bare_words).values(), default=0) <= small_n


@instruction(
    "count:conjunctions",
    says="Use at least {small_n} different coordinating conjunctions.",
    cheap=True,
)
def conjunctions(text: Text, small_n: int) -> bool:
    """Of and, but, for, nor, or, so, yet."""
    found = {chunk.strip(EDGES).lower() for chunk in text.chunks} & CONJUNCTIONS
    return len(found) >= small_n


@deviates(
    "count:conjunctions",
    published='counts "and", "And" and "and," as three different ones',
    ours="counts them as one",
    report="none found",
)
def published_conjunctions(text: Text, small_n: int) -> bool:
    """Different spellings, case and punctuation included."""
    found = {chunk for chunk in text.chunks if chunk.strip(EDGES).lower() in CONJUNCTIONS}
    return len(found) >= small_n


@instruction(
    "count:person_names",
    says="Mention at least {N} different names from this list: " + ", ".join(NAMES) + ".",
    cheap=True,
)
def person_names(text: Text, N: int) -> bool:
    """As whole words, in their own case."""
    return len(set(_NAME.findall(text.raw))) >= N


@instruction("count:numbers", says="Use exactly {N} numbers.", cheap=True)
def numbers(text: Text, N: int) -> bool:
    """Runs of digits once punctuation is gone: "1,200.5" is one."""
    return len(_DIGITS.findall(text.bare)) == N


@instruction("count:pronouns", says="Use at least {N} pronouns.")
def pronouns(text: Text, N: int) -> bool:
    """Each time one is used counts; "she/her" is two."""
    spoken = Text(text.raw.replace("/", " ").lower())
    return sum(token in PRONOUNS for token in spoken.tokens) >= N


@instruction(
    "count:counting_composition",
    says="Write three paragraphs, separated by the markdown divider ***, each with exactly {n_sent} "
    "sentences of exactly {n_words} words.",
)
def counting_composition(text: Text, n_sent: int, n_words: int) -> bool:
    """Words are Treebank tokens, as in the published check: a sentence's mark is one of them."""
    paragraphs = _DIVIDER.split(text.raw)
    if not paragraphs[0].strip():
        del paragraphs[0]
    if paragraphs and not paragraphs[-1].strip():
        del paragraphs[-1]
    return len(paragraphs) == 3 and all(
        len(sentences) == n_sent and all(len(sentence_tokens(one)) == n_words for one in sentences)
        for sentences in (Text(one).sentences for one in paragraphs)
    )
