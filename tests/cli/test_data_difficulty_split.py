"""`rlvr data difficulty` on real runs, and `rlvr data split`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def unscore(run: Path, task: str) -> None:
    """Take the verdicts of one task away, as a sandbox that failed would."""
    rows = lines(run / "rollouts.jsonl")
    for row in rows:
        if row["task"] == task:
            row["verdict"] = {"scored": False, "cause": "sandbox", "message": "", "detail": {}}
    (run / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_pass_rates_of_runs(rlvr_cli, tmp_path: Path) -> None:
    for name, policy in (("right", "oracle"), ("wrong", "echo")):
        done = rlvr_cli(
            *("eval", "arithmetic", "--split", "train", "--policy", policy),
            *("--limit", "4", "-k", "2", "--run", name),
        )
        assert done.returncode == 0, done.stderr
    unscore(tmp_path / "wrong", "train-0")
    done = rlvr_cli(
        "data", "difficulty", "arithmetic", "--run", "right", "wrong", "-o", "all.jsonl"
    )
    assert done.returncode == 0, done.stderr
    found = {row["id"]: row for row in lines(tmp_path / "all.jsonl")}
    assert len(found) == 4
    assert (found["train-0"]["pass_rate"], found["train-0"]["unscored"]) == (1.0, 2)
    assert (found["train-1"]["pass_rate"], found["train-1"]["samples"]) == (0.5, 4)
    assert "14 scored responses, 2 unscored" in done.stdout

    done = rlvr_cli("data", "difficulty", "arithmetic", "--run", "right", "--run", "wrong", "--keep", "0.1-0.9",
                    "-o", "kept.jsonl", "--tasks", "tasks.jsonl")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in lines(tmp_path / "kept.jsonl")] == [
        "train-1",
        "train-2",
        "train-3",
    ]
    kept = lines(tmp_path / "tasks.jsonl")
    assert [row["id"] for row in kept] == ["train-1", "train-2", "train-3"]
    assert all(row["prompt"] and row["reference"] for row in kept)

    done = rlvr_cli(
        "data",
        "difficulty",
        "arithmetic",
        "--run",
        "right",
        "--tasks",
        "t.jsonl",
        "--split",
        "test",
    )
    assert done.returncode == 2
    assert "--split" in done.stderr
    assert not (tmp_path / "t.jsonl").exists()

    unscore(tmp_path / "right", "train-0")
    done = rlvr_cli("data", "difficulty", "arithmetic", "--run", "right")
    assert done.returncode == 3
    assert "1 tasks have no scored response" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["arithmetic", "--run", "nowhere"], "There's no run"),
        (["arithmetic"], "Missing option '--run'"),
        (["arithmetic", "--run", "run", "--keep", "0.9"], "two pass rates"),
        (["arithmetic", "--run", "run", "--keep", "0.9-0.1"], "two pass rates"),
        (["gsm8k", "--run", "run"], "no rollout of 'gsm8k'. They have arithmetic"),
    ],
)
def test_bad_usage(rlvr_cli, tmp_path: Path, arguments: list[str], said: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    verdict = {"scored": True, "status": "correct"}
    row = {"env": "arithmetic", "task": "train-0", "verdict": verdict}
    (run / "rollouts.jsonl").write_text(json.dumps(row) + "\n")
    done = rlvr_cli("data", "difficulty", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_split(rlvr_cli, tmp_path: Path) -> None:
    raw = [f'{{"prompt":"Question {i}",  "level": {i % 2}}}\n'.encode() for i in range(400)]
    (tmp_path / "all.jsonl").write_bytes(b"".join(raw))
    done = rlvr_cli(
        "data",
        "split",
        "all.jsonl",
        "-o",
        "out",
        "--test",
        "0.25",
        "--stratify",
        "level",
        "--seed",
        "3",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("25.00%") == 3
    train, test = (tmp_path / f"out/{name}.jsonl" for name in ("train", "test"))
    written = {
        name: path.read_bytes().splitlines(True) for name, path in (("a", train), ("b", test))
    }
    assert sorted(written["a"] + written["b"]) == sorted(raw)
    assert len(written["b"]) == 100

    (tmp_path / "all.jsonl").write_bytes(b"".join([*raw, b'{"torn": ']))
    done = rlvr_cli("data", "split", "all.jsonl", "-o", "again", "--near")
    assert done.returncode == 3, done.stderr
    assert "1 lines can't be read" in done.stderr
    assert (tmp_path / "again/unread.jsonl").read_bytes() == b'{"torn": '
    assert rlvr_cli("data", "split", "all.jsonl", "-o", "out", "--by", "topic").returncode == 2


def test_parquet_is_split_as_parquet(rlvr_cli, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table(
        {"question": [f"q{i}" for i in range(100)], "level": pa.array([1] * 100, pa.int8())}
    )
    pq.write_table(table, tmp_path / "all.parquet")
    done = rlvr_cli("data", "split", "all.parquet", "-o", "out", "--test", "0.5")
    assert done.returncode == 0, done.stderr
    parts = [pq.read_table(tmp_path / f"out/{name}.parquet") for name in ("train", "test")]
    assert all(part.schema.equals(table.schema) and part.num_rows for part in parts)
    found = [q for part in parts for q in part["question"].to_pylist()]
    assert sorted(found) == sorted(table["question"].to_pylist())
