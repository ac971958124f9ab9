"""langdetect's answer at a tenth of its time: its profiles and its sampling, on arrays.

Which language a text is in: n-grams of 1 to 3 characters are drawn from it at random, and the
languages' probabilities multiplied up until one leaves no doubt; seven times, with slightly
different smoothing (Shuyo's language-detection). The numbers drawn are those that langdetect draws
with the same seed, so the answers are its own. A test holds the two together.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TRIALS, _VOTES = 7, 15
_LATIN = re.compile("[A-z]")
_OTHERS = re.compile("[\u0300-\u1dff\u1f00-\U0010ffff]")  # Vietnamese letters are Latin too
_LONGEST = 10_000  # characters that are looked at
_ALPHA, _ALPHA_WIDTH, _BASE = 0.5, 0.05, 10_000
_CERTAIN, _POSSIBLE = 0.99999, 0.1
_BETWEEN_LOOKS = 5  # draws
_LOOKS = 200  # at most, after the first draw
_AT_ONCE = 12  # looks; more draws could underflow: each multiplies by 5e-5 or so


class _Profiles(NamedTuple):
    codes: list[str]
    rows: dict[str, int]  # an n-gram's row in `shares_G_L`
    shares_G_L: Floats


def language_of(text: str) -> str | None:
    """Return the language's code; None where the text has no letters to go by.

    Where one sample leaves two languages open it was a toss-up, as langdetect's users know: then
    several are taken, and the language that most of them find.
    """
    grams_N = _grams(text)
    if not len(grams_N):
        return None
    first_L = _sample(grams_N, 0)
    code = _best(first_L)
    if (first_L > _POSSIBLE).sum() == 1:
        return code
    votes = Counter([code])
    for seed in range(1, _VOTES):
        votes[_best(_sample(grams_N, seed))] += 1
        if max(votes.values()) > _VOTES // 2:
            break
    return votes.most_common(1)[0][0]


def known_languages() -> list[str]:
    """Return the codes of the languages that can be detected."""
    return _profiles().codes


def _best(found_L: Floats) -> str:
    return _profiles().codes[int(found_L.argmax())] if found_L.max() > _POSSIBLE else "unknown"


def _sample(grams_N: Integers, seed: int) -> Floats:
    """Return the languages' probabilities by one sample of seven trials."""
    draws = _Draws(seed, len(grams_N))
    total_L = np.zeros(len(_profiles().codes))
    for _ in range(_TRIALS):
        weight = (_ALPHA + draws.gauss() * _ALPHA_WIDTH) / _BASE
        total_L += _trial(grams_N, draws, weight)
    return total_L / _TRIALS


def _trial(grams_N: Integers, draws: _Draws, weight: float) -> Floats:
    shares_G_L = _profiles().shares_G_L
    likely_L: Floats = shares_G_L[grams_N[draws.one()]] + weight
    likely_L /= likely_L.sum()
    for begun in range(0, _LOOKS, _AT_ONCE):
        looks = min(_AT_ONCE, _LOOKS - begun)
        drawn, places = draws.ahead(looks * _BETWEEN_LOOKS)
        rows_D_L = shares_G_L[grams_N[drawn]]
        rows_D_L += weight
        steps_S_L = rows_D_L.reshape(looks, _BETWEEN_LOOKS, -1).prod(axis=1).cumprod(axis=0)
        steps_S_L *= likely_L
        steps_S_L /= steps_S_L.sum(axis=1, keepdims=True)
        certain = steps_S_L.max(axis=1) > _CERTAIN
        decided = bool(certain[-1]) or bool(certain.any())
        last = int(certain.argmax()) if decided else looks - 1
        draws.place = int(places[(last + 1) * _BETWEEN_LOOKS - 1]) + 1
        likely_L = steps_S_L[last]
        if decided:
            break
    return likely_L


