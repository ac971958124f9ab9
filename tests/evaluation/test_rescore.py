"""Saved runs, judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.evaluation.rescore import changes, rescore
from rlvr.evaluation.rollouts import Rollout


def rollout(answer: str, verdict: rlvr.Verdict, stop: str = "stop") -> Rollout:
    task = rlvr.Task("6*7?", "42", "t")
    messages = [*task.prompt, {"role": "assistant", "content": answer}]
    return Rollout("sums", None, task, 0, messages, verdict, stop)


def test_what_changed_is_told_apart() -> None:
    right, wrong = Scored(1.0, Status.CORRECT), Scored(0.0, Status.INCORRECT)
    saved = [
        rollout("\\boxed{42}", wrong),
        rollout("\\boxed{42}", right),
        rollout("\\boxed{41}", Unscored(Cause.TIMEOUT, "late")),
        rollout("", Unscored(Cause.INPUT, "no response"), "error"),
    ]
    env = rlvr.SingleTurn([saved[0].task], rlvr.Math())
    found = list(rescore(env, saved))
    assert [one.rollout for one in found] == saved
    assert changes(found) == {("incorrect", "correct"): 1, ("unscored: timeout", "incorrect"): 1}


def test_the_command_prints_it_and_leaves_the_run_alone(rlvr_cli: Any, tmp_path: Path) -> None:
    asked = ["arithmetic", "--policy", "oracle", "--limit", "30", "--run", "run"]
    assert rlvr_cli("eval", *asked).returncode == 0
    file = tmp_path / "run" / "rollouts.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[7]["verdict"] |= {"reward": 0.0, "status": "incorrect"}
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = file.read_bytes()
    done = rlvr_cli("eval", "--rescore", "run")
    assert done.returncode == 0, done.stderr
    assert "30 rollouts · 1 changed · reward 0.9667 → 1.0000" in done.stdout
    assert "incorrect → correct: 1" in done.stdout
    assert f"{rows[7]['task']} #0: incorrect → correct" in done.stdout
    assert file.read_bytes() == before
    alone = rlvr_cli("eval", "arithmetic", "--rescore", "run")
    assert alone.returncode == 2
    assert "stands alone" in alone.stderr
