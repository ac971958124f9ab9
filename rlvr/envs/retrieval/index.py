"""`PassageIndex`: search passages by BM25, from files that all processes share or from memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from rlvr.envs.retrieval.build import Array, Postings, digest_of, postings_of
from rlvr.envs.retrieval.corpus import Passage
from rlvr.envs.retrieval.words import words_in

MOST_QUERY = 4000
"""Characters of a query that are read."""

MOST_WORDS = 64
"""Different words of a query that count: the first ones."""

_TEXTS, _OFFSETS = "passages.jsonl", "offsets.npy"
_SOME = 1000  # passages of a word that take longer to add up than to find out if they must be
_SPARE = 4
_LOOK_UP = 6  # times as long as adding a passage takes looking one up


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
        self._spare: list[Array] = []  # of a zero per passage, for searches side by side

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
        numbers, scores = self.best(query, count)
        return [
            Hit(self._read(number), score)
            for number, score in zip(numbers.tolist(), scores.tolist(), strict=True)
        ]

    def best(self, query: str, count: int) -> tuple[Array, Array]:
        """Return the numbers of the best passages and their scores."""
        words = list(dict.fromkeys(words_in(query[:MOST_QUERY])))[:MOST_WORDS]
        spans = self._spans(words)
        if not spans or count < 1:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        numbers, scores = self._scored(spans, count)
        if len(numbers) > count:
            least = np.partition(scores, len(scores) - count)[len(scores) - count]
            kept = scores >= least  # with all equals of the last, of which the order decides
            numbers, scores = numbers[kept], scores[kept]
        order = np.lexsort((numbers, -scores))[:count]
        return numbers[order], scores[order]

    def _spans(self, words: Sequence[str]) -> list[tuple[int, int, float]]:
        """Return where the postings of each known word begin and end, and its largest amount; rare words first."""
        known = self._postings
        if not len(known.words):
            return []
        digests = np.array([digest_of(word) for word in words], dtype=np.uint64)
        places = np.searchsorted(known.words, digests)
        places[places == len(known.words)] = 0
        places = places[known.words[places] == digests]
        starts, ends = known.starts[places], known.starts[places + 1]
        spans = zip(starts.tolist(), ends.tolist(), known.most[places].tolist(), strict=True)
        return sorted(set(spans), key=lambda span: (span[1] - span[0], span[0]))

    def _scored(self, spans: Sequence[tuple[int, int, float]], count: int) -> tuple[Array, Array]:
        """Return passages with their scores, among which are the best `count`.

        The rare words come first. Once `count` passages have more than all other words can add to a passage that has
        none of the rare ones, only passages that have some of them are looked at (MaxScore, Turtle and Flood 1995).
        Common words such as "the" then cost nothing. It is exact: each sum has the same terms in the same order.
        """
        try:
            totals = self._spare.pop()
        except IndexError:
            totals = np.zeros(len(self), dtype=np.float32)
        passages, amounts = self._postings.passages, self._postings.amounts
        touched: list[Array] = []
        rest = sum(most for _, _, most in spans)
        size = 0
        candidates: Array | None = None
        for start, end, most in spans:
            if size >= count and end - start > _SOME:
                candidates = _possible(
                    totals, _joined(touched) if candidates is None else candidates, count, rest
                )
            rest -= most
            if candidates is not None and len(candidates) * _LOOK_UP < end - start:
                numbers = passages[start:end]
                at = np.searchsorted(numbers, candidates)
                at[at == len(numbers)] = 0
                has = numbers[at] == candidates
                totals[candidates[has]] += amounts[start:end][at[has]]
                continue
            numbers = passages[start:end].astype(np.intp)  # numpy indexes by these twice as fast
            before = totals[numbers]
            new = numbers[before == 0.0] if size else numbers  # every amount is above 0
            touched.append(new)
            size += len(new)
            totals[numbers] = before + amounts[start:end]
        if candidates is None:
            candidates = _joined(touched)
        scores = totals[candidates]
        for numbers in touched:
            totals[numbers] = 0.0
        if len(self._spare) < _SPARE:  # after an exception it isn't kept
            self._spare.append(totals)
        return candidates, scores

    def _read(self, number: int) -> Passage:
        start, end = self._offsets[number : number + 2].tolist()
        return Passage.from_json(self._texts[start:end].decode())


def _possible(totals: Array, candidates: Array, count: int, rest: float) -> Array | None:
    """Return the candidates that can still be among the best, in order; None if other passages can be, too.

    Args:
        rest: the most that the words which are left can add to any passage.
    """
    scores = totals[candidates]
    least = float(np.partition(scores, len(scores) - count)[len(scores) - count])
    rest += 1e-4 * (rest + least)  # sums of float32 are rounded
    if least <= rest:
        return None
    # Of the postings' type: otherwise a search in them converts all of them first.
    possible: Array = np.sort(candidates[scores + rest >= least].astype(np.int32))
    return possible


def _joined(arrays: Sequence[Array]) -> Array:
    joined: Array = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return joined


def _mapped(path: Path) -> Array:
    """Return the array in a file, as a plain one: each slice of numpy's own class for it costs a microsecond."""
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array


def _save(path: Path, array: Array) -> None:
    with path.open("xb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
