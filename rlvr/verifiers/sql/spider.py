"""The semantics of Spider's test-suite evaluation (Zhong et al., arXiv:2010.02840), for its figures.

As its published evaluator has them, with what surprises: DISTINCT is taken out of both queries
unless it's to be kept; order counts where "order by" stands anywhere in the gold's text; columns
may stand in any order; a result without rows equals any other, whatever the columns; two rows may
be told apart by whether a number is written 1 or 1.0, where its digits decide how it sorts as text.
"""

from __future__ import annotations

import re
from collections import Counter

from rlvr.verifiers.sql.compare import column_orders
from rlvr.verifiers.sql.execution import Row
from rlvr.verifiers.sql.statement import without_word

_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)
_SPACED = (("> =", ">="), ("< =", "<="), ("! =", "!="))


def prepared(sql: str, keep_distinct: bool) -> str:
    """Return `sql` as it's run: operators closed up, MySQL's current year 2020, without DISTINCT."""
    for spaced, closed in _SPACED:
        sql = sql.replace(spaced, closed)
    if not keep_distinct:
        sql = without_word(sql, "DISTINCT")
    return _YEAR.sub("2020", sql)


def decode(text: bytes) -> str:
    """Return text from UTF-8, without the bytes that can't be read."""
    return text.decode("utf-8", "ignore")


def difference(gold_sql: str, gold: list[Row], rows: list[Row]) -> str:
    """Return why `rows` isn't the gold's result; "" if it is."""
    if not gold and not rows:
        return ""
    if len(gold) != len(rows):
        return f"{len(rows)} rows, not {len(gold)}"
    if len(gold[0]) != len(rows[0]):
        return f"{len(rows[0])} columns, not {len(gold[0])}"
    ordered = "order by" in gold_sql.lower()
    ours, theirs = [_loose(row) for row in gold], [_loose(row) for row in rows]
    if ours != theirs if ordered else set(ours) != set(theirs):
        return "other rows"
    for order in column_orders(gold, rows):
        these = [tuple(row[i] for i in order) for row in rows]
        if these == gold or (not ordered and Counter(these) == Counter(gold)):
            return ""
    return "other rows, or in another order"


def _loose(row: Row) -> Row:
    """Return a row with its values in the order of their text, then of their type."""
    return tuple(sorted(row, key=lambda value: str(value) + str(type(value))))
