"""Formats `jsonl` and `parquet`: the same typed columns for every run."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet
import pytest

from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.evaluation.exports import FORMATS, export
from rlvr.evaluation.exports.rows import COLUMNS
from rlvr.runs.reading import read_records, size_of
from rlvr.runs.run import Run
from tests.evaluation.exports.runs import CLEAN, LONE, append, lines, mixed, rollout, write

datasets.disable_progress_bars()


def load(kind: str, path: Path, tmp_path: Path) -> Any:
    return datasets.load_dataset(
        kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )


def both(run: Path) -> list[dict[str, Any]]:
    """The run's rows; the same in both formats."""
    rows = lines(export(run, "jsonl").paths[0])
    table = pyarrow.parquet.read_table(export(run, "parquet").paths[0])
    assert table.to_pylist() == rows
    assert table.column_names == list(COLUMNS)
    assert all(list(row) == list(COLUMNS) for row in rows)
    return rows


def test_every_rollout_is_a_row_and_unscored_is_never_a_number(tmp_path: Path) -> None:
    rows = both(mixed(tmp_path / "run"))
    assert [(row["task"], row["sample"], row["reward"]) for row in rows] == [
        ("t0", 0, 1.0),
        ("t0", 1, 1.0),
        ("t1", 0, 1.0),
        ("t1", 1, None),
        ("t2", 0, 0.0),
        ("t2", 1, 0.5),
    ]
    assert [row["scored"] for row in rows] == [True, True, True, False, True, True]
    assert rows[3] == {
        "env": "sums",
        "part": "",
        "task": "t1",
        "sample": 1,
        "step": None,
        "prompt": [{"role": "user", "content": "Question t1"}],
        "completion": [{"role": "assistant", "content": "Response t1.1"}],
        "response": "Response t1.1",
        "turns": 1,
        "scored": False,
        "reward": None,
        "status": "unscored",
        "cause": "gold",
        "feedback": "the reference can't be read",
        "components": [],
        "answer": "",
        "reference": "4",
        "stop": "stop",
        "truncated": False,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "generate_seconds": 0.25,
        "verify_seconds": 0.5,
        "metadata": "{}",
        "detail": "{}",
        "labels": "{}",
        "token_ids": None,
        "logprobs": None,
    }
    assert rows[0]["components"] == [{"name": "math", "value": 1.0}]
    assert [row["answer"] for row in rows[:2]] == ["4", "4"]
    assert (rows[5]["status"], rows[5]["truncated"]) == ("partial", True)


def test_datasets_loads_both_with_equal_features(tmp_path: Path) -> None:
    one = rollout("t", 0, 1.0)
    one.token_ids, one.logprobs = [[1, 2]], [[-0.5, -math.inf]]
    run = write(tmp_path / "run", [one, rollout("t", 1, None, [])], step=1)
    found = [load("json", export(run, "jsonl").paths[0], tmp_path)]
    found.append(load("parquet", export(run, "parquet").paths[0], tmp_path))
    assert found[0].features == found[1].features
    assert found[0].to_list() == found[1].to_list()
    assert found[0]["logprobs"] == [[[-0.5, None]], None]
    assert (found[0]["turns"], found[0]["response"]) == ([1, 0], ["Response t.0", ""])


def test_what_comes_late_in_a_long_file_is_loaded_too(tmp_path: Path) -> None:
    # `datasets` takes the types of JSONL from its first 10 MB.
    early = [rollout(f"t{i}", 0, 1.0, "x" * 20_000) for i in range(300)]
    late = [
        rollout("t300", 0, None, metadata={"level": 3}, answer=[1], more={"a": 2}),
        rollout("t301", 0, 0.5, ["one", "two"], reference={"tests": [1]}),
    ]
    run = append(write(tmp_path / "run", early), *late, phase="warm-up")
    assert (run / "rollouts.jsonl").stat().st_size > 6_000_000
    path = export(run, "jsonl").paths[0]
    assert path.stat().st_size > 12_000_000  # response and completion both
    rows = load("json", path, tmp_path)
    assert rows[300]["cause"] == "gold"
    assert json.loads(rows[300]["metadata"]) == {"level": 3}
    assert json.loads(rows[300]["detail"]) == {"answer": [1], "more": {"a": 2}}
    assert rows[301]["answer"] == ""
    assert rows[300]["answer"] == "[1]"
    assert rows[301]["reference"] == '{"tests": [1]}'
    assert json.loads(rows[301]["labels"]) == {"phase": "warm-up"}


