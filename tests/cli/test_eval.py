"""`rlvr eval`: scripted policies bound what an environment pays; a real model answers for itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("policy", "reward", "status"),
    [("oracle", 1.0, "correct"), ("empty", 0.0, "unparsable"), ("echo", 0.0, "unparsable")],
)
@pytest.mark.parametrize("env", ["gsm8k", "arithmetic"])
def test_scripted_policies(
    rlvr_cli: CommandLine,
    tmp_path: Path,
    data: Path,
    env: str,
    policy: str,
    reward: float,
    status: str,
) -> None:
    arguments = ["eval", env, "--policy", policy, "--split", "test", "--limit", "150"]
    done = rlvr_cli(*arguments, "--run", "run", environ={"RLVR_DATA": str(data)})
    assert done.returncode == 0
    assert f"reward {reward:.4f} ± 0.0000" in done.stdout
    assert "150 scored, 0 unscored of 150" in done.stdout
    assert done.stdout.splitlines()[-1] == "run: run"
    rollouts = rows(tmp_path / "run" / "rollouts.jsonl")
    assert [rollout["task"] for rollout in rollouts] == [f"test-{i}" for i in range(150)]
    for rollout in rollouts:
        assert rollout["verdict"]["reward"] == reward
        assert rollout["verdict"]["status"] == status
        assert [m["role"] for m in rollout["messages"]] == ["user", "assistant"]
    (figures,) = rows(tmp_path / "run" / "metrics.jsonl")
    assert (figures["mean"], figures["scored"], figures["tasks"]) == (reward, 150, 150)


def test_every_gsm8k_test_task_is_asked_once(
    rlvr_cli: CommandLine, tmp_path: Path, data: Path
) -> None:
    arguments = ["eval", "gsm8k", "--policy", "oracle", "--split", "test", "--data", data]
    done = rlvr_cli(*arguments, "--run", "run")
    assert (
        "reward 1.0000 ± 0.0000 · correct 1.0000 ± 0.0000 · 1319 scored, 0 unscored" in done.stdout
    )
    rollouts = rows(tmp_path / "run" / "rollouts.jsonl")
    assert len({rollout["task"] for rollout in rollouts}) == len(rollouts) == 1319


def test_what_was_asked_is_in_the_run(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    done = rlvr_cli(
        "eval", "arithmetic", "--policy", "empty", "--limit", "1", "--env", "level=3", "--seed", "5"
    )
    (run,) = (tmp_path / "runs").iterdir()
    assert done.stdout.splitlines()[-1] == f"run: runs/{run.name}"
    about = json.loads((run / "run.json").read_text())
    assert about["kind"] == "eval"
    assert about["config"]["environment"] == "arithmetic"
    assert about["config"]["options"] == ["level=3"]
    assert about["config"]["policy"] == "empty"
    assert about["config"]["seed"] == 5
    assert "git" in about


def test_nothing_scored_is_no_figure(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"question": "?", "answer": "#### "}\n')
    done = rlvr_cli(
        "eval", "gsm8k", "--policy", "echo", "--data", "own.jsonl", "--run", "run"
    )  # fmt: skip
    assert "0 scored, 1 unscored of 1" in done.stdout
    assert "unscored: gold" in done.stdout
    (figures,) = rows(tmp_path / "run" / "metrics.jsonl")
    assert figures["mean"] is None
    assert "NaN" not in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_a_model_of_transformers(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from rlvr.training.quickstart.model import make_model, make_tokenizer

    tokenizer = make_tokenizer()
    make_model(tokenizer, seed=0).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    command = ["eval", "arithmetic", "--model", "model", "--limit", "70", "--max-tokens", "8"]
    options = ["--env", "prompt={compact}=", "--env", "digits=3"]
    done = rlvr_cli(*command, *options, "--run", "run")
    assert done.returncode == 0, done.stderr
    assert "70 scored, 0 unscored of 70" in done.stdout
    run = rows(tmp_path / "run" / "rollouts.jsonl")
    assert len(run) == 70
    assert all("<" not in rollout["messages"][1]["content"] for rollout in run)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {"torch", "transformers"} <= set(about["versions"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name an ENV, or a --suite"),
        (["arithmetic"], "Name one of --policy (oracle, empty, echo, random) and --model"),
        (["arithmetic", "--policy", "echo", "--model", "x"], "Name one of"),
        (["arithmetic", "--policy", "orcale"], "'orcale' is not one of"),
        (["arithmetic", "--policy", "echo"], "has 1000000 tasks: say how many with --limit"),
        (["arithmetic", "--policy", "echo", "--limit", "0"], "--limit"),
        (["arithmetic", "--policy", "echo", "--limit", "1", "--seed", "-1"], "--seed"),
        (["arithmetic", "--policy", "echo", "--limit", "1", "--run", "there"], "a run in 'there' already. Choose another folder, or go on with it: --run there --resume"),
        (["arithmetic", "--model", "m", "--base-url", "127.0.0.1:9/v1", "--limit", "1"], "a server's address, such as http://"),
        (["gsm8k", "--policy", "echo", "--data", "nowhere"], "no file 'nowhere'"),
        (["arithmetic", "--limit", "1", "--model", "./nowhere"], "There's no folder './nowhere'"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_line_and_status_2_and_leaves_no_run(
    rlvr_cli: CommandLine, tmp_path: Path, arguments: list[str], says: str
) -> None:
    if "--model" in arguments:
        pytest.importorskip("torch")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "run.json").write_text("{}")
    done = rlvr_cli("eval", *arguments, environ={"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there" / "run.json").read_text() == "{}"


def test_a_cache_spares_judging_and_a_price_gives_a_cost(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    arguments = ["eval", "arithmetic", "--policy", "oracle", "--limit", "20"]
    first = rlvr_cli(*arguments, "--cache", "verdicts", "--run", "a", "--price", "1", "2")
    assert "0 verdicts were found in verdicts" in first.stderr
    assert json.loads((tmp_path / "a" / "report.json").read_text())["reports"][0]["cost"] is None
    again = rlvr_cli(*arguments, "--cache", "verdicts", "--run", "b")
    assert "20 verdicts were found in verdicts" in again.stderr
    assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0]
    rescored = rlvr_cli("eval", "--rescore", "a", "--cache", "verdicts")
    assert "20 rollouts · 0 changed" in rescored.stdout
