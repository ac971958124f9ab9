"""`rlvr.evaluate` as one calls it from a notebook: names for objects, folders for runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import (
    DataError,
    LacksError,
    OptionError,
    UnknownEnvironmentError,
)
from rlvr.policies.base import PolicyError
from rlvr.policies.scripted import Scripted
from rlvr.runs.run import about, read_rollouts
from rlvr.sandboxes import Sandbox


def half() -> Scripted:
    def answer(task: rlvr.Task) -> str:
        return f"\\boxed{{{int(task.reference) + len(task.text) % 2}}}"

    return Scripted("half", answer)


def test_names_are_enough() -> None:
    report = rlvr.evaluate("arithmetic", "oracle", limit=10)
    assert (report.env, report.tasks, report.mean.value) == ("arithmetic", 10, 1.0)


def test_a_folder_becomes_a_run_that_the_other_verbs_read(rlvr_cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    env = rlvr.make("arithmetic", level=2, split="dev")
    report = rlvr.evaluate(env, half(), 2, limit=12, run=folder, seed=3)
    assert len(list(read_rollouts(folder))) == 24
    kept = about(folder)
    assert kept["config"]["environment"] == "arithmetic"
    assert kept["config"]["policy"] == "half"
    assert "finished" in kept
    assert (folder / "report.json").exists()
    again = rlvr_cli("eval", "--rescore", folder)
    assert f"24 rollouts · 0 changed · reward {report.mean.value:.4f}" in again.stdout


def test_it_is_resumed_with_what_it_was_begun_with(tmp_path: Path) -> None:
    folder, env = tmp_path / "run", rlvr.make("arithmetic")
    calls: list[str] = []

    def dies(task: rlvr.Task) -> str:
        calls.append(task.id)
        if len(calls) == 100:
            raise KeyError("killed")
        return "\\boxed{1}"

    with pytest.raises(KeyError):
        rlvr.evaluate(env, Scripted("one", dies), 8, limit=20, run=folder)
    there = len(list(read_rollouts(folder)))
    assert 0 < there < 160
    with pytest.raises(DataError, match="There's a run in"):
        rlvr.evaluate(env, Scripted("one", dies), 8, limit=20, run=folder)
    with pytest.raises(DataError, match="begun with policy 'one', not 'oracle'"):
        rlvr.evaluate(env, "oracle", 8, limit=20, run=folder, resume=True)
    other = rlvr.make("arithmetic", level=3)
    with pytest.raises(DataError, match="begun with options"):
        rlvr.evaluate(other, Scripted("one", dies), 8, limit=20, run=folder, resume=True)
    report = rlvr.evaluate(env, Scripted("one", dies), 8, limit=20, run=folder, resume=True)
    assert report.rollouts == len(list(read_rollouts(folder))) == 160


def test_an_environment_that_nobody_can_make_again_is_no_run_to_rescore(
    rlvr_cli: Any, tmp_path: Path
) -> None:
    env = rlvr.SingleTurn([rlvr.Task("1+1?", "2")], rlvr.Math())
    rlvr.evaluate(env, "oracle", run=tmp_path / "run")
    again = rlvr_cli("eval", "--rescore", tmp_path / "run")
    assert again.returncode != 0
    assert "no run of `rlvr eval ENV`" in again.stderr


def test_a_failure_before_the_first_rollout_leaves_no_folder(tmp_path: Path) -> None:
    def never(task: rlvr.Task) -> str:
        raise KeyError("no server")

    with pytest.raises(KeyError):
        rlvr.evaluate("arithmetic", Scripted("never", never), limit=5, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_names_that_are_none() -> None:
    with pytest.raises(UnknownEnvironmentError, match="arithmetik"):
        rlvr.evaluate("arithmetik", "oracle")
    with pytest.raises(OptionError, match="There are: oracle, empty, echo, random"):
        rlvr.evaluate("arithmetic", "orakel")


def test_what_is_lacking_is_told_before_the_first_task(tmp_path: Path) -> None:
    reference = {"tests": [{"stdin": "1 2", "stdout": "3"}]}
    with Sandbox("bubblewrap", jails=1) as sandbox:
        solved = rlvr.Task(
            "Add.",
            reference | {"solution": "import numpy\nprint(numpy.add(*map(int, input().split())))"},
        )
        fine = rlvr.SingleTurn(rlvr.TaskSet([solved], "sums"), rlvr.Code(sandbox=sandbox))
        report = rlvr.evaluate(fine, "oracle", run=tmp_path / "fine")
        used = json.loads((tmp_path / "fine/run.json").read_text())["sandbox"]["bubblewrap"]
        assert report.mean.value == 1
        assert used["packages"].keys() == {"numpy"}
        assert "python" in used["languages"]
        tasks = [solved, rlvr.Task("Add.", reference | {"packages": ["no-such"]}, "second")]
        lacks = rlvr.SingleTurn(
            rlvr.TaskSet(tasks, "sums"),
            0.5 * rlvr.Code(sandbox=sandbox) + 0.5 * rlvr.Format.boxed(),
        )
        with pytest.raises(LacksError, match="the Python package no-such"):
            rlvr.evaluate(lacks, "empty", run=tmp_path / "lacks")
        assert not (tmp_path / "lacks/run.json").exists()


def test_a_policy_needs_a_method_alone() -> None:
    class Bare:
        def respond(self, requests):
            return ["\\boxed{1}" for _ in requests]

    class Awaited:
        async def respond(self, requests):
            return ["\\boxed{1}" for _ in requests]

    for policy in (Bare(), Awaited()):
        assert rlvr.evaluate("arithmetic", policy, limit=3).scored == 3


def test_what_is_no_policy_is_refused_with_what_one_has() -> None:
    with pytest.raises(OptionError, match=r"respond\(requests\)"):
        rlvr.evaluate("arithmetic", object(), limit=3)


def test_a_report_prints_as_the_command_does_and_is_a_table_in_a_notebook() -> None:
    tasks = [rlvr.Task("q", "1", f"<b>{i}", {"level": f"<i>{i % 2}"}) for i in range(4)]
    env = rlvr.SingleTurn(tasks, rlvr.Math(), name="<script>")
    report = rlvr.evaluate(env, "oracle", by="level")
    lines = str(report).splitlines()
    assert lines[0] == (
        "reward 1.0000 ± 0.0000 · correct 1.0000 ± 0.0000 · 4 scored, 0 unscored of 4"
    )
    assert "    <i>0      2 tasks  reward 1.0000" in str(report)
    table = report._repr_html_()
    assert table.startswith("<table>")
    assert "<script>" not in table
    assert "<i>" not in table
    assert "&lt;script&gt;: 4 scored, 0 unscored of 4" in table
    assert "slice &lt;i&gt;1" in table


class _OneArgument:
    async def generate(self, request: Any) -> list[str]:
        return []


class _NoArgument:
    def respond(self) -> list[str]:
        return []


class _Texts:
    async def generate(self, request: Any, n: int = 1) -> list[str]:
        return ["\\boxed{1}"] * n


def test_a_policy_with_another_signature_is_told_the_right_one() -> None:
    env = rlvr.SingleTurn([rlvr.Task("q", "1")], rlvr.Math())
    with pytest.raises(OptionError, match=r"async def generate\(self, request, n=1\)"):
        rlvr.evaluate(env, _OneArgument())  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"def respond\(self, requests\)"):
        rlvr.evaluate(env, _NoArgument())  # type: ignore[arg-type]
    assert rlvr.evaluate(env, _Texts(), k=2).mean.value == 1.0  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="one environment or its name"):
        rlvr.evaluate(rlvr.Mixture([env]), "oracle")  # type: ignore[arg-type]


def test_a_text_instead_of_a_list_of_texts_is_told() -> None:
    class OneText:
        async def generate(self, request: Any, n: int = 1) -> str:
            return "x"  # of one character, as many as samples are asked for

    class OneTextForAll:
        def respond(self, requests: Any) -> str:
            return "x" * len(requests)

    env = rlvr.SingleTurn([rlvr.Task("q", "1")], rlvr.Math())
    for policy in (OneText(), OneTextForAll()):
        with pytest.raises(PolicyError, match=r"gave a str for 1 requests: it returns a list"):
            rlvr.evaluate(env, policy)  # type: ignore[arg-type]