def test_several_turns(tmp_path: Path) -> None:
    (row,) = both(write(tmp_path / "run", [rollout("t", 0, 1.0, ["first", "last"], stop="turns")]))
    assert [m["role"] for m in row["completion"]] == ["assistant", "user", "assistant"]
    assert (row["response"], row["turns"], row["truncated"]) == ("last", 2, True)


def test_examples_in_the_prompt_are_no_responses(tmp_path: Path) -> None:
    prompt = [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2?"},
    ]
    (row,) = both(write(tmp_path / "run", [rollout("t", 0, 1.0, "4", prompt=prompt)]))
    assert row["prompt"] == prompt
    assert row["completion"] == [{"role": "assistant", "content": "4"}]


def test_whatever_a_model_writes_is_read_back(tmp_path: Path) -> None:
    said = LONE + "\u2028\x00\x1b[31m</script>"
    run = write(
        tmp_path / "run",
        [rollout("t\udc00", 0, 1.0, said, answer=LONE, number=math.nan, deep=[{LONE: math.inf}])],
    )
    (row,) = both(run)
    assert row["response"] == CLEAN + "\u2028\x00\x1b[31m</script>"
    assert row["answer"] == CLEAN
    assert row["task"] == "t\ufffd"
    assert json.loads(row["detail"]) == {"answer": CLEAN, "number": None, "deep": [{CLEAN: None}]}
    assert load("json", run / "exports" / "rollouts.jsonl", tmp_path)["answer"] == [CLEAN]


def test_a_number_that_is_too_large_is_none(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 1.0, large=1.5)])
    path = run / "rollouts.jsonl"
    path.write_text(path.read_text().replace("1.5", "1e999"))
    assert json.loads(both(run)[0]["detail"]) == {"large": None}


def test_a_step_of_training(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 0.0)], step=0)
    append(run, rollout("t", 0, 1.0), rollout("u", 0, None), step=10)
    assert [row["step"] for row in both(run)] == [0, 10, 10]
    path = export(run, "jsonl", tmp_path / "one.jsonl", step=10).paths[0]
    assert [row["task"] for row in lines(path)] == ["t", "u"]
    with pytest.raises(DataError, match="no rollouts of step 3"):
        export(run, "jsonl", step=3)


