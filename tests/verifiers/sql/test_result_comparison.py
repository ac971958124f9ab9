"""Whether two results are the same, by rlvr's rules."""

from __future__ import annotations

from typing import Any

import pytest

from rlvr.verifiers.sql.compare import difference
from rlvr.verifiers.sql.execution import Rows
from rlvr.verifiers.sql.order import order_of

Judge = Any  # the fixture of conftest.py


def rows(*lines: tuple[Any, ...]) -> Rows:
    return Rows(list(lines), len(lines[0]) if lines else 1, 0)


def differs(gold: Rows, other: Rows, ordered: bool = False, **options: Any) -> str:
    return difference(gold, other, ordered=ordered, ranks=lambda: None, **options)


@pytest.mark.parametrize(
    ("gold", "other"),
    [
        ([(1,), (2,)], [(2,), (1,)]),
        ([(1,)], [(1.0,)]),
        ([(0.0,)], [(-0.0,)]),
        ([(None,), (1,)], [(1,), (None,)]),
        ([(0.1 + 0.2,)], [(0.3,)]),
        ([(1e15 + 0.5, "a")], [(1e15 + 0.25, "a")]),
        ([("a", 1 / 3), ("b", 1 / 3)], [("b", 0.33333333333333), ("a", 0.33333333333334)]),
        ([(2,)], [(1.9999999999999998,)]),
    ],
)
def test_the_same(gold: list[Any], other: list[Any]) -> None:
    assert differs(rows(*gold), rows(*other)) == ""


@pytest.mark.parametrize(
    ("gold", "other", "why"),
    [
        ([(1,)], [(1,), (1,)], "2 rows, not 1"),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], "other rows"),
        ([(1,)], [("1",)], "other rows"),
        ([("a",)], [(b"a",)], "other rows"),
        ([(None,)], [(0,)], "other rows"),
        ([(None,)], [("",)], "other rows"),
        ([(1, 2)], [(2, 1)], "other rows"),
        ([(1, 2)], [(1,)], "1 column, not 2"),
        ([(2**53,)], [(2**53 + 1,)], "other rows"),
        ([(1.0,)], [(1.001,)], "other rows"),
        ([(1,), (2,)], [(1,), (None,)], "other rows"),
        ([(9e999,)], [(1e308,)], "other rows"),
        ([(9e999,)], [(-9e999,)], "other rows"),
    ],
)
def test_another(gold: list[Any], other: list[Any], why: str) -> None:
    assert differs(rows(*gold), rows(*other)) == why


def test_results_without_rows_have_columns_all_the_same() -> None:
    assert differs(Rows([], 2, 0), Rows([], 2, 0)) == ""
    assert differs(Rows([], 2, 0), Rows([], 1, 0)) == "1 column, not 2"


def test_order_counts_where_it_is_said() -> None:
    one, other = rows((1,), (2,)), rows((2,), (1,))
    assert differs(one, other, ordered=True) == "the right rows in another order"


def test_columns_in_any_order() -> None:
    one = rows((1, "a", 2), (2, "b", 1), (1, "b", 2))
    other = rows((2, 2, "x"), (2, 1, "b"), (1, 2, "b"))
    turned = Rows([(r[2], r[0], r[1]) for r in one.rows], 3, 0)
    assert differs(one, turned, any_columns=True) == ""
    assert differs(one, turned) == "other rows"
    assert differs(one, other, any_columns=True) == "other rows"
    assert differs(one, Rows(turned.rows[::-1], 3, 0), ordered=True, any_columns=True) != ""
    assert differs(one, turned, ordered=True, any_columns=True) == ""


def test_columns_that_hold_the_same_values_in_other_rows_are_not_mixed_up() -> None:
    one, other = rows((1, 1), (2, 2)), rows((1, 2), (2, 1))
    assert differs(one, other, any_columns=True) == "other rows"


