"""English by its words: short texts that no detector can tell, and verbs that begin a request."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files

from rlvr.verifiers.instructions import resources, segmentation
from rlvr.verifiers.instructions.vocabulary import STOP_WORDS

_ENOUGH = 0.8
"""The share of known words above which a text of five words or more is English."""

_FEW = 4
_SUFFIXES = (
    ("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("d", ""), ("ied", "y"), ("ing", ""),
    ("ing", "e"), ("ly", ""), ("er", ""), ("est", ""),
)  # fmt: skip
_CONTRACTED = frozenset(("t", "s", "m", "d", "re", "ve", "ll"))


def is_english(text: str) -> bool:
    """Return True if a text is in English.

    Its words decide if nearly all of them are English, because langdetect takes "yes" and "i am fine." for
    Czech and Somali. Otherwise langdetect decides.
    """
    lower = segmentation.normal(text).lower()
    start = segmentation.unaccented(lower[:_LONGEST])
    tokens = segmentation.words(start)
    words = [word for word in tokens if not _is_sign(word)]
    recognised = sum(is_word(word) for word in words if len(word) <= _LONGEST_WORD)
    if recognised == len(words) and any(letter.isalpha() for word in tokens for letter in word):
        return True
    if len(words) > _FEW and recognised >= _ENOUGH * len(words):
        return True
    return resources.language_of(lower) == "en"


# The other letters are words somewhere: "y", "o", "e", "w", "z", "k".
_LETTERS = frozenset("bcdfghjlmnpqrtx")


def _is_sign(word: str) -> bool:
    """Return whether a word is of no language: it has a digit ("3d"), is a letter ("plan b"), or initials ("u.s.")."""
    if len(word) == 1:
        return word in _LETTERS or word.isnumeric()
    if word.isalpha():
        return False
    return any(map(str.isdigit, word)) or all(len(part) <= 1 for part in _APART.split(word))


_APART = re.compile("[^a-z]")
_LONGEST_WORD = 60  # characters
_LONGEST = 20_000  # characters whose words are looked up


@cache
def _lexicon() -> dict[str, frozenset[str]]:
    """Return the lists of `english.txt` by their names."""
    text = files(__package__).joinpath("english.txt").read_text(encoding="utf-8")
    _, *parts = text.split("\n[")
    lists = (part.partition("]\n") for part in parts)
    return {name: frozenset(words.split()) for name, _, words in lists}


@lru_cache(maxsize=4096)
def is_word(word: str) -> bool:
    """Return whether a word in lower case is English, inflected by rule or contracted."""
    head, mark, tail = word.partition("'")
    if mark and tail in _CONTRACTED:
        return head in STOP_WORDS or is_word(head)
    if _has_stem(word, 2):
        return True
    if "-" in word:
        return all(len(part) == 1 or is_word(part) for part in word.split("-"))
    return word in STOP_WORDS and (len(word) > 1 or word in "ai")  # "y" and "o" are Spanish


def _has_stem(word: str, endings: int) -> bool:
    """Return whether the word is in the lexicon once at most so many endings are taken off."""
    if word in _lexicon()["words"]:
        return True
    return endings > 0 and any(
        _has_stem(word[: len(word) - len(ending)] + rest, endings - 1)
        for ending, rest in _SUFFIXES
        if word.endswith(ending) and len(word) - len(ending) >= 3
    )


# What follows a verb and hardly ever a noun: "light the lamp", "trust me".
_OBJECTS = frozenset(
    [
        "the",
        "a",
        "an",
        "this",
        "these",
        "those",
        "my",
        "your",
        "his",
        "her",
        "our",
        "their",
        "its",
        "me",
        "us",
        "him",
        "them",
        "it",
        "you",
        "yourself",
        "yourselves",
        "himself",
        "herself",
        "itself",
        "themselves",
        "each",
        "every",
        "all",
        "some",
        "any",
        "both",
        "no",
        "one",
        "another",
        "what",
        "whatever",
        "how",
        "why",
        "where",
        "when",
        "whether",
        "who",
        "which",
        "if",
    ]
)
_AUXILIARIES = frozenset(
    ("am", "is", "are", "was", "were", "be", "has", "have", "had", "do", "does", "did")
)
_FINITE = frozenset(("VBZ", "VBD", "VBP", "MD"))
_CLAUSE_ENDS = frozenset(("WDT", "WP", "WRB", ".", ":", ","))
_CLAUSE_WORDS = frozenset(("that", "until", "if", "because", "while", "as", "though", "so"))
# Verbs of saying and thinking: with other nouns "of" makes a noun phrase ("end of story").
_TAKE_OF = frozenset(
    [
        "think",
        "dream",
        "speak",
        "talk",
        "hear",
        "learn",
        "know",
        "tell",
        "read",
        "write",
        "sing",
        "boast",
        "approve",
        "beware",
        "conceive",
        "dispose",
        "complain",
        "repent",
        "despair",
    ]
)


def begins_with_verb(tokens: list[str]) -> bool:
    """Return whether a sentence's first Treebank token is a verb.

    nltk's tagger takes the first word of most requests for a noun ("Run to the store"), so a base
    form of the lexicon is read as an imperative if what follows doesn't make it a subject.
    """
    word = tokens[0].lower()
    tags = resources.tags(tokens[:_WINDOW])
    if tags[0].startswith("VB") or word in _AUXILIARIES:
        return True
    lists = _lexicon()
    following = tokens[1].lower() if len(tokens) > 1 else "."
    if word in lists["verbs"]:
        return len(tags) < 2 or tags[1] not in _FINITE
    if word not in lists["verbs and nouns"] or tags[0] == "UH":
        return False
    if following in _OBJECTS:
        return True
    if following == "that":
        return len(tokens) > 2 and tags[2] in ("PRP", "DT", "PRP$", "EX", "NNP")
    if following == "of":
        return word in _TAKE_OF
    if tags[0].startswith("JJ") or not _bare_infinitive(tokens):
        return False
    return following not in (":", "-", "–", "—") and not _is_subject(tokens, tags)


_WINDOW = 24  # tokens that are tagged


def _bare_infinitive(tokens: list[str]) -> bool:
    """Return whether the tagger takes the first word for a verb after "You must"."""
    return resources.tags(["You", "must", tokens[0].lower(), *tokens[1:3]])[2] == "VB"


def _is_subject(tokens: list[str], tags: list[str]) -> bool:
    """Return whether a finite verb follows in the first word's own clause: "Light rain fell"."""
    verbs = _lexicon()["verbs"] | _lexicon()["verbs and nouns"]
    listed = tags[1:2] in ([","], ["CC"])
    for place in range(1, len(tags)):
        word, tag = tokens[place].lower(), tags[place]
        if not listed and (tag in _CLAUSE_ENDS or word in _CLAUSE_WORDS or tag == "PRP"):
            return False
        if tag in _FINITE and word != "left":  # "turn left"
            return True
        # "Water boils" and "Love conquers all": tagged as plurals.
        third_person = word.endswith("s") and (word[:-1] in verbs or word[:-2] in verbs)
        if (
            third_person
            and tag == "NNS"
            and tags[place - 1] not in ("DT", "JJ", "PRP$", "CD", "IN")
        ):
            return True
    return False