def test_equal_ids_of_two_environments_stay_apart(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        [rollout("1", 0, 1.0, env="a", part="dev"), rollout("1", 0, None, env="b", part="unseen")],
    )
    assert [(row["env"], row["part"], row["reward"]) for row in both(run)] == [
        ("a", "dev", 1.0),
        ("b", "unseen", None),
    ]


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    whole = json.dumps(rollout("t9", 0, 1.0).to_json())
    for torn in ('{"task": "t9", "sam', whole):  # without its line end a line may go on
        with (run / "rollouts.jsonl").open("a") as file:
            file.write(torn)
        assert len(both(run)) == 6
        path = run / "rollouts.jsonl"
        path.write_bytes(path.read_bytes()[: -len(torn)])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{broken\n", "Line 2 of .*rollouts.jsonl' can't be read as a rollout"),
        (b'{"task": "t"}\n', "Line 2 of .* is not a rollout as `rlvr eval` writes it: KeyError"),
        (b"[1]\n", "Line 2 of .* is not a rollout"),
        (b"\xff\xfe\n", "Line 2 of .* can't be read as a rollout"),
        (b"[" * 100_000 + b"\n", "Line 2 of .* can't be read as a rollout"),
    ],
)
@pytest.mark.parametrize("to", list(FORMATS))
def test_a_line_that_is_no_rollout_is_an_error_and_nothing_is_written(
    tmp_path: Path, to: str, line: bytes, message: str
) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 1.0)])
    with (run / "rollouts.jsonl").open("ab") as file:
        file.write(line)
    with pytest.raises(DataError, match=message):
        export(run, to)
    assert [path for path in (run / "exports").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample", "0"),
        ("sample", 2**64),
        ("step", 1.5),
        ("messages", [{"role": "user", "content": None}]),
        ("messages", []),
        ("verdict", {"scored": True, "reward": None, "status": "correct", "components": {}}),
        ("verdict", {"scored": False, "cause": "bad luck", "message": ""}),
    ],
)
def test_a_field_of_another_type_is_an_error(tmp_path: Path, field: str, value: Any) -> None:
    run = write(tmp_path / "run", [])
    row = rollout("t", 0, 1.0).to_json() | {field: value}
    (run / "rollouts.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match="Line 1 of"):
        export(run, "jsonl")


@pytest.mark.parametrize("to", list(FORMATS))
def test_an_empty_run_says_so(tmp_path: Path, to: str) -> None:
    run = write(tmp_path / "run", [])
    with pytest.raises(DataError, match="has no rollouts yet"):
        export(run, to)
    (run / "rollouts.jsonl").write_text("\n")
    with pytest.raises(DataError, match="has no rollouts yet"):
        export(run, to)
    assert not any(path.is_file() for path in (run / "exports").rglob("*"))


def test_what_was_there_before_stays_where_writing_fails(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    before = export(run, "jsonl").paths[0].read_bytes()
    with (run / "rollouts.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(DataError):
        export(run, "jsonl")
    assert [path.name for path in (run / "exports").iterdir()] == ["rollouts.jsonl"]
    assert (run / "exports" / "rollouts.jsonl").read_bytes() == before


def test_the_runs_own_files_are_safe(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    before = (run / "rollouts.jsonl").read_bytes()
    with pytest.raises(DataError, match="is a file of the run itself"):
        export(run, "jsonl", run / "rollouts.jsonl")
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(DataError, match="is a file of the run itself"):
        export(tmp_path / "link", "sft", run / "run.json")
    assert (run / "rollouts.jsonl").read_bytes() == before


def test_bad_asks_say_what_to_do(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    with pytest.raises(OptionError, match=r"There's no format 'parket'. Did you mean 'parquet'"):
        export(run, "parket")
    with pytest.raises(OptionError, match=r"ends in \.parquet"):
        export(run, "parquet", tmp_path / "rows.jsonl")
    with pytest.raises(OptionError, match="jsonl is no Parquet"):
        export(run, "jsonl", tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="There's no run in"):
        export(tmp_path / "nowhere", "jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="inspect writes into a folder"):
        export(run, "inspect", tmp_path / "file")
    with pytest.raises(DataError, match="jsonl writes a file"):
        export(run, "jsonl", tmp_path)


def test_without_pyarrow_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = mixed(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rlvr\[data\]'"):
        export(run, "parquet")
    assert export(run, "jsonl").summary == "6 rollouts"


def test_a_run_that_is_being_written_is_exported_as_far_as_it_is(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "eval", {}) as run:
        run.rollout(rollout("t", 0, 1.0).to_json())
        assert len(both(run.path)) == 1
        end = size_of(run.path)
        run.rollout(rollout("t", 1, 1.0).to_json())
        assert len(list(read_records(run.path, end=end))) == 1
        assert len(list(read_records(run.path, end=size_of(run.path) - 1))) == 1
        assert len(list(read_records(run.path, end=size_of(run.path)))) == 2
