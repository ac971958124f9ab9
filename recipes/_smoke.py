"""The recipes' `--smoke`: small data, a model that knows some of the answers, and the checks of the run.

A smoke run uses the recipe's own configuration, smaller and on a CPU: its environments with a few problems, its trainer,
its metrics and its run. The model has memorised right and wrong answers to these problems, so that there is a reward to
learn from.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import rlvr
from rlvr.training.train import TrainOutcome

SMALL: dict[str, Any] = {
    "steps": 3,
    "batch": 16,
    "micro_batch": None,
    "max_tokens": 64,
    "learning_rate": 1e-4,
    "measure_every": 3,
    "save_every": 100,
}
"""The changes of a smoke run to the recipe's configuration."""


def smoke(
    make: Callable[..., rlvr.TrainConfig],
    answers: Callable[[rlvr.Task], Sequence[str]],
    files: Mapping[str, Iterable[Mapping[str, Any]]],
    **small: Any,
) -> None:
    """Run a recipe, small and on the CPU.

    Args:
        make: Returns the recipe's configuration from a model, the paths of `files` by their names, and changes.
        answers: Returns the answers to a task that the model memorises.
        files: Rows of data, by the argument of `make` that takes their path.
        small: Changes beside `SMALL`.

    Exits with a message if the run took no step, has an unscored rollout, never saw a difference in reward, or left the
    weights unchanged.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="rlvr-smoke-") as name:
        folder = Path(name)
        paths = {
            key: str(_write_rows(folder / f"{key}.jsonl", rows)) for key, rows in files.items()
        }
        config = make(str(folder / "model"), **paths, **SMALL | small)
        start = _make_start(config, answers)
        outcome = rlvr.train(config, folder / "run")
        _check(config, outcome, start)


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _make_start(config: rlvr.TrainConfig, answers: Callable[[rlvr.Task], Sequence[str]]) -> Any:
    """Make the model that `config` starts from, save it at the configured path, and return it."""
    from _text_model import make_text_model, make_text_tokenizer, memorise

    tasks = [task for source in config.sources for task in source.make().tasks[:8]]
    examples = [(task.prompt, answer) for task in tasks for answer in answers(task)]
    texts = [message["content"] for prompt, _ in examples for message in prompt]
    tokenizer = make_text_tokenizer([*texts, *(answer for _, answer in examples)])
    model = make_text_model(tokenizer)
    memorise(model, tokenizer, examples)
    model.save_pretrained(config.model)
    tokenizer.save_pretrained(config.model)
    return model


def _check(config: rlvr.TrainConfig, outcome: TrainOutcome, start: Any) -> None:
    from transformers import AutoModelForCausalLM

    from rlvr.runs.run import read_rollouts

    steps = config.steps
    rows = [row for row in read_rollouts(outcome.run) if row["part"] == "train"]
    unscored = [
        row["verdict"] for row in read_rollouts(outcome.run) if not row["verdict"]["scored"]
    ]
    if outcome.step != steps or outcome.stopped:
        raise SystemExit(f"smoke: {outcome.step} of {steps} steps ({outcome.stopped})")
    if not rows or unscored:
        raise SystemExit(f"smoke: {len(rows)} rollouts, unscored: {unscored[:3]}")
    rewards = [row["verdict"]["reward"] for row in rows]
    if len(set(rewards)) < 2:
        raise SystemExit(f"smoke: every rollout earned {rewards[0]}")
    trained = dict(AutoModelForCausalLM.from_pretrained(outcome.run / "model").named_parameters())
    if all(bool((w == trained[name]).all()) for name, w in start.named_parameters()):
        raise SystemExit("smoke: no weight was moved")
    print(
        f"smoke: {outcome.step} steps, {len(rows)} rollouts, all scored, "
        f"mean reward {sum(rewards) / len(rewards):.2f}"
    )
