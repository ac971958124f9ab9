from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest

import rlvr
from rlvr import cli

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


def test_show_plays_an_episode_of_several_messages(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("show", "search_qa", "--task", "1")
    assert done.returncode == 0
    assert "no right response is known" not in done.stdout
    lines = done.stdout.splitlines()
    assert "the reference  1 correct" in lines
    assert any(line.startswith("another task's reference  0 incorrect") for line in lines)


def test_show_leaves_a_prompt_as_it_is(rlvr_cli: CommandLine) -> None:
    prompt = "[bold]{expression}[/bold] " + "as it is " * 30 + "\\boxed{}"
    done = rlvr_cli("show", "arithmetic", "--env", f"prompt={prompt}", environ={"COLUMNS": "80"})
    expression = rlvr.make("arithmetic", prompt=prompt).tasks[0].metadata["expression"]
    assert prompt.replace("{expression}", expression) in done.stdout.splitlines()


def test_show_finds_a_task_by_its_id(rlvr_cli: CommandLine, data: Path) -> None:
    done = rlvr_cli("show", "gsm8k", "--task", "test-1", "--split", "test", "--data", data)
    assert done.returncode == 0
    assert "A robe takes 2 bolts of blue fiber" in done.stdout


def test_show_tells_what_fixtures_earn_and_should(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("show", "shop")
    assert done.returncode == 0
    fixtures = rlvr.make("shop").fixtures
    _, shown = done.stdout.split(f"\nfixtures · {len(fixtures)} · all hold\n")
    assert shown.count("\nto the task ") == 1  # they all answer to the same
    assert "right, expected full reward  1 correct\n" in shown
    assert "borderline, expected 1  1 correct\n" in shown
    for fixture in fixtures:
        assert fixture.why in shown
        assert all(turn in shown for turn in fixture.turns)
    assert "doesn't hold" not in shown


OWN = """
import rlvr
FIXTURES = [
    rlvr.Fixture("right", "\\\\boxed{5}", "four", why="[bold]no[/bold]"),
    rlvr.Fixture("wrong", "\\\\boxed{5} \\ud800" + "x" * 2000 + "end", "four"),
    rlvr.Fixture("borderline", "\\\\boxed{4}", "five", 0.5),
    rlvr.Fixture("malformed", ("4", ""), rlvr.Task("[red]1+1?[/red]", "2", "own")),
]
def make():
    return rlvr.SingleTurn([rlvr.Task("2+2?", "4", "four")], rlvr.Math(), fixtures=FIXTURES)
"""


def test_show_marks_a_fixture_that_does_not_hold(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    info = tmp_path / "own-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rlvr.environments]\nown = own:make\n")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    done = rlvr_cli("show", "own", environ={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    _, shown = done.stdout.split("\nfixtures · 4 · 3 not as expected\n")
    assert "right, expected full reward  doesn't hold: 0 incorrect" in shown
    assert "[bold]no[/bold]" in shown
    assert "wrong, expected less than full reward  0 incorrect" in shown
    assert "\\ud800xxx" in shown
    assert "… (cut) …" in shown
    assert "xend\n" in shown
    assert "borderline, expected 0.5  doesn't hold: unscored input: 'tasks' has no task" in shown
    assert "malformed, expected less than full reward  doesn't hold: unscored input" in shown
    assert "over after response 1 of 2" in shown
    assert "to the task own\n[red]1+1?[/red]\n" in shown


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


def test_lines_in_a_pipe_are_not_wrapped(rlvr_cli: CommandLine) -> None:
    lines = rlvr_cli("list", environ={"COLUMNS": ""}).stdout.splitlines()
    assert max(map(len, lines)) > 120
    assert [line for line in lines if line.startswith(" ")] == []


def options_of(command: click.Command, context: click.Context) -> Iterator[click.Option]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from options_of(inner, click.Context(inner, parent=context))
    yield from (option for option in command.params if isinstance(option, click.Option))


def test_each_option_is_explained_in_a_phrase() -> None:
    options = list(options_of(cli.command, click.Context(cli.command)))
    assert len(options) > 100
    terse = [option.name for option in options if len((option.help or "").split()) < 3]
    assert terse == []
    open_ended = [
        option.name for option in options if not (option.help or "").strip().endswith((".", ")"))
    ]
    assert open_ended == []
