"""Hostile and ordinary responses: by grammar, by repetition, by mutation.

Each generator is a function of a random generator and a few known texts of the task (its reference, right
and wrong responses), and returns one response.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

Generator = Callable[[random.Random, Sequence[str]], str]

GENERATORS: dict[str, Generator] = {}

_ODD = (
    "\0", "\ud800", "\udfff", "\u202e", "\u2066", "\u200d", "\u2028", "\u2060", "\ufeff", "\x85", "\r", "\r\n",
    "\x1b[31m", "\U0001f468\u200d\U0001f469", "e\u0301" * 5, "١٢٣", "１２", "²", "Ⅷ", "½", "İ", "ß", "ǆ", "\t", "\v", "\f",
)  # fmt: skip
_MARKS = "\\{}[]()<>$%&#_^~'\"`*|/-+=:;,.!? \n\t0aA"
LONG_UNITS = (
    "\\", "{", "}", "[", "(", "((", "$", "`", "```\n", "~~~\n", "<think>", "</think>", "<answer>", "<tool_call>",
    "\\boxed{", "\\boxed{}", "\\\\boxed{1}", "\\boxed ", "\\frac{", "\\sqrt{", "\\left(", "1,", "1,234", "a", "aa ",
    "1 ", "A: ", "answer is ", "#### 1\n", "!", "x!", "--", "/*", "'", "\"", "''", "SELECT a\n\n", "SELECT (", "SELECT a;\n",
    "WITH a AS (", "/*\n\n", "- ", "1. ", "* ", "\n", " ", "\r\n", "p. p. s", "*a*", "<<a>>", "[a]", "{\"a\":", "[[", "\u0301",
    "a.", "a. b! ", "...", "é", "東", "\U0001f600", "\0", ",", ";", "|", "and ", " or ", "\\text{ or }", "^2", "_1", "=1",
)  # fmt: skip


def generator(function: Generator) -> Generator:
    """Add a generator under its function's name."""
    GENERATORS[function.__name__] = function
    return function


@generator
def run(rng: random.Random, known: Sequence[str]) -> str:
    """Write one unit over and over, with text before, after or around it."""
    unit = rng.choice(LONG_UNITS)
    length = rng.choice((40, 300, 1200, 5000, 20_000))
    body = unit * max(1, length // len(unit))
    head, tail = rng.choice(_AROUND)
    return (
        rng.choice(("", head, rng.choice(known))) + body + rng.choice(("", tail, rng.choice(known)))
    )


_AROUND = (
    ("\\boxed{", "}"), ("", "\\boxed{1}"), ("\\boxed{1}", ""), ("$", "$"), ("The answer is ", "."), ("```sql\n", "\n```"),
    ("```python\n", "\n```"), ("SELECT ", " FROM t"), ("<think>", "</think>1"), ("<tool_call>", "</tool_call>"), ("#### ", "\n"),
    ('{"a": ', "}"), ("\\boxed{\\frac{", "}{2}}"), ("\\boxed{x", "}"), ("<answer>", "</answer>"),
)  # fmt: skip


@generator
def mutated(rng: random.Random, known: Sequence[str]) -> str:
    """Change a known text: remove, double or replace characters, insert odd ones, or insert a piece of another text."""
    text = list(rng.choice(known)[:4000]) or ["1"]
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(text))
        action = rng.randrange(6)
        if action == 0 and len(text) > 1:
            del text[at]
        elif action == 1:
            text[at] *= rng.choice((2, 3, 300))
        elif action == 2:
            text[at] = rng.choice(_MARKS)
        elif action == 3:
            text.insert(at, rng.choice(_ODD))
        elif action == 4:
            other = rng.choice(known)
            cut = rng.randrange(len(other) + 1)
            text[at:at] = other[cut : cut + 40]
        else:
            text[at : at + rng.randrange(1, 30)] = rng.choice(LONG_UNITS)
    return "".join(text)


@generator
def soup(rng: random.Random, known: Sequence[str]) -> str:
    """Join marks, odd characters, units and pieces of known texts at random."""
    parts = []
    for _ in range(rng.randrange(1, 60)):
        kind = rng.randrange(5)
        if kind == 0:
            parts.append(rng.choice(_ODD))
        elif kind == 1:
            parts.append(rng.choice(LONG_UNITS))
        elif kind == 2:
            text = rng.choice(known)
            at = rng.randrange(len(text) + 1)
            parts.append(text[at : at + rng.randrange(1, 30)])
        else:
            parts.append("".join(rng.choice(_MARKS) for _ in range(rng.randrange(1, 6))))
    return "".join(parts)


