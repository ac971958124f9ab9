"""`write_package`: write all files of a new environment, or none of them, and never overwrite any."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np

from rlvr.authoring.scaffold.plan import Plan
from rlvr.authoring.scaffold.rows import RowColumns, has_json_references, write_rows
from rlvr.core.errors import OptionError

_NEEDS = {
    "code": "\nPrograms run in a sandbox: `rlvr sandbox check` says if there's one here.\n",
    "judge": (
        "\nA model judges: name an OpenAI-compatible server and its model, in `RLVR_JUDGE_URL` and\n"
        "`RLVR_JUDGE_MODEL` (and `RLVR_JUDGE_KEY`, if it needs one). The tests need none.\n"
    ),
}
_ROWS_NEED = {
    "instructions": (
        "\nSome instructions need `pip install 'rlvr[ifeval]'` and, once, `rlvr data nltk`.\n"
    ),
}
_FILES = {
    "sql": (
        "- `__MODULE__/*.sqlite` are the databases. Replace them by yours; `rlvr data neighbours` makes\n"
        "  neighbours of a database, on which wrong queries give other results.\n"
    ),
    "judge": "- `tests/conftest.py` has the function that stands in for a judge in the tests.\n",
}
_SHOPS = ("shop.sqlite", "shop_2.sqlite", "shop_3.sqlite")
_PRODUCT_KINDS = ("lamp", "chair", "table", "clock", "shelf")
_YEARS = range(2016, 2026)
_PRODUCTS = 30  # per kind
_MOST_SOLD = 800  # pieces per product and year
_ROWS = "- `__MODULE__/train.jsonl` and `test.jsonl` are the rows; no prompt is in both.\n"


def write_package(
    plan: Plan, folder: Path, data: Path | None = None, columns: RowColumns | None = None
) -> None:
    """Write the package of a plan to `folder`.

    Args:
        data: the data file if the plan is `from_rows`.
        columns: its columns of prompt and reference; guessed by default.

    Raises `OptionError` if `folder` exists, `DataError` if the rows can't be used.
    """
    folder = Path(os.path.abspath(folder))  # x/.. has no name
    if os.path.lexists(folder):
        raise OptionError(
            f"{str(folder)!r} exists already and isn't changed: choose another folder with -o."
        )
    if (data is not None) != plan.from_rows:
        raise OptionError("A data file is for a plan with from_rows=True, which needs one.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        _write(plan, part, data, columns)
        # Renaming fails if a folder with files has appeared meanwhile.
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(plan: Plan, folder: Path, data: Path | None, columns: RowColumns | None) -> None:
    package, tests = folder / plan.module, folder / "tests"
    package.mkdir()
    tests.mkdir()
    columns = columns or RowColumns()
    template, verifier = plan.template, plan.verifier
    if data is not None and verifier == "custom" and has_json_references(data, columns):
        template, verifier = "rows.json", "json"
    code = _template(f"{template}.py.txt")
    words = {
        "__NAME__": plan.name,
        "__MODULE__": plan.module,
        "__DISTRIBUTION__": plan.distribution,
        # The first line of the module: """Seats: how many are free on a train."""
        "__SUMMARY__": code.partition("\n")[0].strip('".'),
    }
    file_list = (_ROWS if plan.from_rows else "") + _FILES.get(plan.verifier, "")
    needs = _NEEDS | (_ROWS_NEED if plan.from_rows else {})
    words |= {"__NEEDS__": needs.get(plan.verifier, ""), "__FILES__": _filled(file_list, words)}
    if data is None:
        _put(package / "fixtures.jsonl", _template(f"{template}.jsonl"), {})
    else:
        words |= write_rows(data, columns, verifier, package, code)
    if plan.verifier == "sql":
        _write_shops(package, _template("shop.sql.txt"))
    if plan.verifier == "judge":
        _put(tests / "conftest.py", _template("conftest.py.txt"), words)
    _put(package / "__init__.py", code, words)
    _put(tests / f"test_{plan.name}.py", _template("test.py.txt"), words)
    _put(folder / "README.md", _template("README.md.txt"), words)
    _put(folder / "pyproject.toml", _template("pyproject.toml.txt"), words)


def _template(name: str) -> str:
    return (files("rlvr.authoring.scaffold") / "templates" / name).read_text(encoding="utf-8")


def _put(path: Path, text: str, words: Mapping[str, str]) -> None:
    path.write_text(_filled(text, words), encoding="utf-8")


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Return the text with each word replaced once; the replacements stay as they are."""
    return re.sub(r"__[A-Z]+__", lambda word: words.get(word.group(), word.group()), text)


def _write_shops(folder: Path, schema: str) -> None:
    """Write the databases of an SQL environment: one shop in several states, the same each time."""
    for number, name in enumerate(_SHOPS):
        rng = np.random.default_rng([number, 0])
        with contextlib.closing(sqlite3.connect(folder / name)) as connection, connection:
            connection.executescript(schema)
            products, sales = _shop_rows(rng)
            connection.executemany("INSERT INTO product VALUES (?, ?, ?)", products)
            connection.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)


def _shop_rows(
    rng: np.random.Generator,
) -> tuple[list[tuple[int, str, str]], list[tuple[int, int, int]]]:
    """Return products and sales. In a year no two products of a kind sell equally often, so that no order has ties."""
    products: list[tuple[int, str, str]] = []
    sales: list[tuple[int, int, int]] = []
    for kind in _PRODUCT_KINDS:
        first = len(products) + 1
        numbers = (rng.permutation(900)[:_PRODUCTS] + 100).tolist()
        products += [(first + i, f"{kind} {number}", kind) for i, number in enumerate(numbers)]
        for year in _YEARS:
            pieces = (rng.permutation(_MOST_SOLD)[:_PRODUCTS] + 1).tolist()
            sales += [(first + i, year, sold) for i, sold in enumerate(pieces)]
    return products, sales
