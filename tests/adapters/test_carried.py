"""Rows that carry their environment: written in one process, judged in another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rlvr
from rlvr.adapters.carried import Carried, rows
from rlvr.core.errors import DataError, OptionError

HERE = Path(__file__).parent


def test_a_row_makes_its_environment_again() -> None:
    env = rlvr.make("test_guess", max_turns=5)
    ((_, task, text), *_) = rows(env, limit=1)
    carried = Carried.read(text)
    assert carried.task == task == env.tasks[0]
    assert (carried.env.name, carried.env.max_turns) == ("test_guess", 5)
    assert carried.components == ("picky",)
    assert Carried.read(text).env is carried.env  # once a process


def test_a_mixture_reports_the_components_of_all() -> None:
    several = [rlvr.make("test_sums"), rlvr.make("arithmetic")]
    found = [Carried.read(text) for _, _, text in rows(several, limit=2)]
    assert [one.env.name for one in found] == ["test_sums"] * 2 + ["arithmetic"] * 2
    assert {one.components for one in found} == {("math", "picky", "short")}
    assert [one.own for one in found[1:3]] == [{"picky", "short"}, {"math"}]


def test_another_process_imports_the_module_that_defines_the_environment() -> None:
    ((_, _, text),) = rows(rlvr.make("test_sums"), limit=1)
    code = (
        "import sys; from rlvr.adapters.carried import Carried\n"
        "print(Carried.read(sys.stdin.read()).env.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        cwd=HERE,
        check=True,
    )
    assert done.stdout == "test_sums\n"


def test_what_cannot_be_made_again_is_refused_when_it_is_written() -> None:
    loose = rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("1+1=", "2")]), rlvr.Math())
    with pytest.raises(OptionError, match=r"register its factory with @rlvr.environment"):
        rows(loose)
    prompt = rlvr.Prompt("{question}")
    with pytest.raises(OptionError, match="have to be plain data"):
        rows(rlvr.make("gsm8k", prompt=prompt))


def test_an_environment_of_the_script_that_runs_is_refused() -> None:
    code = (
        "import rlvr\nfrom rlvr.adapters.carried import rows\n"
        "@rlvr.environment('mine')\n"
        "def mine():\n"
        "    '''Mine.'''\n"
        "    return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task('1', '1')]), rlvr.Math())\n"
        "rows(rlvr.make('mine'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "move it into a module of its own" in done.stderr


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_none_is_refused(limit: int) -> None:
    with pytest.raises(OptionError, match=f"limit is at least 1, not {limit}"):
        rows(rlvr.make("test_sums"), limit)


def test_a_million_tasks_need_a_limit_and_none_need_an_environment() -> None:
    with pytest.raises(OptionError, match="1000000 tasks: say how many"):
        rows(rlvr.make("arithmetic"))
    with pytest.raises(OptionError, match="no environment"):
        rows([])


@pytest.mark.parametrize(
    "text",
    ["", "42", "null", "[]", "{}", "72", json.dumps({"task": {"prompt": "x", "reference": "y"}})],
)
def test_another_dataset_than_ours_says_how_to_make_one(text: str) -> None:
    with pytest.raises(DataError, match="rlvr data verl"):
        Carried.read(text)
