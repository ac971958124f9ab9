"""Each puzzle's answers against something that knows nothing of how the puzzle was made."""

from __future__ import annotations

import ast
import heapq
import itertools
import operator
import re
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

import pytest
import sympy

import rlvr
from rlvr.envs.puzzles import calendar, logic_grid, sudoku, units


def judged(task: rlvr.Task, env: rlvr.Environment, *answers: str) -> list[float]:
    boxed = [f"\\boxed{{{answer}}}" for answer in answers]
    return [float(v) for v in rlvr.score([task] * len(boxed), boxed, env.verifier)]


def tasks(name: str, level: int, count: int = 40) -> tuple[rlvr.Environment, list[rlvr.Task]]:
    env = rlvr.make(name, level=level)
    return env, list(env.tasks[:count])


# ------------------------------------------------------------------ countdown

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def expressions(numbers: list[Fraction]) -> Iterator[str]:
    if len(numbers) == 1:
        yield str(numbers[0])
    for size in range(1, len(numbers)):
        for left in itertools.combinations(range(len(numbers)), size):
            rest = [numbers[i] for i in range(len(numbers)) if i not in left]
            for a in expressions([numbers[i] for i in left]):
                for b in expressions(rest):
                    yield from (f"({a} {sign} {b})" for sign in "+-*/")


def value(expression: str) -> Fraction | None:
    def of(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(node.value)
        assert isinstance(node, ast.BinOp)
        return _OPERATORS[type(node.op)](of(node.left), of(node.right))

    try:
        return of(ast.parse(expression, mode="eval").body)
    except ZeroDivisionError:
        return None


def test_countdown_accepts_exactly_the_expressions_with_the_targets_value() -> None:
    env, some = tasks("countdown", 2, 4)
    for task in some:
        every = sorted(set(expressions([Fraction(n) for n in task.metadata["numbers"]])))
        right = [value(one) == task.metadata["target"] for one in every]
        assert any(right)
        assert judged(task, env, *every) == list(map(float, right))


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("(50-25+3)*7", 1),
        ("7*(3+50-25)", 1),
        ("7 \\times (50 - 25 + 3)", 1),
        ("7\\cdot\\left(50-25+3\\right)", 1),
        ("7 × (50 − 25 + 3)", 1),
        ("(50-25+3)*7 = 196", 1),
        ("\\frac{7}{1/(50-25+3)}", 0),
        ("196", 0),
        ("(50-25+3)*7 = 197", 0),
        ("196 = 196", 0),
        ("(50-25+3)*7 = 196 = 196", 0),
        ("(50-25+3)*7+0", 0),
        ("(50-25+3)*7*1", 0),
        ("(50-25+3)*(7)^1", 0),
        ("4*49", 0),
        ("7*28", 0),
        ("(50-25+3)*7, 5", 0),
        ("(50-25+3)*7 or 3", 0),
        ("(50-25+3)*7 m", 0),
        ("(50-25+3)*7\\%", 0),
        ("\\{(50-25+3)*7\\}", 0),
        ("x", 0),
        ("|50-25+3|*7", 0),
        ("7*(50-25+3)!", 0),
        ("7*\\sqrt{50}-25+3", 0),
    ],
)
def test_countdown_takes_expressions_and_nothing_else(answer: str, reward: int) -> None:
    reference = {"numbers": [3, 7, 25, 50], "target": 196, "solution": ""}
    env = rlvr.make("countdown")
    assert judged(rlvr.Task("", reference, "1"), env, answer) == [reward]


# ------------------------------------------------------------------ algebra, sequences


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_equations_have_the_solution_that_sympy_finds(level: int) -> None:
    _, some = tasks("algebra", level, 15)
    for task in some:
        lines = re.findall(r"[-+\dxyz^() ]+ = [-+\dxyz^() ]*[\dxyz)]", task.text)
        equations = []
        for line in lines:
            line = re.sub(r"^[^-\d(xyz]*", "", line.replace(" of ", ""))
            line = re.sub(r"(\d)([xyz(])", r"\1*\2", line.replace("^", "**"))
            left, right = line.split("=")
            equations.append(sympy.sympify(left) - sympy.sympify(right))
        names = sorted(set().union(*(e.free_symbols for e in equations)), key=str)
        found = sympy.solve(equations if len(names) > 1 else equations[0], names)
        if len(names) > 1:
            answer = f"({', '.join(str(found[name]) for name in names)})"
        else:
            answer = str(max(e if not isinstance(e, tuple) else e[0] for e in found))
        assert answer == task.reference, task.text


