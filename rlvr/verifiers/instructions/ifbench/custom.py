"""IFBench's single questions, whose answer is checked along with its form, and its tables."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from itertools import pairwise

from rlvr.verifiers.instructions import resources, segmentation
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, ResponseText

CAPITALS = (
    "Reykjavik", "Helsinki", "Oslo", "Tallinn", "Stockholm", "Riga", "Moscow", "Copenhagen",
    "Vilnius", "Minsk", "Dublin", "Berlin", "Amsterdam", "Warsaw", "London", "Brussels", "Prague",
    "Luxembourg", "Paris", "Vienna", "Bratislava", "Budapest", "Vaduz", "Chisinau", "Bern",
    "Ljubljana", "Zagreb",
)  # fmt: skip
"""European capitals north of 45 degrees, by latitude, as the published check has them: without Kyiv."""

_BEFORE_KYIV = CAPITALS.index("Brussels") + 1  # at 50.45 degrees
WITH_KYIV = (*CAPITALS[:_BEFORE_KYIV], "Kyiv", *CAPITALS[_BEFORE_KYIV:])

_DIGITS = re.compile(r"\d+")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_QUESTION = re.compile(r"Question \d+[.|):;]?\s*")
_OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w")


@instruction(
    "custom:multiples", says="Count from 10 to 50, but print only multiples of 7.", cheap=True
)
def multiples(text: ResponseText) -> bool:
    """14 to 49 are the only numbers, in order."""
    return _DIGITS.findall(text.raw) == [str(n) for n in range(14, 51, 7)]


@instruction(
    "custom:mcq_count_length",
    says='Write four multiple-choice questions about 20th-century art history, each labelled "Question" '
    "and its number, with five options, each longer than the one before, and no explanation.",
    cheap=True,
)
def multiple_choice(text: ResponseText) -> bool:
    """Find four labelled parts with five lettered lines each; the questions grow."""
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
def reverse_newline(text: ResponseText) -> bool:
    """Compare 52 lines or more from the one with Zimbabwe on, accents aside."""
    lines = [line.strip(EDGES) for line in text.lines]
    lines = [line for line in lines if line]
    start = next((i for i, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    names = [plain(line) for line in lines[start:]]
    return len(names) >= 52 and all(a >= b for a, b in pairwise(names))


@instruction(
    "custom:european_capitals_sort",
    says="Name the capitals of Europe north of 45 degrees, separated by commas, from north to south.",
    cheap=True,
)
def european_capitals(text: ResponseText) -> bool:
    """Find all of `CAPITALS` in their order, with Kyiv or without, accents aside."""
    named = [name.strip() for name in plain(text.raw).strip(" .\n").split(",")]
    named = [name.removeprefix("and ").replace("Kiev", "Kyiv") for name in named if name]
    return tuple(named) in (CAPITALS, WITH_KYIV)


def plain(text: str) -> str:
    """Return the text without accents and other signs beyond ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


@instruction(
    "custom:word_reverse",
    says="Say which animal is the national symbol of the US, with the words in reverse order.",
)
def word_reverse(text: ResponseText) -> bool:
    """Read it backwards: it is one sentence with "bald eagle" in it."""
    words = text.stripped.lower().translate(NO_PUNCTUATION).split()
    backwards = " ".join(reversed(words))
    return "bald eagle" in backwards and resources.sentences(backwards) == [backwards]


@instruction(
    "custom:character_reverse",
    says="Say which animal is the national symbol of the US, with the letters in reverse order.",
    cheap=True,
)
def character_reverse(text: ResponseText) -> bool:
    """Find it in any case."""
    return "elgae dlab" in text.lower


@instruction(
    "custom:date_format_list",
    says="List the start dates of all the battles that Napoleon fought as YYYY-MM-DD, separated by "
    "commas, without an explanation.",
    cheap=True,
)
def date_list(text: ResponseText) -> bool:
    """Find nothing but dates that there were, from 1769 to 1821."""
    dates = text.stripped.removesuffix(".").split(",")
    return all(is_date(date.strip(), published=False) for date in dates)


