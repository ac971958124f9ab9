"""Near-duplicates: texts that share most of their words and pairs of words.

MinHash (Broder 1997) with locality-sensitive hashing finds the candidates, by rensa; each is then
decided by the exact Jaccard similarity, so that hashing can miss a pair but never makes one up.
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
_LEAST = 8  # shingles: of a few words, the order is all that tells `58 - 28` from `28 - 58`
_SEED = 20240817  # of the hash functions: any, but always the same


@dataclass(frozen=True, slots=True)
class Sketch:
    """What of a text is compared: its words and pairs of words with numbers masked; its numbers.

    Letters and operators of formulas count as numbers do: `f(x) + 2` isn't `k - 2` in other words. The second 5 of a text is another number than the first, so that a subset is one of a multiset.
    """

    shingles: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, words: list[str]) -> Sketch:
        """The sketch of `tokens(text)`."""
        shown, numbers = masked(words)
        counted = (f"{n} {i}" for n, times in Counter(numbers).items() for i in range(times))
        return cls(frozenset((*shown, *map(" ".join, pairwise(shown)))), frozenset(counted))

    def less(self, common: frozenset[str]) -> Sketch:
        """Without the shingles that most texts have."""
        return Sketch(self.shingles - common, self.numbers)

    def numbers_in(self, other: Sketch) -> bool:
        """Whether the other has all numbers of this one, and few besides: a quarter more, or one."""
        own = len(self.numbers)
        return self.numbers <= other.numbers and len(other.numbers) <= own + max(1, own // 4)

    def jaccard(self, other: Sketch) -> float:
        """Shared shingles over all, in [0, 1]; 0 where there are none."""
        shared = len(self.shingles & other.shingles)
        return shared / max(1, len(self.shingles) + len(other.shingles) - shared)


def banding(threshold: float) -> tuple[int, int]:
    """Bands and rows a band, so that a pair at the threshold is missed in one of fifty cases or fewer.

    b bands of r hashes find a pair of similarity s with the chance 1 - (1 - s^r)^b. The most rows
    that miss no more are taken, since they have the fewest false candidates; then the fewest bands
    that do. At most 512 hashes; a threshold so low that they don't do (under 0.01) misses more.

    Args:
        threshold: in (0, 1].

    Raises `OptionError` where it isn't.
    """
    if not 0 < threshold <= 1:
        raise OptionError(f"The threshold of near-duplicates is in (0, 1], not {threshold}.")
    for rows in range(16, 0, -1):
        for bands in range(1, _MOST_HASHES // rows + 1):
            if (1 - threshold**rows) ** bands <= _MISSED:
                return bands, rows
    return _MOST_HASHES, 1


class NearIndex:
    """Sketches to be found again by similar ones; but for those of a few words, which are never found.

    Args:
        threshold: the lowest Jaccard similarity of a near-duplicate.
        any_numbers: whether texts are found that lack some of a sketch's numbers.
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
        """Take more; their numbers go on from those that are there."""
        new = list(sketches)
        start = len(self._sketches)
        self._sketches += new
        self._numbers += [one.numbers for one in new]
        self._most = max([self._most, *(len(one.shingles) for one in new)])
        filled = [i for i, one in enumerate(new) if len(one.shingles) >= _LEAST]
        hashes = self._hashes([new[i] for i in filled])
        self._lsh.insert_pairs([(start + i, h) for i, h in zip(filled, hashes, strict=True)])

    def find(self, sketches: Sequence[Sketch]) -> list[list[tuple[int, float, bool]]]:
        """For each sketch: the number and the similarity of those near it, and whether numbers agree.

        They do where the sketch has all of the other's, and few besides.
        """
        found: list[list[tuple[int, float, bool]]] = [[] for _ in sketches]
        # A text much longer than all that are here can't be similar to one, and isn't hashed.
        most = self._most / self.threshold
        asked = [i for i, one in enumerate(sketches) if 0 < len(one.shingles) <= most]
        near = self._lsh.query_all(self._hashes([sketches[i] for i in asked]))
        for i, candidates in zip(asked, near, strict=True):
            sketch = sketches[i]
            # Numbers first: comparing them costs least, and settles most.
            same = {c for c in candidates if self._numbers[c] <= sketch.numbers}
            same = {c for c in same if self._sketches[c].numbers_in(sketch)}
            for number in candidates if self.any_numbers else same:
                similarity = self._sketches[number].jaccard(sketch)
                if similarity >= self.threshold:
                    found[i].append((number, similarity, number in same))
        return found

    def _hashes(self, sketches: Sequence[Sketch]) -> Any:
        sets = [list(one.shingles) for one in sketches]
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
