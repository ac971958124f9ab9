"""`PassageIndex`: search passages by BM25, from files that all processes share or from memory."""

from __future__ import annotations

import functools
import mmap
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlvr.envs.retrieval.build import Array, Postings, digest_of, postings_of
from rlvr.envs.retrieval.corpus import Passage
from rlvr.envs.retrieval.words import words_in

MOST_QUERY = 4000
"""Characters of a query that are read."""

MOST_WORDS = 64
"""Different words of a query that count: the first ones."""

_TEXTS, _OFFSETS = "passages.jsonl", "offsets.npy"
# Passages of a word that are added up more quickly than it is found out if they must be.
_SOME = 2000
_FEW = 16  # candidates that are looked up more quickly than they are made fewer
_DENSE = 4  # for more than one posting to so many passages, a sum for each passage is quicker
_REMEMBERED = (
    1 << 16
)  # words whose postings need not be looked for again: questions' words are often the same
_ROUNDING = 1e-6  # what is compared are sums of float64 in two orders


class _Span(NamedTuple):
    """A word: the place of its postings, its largest amount, and its row if it is common, or -1."""

    start: int
    end: int
    most: float
    row: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search has found, with its score."""

    passage: Passage
    score: float


class PassageIndex:
    """Passages and the index of their words::

        index = PassageIndex.of([Passage("a", "Tolvik", "A town on the river Ane.")])
        index.search("river towns")  # [Hit(Passage("a", …), 0.28…)]
        index.passage("a").text

    A search is exact BM25 over all words of the query. It has the same results in each process and on each machine: the
    best first, equals in the order of their ids. It may be called from several threads.
    """

    def __init__(self, postings: Postings, texts: bytes | mmap.mmap, offsets: Array) -> None:
        self._postings = postings
        self._texts = texts
        self._offsets = offsets
        self._span = functools.lru_cache(maxsize=_REMEMBERED)(self._span_of)

    @classmethod
    def of(cls, passages: Iterable[Passage]) -> PassageIndex:
        """Return an index in memory. Raises `DataError` if two passages have one id, or if there are none."""
        ordered = sorted(passages, key=lambda passage: passage.id)
        postings = postings_of(ordered)
        lines = [passage.to_json().encode() for passage in ordered]
        offsets = np.zeros(len(lines) + 1, dtype=np.int64)
        np.cumsum([len(line) for line in lines], out=offsets[1:])
        return cls(postings, b"".join(lines), offsets)

    def write(self, folder: Path) -> None:
        """Write the index into an empty folder, each file to the disk."""
        for field in fields(Postings):
            _save(folder / f"{field.name}.npy", getattr(self._postings, field.name))
        _save(folder / _OFFSETS, self._offsets)
        with (folder / _TEXTS).open("xb") as file:
            file.write(self._texts)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def open(cls, folder: Path) -> PassageIndex:
        """Open the index in a folder. Its files are mapped, so that all processes have them in memory once.

        Raises `OSError` or `ValueError` if a file isn't there or isn't whole.
        """
        arrays = {field.name: _mapped(folder / f"{field.name}.npy") for field in fields(Postings)}
        offsets = _mapped(folder / _OFFSETS)
        with (folder / _TEXTS).open("rb") as file:
            texts = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if int(offsets[-1]) != len(texts):
            raise ValueError(f"{folder / _TEXTS} isn't whole")
        return cls(Postings(**arrays), texts, offsets)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def passage(self, id: str) -> Passage | None:
        """Return the passage with that id, or None."""
        ids = self._postings.ids
        digest = np.uint64(digest_of(id))
        place = int(np.searchsorted(ids, digest))
        if place == len(ids) or ids[place] != digest:
            return None
        passage = self._read(int(self._postings.numbers[place]))
        return passage if passage.id == id else None

    def search(self, query: str, count: int = 10) -> list[Hit]:
        """Return the passages that match a query best, at most `count`; none if no word of it occurs.

        Args:
            query: any text. Nothing in it is an operator. Its first 4000 characters and 64 different words count.
            count: the most passages.
        """
        return [Hit(self._read(number), score) for number, score in self.best(query, count)]

    def best(self, query: str, count: int) -> list[tuple[int, float]]:
        """Return the numbers of the best passages with their scores, the best first."""
        words = list(dict.fromkeys(words_in(query[:MOST_QUERY])))[:MOST_WORDS]
        occurring = {span for word in words if (span := self._span(word)) is not None}
        spans = sorted(occurring, key=lambda span: (span.end - span.start, span.start))
        if not spans or count < 1:
            return []
        numbers, scores = self._scored(spans, count)
        if len(numbers) > max(count, 2 * _FEW):
            kept = scores >= _last_of_best(scores, count)  # with all equals of the last
            numbers, scores = numbers[kept], scores[kept]
        ranked = sorted(zip((-scores).tolist(), numbers.tolist(), strict=True))[:count]
        return [(number, -score) for score, number in ranked]

    def _span_of(self, word: str) -> _Span | None:
        """Return the postings of a word, or None if it doesn't occur."""
        postings = self._postings
        digest = np.uint64(digest_of(word))
        place = int(postings.words.searchsorted(digest))
        if place == len(postings.words) or postings.words[place] != digest:
            return None
        start, end = postings.starts[place : place + 2].tolist()
        return _Span(start, end, float(postings.most[place]), int(postings.places[place]))

    def _scored(self, spans: Sequence[_Span], count: int) -> tuple[Array, Array]:
        """Return passages with their scores, among which are the best `count`.

        The rare words come first. Once `count` passages have more than all other words can add to a passage that has
        none of the rare ones, only passages that have some of them are looked up in the other words' postings (MaxScore,
        Turtle and Flood 1995). Common words such as "the" then cost little. It is exact: sums of so few float32 fit into
        a float64, in whatever order they are made.
        """
        place, candidates, scores, least = self._added_up(spans, count)
        while len(candidates) > _FEW and place < len(spans):
            self._look_up(spans[place : place + 1], candidates, scores)
            place += 1
            kept = scores >= least - _rest(spans[place:])
            candidates, scores = candidates[kept], scores[kept]
        self._look_up(spans[place:], candidates, scores)
        return candidates, scores

    def _look_up(self, spans: Sequence[_Span], candidates: Array, scores: Array) -> None:
        """Add words' amounts to the scores of passages."""
        rows = self._postings.rows
        common = [span.row for span in spans if span.row >= 0]
        if len(common) > 1:
            scores += rows[np.array(common)[:, None], candidates].sum(axis=0, dtype=np.float64)
        elif common:
            scores += rows[common[0]].take(candidates)
        for start, end, _, row in spans:
            if row < 0:
                numbers = self._postings.passages[start:end]
                at = numbers.searchsorted(candidates.astype(np.int32))
                has = numbers.take(at, mode="clip") == candidates
                scores += self._postings.amounts[start:end].take(at, mode="clip") * has

    def _added_up(self, spans: Sequence[_Span], count: int) -> tuple[int, Array, Array, float]:
        """Add up the first words, until only passages that have one of them can be among the best.

        Returns:
            The number of words that were added up, the passages in order, their scores, and a score that `count` passages
            reach in the end.
        """
        place = size = 0
        least = 0.0
        while True:
            begin = place
            while place < len(spans):
                length = spans[place].end - spans[place].start
                if place > begin and length > max(_SOME, size // 2):
                    break
                size += length
                place += 1
            later = spans[place:]
            rest = _rest(later)
            candidates, scores = self._sums(spans[:place], size, least - rest)
            if not later:
                return place, candidates, scores, least
            if len(scores) >= count:
                least = max(least, self._least(candidates, scores, later, count))
                if least > rest:
                    kept = scores >= least - rest
                    return place, candidates[kept], scores[kept], least

    def _sums(self, spans: Sequence[_Span], size: int, bound: float) -> tuple[Array, Array]:
        """Return the passages that have one of the words, in order, and the sums of their amounts.

        Args:
            spans: the words.
            size: the number of their postings.
            bound: the passages with smaller sums may be left out.
        """
        passages, amounts, rows = (
            self._postings.passages, self._postings.amounts, self._postings.rows
        )  # fmt: skip
        if size > len(self) // _DENSE:
            totals = np.zeros(len(self))
            for start, end, _, row in spans:
                if row >= 0:
                    totals += rows[row]
                else:
                    totals[passages[start:end]] += amounts[start:end]
            candidates = (totals >= bound if bound > 0 else totals > 0).nonzero()[0]
            return candidates, totals[candidates]
        # A passage's number above, the bits of the amount below: sorted, a passage's postings stand together.
        keys = np.concatenate([passages[start:end] for start, end, *_ in spans], dtype=np.int64)
        keys <<= 32
        keys |= np.concatenate([amounts[start:end] for start, end, *_ in spans]).view(np.int32)
        keys.sort()
        numbers = keys >> 32
        first = np.empty(len(keys), dtype=bool)
        first[:1] = True
        np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
        starts = first.nonzero()[0]
        added = keys.astype(np.uint32).view(np.float32)
        return numbers[starts], np.add.reduceat(added, starts, dtype=np.float64)

    def _least(self, candidates: Array, scores: Array, spans: Sequence[_Span], count: int) -> float:
        """Return a score that `count` passages reach: those that lead now are looked up in all other words' postings."""
        some = max(count, _FEW)
        if len(scores) > some:
            lead = np.argpartition(scores, len(scores) - some)[len(scores) - some :]
            candidates, scores = candidates[lead], scores[lead]
        else:
            scores = scores.copy()
        self._look_up(spans, candidates, scores)
        return _last_of_best(scores, count)

    def _read(self, number: int) -> Passage:
        start, end = self._offsets[number : number + 2].tolist()
        return Passage.from_json(self._texts[start:end].decode())


def _rest(spans: Sequence[_Span]) -> float:
    """Return the most that words can add to a passage's score."""
    return sum(span.most for span in spans) + _ROUNDING


def _last_of_best(scores: Array, count: int) -> float:
    return float(np.partition(scores, len(scores) - count)[len(scores) - count])


def _mapped(path: Path) -> Array:
    """Return the array in a file, as a plain one: each slice of numpy's own class for it costs a microsecond."""
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array


def _save(path: Path, array: Array) -> None:
    with path.open("xb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
