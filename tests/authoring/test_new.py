"""What `rlvr new` writes, what it refuses, and what it leaves as it was."""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring import scaffold
from rlvr.authoring.scaffold import Plan, package, write_package
from rlvr.authoring.scaffold.rows import RowColumns
from rlvr.core.errors import DataError, DataWarning, OptionError, RegistrationError
from rlvr.core.fixtures import read_fixtures
from rlvr.core.registry import find


def written(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_package_has_its_files_and_no_other(tmp_path: Path) -> None:
    write_package(Plan("my_puzzle"), tmp_path / "deep" / "er")
    assert sorted(written(tmp_path / "deep" / "er")) == [
        "README.md",
        "pyproject.toml",
        "rlvr_my_puzzle/__init__.py",
        "rlvr_my_puzzle/fixtures.jsonl",
        "tests/test_my_puzzle.py",
    ]
    assert os.listdir(tmp_path / "deep") == ["er"]  # nothing half-written is left
    text = (tmp_path / "deep/er/pyproject.toml").read_text()
    assert 'name = "rlvr-my-puzzle"' in text
    assert 'my_puzzle = "rlvr_my_puzzle:make"' in text


def test_the_same_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_package(Plan("my_puzzle", "single-turn", "sql"), tmp_path / name)
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert first == second
    databases = [name for name in first if name.endswith(".sqlite")]
    assert len({first[name] for name in databases}) == 3
    with sqlite3.connect(tmp_path / "a" / databases[0]) as connection:
        tied = (
            "SELECT count(*) FROM sale JOIN product ON id = product_id GROUP BY kind, year, pieces"
        )
        assert {count for (count,) in connection.execute(tied)} == {1}
    connection.close()


@pytest.mark.parametrize("kind", ["a file", "a folder", "an empty folder", "a dangling link"])
def test_what_is_there_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "there"
    if kind == "a file":
        there.write_text("mine")
    elif kind == "a dangling link":
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.mkdir()
        if kind == "a folder":
            (there / "README.md").write_text("mine")
    before = written(tmp_path)
    with pytest.raises(OptionError, match=r"there' exists already"):
        write_package(Plan("my_puzzle"), there)
    assert written(tmp_path) == before
    assert os.listdir(tmp_path) == ["there"]


@pytest.mark.parametrize("folder", [".", "new/..", "../{name}/"])
def test_a_folder_by_another_name_is_seen_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="already"):
        write_package(Plan("my_puzzle"), Path(folder.format(name=tmp_path.name)))
    assert os.listdir(tmp_path) == []


def test_one_that_came_meanwhile_stays_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "there"
    write = package._write

    def and_meanwhile(*arguments: Any) -> None:
        write(*arguments)
        there.mkdir()
        (there / "mine").write_text("mine")

    monkeypatch.setattr(package, "_write", and_meanwhile)
    with pytest.raises(OSError, match="not empty"):
        write_package(Plan("my_puzzle"), there)
    assert written(tmp_path) == {"there/mine": b"mine"}


def test_an_interrupt_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scaffold.package, "_write_shops", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_package(Plan("my_puzzle", "single-turn", "sql"), tmp_path / "there")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["Anagram", "an-agram", "2x", "", "../x", "a b", "é", "a\n"])
def test_a_name_is_checked_as_the_registry_does(name: str) -> None:
    with pytest.raises(RegistrationError, match="can't name an environment"):
        Plan(name)


