"""OpenRLHF's own argument parser and checks take the recipes' command lines."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.openrlhf
ROOT = Path(__file__).parents[3]


def command_line(recipe: str, folder: Path, *more: str) -> list[str]:
    """Return the arguments that the recipe passes to Python."""
    python = folder / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "recipes/openrlhf" / recipe), "some/model", "data/train.jsonl", *more],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


class Reached(Exception):
    """OpenRLHF has read and checked its arguments, and begins to train."""


def parsed(recipe: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> Any:
    import ray

    def begin() -> bool:
        raise Reached

    minus_m, module, *given = command_line(recipe, folder, *more)
    assert (minus_m, module) == ("-m", "openrlhf.cli.train_ppo_ray")
    monkeypatch.setattr(ray, "is_initialized", begin)
    monkeypatch.setattr(sys, "argv", [module, *given])
    with pytest.raises(Reached) as reached:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    (args,) = [one.frame.f_locals["args"] for one in reached.traceback if one.name == "train"]
    return args


@pytest.mark.parametrize(
    ("recipe", "estimator", "critic"),
    [("grpo.sh", "group_norm", None), ("ppo.sh", "gae", "some/model")],
)
def test_openrlhf_accepts_the_recipes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    estimator: str,
    critic: str | None,
) -> None:
    args = parsed(recipe, tmp_path, monkeypatch)
    assert args.algo.advantage.estimator == estimator
    assert args.critic.model_name_or_path == critic
    assert Path(args.train.agent_func_path).is_file()
    assert (args.data.input_key, args.data.label_key) == ("input", "label")
    assert args.algo.kl.target is None  # the adaptive controller can't stand a row without a KL


def test_what_stands_behind_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["--rollout.n_samples_per_prompt", "4", "--algo.advantage.estimator", "rloo"]
    args = parsed("grpo.sh", tmp_path, monkeypatch, *more)
    assert args.rollout.n_samples_per_prompt == 4
    assert args.algo.advantage.estimator == "rloo"