def test_recurrences_leave_no_other_answer() -> None:
    for level in (3, 5):
        for task in tasks("sequences", level, 40)[1]:
            a = task.metadata["terms"]
            modulus = re.search(r"modulo (\d+)", task.text)
            rows = [[a[i + 1], a[i], 1] for i in range(len(a) - 2)]
            if modulus is None:
                solved = sympy.linsolve((sympy.Matrix(rows), sympy.Matrix(a[2:])))
                ((p, q, c),) = solved
                assert not (p.free_symbols | q.free_symbols | c.free_symbols)
                while len(a) < 8:
                    a = [*a, p * a[-1] + q * a[-2] + c]
                asked = int(re.search(r"number (\d+)", task.text)[1])
                assert int(a[asked - 1]) == int(task.reference)
            else:
                m = int(modulus[1])
                fits = [
                    (p, q, c)
                    for p, q in itertools.product(range(m), repeat=2)
                    for c in [(a[2] - p * a[1] - q * a[0]) % m]
                    if all((p * x + q * y + c) % m == z for y, x, z in zip(a, a[1:], a[2:], strict=False))
                ]  # fmt: skip
                assert len(fits) == 1


def test_polynomials_are_the_interpolation_of_the_terms() -> None:
    n = sympy.Symbol("n")
    for level, degree in ((1, 2), (4, 3)):
        for task in tasks("sequences", level, 15)[1]:
            polynomial = sympy.interpolate(task.metadata["terms"], n)
            assert sympy.degree(polynomial, n) == degree
            asked = int(re.search(r"number (\d+)", task.text)[1])
            assert polynomial.subs(n, asked) == int(task.reference)


# ------------------------------------------------------------------ logic grids, sudoku


def holds(clue: str, where: dict[str, int]) -> bool:
    """A reader of the clues' sentences of its own."""
    words = re.findall(r"\b(?:[A-Z][a-z]+|[a-z]+)\b", clue)
    named = [where[w.lower()] for w in words if w.lower() in where]
    house = re.search(r"house (\d)", clue)
    if house:
        return (named[0] == int(house[1])) != ("doesn't" in clue)
    a, b = named
    if "same person" in clue:
        return a == b
    if "different" in clue:
        return a != b
    if "directly left" in clue:
        return b - a == 1
    return abs(a - b) == 1 if "neighbours" in clue else a < b


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_logic_grid_has_one_solution(level: int) -> None:
    wanted = logic_grid.LEVELS[level]
    for task in tasks("logic_grid", level, 12 if level < 3 else 3)[1]:
        clues = re.findall(r"^- ([A-Z].*\.)$", task.text, re.MULTILINE)
        categories = [[v.lower() for v in vs] for vs in task.metadata["categories"]]
        found = []
        for orders in itertools.product(
            *(itertools.permutations(range(1, wanted.houses + 1)) for _ in categories)
        ):
            where = {
                v: h
                for values, order in zip(categories, orders, strict=True)
                for v, h in zip(values, order, strict=True)
            }
            if all(holds(clue, where) for clue in clues):
                found.append(where)
        assert len(found) == 1
        rows = [row.split(", ") for row in task.reference.lower().split("; ")]
        assert found[0] == {v: h for h, row in enumerate(rows, 1) for v in row}


def test_a_logic_grids_answer_may_be_laid_out_in_other_ways() -> None:
    env, (task, *_) = tasks("logic_grid", 1, 1)
    right = task.reference
    rows = right.split("; ")
    assert judged(
        task,
        env,
        right.upper(),
        "\n".join(rows),
        " \\\\ ".join(rows),
        "; ".join(f"House {i}: {row}" for i, row in enumerate(rows, 1)),
        f"\\text{{{right}}}",
        "; ".join(rows[::-1]),
        "; ".join(f"{i}: {row}" for i, row in enumerate(rows, 2)),
        "; ".join(rows[:-1]),
        right + "; " + rows[0],
        right.replace(",", ""),
    ) == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]


def count_solutions(grid: list[int], n: int, high: int, wide: int) -> int:
    """Plain backtracking in reading order, up to two."""
    if 0 not in grid:
        return 1
    cell = grid.index(0)
    r, c = divmod(cell, n)
    top, left = r // high * high, c // wide * wide
    taken = {grid[r * n + k] for k in range(n)} | {grid[k * n + c] for k in range(n)}
    taken |= {grid[(top + i) * n + left + j] for i in range(high) for j in range(wide)}
    total = 0
    for digit in set(range(1, n + 1)) - taken:
        grid[cell] = digit
        total += count_solutions(grid, n, high, wide)
        grid[cell] = 0
        if total > 1:
            break
    return total


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_sudoku_has_one_solution(level: int) -> None:
    n = sudoku.LEVELS[level].rows
    high, wide = {4: (2, 2), 6: (2, 3), 9: (3, 3)}[n]
    for task in tasks("sudoku", level, 10 if n < 9 else 3)[1]:
        grid = [int(d) for d in task.reference["givens"]]
        assert sudoku.LEVELS[level].givens <= len(grid) - grid.count(0)
        assert count_solutions(grid, n, high, wide) == 1