_NUMBERS = (
    "0", "1", "-1", "2.50", "1/3", "\\frac12", "0.1(6)", "0.\\overline{3}", "10^{10^{8}}", "10^{10^{10^{10}}}", "9" * 60,
    "0." + "0" * 50 + "1", "1e999", "\\infty", "-\\infty", "i", "e", "\\pi", "1000000!", "5!!", "2^{-10000}", "0^0", "1/0", "50\\%",
    "1{,}234", "12_3", "２", "٣", "\\$5", "3 \\text{ cm}", "x", "y_1", "n", "\\alpha", "\\emptyset", "1.", ".5", "10^{-400}", "37\\frac{1}{2}",
    "1" * 250, "1." + "3" * 200, "\\binom{10^9}{5}",
)  # fmt: skip
_FUNCTIONS = (
    "\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\arcsin", "\\arccos", "\\arctan", "\\sinh", "\\cosh", "\\tanh", "\\ln", "\\log",
    "\\log_2", "\\log_{0}", "\\log_{1}", "\\exp", "\\sqrt", "\\sqrt[3]", "\\sqrt[0]", "\\sqrt[-2]", "\\max", "\\min", "\\gcd", "\\lcm",
    "\\overline", "\\hat", "\\vec", "\\sin^{-1}", "\\sin^2", "\\sum_{k=1}^{9}", "\\prod_{k=1}^{n}", "\\int_0^1", "\\lim_{x \\to 0}", "f", "\\Re",
    "\\text", "\\angle", "\\nabla", "\\lg", "\\det",
)  # fmt: skip


def a_formula(rng: random.Random, depth: int) -> str:
    """Return a formula by grammar, of at most `depth` levels; most have no meaning."""
    if depth <= 0 or rng.random() < 0.15:
        return rng.choice(_NUMBERS)
    a, b = (a_formula(rng, depth - 1) for _ in range(2))
    form = rng.choice(
        (
            "{a}+{b}", "{a}-{b}", "{a}{b}", "{a} \\cdot {b}", "\\frac{{{a}}}{{{b}}}", "{a}/{b}", "({a})^{{{b}}}", "{a}^{{{b}}}", "({a})", "[{a}, {b})",
            "({a}, {b})", "\\{{{a}, {b}\\}}", "{a}, {b}", "{a} \\text{{ or }} {b}", "{a} = {b}", "x = {a}", "{a} \\le x < {b}", "x \\in {a}", "{a} \\pm {b}",
            "|{a}|", "\\lfloor {a} \\rfloor", "\\lceil {a} \\rceil", "{f}({a})", "{f}{{{a}}}", "{f} {a}", "{f}({a}, {b})", "{a}!", "{a}!!!", "{a}\\%", "{a} : {b}",
            "\\begin{{pmatrix}} {a} & {b} \\\\ {b} & {a} \\end{{pmatrix}}", "\\begin{{vmatrix}} {a} & {b} \\\\ 1 & 2 \\end{{vmatrix}}",
            "\\begin{{cases}} {a} & x > 0 \\\\ {b} & x \\le 0 \\end{{cases}}", "{a} \\cup {b}", "{a} \\cap {b}", "{a} \\setminus {b}", "\\mathbb{{R}} \\setminus {a}",
            "{a} \\bmod {b}", "{a} \\pmod{{{b}}}", "\\binom{{{a}}}{{{b}}}", "{a}_{{{b}}}", "{a}^\\circ", "{a} \\text{{ if }} {b}", "\\{{x : {a}\\}}", "{a} \\ne {b}",
            "{a} \\approx {b}", "\\max({a}, {b})", "\\min({a}, i)", "\\|{a}\\|", "-{a}", "{a} \\begin{{pmatrix}} {b} \\end{{pmatrix}}", "{a} \\in \\mathbb{{Z}}", "\\left({a}\\right)",
        )
    )  # fmt: skip
    return form.format(a=a, b=b, f=rng.choice(_FUNCTIONS))


@generator
def formula(rng: random.Random, known: Sequence[str]) -> str:
    """Write a formula by grammar, boxed or stated; deep ones, too."""
    body = a_formula(rng, rng.choice((1, 1, 2, 2, 3, 4)))
    if rng.random() < 0.15:
        body = (
            rng.choice(("{", "\\sqrt{", "(", "\\sin(", "\\{")) * rng.choice((5, 17, 60, 400)) + body
        )
    if rng.random() < 0.1:
        body += rng.choice(("!", "^2", "+1", "'", "\\%", ", 1")) * rng.choice((30, 290, 1500))
    form = rng.choice(
        (
            "\\boxed{{{}}}",
            "\\boxed{{{}}}",
            "The answer is ${}$.",
            "{}",
            "#### {}",
            "\\\\boxed{{{}}}",
        )
    )
    return form.format(body)


