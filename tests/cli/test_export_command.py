"""`rlvr export`: paths on standard output, what happened on standard error, mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.evaluation.exports.runs import append, mixed, rollout

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def test_every_format_says_where_it_is(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    with (run / "rollouts.jsonl").open("a") as lines:
        lines.write("{torn")
    for to, said in (
        ("jsonl", "6 rollouts"),
        ("parquet", "6 rollouts"),
        ("inspect", "6 samples in 1 logs"),
        ("lm-eval", "results of 1 tasks"),
        ("preferences", "0 pairs from 3 tasks"),
        ("sft", "2 conversations from 3 tasks"),
    ):
        done = rlvr_cli("export", "run", "--to", to)
        assert done.returncode == 0, done.stderr
        assert f"rlvr: {said}\n" in done.stderr
        paths = [tmp_path / line for line in done.stdout.splitlines()]
        assert paths
        assert all(path.is_file() and path.is_relative_to(run / "exports") for path in paths)


def test_options_reach_their_format(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    append(mixed(tmp_path / "run"), rollout("t2", 2, 1.0, "late"), step=3)
    done = rlvr_cli(
        "export", "run", "--to", "preferences", "--pairs", "all", "--margin", "0.4", "--truncated",
        "-o", "pairs.jsonl",
    )  # fmt: skip
    assert "3 pairs" in done.stderr
    assert "left out: 1 unscored" in done.stderr
    scores = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [(one["score_chosen"], one["score_rejected"]) for one in scores] == [
        (1.0, 0.0),
        (1.0, 0.5),
        (0.5, 0.0),
    ]
    done = rlvr_cli(
        "export", "run", "--to", "sft", "--threshold", "0.5", "--per-task", "9", "--seed", "4"
    )
    assert "4 conversations" in done.stderr
    done = rlvr_cli("export", "run", "--to", "jsonl", "--step", "3", "-o", "step.jsonl")
    assert "rlvr: 1 rollouts\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--to", "jsonl"], "There's no run in 'nowhere'"),
        (["run", "--to", "jsonl", "--margin", "1"], "--margin is for --to preferences, not jsonl"),
        (["run", "--to", "inspect", "--truncated"], "--truncated is for --to preferences and sft"),
        (["run", "--to", "csv"], "'csv' is not one of"),
        (["run", "--to", "preferences", "--margin", "nan"], "A margin is a number from 0"),
        (["run", "--to", "sft", "--per-task", "0"], "per_task is at least 1"),
        (["run", "--to", "jsonl", "-o", "run/rollouts.jsonl"], "is a file of the run itself"),
        (["run", "--to", "jsonl", "--step", "5"], "has no rollouts of step 5"),
        (["run"], "Missing option '--to'"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(
    rlvr_cli: CommandLine, tmp_path: Path, arguments: list[str], message: str
) -> None:
    mixed(tmp_path / "run")
    done = rlvr_cli("export", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_says_what_each_format_is(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("export", "--help")
    assert done.returncode == 0
    for to in ("jsonl, parquet", "inspect", "lm-eval", "preferences", "sft"):
        assert f"  {to} " in done.stdout
