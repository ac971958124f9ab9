"""Build an index: the postings of each word, with the share of a passage's score that each is worth.

BM25 gives a passage, for each word of the query, an amount that depends on the word and the passage alone:

    idf(word) * tf / (tf + k1 * (1 - b + b * length / mean length))

so it is computed here, once, and a search only adds such amounts ("eager scoring", Lù 2024, arXiv:2407.03618).
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rlvr.core.errors import DataError
from rlvr.envs.retrieval.corpus import Passage
from rlvr.envs.retrieval.words import words_in

K1, B = 1.2, 0.75
MOST_PASSAGES = 2**31 - 1
_COMMON = 32
"""A word of more than one in so many passages has a row, which takes at most sixteen times the bytes of its postings."""
_SHORT = 1000  # postings that are looked up quickly without one

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Postings:
    """An index's arrays. The passages are numbered in the order of their ids.

    Attributes:
        words: the digests of the words, sorted; `starts` has their first posting, and the end of the last.
        starts: a number more than there are words.
        passages: the numbers of the passages of each word, in rising order.
        amounts: what each adds to its passage's score.
        most: the largest amount of each word.
        places: the row of each word that is common; -1 for another.
        rows: the amounts of common words by the number of the passage: they are looked up at once.
        ids: the digests of the ids, sorted; `numbers` has their passages' numbers.
        numbers: the number of the passage of each id.
    """

    words: Array
    starts: Array
    passages: Array
    amounts: Array
    most: Array
    places: Array
    rows: Array
    ids: Array
    numbers: Array


def digest_of(text: str) -> int:
    """Return a number of 64 bits that stands for a text."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def postings_of(passages: Sequence[Passage]) -> Postings:
    """Return the arrays of passages, which are sorted by their ids.

    Raises `DataError` if two passages have one id, or if there are none.
    """
    if not 0 < len(passages) <= MOST_PASSAGES:
        raise DataError(f"A corpus has 1 to {MOST_PASSAGES} passages, not {len(passages)}.")
    for before, after in itertools.pairwise(passages):
        if before.id == after.id:
            raise DataError(f"Two passages have the id {before.id!r}.")
    vocabulary, words, counts, sizes = _counted(passages)
    numbers = np.repeat(np.arange(len(passages), dtype=np.int32), sizes)
    lengths = np.zeros(len(passages), dtype=np.float64)
    np.add.at(lengths, numbers, counts)
    # A title and a text may be empty, all of them.
    relative = lengths / max(float(lengths.mean()), 1.0)
    frequency = np.bincount(words, minlength=len(vocabulary))
    # Logarithms may differ in the last digit between machines; everything else here is exact.
    idf = np.log1p((len(passages) - frequency + 0.5) / (frequency + 0.5)).round(6) + 1e-6
    amounts = idf[words] * counts / (counts + K1 * (1 - B + B * relative[numbers]))
    digests = _digests(vocabulary)
    by_digest = np.argsort(digests, kind="stable")
    rank = np.empty_like(by_digest)
    rank[by_digest] = np.arange(len(by_digest))
    order = np.argsort(rank[words], kind="stable")  # stable: within a word, passages stay in order
    starts = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    np.cumsum(frequency[by_digest], out=starts[1:])
    amounts = amounts[order].astype(np.float32)
    places, rows = _common(starts, numbers[order], amounts, len(passages))
    ids = _digests([passage.id for passage in passages])
    by_id = np.argsort(ids, kind="stable")
    return Postings(
        digests[by_digest],
        starts,
        numbers[order],
        amounts,
        np.maximum.reduceat(amounts, starts[:-1]) if len(amounts) else amounts,
        places,
        rows,
        ids[by_id],
        by_id.astype(np.int32),
    )


def _common(starts: Array, numbers: Array, amounts: Array, passages: int) -> tuple[Array, Array]:
    """Return `places` and `rows`."""
    (common,) = np.nonzero(np.diff(starts) > max(passages // _COMMON, _SHORT))
    places = np.full(len(starts) - 1, -1, dtype=np.int32)
    places[common] = np.arange(len(common), dtype=np.int32)
    rows = np.zeros((len(common), passages), dtype=np.float32)
    for row, word in zip(rows, common.tolist(), strict=True):
        row[numbers[starts[word] : starts[word + 1]]] = amounts[starts[word] : starts[word + 1]]
    return places, rows


def _counted(passages: Iterable[Passage]) -> tuple[list[str], Array, Array, Array]:
    """Return the vocabulary, then by posting the word's number and count, then the postings per passage."""
    vocabulary: dict[str, int] = {}
    words: list[Array] = []
    counts: list[Array] = []
    sizes: list[int] = []
    for passage in passages:
        counted = Counter(words_in(f"{passage.title} {passage.text}"))
        numbers = [vocabulary.setdefault(word, len(vocabulary)) for word in counted]
        words.append(np.array(numbers, dtype=np.int32))
        counts.append(np.array(list(counted.values()), dtype=np.int32))
        sizes.append(len(numbers))
    return list(vocabulary), np.concatenate(words), np.concatenate(counts), np.array(sizes)


def _digests(texts: Sequence[str]) -> Array:
    """Return the digests of texts. Raises `DataError` if two texts have one, which no corpus has come near."""
    digests = np.array([digest_of(text) for text in texts], dtype=np.uint64)
    if len(np.unique(digests)) < len(texts):
        raise DataError("Two words or ids of the corpus can't be told apart: change one of them.")
    return digests
