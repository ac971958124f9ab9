"""Near-duplicates among texts that come one by one, however their numbers are written."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from rlvr.authoring.decontamination.near import NearIndex, Sketch
from rlvr.authoring.decontamination.text import tokens
from rlvr.authoring.split import prompt_group
from rlvr.verifiers.numerals import ONES, TENS, numeral

# Hashing misses few pairs that are well above its threshold. The exact similarity decides.
_HASHED = 0.7
_COMMON = 0.5  # share of the examples from which on a word or pair of words is their form
_FEW = 5
_LETTERS = re.compile(r"[a-z]+", re.IGNORECASE)
_NUMBER_WORDS = {*ONES, *TENS}
_LONGEST_NUMERAL = 24  # words


def plain(text: str) -> str:
    """Return a text with numbers in digits and without characters that nobody sees.

    "Forty-eight of her friends" is "48 of her friends". A single "one" stays: it is a pronoun more often.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if not is_invisible(char))
    words = text.split()
    shown: list[str] = []
    at = 0
    while at < len(words):
        match = _LETTERS.match(words[at].lstrip("(\"'“$"))
        word = match[0].lower() if match else ""
        if word in _NUMBER_WORDS:
            value, used = numeral([w.lstrip("(\"'“$") for w in words[at : at + _LONGEST_NUMERAL]])
            if value is not None and not (used == 1 and words[at].lower().strip(".,;:?!") == "one"):
                shown.append(str(value))
                at += used
                continue
        shown.append(words[at])
        at += 1
    return " ".join(shown)


def is_invisible(char: str) -> bool:
    """Return True for a format character, such as a zero-width space, and for a private or unassigned one."""
    return unicodedata.category(char) in ("Cf", "Co", "Cn")


class SimilarTexts:
    """An index of named texts in which similar ones are found.

    Two texts are the same if their words, numbers and operators are, and near-duplicates if their similarity is at
    least the threshold and their numbers agree.

    Args:
        threshold: the least Jaccard similarity of words and pairs of words.
        any_numbers: find near-duplicates with other numbers as well.
        form: texts whose common words are their form, and don't count.
    """

    def __init__(
        self, threshold: float, any_numbers: bool = False, form: Sequence[str] = ()
    ) -> None:
        self.threshold = threshold
        self.any_numbers = any_numbers
        self._common: frozenset[str] = frozenset()
        self._common = common_shingles(map(self._sketch, form), len(form))
        self._near = NearIndex(max(0.05, _HASHED * threshold), any_numbers=True)
        self._names: list[str] = []
        self._sketches: list[Sketch] = []
        self._equal: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, text: str) -> None:
        """Add a text."""
        text = plain(text)
        sketch = self._sketch_of_plain(text)
        self._equal.setdefault(prompt_group(text), name)
        self._names.append(name)
        self._sketches.append(sketch)
        self._near.add([sketch])

    def find(self, text: str) -> tuple[str, float] | None:
        """Return the name of the most similar text and the similarity (1 for the same words); None if there's none."""
        text = plain(text)
        equal = self._equal.get(prompt_group(text))
        if equal is not None:
            return equal, 1.0
        sketch = self._sketch_of_plain(text)
        best: tuple[str, float] | None = None
        for number, similarity, same in self._near.find([sketch])[0]:
            if similarity < self.threshold or (best is not None and similarity <= best[1]):
                continue
            # In both directions, so that the order of the two doesn't matter.
            agree = same or sketch.numbers_in(self._sketches[number])
            if agree or self.any_numbers:
                best = self._names[number], similarity
        return best

    def _sketch(self, text: str) -> Sketch:
        return self._sketch_of_plain(plain(text))

    def _sketch_of_plain(self, text: str) -> Sketch:
        return Sketch.of(tokens(text)).less(self._common)


class SimilarTasks:
    """An index of tasks, each by its question and by its whole prompt.

    A candidate that changes the environment's own text around a question is compared by its prompt.

    Args:
        threshold, any_numbers: as for `SimilarTexts`.
        form: pairs of question and prompt, whose common words are their form.
    """

    def __init__(
        self, threshold: float, any_numbers: bool, form: Sequence[tuple[str, str]]
    ) -> None:
        questions, prompts = ([pair[i] for pair in form] for i in (0, 1))
        self._questions = SimilarTexts(threshold, any_numbers, questions)
        self._prompts = SimilarTexts(threshold, any_numbers, prompts)

    def add(self, name: str, question: str, prompt: str) -> None:
        """Add a task."""
        self._questions.add(name, question)
        self._prompts.add(name, prompt)

    def find(self, question: str, prompt: str) -> tuple[str, float] | None:
        """Return the name of a similar task and the similarity (1 for the same words); None if there's none."""
        return self._questions.find(question) or self._prompts.find(prompt)


def common_shingles(sketches: Iterable[Sketch], count: int) -> frozenset[str]:
    """Return the words and pairs of words that more than half of `count` texts have."""
    counts = Counter(shingle for sketch in sketches for shingle in sketch.shingles)
    least = max(_FEW, _COMMON * count)
    return frozenset(shingle for shingle, times in counts.items() if times > least)
