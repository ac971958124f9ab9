"""IFBench's tables of comma- or tab-separated values."""

from __future__ import annotations

import csv
import io
import re

from rlvr.verifiers.instructions.registry import (
    instruction,
)
from rlvr.verifiers.instructions.text import Text

_CITY = ["ID", "Country", "City", "Year", "Count"]


@instruction(
    "custom:csv_city",
    says="Write CSV with the columns ID, Country, City, Year and Count, comma delimited, and 7 rows.",
    cheap=True,
)
def csv_city(text: Text) -> bool:
    """The header and seven rows of five fields; nothing around them."""
    rows = _rows(text.raw, ",")
    return len(rows) == 8 and rows[0] == _CITY and all(len(row) == 5 for row in rows[1:])


@instruction(
    "custom:csv_special_character",
    says="Write CSV with the columns ProductID, Category, Brand, Price and Stock, comma delimited, and "
    "14 rows; one field has a special character in it and stands in double quotes.",
    cheap=True,
)
def csv_special_character(text: Text) -> bool:
    """The header and fourteen rows of five fields up to the one with the quoted field."""
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
    """Between its first and a later double quote in the first line: a sign that's no letter, digit or space."""
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
def csv_quotes(text: Text) -> bool:
    """The header and three rows of five fields, each in double quotes."""
    if not _is_header(text.raw, "\t *", ("StudentID", "Subject", "Grade", "Semester", "Score")):
        return False
    rows = _rows(text.raw.replace('"', '"""'), "\t")
    fields = [field.strip() for row in rows for field in row]
    quoted = all(field[:1] == '"' and field[-1:] == '"' for field in fields)
    return len(rows) == 4 and all(len(row) == 5 for row in rows) and quoted


def _is_header(text: str, joint: str, names: tuple[str, ...]) -> bool:
    """Whether the first line has these columns, each in double quotes or not."""
    columns = (f'(?:{name}|"{name}")' for name in names)
    return re.fullmatch(joint.join(columns), text.split("\n", 1)[0].strip()) is not None


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """No rows where it isn't such a table at all: a field may hold 128 KiB."""
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return []
