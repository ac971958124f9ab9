"""`rlvr bench`: what verdicts cost on this machine, each beside a bare baseline of the same run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from rlvr.core.errors import OptionError, RlvrError, nearest
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Verdict
from rlvr.core.verifier import Verifier

Work = Callable[[], object]
ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """One row of the table.

    Attributes:
        name: the measured part.
        ours_ms: milliseconds per item, the median of the rounds.
        baseline: the bare work that it is compared with.
        baseline_ms: milliseconds per item of that, taken in turns.
        ratio: `ours_ms / baseline_ms`, the median over the rounds.
    """

    name: str
    ours_ms: float
    baseline: str
    baseline_ms: float
    ratio: float


@dataclass(frozen=True)
class _Pair:
    """A part and its baseline, with the number of items that each does in a call."""

    name: str
    ours: Work
    baseline: str
    bare: Work
    items: int = 1
    bare_items: int = 1


@click.command("bench")
@click.argument("parts", nargs=-1, metavar="[PART]…")
@click.option("--rounds", type=click.IntRange(min=1), default=ROUNDS,
              help=f"Rounds per part; the figures are medians (default {ROUNDS}).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per row.")
def command(parts: tuple[str, ...], rounds: int, as_json: bool) -> None:
    """Measure what verdicts cost on this machine, in about two minutes.

    PART is start, math, pool, sql, instructions or jail; all of them by default. Each row has a bare baseline that
    takes turns with it: other work on the machine changes both, and the ratio hardly.
    """
    for part in parts:
        if part not in PARTS:
            raise OptionError(f"There's no part {part!r}. {nearest(part, PARTS)}")
    if not as_json:
        click.echo(f"{'part':<44}{'ms':>10}{'ratio':>9}  baseline")
    for part in parts or PARTS:
        try:
            for row in measured(part, rounds):
                click.echo(json.dumps(asdict(row)) if as_json else _line(row))
        except RlvrError as error:  # no sandbox here, say: the other parts still have figures
            click.echo(f"{part}: {error}", err=True)


def measured(part: str, rounds: int = ROUNDS) -> Iterator[Measured]:
    """Measure a part of `PARTS`, row by row."""
    with tempfile.TemporaryDirectory() as folder:
        for pair in PARTS[part](Path(folder)):
            pair.ours(), pair.bare()  # both are warm
            times = [
                (_seconds(pair.ours) / pair.items, _seconds(pair.bare) / pair.bare_items)
                for _ in range(rounds)
            ]
            ours, bare = (statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(a / b for a, b in times)
            yield Measured(pair.name, 1e3 * ours, pair.baseline, 1e3 * bare, ratio)


def _line(row: Measured) -> str:
    return f"{row.name:<44}{row.ours_ms:>10.3f}{row.ratio:>9.2f}  {row.baseline} ({row.baseline_ms:.3f} ms)"


def _seconds(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _start(folder: Path) -> Iterator[_Pair]:
    row = {"reference": "42", "response": "\\boxed{42}"}
    (folder / "row.jsonl").write_text(json.dumps(row) + "\n")

    def python(*arguments: str) -> Work:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    gymnasium = python("-c", "import gymnasium")
    line = python("-m", "rlvr", "score", "math", str(folder / "row.jsonl"))
    yield _Pair("import rlvr", python("-c", "import rlvr"), "import gymnasium", gymnasium)
    yield _Pair("rlvr --help", python("-m", "rlvr", "--help"), "import gymnasium", gymnasium)
    yield _Pair("rlvr score, one line", line, "import gymnasium", gymnasium)


def _math(folder: Path) -> Iterator[_Pair]:
    from rlvr.verifiers.math import Math

    boxed = re.compile(r"\\boxed\{([^{}]*)\}")
    numbers = [
        (str(i), f"Half of it is {i / 2}, so it is \\boxed{{{i + i % 2}}}.") for i in range(200)
    ]
    roots = [
        (f"\\frac{{{i}\\sqrt{{3}}}}{{{i + 2}}}", f"It is \\boxed{{{i}\\sqrt{{3}}/{i + 2}}}.")
        for i in range(1, 41)
    ]
    squares = [(f"x^2 + {2 * i}x + {i * i}", f"\\boxed{{(x+{i})^2}}") for i in range(1, 41)]

    def as_floats() -> None:
        for gold, response in numbers:
            float(boxed.findall(response)[-1]) == float(gold)  # noqa: B015

    def by_sympy(first: str, second: str) -> Work:
        from sympy import expand
        from sympy.parsing.sympy_parser import parse_expr  # of our own text, never of a model's

        return lambda: [
            expand(parse_expr(first.format(i)) - parse_expr(second.format(i))) == 0
            for i in range(1, 41)
        ]

    yield _Pair("math: a number", _scored(Math(), numbers), "find the box, compare floats",
                as_floats, 200, 200)  # fmt: skip
    yield _Pair("math: a fraction with a root", _scored(Math(), roots), "SymPy reads and subtracts",
                by_sympy("{0}*sqrt(3)/({0}+2)", "({0}*sqrt(3))/({0}+2)"), 40, 40)  # fmt: skip
    yield _Pair("math: a square to be expanded", _scored(Math(), squares), "SymPy reads and expands",
                by_sympy("x**2 + 2*{0}*x + {0}**2", "(x + {0})**2"), 40, 40)  # fmt: skip


def _pool(folder: Path) -> Iterator[_Pair]:
    from rlvr.scoring import score

    verifier, task, response = _trivial(), Task("What is 6 * 7?", "42"), "\\boxed{42}"
    many = [task] * 2000
    direct = lambda: [verifier.verify(task, response) for _ in range(200)]  # noqa: E731

    def alone() -> None:
        for _ in range(200):
            score([task], [response], verifier)

    yield _Pair("pool: a function, one call per item", alone, "call the function", direct, 200, 200)
    yield _Pair("pool: a function, 2000 items per call",
                lambda: score(many, [response] * 2000, verifier), "call the function", direct,
                2000, 200)  # fmt: skip


def _sql(folder: Path) -> Iterator[_Pair]:
    from rlvr.verifiers.sql import Sql

    path = str(folder / "shop.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, item TEXT, price REAL)")
        sales = ((i, f"item {i % 97}", i * 7 % 1000 / 10) for i in range(2000))
        database.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)
    golds = [f"SELECT item, COUNT(*) FROM sale WHERE price > {i} GROUP BY item" for i in range(40)]
    pairs = [
        (
            {"sql": gold, "databases": [path]},
            f"```sql\n{gold.replace('COUNT(*)', 'COUNT(id)')}\n```",
        )
        for gold in golds
    ]

    def bare() -> None:
        for gold in golds:
            for _ in range(2):  # the gold query and the model's
                with contextlib.closing(sqlite3.connect(path)) as database:
                    database.execute(gold).fetchall()

    yield _Pair("sql: a query on 2000 rows", _scored(Sql(), pairs), "sqlite3 runs both queries",
                bare, len(pairs), len(pairs))  # fmt: skip


def _instructions(folder: Path) -> Iterator[_Pair]:
    from rlvr.verifiers.instructions import Instructions

    ids = ["punctuation:no_comma", "keywords:existence", "keywords:forbidden_words"]
    reference = {
        "instruction_id_list": ids,
        "kwargs": [{}, {"keywords": ["river"]}, {"forbidden_words": ["lake"]}],
    }
    text = "the river runs past the old mill and on to the sea. " * 20
    pairs = [(reference, f"{text} {i}") for i in range(100)]

    def bare() -> None:
        for _, response in pairs:
            all(("," not in response, "river" in response, "lake" not in response))

    yield _Pair("instructions: three of them", _scored(Instructions(), pairs),
                "three string operations", bare, len(pairs), len(pairs))  # fmt: skip


def _jail(folder: Path) -> Iterator[_Pair]:
    from rlvr.verifiers.code import Code

    program = "print(sum(map(int, input().split())))\n"
    reference = {"tests": [{"stdin": "1 2\n", "stdout": "3\n"}]}
    # A solution that was judged before isn't run again, so each round has its own.
    rounds = iter(range(1_000_000))
    (folder / "sum.py").write_text(program)

    def judged() -> None:
        number = next(rounds)
        fresh = [
            (reference, f"```python\n{program}# {os.getpid()} {number} {i}\n```") for i in range(8)
        ]
        _scored(Code(), fresh)()

    def bare() -> None:
        for _ in range(8):
            subprocess.run([sys.executable, str(folder / "sum.py")], input=b"1 2\n",
                           capture_output=True, check=True)  # fmt: skip

    yield _Pair("jail: a program, one test", judged, "a subprocess without a jail", bare, 8, 8)


def _trivial() -> Verifier:
    from rlvr.verifiers.function import verifier

    @verifier
    def equal(task: Task, answer: str) -> bool:
        return bool(answer == task.reference)

    trivial: Verifier = equal
    return trivial


def _scored(verifier: Verifier, pairs: list[tuple[Any, str]]) -> Work:
    """Return the work of judging pairs of a reference and a response. Raises `CannotScore` if one is unscored."""
    from rlvr.core.errors import CannotScore
    from rlvr.scoring import score

    tasks = [Task("", reference, str(i)) for i, (reference, _) in enumerate(pairs)]
    responses = [response for _, response in pairs]

    def work() -> list[Verdict]:
        verdicts = score(tasks, responses, verifier)
        for verdict in verdicts:
            if not isinstance(verdict, Scored):
                raise CannotScore(verdict.cause, verdict.message)
        return verdicts

    return work


PARTS: dict[str, Callable[[Path], Iterator[_Pair]]] = {
    "start": _start,
    "math": _math,
    "pool": _pool,
    "sql": _sql,
    "instructions": _instructions,
    "jail": _jail,
}