class _Draws:
    """The draws of `random.Random(seed)` below `count`, and from a normal distribution, in its order."""

    def __init__(self, seed: int, count: int) -> None:
        self._words = _words(seed)
        self._count = count
        self._shift = 32 - count.bit_length()
        self.place = 0  # of the next word of the generator
        self._second: float | None = None

    def ahead(self, number: int) -> tuple[Integers, Integers]:
        """Return the next draws below `count`, and the place of each one's word. They aren't used up."""
        # Too large a number is drawn again: two words a draw on average, at worst.
        wide = 2 * number + 32
        while True:
            drawn = self._words[self.place : self.place + wide] >> self._shift
            fit = (drawn < self._count).nonzero()[0]
            if len(fit) >= number:
                fit = fit[:number]
                return drawn[fit], fit + self.place
            wide *= 2

    def one(self) -> int:
        """Return the next draw below `count`."""
        drawn, places = self.ahead(1)
        self.place = int(places[0]) + 1
        return int(drawn[0])

    def gauss(self) -> float:
        """As `random.gauss(0, 1)`: two at a time."""
        if self._second is not None:
            first, self._second = self._second, None
            return first
        angle = 2 * math.pi * self._uniform()
        radius = math.sqrt(-2.0 * math.log(1.0 - self._uniform()))
        self._second = math.sin(angle) * radius
        return math.cos(angle) * radius

    def _uniform(self) -> float:
        high, low = (int(word) for word in self._words[self.place : self.place + 2])
        self.place += 2
        return ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0


@lru_cache(maxsize=_VOTES)
def _words(seed: int) -> Integers:
    """Return the generator's words of 32 bits: enough for seven trials of 1001 draws, redrawn and all."""
    generator = random.Random(seed)
    return np.array([generator.getrandbits(32) for _ in range(32_768)], dtype=np.int64)


def _grams(text: str) -> Integers:
    """Return the rows of the text's n-grams, in order."""
    from langdetect.detector import Detector
    from langdetect.utils.ngram import NGram

    text = Detector.MAIL_RE.sub(" ", Detector.URL_RE.sub(" ", text))
    text = _cleaned(NGram.normalize_vi(text)[:_LONGEST])
    *words, last = text.translate(_normal()).split(" ")
    rows: list[int] = []
    for word in words:
        if word:
            rows += _grams_of(word)
    if last:  # no space follows
        rows += _rows_of(f" {last}")
    return np.array(rows, dtype=np.int64)


def _cleaned(text: str) -> str:
    """Return the text without Latin letters if most of its letters are of other scripts."""
    if text.isascii():
        return text
    latin = len(_LATIN.findall(text))
    non_latin = len(_OTHERS.findall(text))
    return text if 2 * latin >= non_latin else _LATIN.sub("", text)


class _Normal(dict[int, str]):
    """A character's code to what langdetect takes it for, found out when it's first met."""

    def __missing__(self, code: int) -> str:
        from langdetect.utils.ngram import NGram

        self[code] = normalised = str(NGram.normalize(chr(code)))
        return normalised


@cache
def _normal() -> _Normal:
    return _Normal()


@lru_cache(maxsize=65_536)
def _grams_of(word: str) -> tuple[int, ...]:
    return tuple(_rows_of(f" {word} "))


def _rows_of(padded: str) -> list[int]:
    """Return the rows of the 1- to 3-grams at each position, skipping runs of capitals."""
    row_of, rows, capitals = _profiles().rows, [], False
    for end in range(1, len(padded)):
        upper = padded[end].isupper()
        capitals = upper and (capitals or padded[end - 1].isupper())
        if not capitals:
            for start in range(end, max(end - 3, -1), -1):
                row = row_of.get(padded[start : end + 1])
                if row is not None:
                    rows.append(row)
    return rows


@cache
def _profiles() -> _Profiles:
    from langdetect.detector_factory import PROFILES_DIRECTORY

    profiles: list[dict[str, Any]] = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(Path(PROFILES_DIRECTORY).iterdir())
        if not path.name.startswith(".")
    ]
    grams = dict.fromkeys(
        gram for profile in profiles for gram in profile["freq"] if len(gram) <= 3
    )
    grams.pop(" ", None)
    rows = {gram: row for row, gram in enumerate(grams)}
    shares_G_L = np.zeros((len(rows), len(profiles)))
    for number, profile in enumerate(profiles):
        for gram, count in profile["freq"].items():
            if gram in rows:
                shares_G_L[rows[gram], number] = count / profile["n_words"][len(gram) - 1]
    return _Profiles([profile["name"] for profile in profiles], rows, shares_G_L)