def test_many_columns_in_any_order_end() -> None:
    one = Rows([tuple(i // 2**c % 2 for c in range(12)) for i in range(64)], 12, 0)
    other = Rows([row[::-1] for row in one.rows[:-1]] + [(0,) * 12], 12, 0)
    assert differs(one, other, any_columns=True) == "other rows"


def test_a_declared_tolerance() -> None:
    gold = rows((1.0,), (1.4,), (5,))
    assert differs(gold, rows((5.2,), (1.2,), (1.6,)), tolerance=0.25) == ""
    assert differs(gold, rows((5.2,), (1.2,), (1.7,)), tolerance=0.25) != ""
    assert differs(gold, rows((1.2,), (1.2,), (5,)), tolerance=0.25) == ""
    assert differs(gold, rows((1.0,), (1.0,), (5,)), tolerance=0.25) != ""  # one to one


def test_tolerances_that_overlap_pair_rows_whichever_way_there_is() -> None:
    gold = rows((0.0, 1.0), (0.3, 2.0), (0.6, 1.0))
    assert differs(gold, rows((0.3, 1.0), (0.6, 1.0), (0.0, 2.0)), tolerance=0.3) == ""
    assert differs(gold, rows((0.3, 1.0), (0.9, 1.0), (0.7, 2.0)), tolerance=0.3) != ""


def test_an_order_with_a_tolerance() -> None:
    gold = rows((1.0,), (2.0,))
    assert differs(gold, rows((1.1,), (2.1,)), ordered=True, tolerance=0.2) == ""
    assert differs(gold, rows((2.1,), (1.1,)), ordered=True, tolerance=0.2) != ""


SINGER = "FROM singer ORDER BY"


@pytest.mark.parametrize(
    ("gold", "query", "right"),
    [
        # Keys that are columns of the result.
        (f"SELECT age {SINGER} age", "SELECT age FROM singer ORDER BY age, id DESC", True),
        (f"SELECT name, age {SINGER} age", "SELECT name, age FROM singer ORDER BY age, name DESC", True),
        (f"SELECT name, age {SINGER} 2", "SELECT name, age FROM singer ORDER BY age, name DESC", True),
        (f"SELECT name, age a {SINGER} a", "SELECT name, age FROM singer ORDER BY age DESC", False),
        # Keys that aren't: the ranks are asked for.
        (f"SELECT name {SINGER} age", "SELECT name FROM singer ORDER BY age, name DESC", True),
        (f"SELECT name {SINGER} age", "SELECT name FROM singer ORDER BY name", False),
        (f"SELECT name {SINGER} age DESC", "SELECT name FROM singer ORDER BY age", False),
        (f"SELECT name {SINGER} country COLLATE NOCASE",
         "SELECT name FROM singer ORDER BY country, name DESC", True),
        ("SELECT country FROM singer GROUP BY country ORDER BY count(*) DESC",
         "SELECT country FROM singer GROUP BY country ORDER BY count(*) DESC, country DESC", True),
        ("SELECT country FROM singer GROUP BY country ORDER BY count(*) DESC",
         "SELECT country FROM singer GROUP BY country ORDER BY count(*)", False),
        # A LIMIT through equals: any of them.
        (f"SELECT name {SINGER} age DESC LIMIT 1", "SELECT 'Dee'", True),
        (f"SELECT name {SINGER} age DESC LIMIT 1", "SELECT 'Cy'", True),
        (f"SELECT name {SINGER} age DESC LIMIT 1", "SELECT 'Bob'", False),
        (f"SELECT name {SINGER} age DESC LIMIT 1 OFFSET 1", "SELECT 'Cy'", True),
        (f"SELECT name {SINGER} age DESC LIMIT 3", "VALUES ('Dee'), ('Cy'), ('Bob')", True),
        (f"SELECT name {SINGER} age DESC LIMIT 3", "VALUES ('Dee'), ('Bob'), ('Cy')", False),
        (f"SELECT name {SINGER} age DESC LIMIT 2", "VALUES ('Dee'), ('Dee')", False),
        (f"SELECT name {SINGER} age DESC LIMIT 0", "SELECT name FROM singer WHERE 0", True),
        (f"SELECT name, age {SINGER} age DESC LIMIT 1", "SELECT 'Dee', 50", True),
        # Where ties aren't known, the gold's own order counts.
        ("SELECT DISTINCT country FROM singer ORDER BY age",
         "SELECT DISTINCT country FROM singer ORDER BY age", True),
        ("SELECT name FROM singer UNION SELECT country FROM singer ORDER BY 1",
         "SELECT name FROM singer UNION SELECT country FROM singer ORDER BY 1 DESC", False),
        # Order that nobody asked for.
        ("SELECT name FROM singer", "SELECT name FROM singer ORDER BY age", True),
        ("SELECT name FROM (SELECT * FROM singer ORDER BY age)", "SELECT name FROM singer", True),
    ],
)  # fmt: skip
def test_order_and_ties(judge: Judge, gold: str, query: str, right: bool) -> None:
    verdict = judge(gold, query)
    assert verdict.scored, verdict
    assert (verdict.reward == 1.0) is right, verdict


def test_a_gold_that_sqlglot_cannot_read_is_ordered_all_the_same() -> None:
    order = order_of("SELECT a FROM t ORDER BY a COLLATE ~~~")
    assert (order.ordered, order.everything) == (True, None)


def test_infinities_within_a_tolerance() -> None:
    assert differs(rows((9e999,), (1.0,)), rows((1.05,), (9e999,)), tolerance=0.1) == ""
    for other in (rows((-9e999,)), rows((1e308,))):
        assert differs(rows((9e999,)), other, tolerance=1e300) == "other rows"


COLLATED = """
CREATE TABLE nc (name TEXT COLLATE NOCASE, n INT);
INSERT INTO nc VALUES ('Bob', 1), ('bob', 2), ('BOB', 3), ('al', 4);
CREATE TABLE rt (name TEXT COLLATE RTRIM, n INT);
INSERT INTO rt VALUES ('x', 1), ('x ', 2), ('y', 3);
CREATE TABLE plain (name TEXT, n INT);
INSERT INTO plain VALUES ('Bob', 1), ('bob', 2), ('al', 3);
"""


@pytest.mark.parametrize(
    ("gold", "query", "reward"),
    [
        ("SELECT name FROM nc ORDER BY name", "SELECT name FROM nc ORDER BY name, n DESC", 1),
        ("SELECT name, n FROM nc ORDER BY 1", "SELECT name, n FROM nc ORDER BY 1, n DESC", 1),
        ("SELECT name AS x, n FROM nc ORDER BY x", "SELECT name, n FROM nc ORDER BY 1, 2 DESC", 1),
        ("SELECT name FROM nc ORDER BY name LIMIT 2", "SELECT name FROM nc ORDER BY name, n DESC LIMIT 2", 1),
        ("SELECT name FROM nc ORDER BY name LIMIT 2", "SELECT name FROM nc WHERE n < 3", 0),
        ("SELECT name, n FROM nc ORDER BY name", "SELECT name, n FROM nc ORDER BY name DESC", 0),
        ("SELECT name, n FROM nc ORDER BY name, n", "SELECT name, n FROM nc ORDER BY name, n DESC", 0),
        ("SELECT DISTINCT name, n FROM nc ORDER BY name", "SELECT name, n FROM nc ORDER BY name, n DESC", 1),
        ("SELECT name, n FROM nc WHERE n < 3 UNION ALL SELECT name, n FROM nc WHERE n > 2 ORDER BY name",
         "SELECT name, n FROM nc ORDER BY name, n DESC", 1),
        ("SELECT x.name FROM (SELECT * FROM nc) x ORDER BY x.name", "SELECT name FROM nc ORDER BY name, n DESC", 1),
        ("WITH x AS (SELECT * FROM nc) SELECT name, n FROM x ORDER BY name",
         "SELECT name, n FROM nc ORDER BY name, n DESC", 1),
        ("SELECT name, n FROM rt ORDER BY name", "SELECT name, n FROM rt ORDER BY name, n DESC", 1),
        ("SELECT name, n FROM plain ORDER BY 1 COLLATE NOCASE", "SELECT name, n FROM plain ORDER BY lower(name), n DESC", 1),
        ("SELECT name, n FROM plain ORDER BY 1 COLLATE NOCASE", "SELECT name, n FROM plain ORDER BY n", 0),
        ("SELECT name, n FROM plain ORDER BY name", "SELECT name, n FROM plain ORDER BY lower(name), n DESC", 0),
    ],
)  # fmt: skip
def test_ties_are_those_of_a_columns_collation(
    judge: Judge, make_database: Any, gold: str, query: str, reward: int
) -> None:
    assert judge(gold, query, databases=[make_database(COLLATED)]).reward == reward
