"""Runs for the exports' tests, written as an evaluation writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rlvr
from rlvr.core.verdict import Cause, Scored, Unscored, Verdict, status_of
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run

LONE = "half a pair \ud83d, and \U0001f600"
CLEAN = "half a pair \ufffd, and \U0001f600"
CONFIG = {
    "environment": "sums",
    "version": 3,
    "policy": "Small-1B",
    "model": "org/Small-1B",
    "base_url": "http://secret.example:8000/v1",
    "RLVR_DATA": "/home/someone/data",
    "temperature": 0.7,
    "max_tokens": 64,
    "seed": 5,
    "k": 2,
}


def verdict_of(reward: float | None, **detail: Any) -> Verdict:
    if reward is None:
        return Unscored(Cause.GOLD, "the reference can't be read", detail)
    components = {"math": reward}
    return Scored(reward, status_of(reward), components, f"it earns {reward}", detail)


def rollout(
    task: str,
    sample: int,
    reward: float | None,
    said: str | list[str] | None = None,
    *,
    env: str = "sums",
    part: str | None = None,
    stop: str = "stop",
    reference: Any = "4",
    prompt: Any = None,
    metadata: dict[str, Any] | None = None,
    **detail: Any,
) -> Rollout:
    """One of `said` turns, between which the environment says "and?"; by default one of its own."""
    problem = rlvr.Task(prompt or f"Question {task}", reference, task, metadata)
    turns = [said] if isinstance(said, str) else said
    messages = list(problem.prompt)
    for i, turn in enumerate([f"Response {task}.{sample}"] if turns is None else turns):
        messages += [{"role": "user", "content": "and?"}] if i else []
        messages.append({"role": "assistant", "content": turn})
    verdict = verdict_of(reward, **detail)
    return Rollout(env, part, problem, sample, messages, verdict, stop, 10, 20, 0.25, 0.5)


def write(path: Path, rollouts: Iterable[Rollout], config: dict[str, Any] = CONFIG, **labels: Any) -> Path:  # fmt: skip
    with Run.create(path, "eval", config) as run:
        for one in rollouts:
            run.rollout(one.to_json(**labels))
        run.finish({})
    return path


def append(path: Path, *rollouts: Rollout, **labels: Any) -> Path:
    with (path / "rollouts.jsonl").open("a") as lines:
        for one in rollouts:
            lines.write(json.dumps(one.to_json(**labels)) + "\n")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """Strictly: NaN is no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text = path.read_bytes().decode("utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.split("\n")[:-1]]


def mixed(path: Path) -> Path:
    """Three tasks of two samples: both right; right and unscored; wrong and half right."""
    return write(
        path,
        [
            rollout("t0", 0, 1.0, answer="4"),
            rollout("t0", 1, 1.0, "another right one", answer=4),
            rollout("t1", 0, 1.0),
            rollout("t1", 1, None),
            rollout("t2", 0, 0.0),
            rollout("t2", 1, 0.5, "so so", stop="length"),
        ],
    )
