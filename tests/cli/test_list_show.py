from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest

import rlvr

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def test_list_names_every_environment_with_its_id(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("list")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    # What other tests have registered in this process isn't in that one.
    for spec in (spec for spec in rlvr.environments() if spec.origin != "code"):
        assert [spec.name, spec.gym_id, spec.origin] in [line[:3] for line in lines]


def test_help_names_every_verb_and_each_has_its_own(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("--help")
    assert done.returncode == 0
    for verb in ("list", "show", "score", "eval", "train"):
        assert f"  {verb} " in done.stdout
        assert "Usage:" in rlvr_cli(verb, "--help").stdout


def test_the_version(rlvr_cli: CommandLine) -> None:
    assert rlvr_cli("--version").stdout == f"rlvr, version {rlvr.__version__}\n"


def test_show_tells_what_right_and_wrong_answers_earn(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("show", "arithmetic", "--task", "3", "--env", "level=2", "--split", "test")
    assert done.returncode == 0
    task = rlvr.make("arithmetic", split="test", level=2).tasks[3]
    assert task.text in done.stdout
    assert f"\\boxed{{{task.reference}}}" in done.stdout
    earned = dict(
        line.split("  ")[:2] for line in done.stdout.splitlines() if line.count("  ") == 1
    )
    assert earned["the reference"] == "1 correct"
    assert earned["another task's reference"].startswith("0 incorrect")
    assert earned["the prompt itself"].startswith("0 unparsable")
    assert earned["an empty response"].startswith("0 unparsable")


def test_show_leaves_a_prompt_as_it_is(rlvr_cli: CommandLine) -> None:
    prompt = "[bold]{expression}[/bold] " + "as it is " * 30 + "\\boxed{}"
    done = rlvr_cli("show", "arithmetic", "--env", f"prompt={prompt}", environ={"COLUMNS": "80"})
    expression = rlvr.make("arithmetic", prompt=prompt).tasks[0].metadata["expression"]
    assert prompt.replace("{expression}", expression) in done.stdout.splitlines()


def test_show_finds_a_task_by_its_id(rlvr_cli: CommandLine, data: Path) -> None:
    done = rlvr_cli("show", "gsm8k", "--task", "test-1", "--split", "test", "--data", data)
    assert done.returncode == 0
    assert "A robe takes 2 bolts of blue fiber" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gms8k"], "Did you mean 'gsm8k'"),
        (["arithmetic", "--task", "1000000"], "arithmetic has 1000000 tasks; the first is 0"),
        (["arithmetic", "--task", "seven"], "no task with the id 'seven'"),
        (["arithmetic", "--env", "levl=2"], "Did you mean 'level'?"),
        (["arithmetic", "--env", "level"], "--env takes NAME=VALUE, not 'level'"),
        (["arithmetic", "--env", "level=9"], "level is one of 1, 2, 3, 4, 5, not 9"),
        (["arithmetic", "--split", "dve"], "There are: train, dev, test"),
        (["arithmetic", "--data", "x.jsonl"], "no option 'data'"),
        (["gsm8k", "--data", "nowhere.jsonl"], "no file 'nowhere.jsonl'"),
        (["gsm8k", "--data", "own.jsonl"], "no column 'answer'. It has: question. It needs:"),
        (["gsm8k", "--data", "bad.jsonl"], "Line 1 of bad.jsonl is not JSON"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(
    rlvr_cli: CommandLine, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "own.jsonl").write_text('{"question": "2+2?"}\n')
    (tmp_path / "bad.jsonl").write_text("{\n")
    done = rlvr_cli("show", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
