"""The databases of an SQL environment that `rlvr new` writes: one shop, in several states."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np

FILES = ("shop.sqlite", "shop_2.sqlite", "shop_3.sqlite")
_KINDS = ("lamp", "chair", "table", "clock", "shelf")
_YEARS = range(2016, 2026)
_EACH = 30  # products per kind
_MOST = 800  # pieces per product and year


def write_databases(folder: Path, schema: str) -> None:
    """Make `FILES` in a folder: with different rows in each, and the same ones each time."""
    for number, name in enumerate(FILES):
        rng = np.random.default_rng([number, 0])
        with contextlib.closing(sqlite3.connect(folder / name)) as connection, connection:
            connection.executescript(schema)
            products, sales = _rows(rng)
            connection.executemany("INSERT INTO product VALUES (?, ?, ?)", products)
            connection.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)


def _rows(
    rng: np.random.Generator,
) -> tuple[list[tuple[int, str, str]], list[tuple[int, int, int]]]:
    """Return products and sales. No two products of a kind sold equally often in a year, so that no order has ties."""
    products: list[tuple[int, str, str]] = []
    sales: list[tuple[int, int, int]] = []
    for kind in _KINDS:
        first = len(products) + 1
        numbers = (rng.permutation(900)[:_EACH] + 100).tolist()
        products += [(first + i, f"{kind} {number}", kind) for i, number in enumerate(numbers)]
        for year in _YEARS:
            pieces = (rng.permutation(_MOST)[:_EACH] + 1).tolist()
            sales += [(first + i, year, sold) for i, sold in enumerate(pieces)]
    return products, sales
