"""The recipes: each one's smoke from end to end, what makes a smoke fail, and what a GPU would be told."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")
from rlvr.training.arguments import prompts_of, trl_arguments

FOLDER = Path(__file__).parents[2] / "recipes"
NAMES = ["gsm8k_grpo", "tulu3_rlvr", "text2sql_grpo", "code_grpo", "if_rlvr"]
NEEDED: dict[str, Any] = {"text2sql_grpo": {"databases": "spider/database"}}


@pytest.fixture(autouse=True)
def _beside_the_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python recipes/…` has it: their folder comes first."""
    monkeypatch.syspath_prepend(str(FOLDER))


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a fresh process, without data sets."""
    environ = {k: v for k, v in os.environ.items() if k != "RLVR_DATA"}
    return subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *arguments],
        capture_output=True, text=True, timeout=900,
        env=environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(FOLDER.parent)},
    )  # fmt: skip


def test_all_recipes_are_here() -> None:
    assert sorted(NAMES) == sorted(
        path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")
    )


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("name", NAMES)
def test_a_smoke_runs_and_scores_everything(
    name: str,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a process of its own under `--all`: importing the trainers takes ten seconds."""
    if pytestconfig.getoption("--all"):
        done = run(name, "--smoke")
        assert done.returncode == 0, done.stderr[-3000:]
        assert "all scored" in done.stdout
    else:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--smoke"])
        importlib.import_module(name).main()
        assert "all scored" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_whole_run_can_be_shared_out(name: str, processes: int, tmp_path: Path) -> None:
    made = importlib.import_module(name).config("nobody/model", **NEEDED.get(name, {}))
    arguments = trl_arguments(made, tmp_path, processes)
    a_process = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    assert a_process * processes == made.batch
    assert prompts_of(arguments) * arguments.num_generations * processes >= 30_000


def test_tulu3_has_the_papers_figures(tmp_path: Path) -> None:
    made = importlib.import_module("tulu3_rlvr").config("nobody/model")
    a = trl_arguments(made, tmp_path, 1)
    assert (a.learning_rate, a.warmup_steps, a.lr_scheduler_type) == (3e-7, 0, "linear")
    assert (a.gamma, a.lam, a.epsilon, a.beta, a.vf_coef) == (1.0, 0.95, 0.2, 0.05, 0.1)
    assert (a.num_iterations, a.max_grad_norm, a.reward_weights) == (4, 1.0, [10.0])
    assert (a.max_completion_length, a.temperature) == (2048, 1.0)
    assert a.steps_per_generation == a.gradient_accumulation_steps  # one mini-batch
    assert prompts_of(a) * a.num_generations == 446 * made.batch


def test_a_smoke_fails_where_a_gold_query_does(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = importlib.import_module("text2sql_grpo")
    broken = {"question": "How deep is it?", "query": "SELECT depth FROM boat", "db_id": "harbour"}
    monkeypatch.setattr(recipe, "QUESTIONS", [broken])
    with pytest.raises(SystemExit, match=r"smoke: .*unscored"):
        recipe.run_smoke()


def test_a_smoke_fails_where_nothing_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = importlib.import_module("gsm8k_grpo")
    smoke = importlib.import_module("_smoke").smoke
    with pytest.raises(SystemExit, match="smoke: every rollout earned 0"):
        smoke(recipe.config, lambda task: ["No idea."], {"data": recipe.PROBLEMS}, steps=1)


def test_the_databases_have_to_be_named() -> None:
    done = run("text2sql_grpo")
    assert done.returncode == 2
    assert "--databases" in done.stderr.splitlines()[-1]
