"""Where the query is in a response."""

from __future__ import annotations

import re

import pytest

from rlvr.verifiers.sql.extraction import find_query
from rlvr.verifiers.sql.statement import orders, refusal, without_word


@pytest.mark.parametrize(
    ("response", "query"),
    [
        ("```sql\nSELECT 1;\n```", "SELECT 1"),
        ("```sql\nSELECT 1\n```\nor\n```sql\nSELECT 2 ;; \n```", "SELECT 2"),
        ("```SQLite\nSELECT 1\n```", "SELECT 1"),
        ("```\nSELECT 1\n```", "SELECT 1"),
        ("```\nno\n```\n```sql\nSELECT 1\n```\n```\na | b\n```", "SELECT 1"),
        ("<think>```sql\nSELECT 1\n```</think>```\nSELECT 2\n```", "SELECT 2"),
        ("```sql\nSELECT 1\n```\n<answer>SELECT 2</answer>", "SELECT 2"),
        ("<answer>\n```sql\nSELECT 2\n```\n</answer>", "SELECT 2"),
        ("```sql\nsqlite> SELECT 1;\n```", "SELECT 1"),
        ("```\nsql\nSELECT 1\n```", "SELECT 1"),
        ("```sql\nSELECT 1; -- done; really\n```", "SELECT 1"),
        ("```sql\n-- first\nSELECT 1\n```", "-- first\nSELECT 1"),
        ("```sql\nSELECT `a` FROM `b`\n```", "SELECT `a` FROM `b`"),
        ("```sql\nSELECT ';' FROM t;\n```", "SELECT ';' FROM t"),
        ("The query is:\n\nSELECT a\nFROM t\nWHERE x = 'it; is';\n\nIt works.",
         "SELECT a\nFROM t\nWHERE x = 'it; is'"),
        ("SELECT a FROM t\n\nThis shows it.", "SELECT a FROM t"),
        ("SQL: SELECT a FROM t", "SELECT a FROM t"),
        ("(SELECT a FROM t)", "(SELECT a FROM t)"),
        ("The query:\n( (SELECT a FROM t) UNION (SELECT 1));", "( (SELECT a FROM t) UNION (SELECT 1))"),
        ("Final answer: select a from t;", "select a from t"),
        ("With this in mind:\nSELECT a FROM t", "SELECT a FROM t"),
        ("Select the rows first.\n\nSELECT a FROM t", "SELECT a FROM t"),
        ("WITH x AS (\nSELECT 1\n\n)\nSELECT * FROM x", "WITH x AS (\nSELECT 1\n\n)\nSELECT * FROM x"),
        ("```sql\nHere it is:\nSELECT 1\n```", "SELECT 1"),
        ("```sql\nSELECT 1\n```\n<answer>42</answer>", "SELECT 1"),
        ("```sql\nDELETE FROM t\nSELECT 1\n```", "DELETE FROM t\nSELECT 1"),
        ("SELECT 1;\n\nno, rather\n\nSELECT 2;", "SELECT 2"),
    ],
)  # fmt: skip
def test_the_query_is_found(response: str, query: str) -> None:
    assert find_query(response).query == query


Q = "SELECT a FROM t WHERE b = 'c'"
FENCED = f"```sql\n{Q}\n```"


@pytest.mark.parametrize(
    "response",
    [
        # fences that don't stand alone on their lines
        f"```sql\n{Q};```", f"```sql {Q} ```", f"```{Q}```", f"Here: ```sql\n{Q}\n```", f"```sql\n{Q}\n``` Done.",
        f"```sql\n{Q}\n```<|im_end|>", f"<answer>```sql {Q}```</answer>", f"```sql\n{Q}\n```sql",
        f"```sql\nSELECT 1```\nNo:\n{FENCED}", f"{Q}\n```\nThis is it.", f"{Q};```", f"**```sql\n{Q}\n```**",
        # other wrappers
        f"The answer is `{Q}`.", f"`SELECT` helps: `{Q};` it is", f"<solution>\n{Q}\n</solution>", f"<SQL>{Q}</SQL>",
        f"<think>x</think><answer>`{Q}`</answer>", f"<answer>{Q}", f"<sql>SELECT 1</sql> no: <sql>{Q}</sql>",
        f'{{"query": "{Q}", "why": "so"}}', f'```json\n{{"sql": "{Q}"}}\n```', f"[SQL]\n{Q}\n[/SQL]", f"{Q}<|eot_id|>",
        f"SQLQuery: {Q}\nSQLResult: 1\nAnswer: 1", f"The query is {Q};", f"**{Q}**", f"\\boxed{{{Q}}}",
        f"Query: {Q}\nThis returns a.", f"### Query\n\n`{Q}`\n\nIt uses `WHERE`.", f"<answer>none</answer>\n{FENCED}",
        # of several blocks the last that is a query
        f"```\n{Q}\n```\nResult:\n```\na\n---\n1\n```", f"{FENCED}\n```sql\n-- 1\n```", f"{FENCED}\n```sql\n1\n2\n```",
        f"{FENCED}\nFaster:\n```sql\nCREATE INDEX i ON t(b);\n```", f"```duckdb\n{Q}\n```", f"```text\n{Q}\n```",
        f"```sql\n{Q};\n\nThis lists a.\n```",
        # a tag that is named is no thought
        f"I use no <think> tags.\n{FENCED}", f"{FENCED}\nIt ignores what stands before </think>.",
    ],
)  # fmt: skip
def test_the_same_query_in_many_wrappers(response: str) -> None:
    assert find_query(response).query == Q