@pytest.mark.parametrize("name", ["gsm8k", "arithmetic", "reasoning_gym"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(RegistrationError, match=f"There's an environment '{name}' already"):
        Plan(name)


def test_a_gymnasium_id_that_is_taken_is_refused() -> None:
    assert find("graph_path").gym_id == "rlvr/GraphPath-v0"
    with pytest.raises(
        RegistrationError, match=r"Gymnasium id 'rlvr/GraphPath-v0' of 'graph_path'"
    ):
        Plan("graph__path")


def test_a_python_package_of_that_name_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlvr_thing.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RegistrationError, match="Python package 'rlvr_thing' already"):
        Plan("thing")


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"kind": "tool"}, "kind is one of single-turn, multi-turn, tools"),
        ({"verifier": "maths"}, "verifier is one of custom, math"),
        ({"kind": "tools", "from_rows": True}, "--from makes single-turn environments"),
        ({"verifier": "sql", "from_rows": True}, r"rlvr.make\('sql', data=FILE"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Plan("my_puzzle", **plan)


# -------------------------------------------------------------------- from rows


def from_rows(
    tmp_path: Path,
    rows: list[Any],
    verifier: str = "math",
    columns: RowColumns | None = None,
) -> Path:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    plan = Plan("mine", "single-turn", verifier, from_rows=True)
    write_package(plan, tmp_path / "out", data, columns)
    return tmp_path / "out" / "rlvr_mine"


def sums(count: int = 40) -> list[dict[str, Any]]:
    return [
        {"question": f"{n} + {n}?", "answer": str(2 * n), "more": {"n": n}} for n in range(count)
    ]


def test_rows_are_copied_as_they_stand_and_no_prompt_is_in_both_splits(tmp_path: Path) -> None:
    again = [{**row, "question": " " + str(row["question"]).upper()} for row in sums()[:10]]
    made = from_rows(tmp_path, [*sums(), *again])
    sides = [
        [json.loads(line) for line in (made / f"{side}.jsonl").read_text().splitlines()]
        for side in ("train", "test")
    ]
    assert sorted(map(json.dumps, sides[0] + sides[1])) == sorted(map(json.dumps, sums() + again))
    prompts = [{" ".join(row["question"].split()).casefold() for row in side} for side in sides]
    assert prompts[0].isdisjoint(prompts[1])
    assert all(prompts)


def test_the_fixtures_are_of_the_first_rows_and_hold(tmp_path: Path) -> None:
    found = read_fixtures(from_rows(tmp_path, sums()) / "fixtures.jsonl")
    assert {one.kind for one in found} == {"right", "wrong", "malformed", "borderline"}
    for one in found:
        assert isinstance(one.task, rlvr.Task)
        (verdict,) = rlvr.score([one.task], [one.turns[-1]], rlvr.Math())
        assert one.holds(verdict), one


def test_columns_are_guessed_in_the_documented_order_or_said(tmp_path: Path) -> None:
    rows = [
        {"problem": "no", "prompt": f"{n}?", "gold": "no", "reference": str(n)} for n in range(9)
    ]
    made = (from_rows(tmp_path, rows) / "__init__.py").read_text()
    assert 'row["prompt"]' in made
    assert 'row["reference"]' in made
    (tmp_path / "two").mkdir()
    odd = [{'the "q"': f"{n}?", "é\\": n} for n in range(9)]
    made = (
        from_rows(tmp_path / "two", odd, "math", RowColumns('the "q"', "é\\")) / "__init__.py"
    ).read_text()
    assert r'row["the \"q\""]' in made
    assert r'row["é\\"]' in made
    compile(made, "made", "exec")


@pytest.mark.parametrize(
    ("rows", "verifier", "columns", "says"),
    [
        ([{"ask": "?", "answer": "1"}], "math", None, "is the prompt.*There are: ask, answer.*--prompt-column"),
        ([{"prompt": "?", "say": "1"}], "math", None, "is the reference.*There are: prompt, say.*--reference-c"),
        (sums(), "math", RowColumns("q"), "have no column 'q'. They have: question, answer, more"),
        ([*sums(), {"question": "x?"}], "math", None, "Row 41 of .*no 'answer', but question"),
        ([*sums(), "{"], "math", None, "Line 41 of .*isn't JSON.*Fix it"),
        ([*sums(), "[]"], "math", None, "Line 41 of .*isn't a JSON object"),
        ([], "math", None, "has no rows"),
        ([{"question": "?", "answer": None}], "custom", None, "Row 1 .*None, not a text or a number"),
        ([{"question": "?", "answer": True}], "custom", None, "True, not a text or a number"),
        ([{"question": "", "answer": "1"}], "custom", None, "'question' is '', not a text"),
        ([{"prompt": [{"role": "user", "content": "?"}], "answer": "1"}], "math", None, "not a text"),
        (sums()[:1], "math", None, "can't be split: it has 1 rows with 1 different prompts"),
        ([{"question": f"{n}?", "answer": "1 + 1\n#### 2"} for n in range(20)], "math", None, "whole solution"),
        ([{"question": f"{n}?", "answer": "}"} for n in range(20)], "custom", None, "'same_text' can use"),
        (sums(), "code", None, "not an object as docs/code.md has it"),
        (sums(), "instructions", None, "not an object as docs/instructions.md has it"),
        ([{"prompt": f"{n}?", "reference": {"asserts": ["assert f(1) == 2"], "solution": "def f(x):\n return 3"}}
          for n in range(9)], "code", None, "'code' can use: its own answer"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used_are_refused_and_nothing_is_written(
    tmp_path: Path, rows: list[Any], verifier: str, columns: RowColumns | None, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        from_rows(tmp_path, rows, verifier, columns)
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_rows_that_contradict_each_other_are_warned_about(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="Rows 3 and 41 of .* ask the same and have different"):
        from_rows(tmp_path, [*sums(), {"question": "2  + 2?", "answer": "5"}])


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = from_rows(tmp_path, ["", *sums(), "  "])
    text = (made / "train.jsonl").read_text() + (made / "test.jsonl").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) == 40


def test_parquet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="write its rows as JSONL first"):
        write_package(Plan("mine", from_rows=True), tmp_path / "out", path)


def test_hidden_text_of_rows_reaches_no_code(tmp_path: Path) -> None:
    evil = '"""\nimport os  # __NAME__'
    rows = [{"question": f"{n}? {evil}", "answer": str(n), evil: 1} for n in range(20)]
    made = (from_rows(tmp_path, rows) / "__init__.py").read_text()
    assert "import os" not in made


def test_json_references_are_compared_as_json(tmp_path: Path) -> None:
    """The file is UTF-8 with a byte-order mark, as Excel and PowerShell write it."""
    rows = [
        {"prompt": f"Invoice {n}", "fields": {"total": n, "names": ["a", str(n)]}}
        for n in range(30)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    plan = Plan("invoices", from_rows=True)
    columns = RowColumns(reference="fields")
    write_package(plan, tmp_path / "new", tmp_path / "rows.jsonl", columns)
    folder = tmp_path / "new" / "rlvr_invoices"
    assert "json.loads" in (folder / "__init__.py").read_text()
    kept = [
        json.loads(line)
        for name in ("train", "test")
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sorted(row["prompt"] for row in kept) == sorted(row["prompt"] for row in rows)
    kinds = {fixture.kind for fixture in read_fixtures(folder / "fixtures.jsonl")}
    assert {"right", "wrong", "malformed"} <= kinds


def test_a_json_array_is_a_file_of_rows(tmp_path: Path) -> None:
    rows = [{"problem": f"{n} + 1?", "answer": str(n + 1)} for n in range(30)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    write_package(
        Plan("sums", "single-turn", "math", True), tmp_path / "new", tmp_path / "rows.json"
    )
    assert (tmp_path / "new/rlvr_sums/test.jsonl").is_file()


@pytest.mark.parametrize("face", ["rlvr.authoring", "rlvr.testing"])
def test_a_face_is_light_and_whole(face: str) -> None:
    module = importlib.import_module(face)
    assert sorted(module.__all__) == sorted(module._HOME)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        module.nonsense  # noqa: B018
    code = f"import sys, rlvr, {face}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sympy", "click", "rich", "rlvr.scoring.pool"} & set(done.stdout.split())
