"""Saved runs, judged again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.evaluation.rescore import changes, rescore
from rlvr.runs.rollouts import Rollout


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


def test_a_secret_option_is_in_no_file_and_given_again(rlvr_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "keyed.py").write_text(
        "import rlvr\n"
        "@rlvr.environment('keyed')\n"
        "def make(api_key=None, url='', level=1):\n"
        "    assert api_key in ('k3y-of-mine', 'another-k3y')\n"
        "    return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task('1', '1')]), rlvr.Math())\n"
    )
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"RLVR_ENVIRONMENTS": "keyed", "PYTHONPATH": os.pathsep.join(path)}
    asked = ["keyed", "--policy", "oracle", "--run", "run", "--env", "level=2"]
    secret = ["--env", "api_key=k3y-of-mine"]
    secret += ["--env", "url=http://me:pa55word@host/x?token=t0ken1"]
    done = rlvr_cli("eval", *asked, *secret, environ=variables)
    assert done.returncode == 0, done.stderr
    for file in (tmp_path / "run").iterdir():
        text = file.read_text()
        assert not any(one in text for one in ("k3y-of-mine", "pa55word", "t0ken1")), file
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    url = "url=http://[secret]@host/x?token=[secret]"
    assert config["options"] == ["level=2", "api_key=[secret]", url]
    done = rlvr_cli("eval", *asked, *secret, "--resume", environ=variables)
    assert "1 rollouts are there already" in done.stderr
    done = rlvr_cli("eval", "--rescore", "run", environ=variables)
    assert done.returncode == 2
    assert "doesn't hold the option 'api_key', which is a secret" in done.stderr
    given = ["--env", "api_key=another-k3y", "--env", "url="]
    done = rlvr_cli("eval", "--rescore", "run", *given, environ=variables)
    assert "1 rollouts · 0 changed" in done.stdout, done.stderr


def test_a_run_of_somebody_elses_names_no_code_and_no_file(rlvr_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "innocent.py").write_text("open('ran', 'w')")
    assert (
        rlvr_cli(
            "eval", "arithmetic", "--policy", "oracle", "--limit", "1", "--run", "run"
        ).returncode
        == 0
    )
    path = tmp_path / "run" / "run.json"
    about = json.loads(path.read_text())
    for config, says in (
        ({"environment": "innocent:make"}, "isn't registered here"),
        ({"environment": "../innocent"}, "isn't registered here"),
        ({"environment": ["x"]}, "is no run of `rlvr eval ENV`"),
        ({"options": ["prompt=/etc/passwd"]}, "data may name no file"),
        ({"options": ["prompt=http://evil.example/x"]}, "data may name no server"),
    ):
        path.write_text(json.dumps(about | {"config": about["config"] | config}))
        done = rlvr_cli("eval", "--rescore", "run")
        assert done.returncode == 2, done.stdout
        assert says in done.stderr
    for command in (
        ["view", "run", "--no-open"],
        ["compare", "run", "run"],
        ["export", "run", "--to", "sft"],
    ):
        rlvr_cli(*command)
    assert not (tmp_path / "ran").exists()


def test_rescore_writes_a_run_with_the_new_verdicts(rlvr_cli: Any, tmp_path: Path) -> None:
    rows = [{"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(9)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = ["eval", "gsm8k", "--policy", "oracle", "--data", "own.jsonl", "--run", "old"]
    assert rlvr_cli(*made, environ={"RLVR_ROW_FILES": str(tmp_path)}).returncode == 0
    file = tmp_path / "old/rollouts.jsonl"
    file.write_text(file.read_text().replace("\\\\boxed{3}", "The answer is 3"))
    given = ["--data", "own.jsonl"]
    done = rlvr_cli("rescore", "old", "-o", "new", *given)
    assert done.returncode == 0, done.stderr
    assert "9 rollouts · 1 changed · reward 1.0000 → 0.8889" in done.stdout
    report = json.loads((tmp_path / "new/report.json").read_text())["reports"][0]
    assert report["mean"]["value"] == pytest.approx(8 / 9)
    assert "lower on 1, equal on 8" in rlvr_cli("compare", "old", "new").stdout
    assert "test-" in file.read_text()
    again = rlvr_cli("rescore", "old", "-o", "new", *given)
    assert (again.returncode, "already" in again.stderr) == (2, True)


def test_one_set_of_responses_under_each_mode(rlvr_cli: Any, tmp_path: Path) -> None:
    rlvr_cli("eval", "arithmetic", "--policy", "oracle", "--limit", "20", "--run", "run")
    file = tmp_path / "run/rollouts.jsonl"
    text = file.read_text()
    file.write_text(re.sub(r"\\\\boxed\{(-?\d+)\}\"", r'The answer is \1."', text))
    done = rlvr_cli("rescore", "run", "--modes", "boxed,flexible")
    assert done.returncode == 0, done.stderr
    head, boxed, flexible = done.stdout.splitlines()
    assert head.split()[:3] == ["mode", "reward", "correct"]
    assert boxed.split()[:2] == ["boxed", "0.0000"]
    assert flexible.split()[:2] == ["flexible", "1.0000"]
    arguments = ["eval", "arithmetic", "--policy", "oracle", "--limit", "5"]
    done = rlvr_cli(*arguments, "--modes", "boxed,whole")
    assert [line.split()[0] for line in done.stdout.splitlines()[-3:-1]] == ["boxed", "whole"]
    wrong = rlvr_cli(*arguments, "--modes", "boxd")
    assert wrong.returncode == 2
    assert len(list((tmp_path / "runs").iterdir())) == 1