@pytest.mark.parametrize(
    ("response", "query"),
    [
        ("WITH x AS (SELECT 1),\n\ny AS (SELECT 2)\n\nSELECT * FROM y;\n\nDone.", ...),
        ("WITH x AS (SELECT 1)\n\n-- main\nSELECT * FROM x\n\nThe query uses a CTE.", ...),
        ("SELECT a\n\nFROM t\n\nWHERE b\n\nORDER BY a;\n\nDone.", ...),
        ("SELECT a,\n\nb FROM t", ...),
        ("SELECT a -- one\n\n-- two\nFROM t", ...),
        ("SELECT a FROM t\n\nUNION ALL\n\nSELECT b FROM t\n\nIt joins both.", ...),
        ("select a\n\nfrom t\n\nThat is all", ...),
        ("SELECT a FROM t\n\nFrom the table we take a.", "SELECT a FROM t"),
        ("SELECT 1\n\nSELECT a FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t\n\nOn the other hand, use b.", "SELECT a FROM t"),
        (
            "SELECT a\nFROM t -- all: of it\nWHERE b = 'It is.\n\nSo.'",
            "SELECT a\nFROM t -- all: of it\nWHERE b = 'It is.\n\nSo.'",
        ),
        ("SELECT a\nFROM t\n\nThis query:\n- takes a", "SELECT a\nFROM t"),
        (
            "```sql\nSELECT a FROM t WHERE b LIKE '%</c>%'\n```",
            "SELECT a FROM t WHERE b LIKE '%</c>%'",
        ),
        ("```sql\nSELECT a <| b\n```", "SELECT a <| b"),
        ("```sql SELECT a\nFROM t\n```", "SELECT a\nFROM t"),
    ],
)
def test_a_query_over_blank_lines(response: str, query: str) -> None:
    if query is ...:
        query = re.split(r";|\n\n(?:The query|It joins|That is)", response)[0]
    assert find_query(response).query == query


def test_no_later_reading_is_tried_once_there_is_a_query() -> None:
    """Two statements, or a query behind a shown draft: what the strict reading finds is what counts."""
    assert find_query(f"```sql\nSELECT 1;\n{Q}\n```").query == f"SELECT 1;\n{Q}"
    assert find_query(f"```sql\nSELECT 1\n```\n`{Q}`").query == "SELECT 1"
    assert find_query(f"<think>{FENCED}</think>```sql\nSELECT 1\n```").query == "SELECT 1"
    assert find_query("```sql\nDELETE FROM t\n```").query == "DELETE FROM t"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "the response is empty"),
        ("I don't know.", "no line begins with SELECT"),
        ("```python\nprint(1)\n```", "no fenced block in SQL: the blocks are in python"),
        ("<think>SELECT 1", "the response is empty"),
    ],
)
def test_there_is_none(response: str, reason: str) -> None:
    found = find_query(response)
    assert found.query is None
    assert reason in found.reason


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1", ""),
        ("/* a */ -- b\n WITH x AS (SELECT 1) SELECT * FROM x", ""),
        ("VALUES (1)", ""),
        ("SELECT 1; -- more", ""),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("DELETE FROM t", "this is DELETE"),
        ("-- x\ndrop table t", "this is DROP"),
        ("EXPLAIN SELECT 1", "this is EXPLAIN"),
        ("SELECT 1\0", "NUL"),
        ("hello", "a query begins with SELECT"),
        ("", "a query begins with SELECT"),
    ],
)
def test_the_static_gate(sql: str, why: str) -> None:
    assert why in refusal(sql)
    assert bool(refusal(sql)) == bool(why)


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("SELECT a FROM t order\nby a", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT 'order by' FROM t", False),
        ("SELECT a -- order by a\nFROM t", False),
        ("SELECT rank() OVER (ORDER BY a) FROM t", False),
        ("WITH x AS (SELECT 1 ORDER BY 1) SELECT * FROM x", False),
        ('SELECT "order by" FROM t', False),
        ("SELECT a FROM t UNION SELECT b FROM t ORDER BY 1", True),
    ],
)
def test_the_outermost_order(sql: str, ordered: bool) -> None:
    assert orders(sql) is ordered


def test_a_word_is_taken_out_of_the_code_alone() -> None:
    sql = "SELECT DISTINCT 'distinct', \"distinct\", count(distinct a) FROM t -- distinct"
    assert without_word(sql, "DISTINCT") == (
        "SELECT  'distinct', \"distinct\", count( a) FROM t -- distinct"
    )


@pytest.mark.parametrize(
    "piece",
    [
        "SELECT ", "(", "'", "/*", "`", "```\n", "<answer>", "WITH a AS (", ";\n\nSELECT 1", "\n\nFROM ", "SELECT a,\n\n",
        "-- SELECT 1\n\n", "<a>SELECT 1", "<a>SELECT 1</a>", "`SELECT 1` ", "{", "It is.\n", "SELECT a FROM ", "</", "**",
    ],
)  # fmt: skip
def test_a_long_response_takes_linear_work(piece: str) -> None:
    """It ends at all: anything that looks twice at each character wouldn't."""
    find_query(piece * 20_000)
    find_query("```sql\n" + piece * 20_000)
    refusal(piece * 20_000)
