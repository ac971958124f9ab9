"""`Index`: an index of evaluation sets, in which texts are looked up.

Memory depends on the evaluation sets alone. A match has the first of these methods that finds it:

- `exact`: the same text.
- `normalised`: the same tokens (`text.tokens`).
- `ngram`: more than a share of the instance's tokens are in n-grams that the text has, too. With
  n = 8 and a share of one half it is the rule of Tülu 3 (arXiv 2411.15124, section 3.2).
- `near`: a Jaccard similarity of at least a threshold, and the text has all the instance's numbers.
- `template`: the same similarity with other numbers. Off by default, since that is another problem.

Text that many instances of a set share doesn't tell them apart. Therefore an n-gram in more than one instance of
twenty (an instruction under each question), and a word or pair in more than half of them, are left out. Tokens in
no other n-gram don't count in the share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rlvr.authoring.decontamination.near import NearIndex, Sketch
from rlvr.authoring.decontamination.text import tokens
from rlvr.core.errors import OptionError

METHODS = ("exact", "normalised", "ngram", "near", "template")
DEFAULT_METHODS = METHODS[:4]
_COMMON_GRAMS = 0.05
_COMMON_SHINGLES = 0.5
_FEW = 5  # text in so few instances always counts


@dataclass(frozen=True, slots=True)
class Instance:
    """One problem of an evaluation set.

    Attributes:
        set: the set's name.
        id: the problem's id.
        text: the question.
        also: other texts of the same problem, such as the whole prompt, of which only equal ones match.
    """

    set: str
    id: str
    text: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """The definition of contamination.

    Attributes:
        methods: some of `METHODS`.
        n: the number of tokens in an n-gram.
        overlap: the share of an instance's tokens in shared n-grams above which it matches.
        near: the Jaccard similarity from which on texts are near-duplicates.
    """

    methods: Sequence[str] = DEFAULT_METHODS
    n: int = 8
    overlap: float = 0.5
    near: float = 0.35

    def __post_init__(self) -> None:
        unknown = [method for method in self.methods if method not in METHODS]
        if unknown or not self.methods:
            raise OptionError(
                f"methods are some of {', '.join(METHODS)}, not {', '.join(unknown) or 'none'}."
            )
        if self.n < 1:
            raise OptionError(f"An n-gram has at least 1 token, not {self.n}.")
        if not 0 <= self.overlap < 1:
            raise OptionError(f"The overlap of n-grams is in [0, 1), not {self.overlap}.")


@dataclass(frozen=True, slots=True)
class OverlapMatch:
    """An instance that a text matches: its index, the method, and the score in (0, 1]."""

    instance: int
    method: str
    score: float


class Index:
    """The index of instances.

    Args:
        instances: the instances of all evaluation sets. An instance without tokens is never found.
        options: the definition of a match.
    """

    def __init__(self, instances: Iterable[Instance], options: Options | None = None) -> None:
        self.options = options or Options()
        self.instances = list(instances)
        self._exact: dict[str, list[int]] = {}
        self._normalised: dict[str, list[int]] = {}
        words = [tokens(instance.text) for instance in self.instances]
        for i, (instance, instance_words) in enumerate(zip(self.instances, words, strict=True)):
            if instance_words:
                for text in (instance.text, *instance.also):
                    self._exact.setdefault(text, []).append(i)
                    self._normalised.setdefault(" ".join(tokens(text)), []).append(i)
        self._grams: dict[int, list[tuple[int, int]]] = {}
        self._own: list[int] = []  # per instance, the tokens in n-grams that count
        if "ngram" in self.options.methods:
            self._index_grams(words)
        self._common: frozenset[str] = frozenset()
        self._near: NearIndex | None = None
        if {"near", "template"} & set(self.options.methods):
            self._index_near(words)

    def find(self, texts: Sequence[str]) -> list[list[OverlapMatch]]:
        """Return the matches of each text, each instance once, in the instances' order."""
        words = [tokens(text) for text in texts]
        near = self._find_near(words)
        all_matches = []
        for text, text_words, near_matches in zip(texts, words, near, strict=True):
            best: dict[int, OverlapMatch] = {}
            for match in (
                *self._find_equal(text, text_words),
                *self._find_grams(text_words),
                *near_matches,
            ):
                if match.method in self.options.methods:
                    best.setdefault(match.instance, match)
            all_matches.append([best[i] for i in sorted(best)])
        return all_matches

    def _find_equal(self, text: str, words: list[str]) -> Iterator[OverlapMatch]:
        for i in self._exact.get(text, ()):
            yield OverlapMatch(i, "exact", 1.0)
        if words:
            for i in self._normalised.get(" ".join(words), ()):
                yield OverlapMatch(i, "normalised", 1.0)

    def _index_grams(self, words: list[list[str]]) -> None:
        common = _common(
            (instance.set for instance in self.instances),
            ({hash(g) for g in _grams(instance_words, self.options.n)} for instance_words in words),
            _COMMON_GRAMS,
        )
        for i, instance_words in enumerate(words):
            counting: set[int] = set()
            for at, gram in enumerate(_grams(instance_words, self.options.n)):
                if (key := hash(gram)) not in common:
                    self._grams.setdefault(key, []).append((i, at))
                    counting.update(range(at, at + self.options.n))
            # Without common n-grams all tokens count, as in the paper.
            boilerplate = len(instance_words) >= self.options.n and any(
                hash(g) in common for g in _grams(instance_words, self.options.n)
            )
            self._own.append(len(counting) if boilerplate else len(instance_words))

    def _find_grams(self, words: list[str]) -> Iterator[OverlapMatch]:
        # Hashes of 64 bits: a million texts meet a false one of a million with a chance of 1e-5.
        grams = set(map(hash, _grams(words, self.options.n)))
        hits = [place for key in grams if key in self._grams for place in self._grams[key]]
        counts = Counter(i for i, _ in hits)
        # Without overlaps, so many n-grams can't cover more.
        enough = {i for i, count in counts.items() if count * self.options.n > self._least(i)}
        covered: dict[int, set[int]] = {i: set() for i in enough}
        for i, at in hits:
            if i in enough:
                covered[i].update(range(at, at + self.options.n))
        for i, places in covered.items():
            if len(places) > self._least(i):
                yield OverlapMatch(i, "ngram", len(places) / self._own[i])

    def _least(self, instance: int) -> float:
        return self.options.overlap * self._own[instance]

    def _index_near(self, words: list[list[str]]) -> None:
        sketches = [Sketch.of(instance_words) for instance_words in words]
        self._common = _common(
            (sketch.set for sketch in self.instances),
            (sketch.shingles for sketch in sketches),
            _COMMON_SHINGLES,
        )
        self._near = NearIndex(self.options.near, "template" in self.options.methods)
        self._near.add(sketch.less(self._common) for sketch in sketches)

    def _find_near(self, words: list[list[str]]) -> list[list[OverlapMatch]]:
        if self._near is None:
            return [[] for _ in words]
        near = self._near.find([Sketch.of(text_words).less(self._common) for text_words in words])
        return [
            [OverlapMatch(i, "near" if same else "template", score) for i, score, same in matches]
            for matches in near
        ]


def _grams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(n)), strict=False)


def _common(sets: Iterable[str], contents: Iterable[Iterable[Any]], share: float) -> frozenset[Any]:
    """Return the items that more than this share of a set's instances have, and more than `_FEW` of them."""
    sizes: Counter[str] = Counter()
    counts: dict[str, Counter[Any]] = {}
    for name, content in zip(sets, contents, strict=True):
        sizes[name] += 1
        counts.setdefault(name, Counter()).update(content)
    return frozenset(
        item
        for name, counted in counts.items()
        for item, count in counted.items()
        if count > max(_FEW, share * sizes[name])
    )