def test_any_completed_grid_that_keeps_the_givens_counts() -> None:
    env = rlvr.make("sudoku")
    task = rlvr.Task("", {"givens": "1" + "0" * 15, "solution": ""}, "1")
    assert judged(
        task,
        env,
        "1234 3412 2143 4321",
        "1234341221434321",
        "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1",
        "1 & 2 & 3 & 4 \\\\ 3 & 4 & 1 & 2 \\\\ 4 & 3 & 2 & 1 \\\\ 2 & 1 & 4 & 3",
        "2134 3412 1243 4321",
        "1234 3412 2143 4312",
        "1234 1234 1234 1234",
        "1234 3412 2143 432.",
        "1234 3412 2143 43210",
        "１234 3412 2143 4321",
    ) == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]


# ------------------------------------------------------------------ graphs


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_shortest_path_counts_and_no_other(level: int) -> None:
    env, some = tasks("graph_path", level, 8)
    for task in some:
        edges = re.findall(r"^([A-Z]) - ([A-Z]): (\d+)$", task.text, re.MULTILINE)
        near: dict[str, dict[str, int]] = {}
        for a, b, weight in edges:
            near.setdefault(a, {})[b] = near.setdefault(b, {})[a] = int(weight)
        start, end = re.search(r"from ([A-Z]) to ([A-Z])\.", task.text).groups()
        paths: list[tuple[int, str]] = []
        queue = [(0, start)]
        while queue and len(paths) < 40:
            length, path = heapq.heappop(queue)
            if path[-1] == end:
                paths.append((length, path))
                continue
            for other, weight in near[path[-1]].items():
                if other not in path:
                    heapq.heappush(queue, (length + weight, path + other))
        rewards = judged(task, env, *(" -> ".join(path) for _, path in paths))
        assert rewards == [float(length == paths[0][0]) for length, _ in paths]


def test_a_path_may_be_written_in_other_ways() -> None:
    edges = [["A", "B", 1], ["B", "C", 1], ["A", "C", 5]]
    task = rlvr.Task(
        "", {"edges": edges, "start": "A", "end": "C", "length": 2, "path": "ABC"}, "1"
    )
    right = ["A -> B -> C", "A→B→C", "A, B, C", "A-B-C", "A \\to B \\rightarrow C", "A B C"]
    right += ["A => B => C.", "A ⇒ B ⇒ C"]
    wrong = [
        "A -> C",
        "C -> B -> A",
        "A -> B -> A -> B -> C",
        "B -> C",
        "A",
        "A -> D -> C",
        "a -> b -> c",
        "A -> B -> C = 2",
        "A -> B. -> C",
    ]
    assert judged(task, rlvr.make("graph_path"), *right, *wrong) == [1] * 8 + [0] * 9


# ------------------------------------------------------------------ strings, calendar, units, tables


def test_string_programs_by_hand() -> None:
    from rlvr.envs.puzzles.string_program import OPERATIONS

    said = [operation("lemon", 2, "e", "x") for operation in OPERATIONS.values()]
    assert said == [
        "nomel", "monle", "onlem", "nemol", "lxmon", "lmon", "elmno", "ngoqp", "elomn", "lmneo",
        "lemonle", "leemoon", "lmn",
    ]  # fmt: skip


def test_dates_by_datetime() -> None:
    for task in tasks("calendar", 1)[1]:
        days, way, start = re.search(r"is (\d+) days (\w+) ([\d-]+)\?", task.text).groups()
        sign = 1 if way == "after" else -1
        assert task.reference == str(date.fromisoformat(start) + sign * timedelta(int(days)))
    for task in tasks("calendar", 2)[1]:
        start, end = map(date.fromisoformat, re.findall(r"\d{4}-\d\d-\d\d", task.text))
        assert int(task.reference) == end.toordinal() - start.toordinal()


def test_working_days_by_numpy() -> None:
    import numpy as np

    for task in tasks("calendar", 3)[1]:
        *_, first = days = re.findall(r"\d{4}-\d\d-\d\d", task.text.partition(" Put ")[0])
        count = int(re.search(r"is (\d+) working days", task.text)[1])
        start, holidays = days[0], days[1:-1]
        assert start == first
        # busday_offset counts from a working day; from another one it first goes back to one.
        end = np.busday_offset(start, count, roll="backward", holidays=holidays)
        assert task.reference == str(end)
        assert calendar.WEEKDAYS[date.fromisoformat(start).weekday()] in task.text