_SQL = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "UNION ALL", "EXCEPT", "JOIN", "LEFT JOIN", "ON", "USING (a)", "AS", "AND", "OR",
    "NOT", "IN", "EXISTS", "BETWEEN", "LIKE", "CASE", "WHEN", "THEN", "ELSE", "END", "OVER (", "PARTITION BY", "FOLLOWING", "XOR", "DIV", "INTERVAL", "CAST(",
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)", "VALUES (", "(", ")", ",", ";", "*", "a", "t", "singer", "age", "name", "1", "'x'", "NULL",
    "=", "<>", "||", "+", "-", "/", "%", "=>", "::int", "->>", "'$.a'", "[1]", "{d '2020-01-01'}", "@v", ":p", "?", "$1", "`q`", "\"q\"", "[q]", "x'00'", "--", "/*", "*/",
    "date('now')", "date('n'||'ow')", "strftime('%Y')", "julianday()", "datetime(a, 'localtime')", "current_timestamp", "random()", "randomblob(9)",
    "printf('%.*c', 999999999, 'x')", "printf('%s', a)", "zeroblob(1000000000)", "replace(hex(zeroblob(9)), '0', '00')", "group_concat(a)", "count(*)", "sum(age)",
    "week()", "date_trunc(a, () => b)", "date_add()", "extract(year from a)", "json_extract('[1]', '$[0]')", "load_extension('x')", "sqlite_version()", "last_insert_rowid()",
    "9223372036854775808", "1e999", "-0.0", "0x7fffffffffffffff", "abs(-9223372036854775808)", "COLLATE NOCASE", "ESCAPE '\\'", "GLOB '*'", "PRAGMA x", "DELETE FROM t", "\0", "\ud800",
)  # fmt: skip


@generator
def query(rng: random.Random, known: Sequence[str]) -> str:
    """Write SQL, or its words in disorder; fenced, answered or bare."""
    words = [rng.choice(_SQL) for _ in range(rng.randrange(1, 14))]
    kind = rng.randrange(5)
    if kind == 0:
        body = "SELECT " + " ".join(words)
    elif kind == 1:
        body = f"SELECT {rng.choice(_SQL)} FROM singer WHERE {' '.join(words[:4])}"
    elif kind == 2:
        body = (
            "SELECT "
            + "(" * rng.choice((3, 90, 800))
            + " ".join(words[:2])
            + ")" * rng.choice((3, 90))
        )
    elif kind == 3:
        body = f"SELECT {rng.choice(_SQL)} {rng.choice((',', '||', '+', 'AND'))} {rng.choice(_SQL)}"
    else:
        body = mutated(rng, known)
    return rng.choice(
        ("```sql\n{}\n```", "```sql\n{}\n```", "{}", "<answer>{}</answer>", "```\n{}")
    ).replace("{}", body)


@generator
def data(rng: random.Random, known: Sequence[str]) -> str:
    """Write JSON, valid or broken, tables, tool calls, or a judge's answer."""

    def value(depth: int) -> object:
        kind = rng.randrange(8 if depth > 0 else 6)
        if kind < 6:
            odd = (
                rng.choice(known)[:50],
                10 ** rng.choice((1, 30, 4000)),
                -0.5,
                True,
                None,
                rng.choice(_ODD[3:]),
            )
            return odd[kind]
        if kind == 6:
            return [value(depth - 1) for _ in range(rng.randrange(4))]
        names = ("a", "name", "arguments", "verdict", "reason", "score", rng.choice(_ODD[3:]))
        return {rng.choice(names): value(depth - 1) for _ in range(rng.randrange(4))}

    text = json.dumps(value(3), ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.4:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at]
            + rng.choice((*_ODD, "NaN", "Infinity", "1e999", "[" * 2000, "}", ",,", '"'))
            + text[at:]
        )
    return rng.choice(
        ("{}", "\\boxed{{}}", "```json\n{}\n```", "<tool_call>{}</tool_call>", '<tool_call>{"name": "price", "arguments": {}}</tool_call>',
         '{"reason": {}, "verdict": "pass"}', "| a | b |\n|---|---|\n| {} |", "a,b\n{},1")
    ).replace("{}", text)  # fmt: skip


@generator
def prose(rng: random.Random, known: Sequence[str]) -> str:
    """Write Markdown and sentences with marks that checks of instructions look for."""
    parts = (
        "The end.", "Is it?", "No!", "\n\n", "* a\n", "- b\n", "## Title\n", "<<Title>>\n", "**bold**", "*it*", "P.S. x", "P.P.S", "[address]", "SECTION 1\n",
        "Paragraph 1\n", "***", "******", "“quote”", "'in \"side\" it'", "a,b", "1. one\n", "```\ncode\n```\n", "| a |\n|-|\n", "{\"a\": 1}", "Mr. A.", "e.g. x",
        "\U0001f600", "日本語。", "naïve", "AAA", "word " * 5, rng.choice(known)[:200], rng.choice(_ODD),
    )  # fmt: skip
    return " ".join(rng.choice(parts) for _ in range(rng.randrange(1, 80)))


def responses(seed: int, known: Sequence[str], each: int = 1) -> list[str]:
    """Return `each` responses of every generator."""
    rng = random.Random(seed)
    known = [text for text in known if text] or ["1"]
    return [write(rng, known) for write in GENERATORS.values() for _ in range(each)]
