"""IFBench's single questions, whose answer is checked along with its form."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from rlvr.verifiers.instructions import resources
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, Text

CAPITALS = (
    "Reykjavik", "Helsinki", "Oslo", "Tallinn", "Stockholm", "Riga", "Moscow", "Copenhagen",
    "Vilnius", "Minsk", "Dublin", "Berlin", "Amsterdam", "Warsaw", "London", "Brussels", "Prague",
    "Luxembourg", "Paris", "Vienna", "Bratislava", "Budapest", "Vaduz", "Chisinau", "Bern",
    "Ljubljana", "Zagreb",
)  # fmt: skip
"""European capitals north of 45 degrees, by latitude, as the published check has them."""

_DIGITS = re.compile(r"\d+")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_QUESTION = re.compile(r"Question \d+[.|):;]?\s*")
_OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w")


@instruction(
    "custom:multiples", says="Count from 10 to 50, but print only multiples of 7.", cheap=True
)
def multiples(text: Text) -> bool:
    """14 to 49 are the only numbers there are, in order."""
    return _DIGITS.findall(text.raw) == [str(n) for n in range(14, 51, 7)]


@instruction(
    "custom:mcq_count_length",
    says='Write four multiple-choice questions about 20th-century art history, each labelled "Question" '
    "and its number, with five options, each longer than the one before, and no explanation.",
    cheap=True,
)
def multiple_choice(text: Text) -> bool:
    """Four labelled parts with five lettered lines each; what is before the first grows."""
    if not text.raw.startswith("Question"):
        return False
    parts = [part.strip() for part in _QUESTION.split(text.raw) if part.strip()]
    if len(parts) != 4:
        return False
    lengths = []
    for part in parts:
        lines = [line.strip() for line in part.split("\n")]
        options = [number for number, line in enumerate(lines) if _OPTION.match(line)]
        if len(options) != 5:
            return False
        lengths.append(len(" ".join(lines[: options[0]]).strip()))
    return all(a < b for a, b in pairwise(lengths))


@instruction(
    "custom:reverse_newline",
    says="List the countries of Africa in reverse alphabetical order, each on a new line.",
    cheap=True,
)
def reverse_newline(text: Text) -> bool:
    """From the line with Zimbabwe on, 52 lines or more fall, accents aside."""
    lines = [line.strip(EDGES) for line in text.lines]
    lines = [line for line in lines if line]
    start = next((i for i, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    names = [_plain(line) for line in lines[start:]]
    return len(names) >= 52 and all(a >= b for a, b in pairwise(names))


@instruction(
    "custom:european_capitals_sort",
    says="Name the capitals of Europe north of 45 degrees, separated by commas, from north to south.",
    cheap=True,
)
def european_capitals(text: Text) -> bool:
    """All of `CAPITALS` in their order, accents aside."""
    named = [one.strip() for one in _plain(text.raw).split(",")]
    return tuple(one for one in named if one) == CAPITALS


def _plain(text: str) -> str:
    """Without accents and whatever else isn't ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


@instruction(
    "custom:word_reverse",
    says="Say which animal is the national symbol of the US, with the words in reverse order.",
)
def word_reverse(text: Text) -> bool:
    """Read backwards it's one sentence with "bald eagle" in it."""
    words = text.stripped.lower().translate(NO_PUNCTUATION).split()
    backwards = " ".join(reversed(words))
    return "bald eagle" in backwards and resources.sentences(backwards) == [backwards]


@instruction(
    "custom:character_reverse",
    says="Say which animal is the national symbol of the US, with the letters in reverse order.",
    cheap=True,
)
def character_reverse(text: Text) -> bool:
    """In whatever case."""
    return "elgae dlab" in text.lower


@instruction(
    "custom:date_format_list",
    says="List the start dates of all the battles that Napoleon fought as YYYY-MM-DD, separated by "
    "commas, without an explanation.",
    cheap=True,
)
def date_list(text: Text) -> bool:
    """Nothing but dates that there are, from 1769 to 1821."""
    return all(_is_date(one.strip(), published=False) for one in text.stripped.split(","))


@deviates(
    "custom:date_format_list",
    published="accepts month 00, day 00 and 29 February of any year",
    ours="wants a date that there was",
    report="none found",
)
def published_date_list(text: Text) -> bool:
    """No day over the month's most."""
    return all(_is_date(one.strip(), published=True) for one in text.stripped.split(","))


def _is_date(said: str, published: bool) -> bool:
    match = _DATE.fullmatch(said)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    if not 1769 <= year <= 1821 or month > 12:
        return False
    leap = year % 4 == 0 and year != 1800
    most = {2: 29 if published or leap else 28, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
    if published:
        return day <= (most if month else 99)
    return month > 0 and 0 < day <= most
