"""`rlvr train`: what a run is told, what it must never do, and what it says of its surroundings."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

import rlvr
from rlvr.core.errors import MissingExtraError, OptionError, TrainingError
from rlvr.runs.run import Run, read_rollouts
from rlvr.training.config import Source, TrainConfig

pytest.importorskip("trl")
import torch

from rlvr.training.train import config_of, train
from tests.training.every_way import WAYS, environment, logged, run, weights
from tests.training.test_train import SHORT, Twice, easy, ends_in_even

OVERRIDES: list[dict[str, Any]] = [
    {"steps_per_generation": 4},
    {"gradient_accumulation_steps": 4},
    {"generation_batch_size": 64},
    {"per_device_train_batch_size": 64},
    {"num_generations": 2},
    {"max_steps": 6},
    {"gradient_accumulation_steps": 2, "steps_per_generation": 8},
]


@pytest.mark.sweep(gate=("steps_per_generation-ppo_turns-lora",))
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("given", OVERRIDES, ids=lambda given: "-".join(given))
def test_what_trl_is_told_of_batches_takes_every_step_on_fresh_tasks(
    given: dict[str, Any], way: str, model: str, tmp_path: Path
) -> None:
    if "ppo" in way and "num_generations" not in given:
        given = given | {"num_generations": 1}
    env = environment(way, count=400)
    outcome = run(way, model, tmp_path / "run", env, steps=4, max_tokens=8, save_every=8, trl=given)
    assert outcome.step == given.get("max_steps", 4)
    assert outcome.stopped is None
    drawn = Counter(row["task"] for row in read_rollouts(outcome.run) if row["part"] == "train")
    # Each task has one group of completions: none comes again while others are unused.
    group = given.get("num_generations", 4)
    assert set(drawn.values()) == {group}
    assert len(drawn) >= outcome.step * 4 // group


def test_arguments_that_are_the_run_s_own_name_the_field_to_set(model: str, tmp_path: Path) -> None:
    for name, value, field in (
        ("output_dir", "x", "the run's folder"),
        ("max_completion_length", 9, "max_tokens"),
        ("beta", 0.5, "beta"),
        ("save_steps", 3, "save_every"),
        ("save_strategy", "no", "can't be changed"),
    ):
        config = TrainConfig(model, easy(), trl={name: value}, **SHORT)
        with pytest.raises(OptionError, match=rf"'{name}' .* is set by the run.* {field}"):
            train(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_reports_to_nowhere_are_told(model: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"report_to takes .*wandb.*, not 'paper'"):
        train(TrainConfig(model, easy(), report_to=["paper"], **SHORT), tmp_path / "run")
    with pytest.raises(OptionError, match="not 'paper'"):
        train(TrainConfig(model, easy(), report_to="paper", **SHORT), tmp_path / "run")
    with pytest.raises(OptionError, match=r"max_steps .* is at least 1, not -1"):
        train(TrainConfig(model, easy(), trl={"max_steps": -1}, **SHORT), tmp_path / "run")
    if importlib.util.find_spec("tensorboard") is None:
        with pytest.raises(MissingExtraError, match="report_to='tensorboard' needs a package"):
            train(TrainConfig(model, easy(), report_to=["tensorboard"], **SHORT), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fewer_processes_than_asked_for_are_said(tmp_path: Path) -> None:
    """Start one process as `accelerate launch` does: the command line alone is looked at."""
    said = "from rlvr.training.device import fewer_processes as f; print(f(1) or 'fine')"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {said!r}])"
    for more, expected in ((["--num_processes", "2"], "2 processes and started 1"),
                           (["--num_processes=1"], "fine"), ([], "fine")):  # fmt: skip
        line = [sys.executable, "-c", child, "accelerate", "launch", *more]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert expected in done.stdout


class Away:
    """An environment that has no verdict on the second sixteen answers."""

    asked: Any

    def judge(self, task: rlvr.Task, messages: Any) -> rlvr.Verdict:
        if 16 <= next(self.asked) < 32:
            return rlvr.Unscored(rlvr.Cause.JUDGE, "away")
        even = messages[-1]["content"][-1:] in "02468"
        return rlvr.Scored(float(even), rlvr.Status.PARTIAL)


class AwayOnce(Away, rlvr.SingleTurn):
    pass


class AwayTwice(Away, Twice):
    pass


@pytest.mark.sweep(gate=("grpo_turns-lora",))
@pytest.mark.parametrize("way", WAYS)
def test_a_step_without_a_verdict_moves_no_weight(way: str, model: str, tmp_path: Path) -> None:
    """Though Adam has momentum, weights decay, and there's a KL in the loss."""
    kind: Any = AwayTwice if "_turns" in way else AwayOnce
    env = kind(easy().tasks, ends_in_even, max_turns=2 if "_turns" in way else 1)
    env.asked = itertools.count()
    outcome = run(
        way, model, tmp_path / "run", env, beta=0.1,
        trl={"save_total_limit": 9, "weight_decay": 0.1},
    )  # fmt: skip
    first, second, third = (
        weights(outcome, f"checkpoints/checkpoint-{step}") for step in (1, 2, 3)
    )
    assert torch.equal(first, second)
    assert not torch.equal(second, third)
    shares = [row["rlvr/unscored"] for row in logged(outcome)]
    assert shares == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("beta", -1.0), ("micro_batch", 0), ("temperature", 0.0), ("learning_rate", -1e-6), ("lora", 0),
     ("steps", 0), ("warmup_steps", -1), ("kl_budget", 0.0), ("learning_rate", float("nan")),
     ("temperature", float("inf"))],
)  # fmt: skip
def test_values_that_cannot_be_are_told_from_python_too(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"^{name} is "):
        TrainConfig("m", easy(), **{name: value})