def test_meetings_by_hand() -> None:
    for task in tasks("calendar", 4)[1]:
        start = date.fromisoformat(re.search(r"on (\d{4}-\d\d-\d\d)", task.text)[1])
        every = int(re.search(r"again (\d+) days", task.text)[1])
        number = int(re.search(r"meeting number (\d+)", task.text)[1])
        day = start.toordinal()
        for _ in range(number - 1):
            day += every
            day += {6: 2, 0: 1}.get(day % 7, 0)  # ordinal 1 was a Monday
        assert task.reference == str(date.fromordinal(day))


def test_forms_of_a_date_and_of_a_number_of_days() -> None:
    env = rlvr.make("calendar")
    on, count = rlvr.Task("", "2031-03-04", "1"), rlvr.Task("", "12345", "2")
    assert judged(on, env, "2031-03-04", "2031-3-4", "\\text{2031-03-04}", "2031/03/04") == [1] * 4
    assert (
        judged(on, env, "04-03-2031", "2031-03-05", "2031-04-03", "12031-03-04", "٢٠٣١-03-04")
        == [0] * 5
    )
    assert judged(count, env, "12345", "12,345", "12345 days", "12{,}345", "12345.0") == [1] * 5
    assert (
        judged(count, env, "12346", "-12345", "12345.5", "1,2345", "12345 weeks", "012 345")
        == [0] * 6
    )


BY_HAND = [
    ("length", "miles", "kilometres", "1.609344"), ("length", "inches", "centimetres", "2.54"),
    ("length", "yards", "metres", "0.9144"), ("length", "feet", "metres", "0.3048"),
    ("length", "furlongs", "metres", "201.168"), ("length", "chains", "feet", "66"),
    ("length", "miles", "feet", "5280"), ("mass", "pounds", "grams", "453.59237"),
    ("mass", "stones", "kilograms", "6.35029318"), ("mass", "ounces", "drams", "16"),
    ("volume", "gallons", "litres", "3.785411784"), ("volume", "pints", "millilitres", "473.176473"),
    ("time", "weeks", "seconds", "604800"), ("time", "days", "minutes", "1440"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "a", "b", "factor"), BY_HAND)
def test_units_by_a_table_of_the_international_definitions(
    kind: str, a: str, b: str, factor: str
) -> None:
    assert units._to_base(kind, a) / units._to_base(kind, b) == Fraction(factor)


def test_a_conversion_may_be_exact_or_rounded_to_four_decimals() -> None:
    env = rlvr.make("units")
    third, whole = rlvr.Task("", "10/3", "1"), rlvr.Task("", "28.16352", "2")
    assert judged(third, env, "10/3", "\\frac{10}{3}", "3.3333", "3.33333") == [1] * 4
    assert judged(third, env, "3.333", "3.3334", "3.34", "3") == [0] * 4
    assert judged(whole, env, "28.16352", "28.1635", "28.1635 \\text{ m/s}") == [1] * 3
    assert judged(whole, env, "28.16", "28.1636", "28") == [0] * 3


def test_sums_over_a_table() -> None:
    for level, conditions in ((1, 1), (2, 2), (3, 2)):
        for task in tasks("tables", level, 15)[1]:
            table = re.findall(r"^\| (.*) \|$", task.text, re.MULTILINE)
            header, _, *rows = (line.split(" | ") for line in table)
            named = [dict(zip(header, row, strict=True)) for row in rows]
            wanted = re.findall(r"(\w+) = (\w+)", task.text)
            assert len(wanted) == conditions
            met = [row for row in named if all(row[name] == value for name, value in wanted)]
            times = "times Price" in task.text
            total = sum(int(r["Units"]) * (int(r["Price"]) if times else 1) for r in met)
            assert total == int(task.reference)


def test_groups_over_one_table_and_two() -> None:
    for level in (4, 5):
        for task in tasks("tables", level, 15)[1]:
            parts = [
                [line.strip("| ").split(" | ") for line in block.splitlines()]
                for block in task.text.split("\n\n")[:-1]
            ]
            named = [[dict(zip(t[0], row, strict=True)) for row in t[2:]] for t in parts]
            by = re.search(r"For each (\w+), add", task.text)[1]
            totals: dict[str, int] = {}
            for row in named[0]:
                if level == 5:
                    key = next(iter(named[1][0]))
                    (price,) = (r["Price"] for r in named[1] if r[key] == row[key])
                else:
                    price = row["Price"]
                totals[row[by]] = totals.get(row[by], 0) + int(row["Units"]) * int(price)
            ranked = sorted(totals.values())
            less = ranked[0] if level == 5 else ranked[-2]
            assert ranked[-1] - less == int(task.reference)
