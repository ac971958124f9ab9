"""Synthesis for each kind of reference: programs in the jail, queries, instructions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rlvr.authoring import synthesise
from rlvr.authoring.synthesis.references import spoilt_programs
from rlvr.policies import Request
from tests.authoring.test_synthesis import Solves, Writes, reasons


def program(
    problem: str, solution: str, tests: Sequence[tuple[str, str]], **fields: Any
) -> dict[str, Any]:
    cases = [{"stdin": stdin, "stdout": stdout} for stdin, stdout in tests]
    return {"problem": problem, "tests": cases, "solution": solution, **fields}


def of_a_number(rule: str, expression: str, **fields: Any) -> dict[str, Any]:
    solution = f"n = int(input())\nprint({expression})"
    tests = [(f"{n}\n", f"{eval(expression, {'n': n})}\n") for n in (1, 5, 12)]
    fields = {"limits": {"wall_s": 8}, **fields}
    return program(f"Read a number n and print {rule}.", solution, tests, **fields)


def test_programs_pass_their_tests_and_spoilt_ones_fail(tmp_path: Path) -> None:
    examples = [
        of_a_number(
            f"n plus {i} in decimal digits, for the counter with the number {i}", f"n + {i}"
        )
        for i in range(3, 9)
    ]
    good = of_a_number("the square of n, lowered by seven units", "n * n - 7")
    wrong = of_a_number("the cube of n, and nothing besides that", "n * n * n")
    wrong["solution"] = wrong["solution"].replace("n * n * n", "n * n")
    no_solution = {**of_a_number("the double of n on a line of its own", "2 * n"), "solution": None}
    weak = program(
        "Read a number and print the remainder of its division by ten.",
        "n = int(input())\nprint(n % 10 if n > 100 else 0)", [("0\n", "0\n"), ("10\n", "0\n")],
        limits={"wall_s": 8},
    )  # fmt: skip
    paid = program(
        "Read nothing at all and do nothing with it either.",
        "x = 1",
        [("", "")],
        limits={"wall_s": 8},
    )
    limits = of_a_number(
        "n a thousand times over, slowly and surely", "n * 1000", limits={"wall_s": 9999}
    )
    items = [wrong, no_solution, weak, paid, limits, good]

    def answer(prompt: str) -> str:
        expression = "n * n - 7" if "square" in prompt else "n * n * n"
        return f"```python\nn = int(input())\nprint({expression})\n```"

    made = synthesise(
        "code", examples, Writes(items), 1, solver=Solves(answer), replies=2, of=2, agree=2,
        folder=tmp_path / "made",
    )  # fmt: skip
    assert [kept["problem"] for kept in made.rows] == [good["problem"]], made.rejected
    found = dict(
        zip((line["item"]["problem"] for line in made.rejected), reasons(made), strict=True)
    )
    assert found[wrong["problem"]] == ("reference", "the verifier refuses the reference itself")
    assert found[no_solution["problem"]] == ("row", "it isn't a row like the examples")
    assert found[weak["problem"]] == ("reference", "its tests pass most spoilt solutions")
    assert found[paid["problem"]][0] in ("row", "reference")
    assert found[limits["problem"]] == ("row", "it isn't a row like the examples")
    assert "which no example has" in made.rejected[-1]["detail"]
    # The file is read as any file of the environment's rows.
    import rlvr

    env = rlvr.make("code", data=str(tmp_path / "made/tasks.jsonl"))
    assert rlvr.evaluate(env, "oracle").correct.value == 1.0


def test_spoilt_programs_differ_in_one_place() -> None:
    import random

    source = (
        "n = int(input())\nfor i in range(10):\n    if n > 3:\n        n = n - 1\nprint(n + 20)\n"
    )
    spoilt = spoilt_programs(source, random.Random(0))
    assert len(spoilt) == len(set(spoilt)) == 6
    assert source not in spoilt
    assert spoilt_programs("print(input())", random.Random(0)) == []


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute("CREATE TABLE item (name TEXT, price INTEGER)")
        database.executemany("INSERT INTO item VALUES (?, ?)", [("a", 3), ("b", 5), ("c", 8)])
    database.close()
    return tmp_path


def test_queries_stay_in_the_examples_databases(shop: Path) -> None:
    """A policy may not name another file, whose content its tasks would then tell."""
    secret = shop / "secret.sqlite"
    with sqlite3.connect(secret) as database:
        database.execute("CREATE TABLE key (value TEXT)")
    database.close()
    examples = [
        {
            "question": f"Which items cost more than {n} coins today?",
            "sql": f"SELECT name FROM item WHERE price > {n}",
            "database": "shop",
        }
        for n in range(2, 8)
    ]
    items = [
        {"question": "What is the key's value?", "sql": "SELECT value FROM key", "database": str(secret)},
        {"question": "What is the value of the key?", "sql": "SELECT value FROM key", "database": "secret"},
        {"question": "How dear is the dearest of the wares?", "sql": "SELECT nothing FROM nowhere", "database": "shop"},
        {"question": "What do all wares cost together?", "sql": "SELECT sum(price) FROM item", "database": "shop"},
    ]  # fmt: skip
    solver = Solves(lambda prompt: "```sql\nSELECT sum(price) FROM item\n```")
    made = synthesise(
        "sql",
        examples,
        Writes(items),
        1,
        solver=solver,
        replies=1,
        env_options={"databases": str(shop)},
    )
    assert [kept["sql"] for kept in made.rows] == ["SELECT sum(price) FROM item"], made.rejected
    stages = [(line["stage"], line["item"]["database"]) for line in made.rejected]
    assert stages == [("row", str(secret)), ("row", "secret"), ("reference", "shop")]
    assert "which no example has" in made.rejected[0]["detail"]
    assert made.rows[0]["id"] == "s0-0-3"


def test_instructions_get_keys_of_their_own() -> None:
    examples = [
        {"key": 1000 + i, "prompt": f"Write about the town number {i}. Use at least {20 + i} words.",
         "instruction_id_list": ["length_constraints:number_words"],
         "kwargs": [{"relation": "at least", "num_words": 20 + i}]}
        for i in range(5)
    ]  # fmt: skip
    good = {
        "prompt": "Describe a river that freezes over. Your answer has no commas in it.",
        "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}],
    }  # fmt: skip
    unknown = {
        **good,
        "prompt": "Describe a lake that never freezes.",
        "instruction_id_list": ["colour:blue"],
    }
    solver = Solves(lambda prompt: "The river is quiet and white under the winter sun.")
    made = synthesise(
        "ifeval", examples, Writes([unknown, good]), 1, solver=solver, replies=1,
        env_options={"guard": "strict"},
    )  # fmt: skip
    assert reasons(made)[0][0] == "reference"
    (kept,) = made.rows
    assert kept["prompt"] == good["prompt"]
    assert type(kept["key"]) is int
    assert made.tasks[0].reference["instruction_id_list"] == ["punctuation:no_comma"]


def test_requests_show_examples_as_they_are_read() -> None:
    policy = Writes(lambda request: [])
    rows = [of_a_number(f"n minus {i}", f"n - {i}", difficulty="easy") for i in range(3)]
    synthesise("code", rows, policy, 1, solver=policy, replies=1, shown=2)
    (request,) = policy.asked
    assert isinstance(request, Request)
    text = str(request.prompt[0]["content"])
    assert '"problem", "tests", "solution", "limits", "difficulty"' in text
    assert json.dumps(rows[0]["tests"][0]) in text or json.dumps(rows[1]["tests"][0]) in text