def test_a_run_of_fewer_steps_than_asked_for_is_an_error(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rlvr.training import arguments

    monkeypatch.setattr(arguments, "prompts_of", lambda made: 2)  # not enough for a generation
    with pytest.raises(TrainingError, match="ended after 0 of 3 steps, and nothing stopped it"):
        train(TrainConfig(model, easy(), **SHORT), tmp_path / "run")


def test_steps_of_an_optimizer_that_takes_one_for_each_group_and_is_made_twice() -> None:
    """As DeepSpeed's is: what has a verdict moves every group, and what has none moves nothing."""
    import torch

    from rlvr.training.mixins import SkipsUnscoredSteps

    class Base:
        def create_optimizer(self, model: Any = None) -> Any:
            return self.optimizer

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            return torch.zeros(())

    class Trainer(SkipsUnscoredSteps, Base):
        model = SimpleNamespace(training=True)
        accelerator = SimpleNamespace(device="cpu", reduce=lambda x, reduction: x)

    groups = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    trainer = Trainer()
    trainer.optimizer = torch.optim.AdamW([{"params": [p]} for p in groups], lr=0.1)
    optimizer = trainer.create_optimizer()
    assert trainer.create_optimizer() is optimizer
    for step, verdicts in enumerate([3, 0, 2]):
        trainer.state = SimpleNamespace(global_step=step)
        before = [p.detach().clone() for p in groups]
        trainer._compute_loss(None, {"has_verdict": torch.ones(verdicts)})
        for group in groups:
            for other in groups:
                other.grad = torch.ones(2) if other is group else None
            optimizer.step()
        moved = [not torch.equal(a, b) for a, b in zip(before, groups, strict=True)]
        assert moved == [verdicts > 0] * 2


def test_a_run_to_be_resumed_names_no_code_and_lacks_no_secret(tmp_path: Path) -> None:
    trl = {"model_init_kwargs": {"trust_remote_code": True}}
    for given, says in (
        ({"trl": trl}, "trust_remote_code"),
        ({"trl": {"hub_token": "hf_0123456789"}}, "doesn't hold 'hub_token', which is a secret"),
        (
            {"environments": Source("gsm8k", options={"api_key": "sk-1"})},
            "doesn't hold 'api_key', which is a secret",
        ),
    ):
        config = TrainConfig("model", **{"environments": "arithmetic", **given})
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        with Run.create(path, "train", config.to_json()):
            pass
        assert "hf_0123456789" not in (path / "run.json").read_text()
        assert "sk-1" not in (path / "run.json").read_text()
        with pytest.raises(OptionError, match=says):
            config_of(path)
    with Run.create(tmp_path / "fine", "train", TrainConfig("model", "arithmetic").to_json()):
        pass
    assert config_of(tmp_path / "fine").model == "model"


SAYS = """
import os, subprocess, sys
import rlvr

class Says(rlvr.Verifier):
    name = "says"
    limit_s = 60.0

    def verify(self, task, response):
        print("<print>")
        sys.stderr.write("<stderr>")
        os.write(1, b"<fd 1>")
        os.write(2, b"<fd 2>")
        subprocess.run(["echo", "<child>"])
        return rlvr.Scored(float(response[-1:] in "02468"), rlvr.Status.PARTIAL)

class Later(Says):
    async def verify(self, task, response):
        print("<async>")
        print("<async stderr>", file=sys.stderr)
        return rlvr.Scored(float(response[-1:] in "02468"), rlvr.Status.PARTIAL)

class Twice(rlvr.MultiTurn):
    def reply(self, task, messages):
        print("<reply>")
        return None if len(messages) > 2 else "1+1="

TASKS = [rlvr.Task(f"{i}+{i}=", "", id=str(i)) for i in range(40)]

@rlvr.environment("says")
def make(split="train", kind="worker"):
    verifier = Says() if kind == "worker" else Later()
    if kind == "turns":
        return Twice(TASKS, verifier, max_turns=2, name="says")
    return rlvr.SingleTurn(TASKS, verifier, name="says")
"""
MARKS = {
    "worker": ["<print>", "<stderr>", "<fd 1>", "<fd 2>", "<child>"],
    "async": ["<async>", "<async stderr>"],
    "turns": ["<async>", "<async stderr>", "<reply>"],
}


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module with an environment whose verifier prints, a pool that starts on the test's terminal."""
    from rlvr import scoring
    from rlvr.scoring import prints

    scoring.close()
    monkeypatch.setattr(prints, "_trainer", None)
    monkeypatch.setenv("FORCE_COLOR", "1")  # the progress bar, as on a terminal
    (tmp_path / "says.py").write_text(SAYS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("says").make
    sys.modules.pop("says")
    scoring.close()


def check_marks(kind: str, there: str, elsewhere: str) -> None:
    marks = MARKS[kind]
    assert [mark for mark in marks if mark not in there] == []
    assert [mark for mark in marks if mark in elsewhere] == []


@pytest.mark.sweep(gate=("worker-rloo",))
@pytest.mark.parametrize("trainer", ["grpo", "rloo", "ppo"])
@pytest.mark.parametrize("kind", MARKS)
def test_what_a_verifier_prints_is_in_the_run_s_log_alone(
    kind: str, trainer: Any, says: Any, model: str, tmp_path: Path, capfd: Any
) -> None:
    from rlvr import scoring

    if (kind, trainer) == ("turns", "rloo"):
        return  # TRL's RLOO has no turns
    env = says(kind=kind)
    given = {"held_out": env, "measure_every": 1, "steps": 1, "lora": 4}
    outcome = train(TrainConfig(model, env, trainer=trainer, **SHORT | given), tmp_path / "run")
    scoring.close()
    terminal = "".join(capfd.readouterr())
    assert trainer.upper() in terminal  # the bar
    check_marks(kind, (outcome.run / "verifiers.log").read_text(), terminal)


@pytest.mark.sweep(gate=("worker-log",))
@pytest.mark.parametrize("switch", ["", "stderr"], ids=["log", "stderr"])
@pytest.mark.parametrize("kind", ["worker", "turns"])
def test_beside_plain_trl_a_verifier_s_prints_are_in_its_output_folder(
    kind: str, switch: str, says: Any, model: str, tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    import trl

    from rlvr import scoring

    monkeypatch.setenv("RLVR_PRINTS", switch)
    env, out = says(kind=kind), tmp_path / "out"
    played = {"rollout_func": rlvr.trl.rollout(env)} if kind == "turns" else {}
    trainer = trl.GRPOTrainer(
        model,
        args=trl.GRPOConfig(
            output_dir=str(out), use_cpu=True, bf16=False, max_steps=1, per_device_train_batch_size=8,
            num_generations=4, max_completion_length=8, save_strategy="no", report_to=[], disable_tqdm=True,
        ),
        train_dataset=rlvr.trl.dataset(env), reward_funcs=rlvr.trl.reward(env), **played,
    )  # fmt: skip
    trainer.train()
    scoring.close()
    terminal = "".join(capfd.readouterr())
    if switch:
        check_marks(kind, terminal, "")
        assert not (out / "verifiers.log").exists()
    else:
        check_marks(kind, (out / "verifiers.log").read_text(), terminal)


def test_fields_are_options_with_complete_help_texts_and_one_default() -> None:
    from rlvr.cli import kl, quickstart, train

    options = {option.name: option for option in train.command.params}
    by_hand = {"environments", "held_out", "guards", "trl"}  # of several options each
    for field in dataclasses.fields(TrainConfig):
        if field.name in by_hand:
            continue
        option = options[field.name]
        assert isinstance(option, click.Option)
        assert option.default in (None, ()) or "UNSET" in repr(option.default)
        if field.default not in (None, (), dataclasses.MISSING):
            assert f" (default {field.default})" in str(option.help)
    for command in (train.command, kl.command, quickstart.command):
        for option in command.params:
            if isinstance(option, click.Option):
                assert re.fullmatch(r"[A-Z].*\.", str(option.help)), option.name
