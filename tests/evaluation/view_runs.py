"""Runs made by hand for the viewer's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORRECT: dict[str, Any] = {"scored": True, "reward": 1.0, "status": "correct"}
WRONG: dict[str, Any] = {"scored": True, "reward": 0.0, "status": "incorrect"}
UNPARSABLE: dict[str, Any] = {"scored": True, "reward": 0.0, "status": "unparsable"}
UNSCORED: dict[str, Any] = {"scored": False, "cause": "gold", "message": "no gold answer"}


def rollout(
    task: str, sample: int, verdict: dict[str, Any], text: str = "", **more: Any
) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Question {task}"}]
    messages.append({"role": "assistant", "content": text or f"Response {task}.{sample}"})
    row = {"task": task, "sample": sample, "messages": messages, "reference": "42"}
    return {**row, "verdict": verdict, **more}


def write_run(path: Path, rows: list[dict[str, Any]], metrics: list[dict[str, Any]] = []) -> Path:  # noqa: B006
    path.mkdir(parents=True)
    about = {"kind": "eval", "config": {"environment": "gsm8k", "policy": "oracle"}}
    (path / "run.json").write_text(json.dumps(about))
    for name, lines in (("rollouts", rows), ("metrics", metrics)):
        if lines:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (path / f"{name}.jsonl").write_text(text)
    return path


def mixed(path: Path) -> Path:
    """Four tasks of two samples: right, disagreed, unparsable and unscored, wrong and truncated."""
    return write_run(
        path,
        [
            rollout("t0", 0, {**CORRECT, "detail": {"answer": "the-answer"}}),
            rollout("t0", 1, CORRECT),
            rollout("t1", 0, CORRECT),
            rollout("t1", 1, {**WRONG, "feedback": "41 is not 42.", "components": {"math": 0.25}}),
            rollout("t2", 0, UNPARSABLE),
            rollout("t2", 1, UNSCORED),
            rollout("t3", 0, WRONG, "x" * 500 + " NeedLe \\boxed{7}", stop="length"),
            rollout("t3", 1, WRONG, metadata={"level": 12345678901234567890}),
        ],
    )
