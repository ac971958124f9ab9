"""Near-duplicates: texts that share most of their words and pairs of words.

MinHash (Broder 1997) with locality-sensitive hashing, by the package rensa, finds the candidates. The exact Jaccard
similarity decides each, so that hashing can miss a pair but never adds one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rlvr.authoring.decontamination.text import masked
from rlvr.core.errors import MissingExtraError, OptionError

_MOST_HASHES = 512
_MISSED = 0.02
_LEAST = 8  # shingles: with fewer words, only the order tells `58 - 28` from `28 - 58`
_SEED = 20240817  # of the hash functions; it must not change


@dataclass(frozen=True, slots=True)
class Sketch:
    """The compared parts of a text: its words and pairs of words with masked numbers, and its numbers.

    Letters and operators of formulas count as numbers: `f(x) + 2` isn't a paraphrase of `k - 2`. The second 5 of a
    text is another number than the first, so that sets compare as multisets.
    """

    shingles: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, words: list[str]) -> Sketch:
        """Return the sketch of `tokens(text)`."""
        shown_words, numbers = masked(words)
        counted = (f"{n} {i}" for n, times in Counter(numbers).items() for i in range(times))
        return cls(
            frozenset((*shown_words, *map(" ".join, pairwise(shown_words)))), frozenset(counted)
        )

    def less(self, common: frozenset[str]) -> Sketch:
        """Return the sketch without the shingles that most texts have."""
        return Sketch(self.shingles - common, self.numbers)

    def numbers_in(self, other: Sketch) -> bool:
        """Return True if the other has all numbers of this one, and at most a quarter more (or one more)."""
        count = len(self.numbers)
        return self.numbers <= other.numbers and len(other.numbers) <= count + max(1, count // 4)

    def jaccard(self, other: Sketch) -> float:
        """Return the share of common shingles among all, in [0, 1]; 0 if there are none."""
        shared = len(self.shingles & other.shingles)
        return shared / max(1, len(self.shingles) + len(other.shingles) - shared)


def banding(threshold: float) -> tuple[int, int]:
    """Return the numbers of bands and of rows per band that miss a pair at the threshold in one of fifty cases at most.

    b bands of r hashes find a pair of similarity s with probability 1 - (1 - s^r)^b. The result has the most rows
    that miss no more, as these have the fewest false candidates, and then the fewest bands. There are at most
    512 hashes; a threshold under 0.01 misses more.

    Args:
        threshold: a similarity in (0, 1].

    Raises `OptionError` for another number.
    """
    if not 0 < threshold <= 1:
        raise OptionError(f"The threshold of near-duplicates is in (0, 1], not {threshold}.")
    for rows in range(16, 0, -1):
        for bands in range(1, _MOST_HASHES // rows + 1):
            if (1 - threshold**rows) ** bands <= _MISSED:
                return bands, rows
    return _MOST_HASHES, 1


class NearIndex:
    """An index of sketches that is searched for similar ones. Sketches of a few words are never found.

    Args:
        threshold: the lowest Jaccard similarity of a near-duplicate.
        any_numbers: also find texts that lack some of a sketch's numbers.
    """

    def __init__(self, threshold: float, any_numbers: bool = False) -> None:
        self._rensa = _rensa()
        self.threshold = threshold
        self.any_numbers = any_numbers
        self.bands, self.rows = banding(threshold)
        self._lsh = self._rensa.RMinHashLSH(threshold, self.bands * self.rows, self.bands)
        self._sketches: list[Sketch] = []
        self._numbers: list[frozenset[str]] = []
        self._most = 0

    def add(self, sketches: Iterable[Sketch]) -> None:
        """Add sketches; their indices continue those of the others."""
        new = list(sketches)
        start = len(self._sketches)
        self._sketches += new
        self._numbers += [sketch.numbers for sketch in new]
        self._most = max([self._most, *(len(sketch.shingles) for sketch in new)])
        filled = [i for i, sketch in enumerate(new) if len(sketch.shingles) >= _LEAST]
        hashes = self._hashes([new[i] for i in filled])
        self._lsh.insert_pairs([(start + i, h) for i, h in zip(filled, hashes, strict=True)])

    def find(self, sketches: Sequence[Sketch]) -> list[list[tuple[int, float, bool]]]:
        """Return, for each sketch, the near ones: index, similarity, and True if the numbers agree.

        Numbers agree if the sketch has all of the other's numbers and few more.
        """
        matches: list[list[tuple[int, float, bool]]] = [[] for _ in sketches]
        # A text much longer than all in the index can't be similar to one, and isn't hashed.
        longest = self._most / self.threshold
        comparable = [i for i, sketch in enumerate(sketches) if 0 < len(sketch.shingles) <= longest]
        near = self._lsh.query_all(self._hashes([sketches[i] for i in comparable]))
        for i, candidates in zip(comparable, near, strict=True):
            sketch = sketches[i]
            # Numbers first: they cost least and decide most.
            same = {c for c in candidates if self._numbers[c] <= sketch.numbers}
            same = {c for c in same if self._sketches[c].numbers_in(sketch)}
            for number in candidates if self.any_numbers else same:
                similarity = self._sketches[number].jaccard(sketch)
                if similarity >= self.threshold:
                    matches[i].append((number, similarity, number in same))
        return matches

    def _hashes(self, sketches: Sequence[Sketch]) -> Any:
        sets = [list(sketch.shingles) for sketch in sketches]
        return self._rensa.RMinHash.from_token_sets(sets, self.bands * self.rows, _SEED)


def _rensa() -> Any:
    try:
        import rensa
    except ImportError as error:
        raise MissingExtraError(
            "Finding near-duplicates needs the package 'rensa': pip install 'rlvr[data]'. "
            "Or leave the method 'near' out."
        ) from error
    return rensa