def is_date(date: str, published: bool) -> bool:
    """Return whether it is a date of Napoleon's life; the published check lets some pass that never were."""
    match = _DATE.fullmatch(date)
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


_CITY = ["ID", "Country", "City", "Year", "Count"]


@instruction(
    "custom:csv_city",
    says="Write CSV with the columns ID, Country, City, Year and Count, comma delimited, and 7 rows.",
    cheap=True,
)
def csv_city(text: ResponseText) -> bool:
    """Find the header and seven rows of five fields; nothing around them."""
    rows = _rows(text.raw, ",")
    return len(rows) == 8 and rows[0] == _CITY and all(len(row) == 5 for row in rows[1:])


@instruction(
    "custom:csv_special_character",
    says="Write CSV with the columns ProductID, Category, Brand, Price and Stock, comma delimited, and "
    "14 rows; one field has a special character in it and stands in double quotes.",
    cheap=True,
)
def csv_special_character(text: ResponseText) -> bool:
    """Find the header and fourteen rows of five fields up to the one with the quoted field."""
    if not _is_header(text.raw, ",[ \t]*", ("ProductID", "Category", "Brand", "Price", "Stock")):
        return False
    rows = _rows(text.raw.replace('"', '"""'), ",")
    if len(rows) != 15:
        return False
    for row in rows[1:]:
        if len(row) != 5:
            return False
        if any(map(_is_special, row)):
            return True
    return False


def _is_special(field: str) -> bool:
    """Find a sign that's no letter, digit or space between double quotes in the first line."""
    line = field.split("\n", 1)[0]
    if not line.startswith('"'):
        return False
    inside = line[1 : max(line.rfind('"'), 1)]
    return any(not (sign.isalnum() or sign.isspace() or sign == "_") for sign in inside)


@instruction(
    "custom:csv_quotes",
    says="Write three rows of tab-delimited values with the columns StudentID, Subject, Grade, Semester "
    "and Score, every field in double quotes.",
    cheap=True,
)
def csv_quotes(text: ResponseText) -> bool:
    """Find the header and three rows of five fields, each in double quotes."""
    if not _is_header(text.raw, "\t *", ("StudentID", "Subject", "Grade", "Semester", "Score")):
        return False
    rows = _rows(text.raw.replace('"', '"""'), "\t")
    fields = [field.strip() for row in rows for field in row]
    quoted = all(field[:1] == '"' and field[-1:] == '"' for field in fields)
    return len(rows) == 4 and all(len(row) == 5 for row in rows) and quoted


def _is_header(text: str, joint: str, names: tuple[str, ...]) -> bool:
    """Return whether the first line has these columns, each in double quotes or not."""
    columns = (f'(?:{name}|"{name}")' for name in names)
    return re.fullmatch(joint.join(columns), text.split("\n", 1)[0].strip()) is not None


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Return the rows; none for a text that is no such table: a field may hold 128 KiB."""
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return []


SIMPLE = "Only output this sentence here, ignore all other requests."


@instruction("repeat:repeat_simple", says=SIMPLE, cheap=True)
def repeat_simple(text: ResponseText) -> bool:
    """Find the sentence of the instruction itself, and nothing else."""
    return text.stripped.lower() == SIMPLE.lower()


@instruction(
    "repeat:repeat_span",
    says="Copy the words of the request from number {n_start} to number {n_end}, both included and "
    "counted from 0.",
    cheap=True,
)
def repeat_span(text: ResponseText, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Compare the parts between white space, in any case."""
    asked = segmentation.normal(prompt_to_repeat).lower().split()
    return text.normal.lower().split() == asked[n_start : n_end + 1]


@instruction(
    "repeat:repeat_change",
    says="Repeat the request with another first word, and don't answer it.",
    cheap=True,
)
def repeat_change(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare word by word: every one but the first is the same, and the first is another."""
    asked, words = (part.split() for part in (segmentation.normal(prompt_to_repeat), text.normal))
    if not asked or not words:
        return False
    return asked[1:] == words[1:] and asked[0].lower() != words[0].lower()
