"""Promises that hold in each trainer: with all weights or adapters, in one turn and several (`rollout`)."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataWarning
from rlvr.runs.run import read_rollouts

pytest.importorskip("trl")
import torch
import trl

from rlvr.training.ppo import PPOConfig, PPOTrainer
from rlvr.training.recorder import Recorder
from rlvr.training.train import train
from tests.training.broken_verifier import Broken, Sleepy
from tests.training.every_way import WAYS, config_of, environment, logged, run, texts, weights
from tests.training.test_train import IN_TWO_PROCESSES


@rlvr.verifier(mode="whole", inline=True)
def bad_references(task: rlvr.Task, answer: str) -> float:
    """Every fourth task can't be judged."""
    if int(task.reference) % 8 == 0:
        raise rlvr.CannotScore(rlvr.Cause.GOLD, "no reference")
    return float(answer[-1:] in "02468")


@pytest.mark.sweep(gate=("rloo-all",))
@pytest.mark.parametrize("way", WAYS)
def test_a_quarter_of_bad_references_stops_no_run(way: str, model: str, tmp_path: Path) -> None:
    env = environment(way, bad_references)
    outcome = run(way, model, tmp_path / "run", env, steps=24, batch=8, max_tokens=6, save_every=24)
    assert (outcome.step, outcome.stopped) == (24, None)
    rows = [row for row in read_rollouts(outcome.run) if row["part"] == "train"]
    assert 0.1 < sum(not row["verdict"]["scored"] for row in rows) / len(rows) < 0.4


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_a_broken_reward_stops_every_run(way: str, model: str, tmp_path: Path) -> None:
    outcome = run(way, model, tmp_path / "run", environment(way, Broken()), steps=9, save_every=9)
    assert outcome.step == 3
    assert outcome.stopped is not None
    assert "sandbox 100%" in outcome.stopped


class Half(rlvr.Verifier):
    """Has a verdict on every second answer, in the order of being asked."""

    name = "half"

    def __init__(self, cause: rlvr.Cause = rlvr.Cause.JUDGE) -> None:
        self.cause = cause
        self.asked = itertools.count()

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if next(self.asked) % 2:
            return rlvr.Unscored(self.cause, "away")
        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {"half": 1.0})

    verify = settle


def some_digits(completions: Any, **_: Any) -> list[float | None]:
    return [sum(c in "02468" for c in str(text)) / 20 for text in completions]


async def none_or_length(completions: Any, **_: Any) -> list[float | None]:
    return [None if i % 3 == 0 else 1.0 for i in range(len(completions))]


def plain(way: str, model: str, folder: Path, env: Any, functions: Any, **options: Any) -> Any:
    """A trainer as a script makes it, without `rlvr.train`."""
    from rlvr.training.models import load, lora

    name, _, which = way.partition("-")
    cls, config = {
        "grpo": (trl.GRPOTrainer, trl.GRPOConfig),
        "rloo": (trl.RLOOTrainer, trl.RLOOConfig),
        "ppo": (PPOTrainer, PPOConfig),
    }[name.removesuffix("_turns")]
    policy, tokenizer = load(model)
    given: dict[str, Any] = {"peft_config": lora(4, policy)} if which == "lora" else {}
    if "_turns" in way:
        given["rollout_func"] = rlvr.trl.rollout(env)
    return cls(
        model=policy,
        args=config(**{
            "output_dir": str(folder), "use_cpu": True, "bf16": False, "max_steps": 1, "num_generations": 4,
            "per_device_train_batch_size": 16, "max_completion_length": 24, "learning_rate": 1e-3,
            "logging_steps": 1, "save_strategy": "no", "report_to": [], "disable_tqdm": True,
            "gradient_checkpointing": False, **options,
        }),
        train_dataset=rlvr.trl.dataset(env), reward_funcs=functions, processing_class=tokenizer, **given,
    )  # fmt: skip


def advantages_of(trainer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Those of a step's rows, and which rows carry a loss: what TRL's loss multiplies."""
    found: list[dict[str, Any]] = []
    original = trainer._generate_and_score_completions

    def kept(inputs: Any) -> Any:
        found.append(original(inputs))
        return found[-1]

    trainer._generate_and_score_completions = kept
    trainer.train()
    (batch,) = found
    mask = batch["completion_mask"] * batch.get("tool_mask", torch.ones(1))
    advantages = batch["advantages"]
    if advantages.dim() == 1:
        advantages = advantages[:, None].expand(mask.shape)
    return advantages, mask.bool()


@pytest.mark.sweep(gate=("ppo_turns-all",))
@pytest.mark.parametrize("way", WAYS)
def test_an_unscored_row_beside_other_rewards_is_no_zero(
    way: str, model: str, tmp_path: Path
) -> None:
    """Functions as TRL has them, one of them async and with None of its own, each with its weight."""
    env = environment(way, Half())
    rollouts: list[Any] = []
    functions = rlvr.trl.reward(env, record=rollouts.extend, also=[some_digits, none_or_length])
    trainer = plain(
        way, model, tmp_path, env, functions, reward_weights=[2.0, 1.0, 0.5], beta=0.0, seed=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        advantages, mask = advantages_of(trainer)
    effect = (advantages * mask).abs().sum(1)
    unscored = torch.tensor([not rollout.verdict.scored for rollout in rollouts])
    assert 0 < unscored.sum() < 16
    assert effect[unscored].sum() == 0
    assert (effect[~unscored] > 0).any()
    (row,) = [row for row in trainer.state.log_history if "reward" in row]
    assert row["rlvr/unscored"] == pytest.approx(unscored.float().mean().item())
    names = ["rewards/easy/mean", "rewards/some_digits/mean", "rewards/none_or_length/mean"]
    assert row[names[0]] == 1.0
    # The sum over scored rows alone; the third gives nothing to some of those.
    assert 2.0 + row[names[1]] <= row["reward"] <= 2.0 + row[names[1]] + 0.5


@pytest.mark.sweep(gate=("rloo-lora",))
@pytest.mark.parametrize("way", WAYS)
def test_a_prompt_beyond_the_context_is_unscored_in_a_script_of_ones_own(
    way: str, model: str, tmp_path: Path
) -> None:
    """The model's positions are relative: it would answer, far beyond its context of 128 tokens."""
    env = environment(way)
    tasks = [rlvr.Task("1" * 200, "1", "long"), rlvr.Task("1" * 126, "1", "full"), *env.tasks[:2]]
    env.tasks = rlvr.TaskSet(tasks, "tasks")
    rollouts: list[Any] = []
    plain(way, model, tmp_path, env, rlvr.trl.reward(env, record=rollouts.extend)).train()
    unscored = {r.task.id: r.verdict for r in rollouts if not r.verdict.scored}
    assert set(unscored) == {"long", "full"}
    assert {verdict.cause for verdict in unscored.values()} == {rlvr.Cause.INPUT}
    assert len(rollouts) == 16


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_in_a_plain_list_it_is_warned_about(way: str, model: str, tmp_path: Path) -> None:
    env = environment(way, Half())
    trainer = plain(way, model, tmp_path, env, [rlvr.trl.reward(env), some_digits])
    with pytest.warns(DataWarning, match="some_digits beside rlvr's reward"):
        trainer.train()


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_without_a_verdict_a_group_has_no_advantage_and_stays_out_of_the_baseline(
    way: str, model: str, tmp_path: Path
) -> None:
    @rlvr.verifier(mode="whole", inline=True)
    def one_group_away(task: rlvr.Task, answer: str) -> float:
        if task.id == first:
            raise rlvr.CannotScore(rlvr.Cause.JUDGE, "away")
        return sum(c in "02468" for c in answer) / max(1, len(answer))

    env = environment(way, one_group_away, 4)
    first = env.tasks[0].id
    trainer = plain(way, model, tmp_path, env, rlvr.trl.reward(env), beta=0.0)
    seen: list[str] = []
    original = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: (
        seen.extend(row["task_id"] for row in inputs), original(inputs))[1]  # fmt: skip
    advantages, mask = advantages_of(trainer)
    effect = (advantages * mask).abs().sum(1)
    away = torch.tensor([id == first for id in seen])
    assert away.sum() == 4
    assert effect[away].sum() == 0
    assert effect[~away].sum() > 0
    assert effect.isfinite().all()


LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo")


@pytest.mark.sweep
@pytest.mark.parametrize("given", [
    *({"loss_type": loss} for loss in LOSSES), {"scale_rewards": "batch"}, {"scale_rewards": "none"},
    {"multi_objective_aggregation": "normalize_then_sum"},
], ids=lambda given: "-".join(given.values()))  # fmt: skip
@pytest.mark.parametrize("way", ["grpo-all", "grpo_turns-lora"])
def test_each_loss_is_finite_beside_unscored_rows(
    given: dict[str, Any], way: str, model: str, tmp_path: Path
) -> None:
    outcome = run(way, model, tmp_path / "run", environment(way, Half()), steps=2, trl=given,
                  guards=rlvr.training.guards.GuardConfig(unscored=False))  # fmt: skip
    for row in logged(outcome):
        assert math.isfinite(row["loss"])
        assert math.isfinite(row["grad_norm"])
    assert weights(outcome).isfinite().all()


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_where_cut_answers_are_masked_and_all_are_cut_nothing_moves(
    way: str, model: str, tmp_path: Path
) -> None:
    cut = {"mask_truncated_completions": True, "generation_kwargs": {"suppress_tokens": [0, 1]}}
    outcome = run(way, model, tmp_path / "run", steps=1, trl=cut, learning_rate=1e-2)
    (row,) = logged(outcome)
    assert row["completions/clipped_ratio"] == 1.0
    start = train(config_of(way, model, steps=1, trl=cut, learning_rate=1e-12), tmp_path / "start")
    assert (weights(outcome) - weights(start)).abs().max() < 1e-9


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_empty_answers_are_answers(way: str, model: str, tmp_path: Path) -> None:
    empty = {"generation_kwargs": {"suppress_tokens": [0, *range(2, 20)]}}
    outcome = run(way, model, tmp_path / "run", environment(way, rlvr.Math()), steps=2, trl=empty)
    rows = [row for row in read_rollouts(outcome.run) if row["part"] == "train"]
    assert {row["verdict"]["status"] for row in rows} == {"unparsable"}
    assert {message["content"] for row in rows for message in row["messages"]
            if message["role"] == "assistant"} == {""}  # fmt: skip
    assert all(math.isfinite(row["loss"]) for row in logged(outcome))


@pytest.mark.sweep(gate=("ppo-lora",))
@pytest.mark.parametrize("way", WAYS)
def test_micro_batches_are_one_batch(way: str, model: str, tmp_path: Path) -> None:
    # Not Adam, whose first step of a gradient that is next to nothing is a whole one either way.
    sgd: dict[str, Any] = {"learning_rate": 0.1, "beta": 0.01, "trl": {"optim": "sgd"}}
    one, many = (
        run(way, model, tmp_path / str(micro), steps=1, micro_batch=micro, **sgd)
        for micro in (16, 4)
    )
    assert texts(one) == texts(many)
    assert (weights(one) - weights(many)).abs().max() < 1e-5


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_ended_in_the_middle_goes_on_as_if_it_had_not(
    way: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/training/test_train.py kills one; this one ends in its fourth step, two behind its checkpoint."""
    options: dict[str, Any] = {"steps": 5, "save_every": 2, "beta": 0.05, "micro_batch": 8}
    if "ppo" in way:
        options["trl"] = {
            "value_warmup_steps": 1,
            "value_model": "policy" if "lora" in way else "head",
        }
    whole = run(way, model, tmp_path / "whole", **options)
    written = Recorder.on_log

    def ends(self: Any, args: Any, state: Any, *rest: Any, **more: Any) -> None:
        written(self, args, state, *rest, **more)
        if state.global_step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_log", ends)
        with pytest.raises(KeyboardInterrupt):
            run(way, model, tmp_path / "torn", **options)
    torn = train(config_of(way, model, **options), tmp_path / "torn", resume=True)
    assert torn.step == 5
    assert texts(torn) == texts(whole)
    assert torch.equal(weights(torn), weights(whole))
    again = train(config_of(way, model, **options), tmp_path / "torn", resume=True)
    assert texts(again) == texts(whole)
    assert torch.equal(weights(again), weights(whole))


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_a_measurement_changes_nothing_and_a_seed_everything(
    way: str, model: str, tmp_path: Path
) -> None:
    env = environment(way)
    plain = run(way, model, tmp_path / "plain", env)
    measured = run(
        way, model, tmp_path / "measured", env, held_out=environment(way, count=5), measure_every=1
    )
    other = run(way, model, tmp_path / "other", env, seed=1)
    assert len(texts(measured, "held-out")) == 4 * 5
    assert texts(measured) == texts(plain)
    assert torch.equal(weights(measured), weights(plain))
    assert texts(other) != texts(plain)


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_the_kl_to_the_reference_begins_at_0(way: str, model: str, tmp_path: Path) -> None:
    first, *_, last = logged(run(way, model, tmp_path / "run", steps=4, beta=0.1))
    assert first["kl/sequence/k3"] == pytest.approx(0.0, abs=1e-6)
    assert last["kl/sequence/k3"] > 0


def test_a_verifier_that_sleeps_costs_its_rows_alone(model: str, tmp_path: Path) -> None:
    began = time.monotonic()
    outcome = run(
        "grpo-all", model, tmp_path / "run", environment("grpo-all", Sleepy(), 4), steps=1
    )
    rows = list(read_rollouts(outcome.run))
    slow = [row for row in rows if not row["verdict"]["scored"]]
    assert {row["verdict"]["cause"] for row in slow} == {"timeout"}
    assert {row["task"] for row in slow} == {"easy-0"}
    assert time.monotonic() - began < 300


IN_TWO = """
import json, sys
from pathlib import Path
import torch
from accelerate import PartialState
import rlvr
from tests.training.every_way import config_of, environment, run
from tests.training.test_every_trainer import Half, advantages_of, bad_references, plain, some_digits

way, model, out = sys.argv[1:]
outcome = run(way, model, Path(out, "run"), environment(way, bad_references), held_out=environment(way, count=9),
              batch=32, steps=2, measure_every=2)
assert (outcome.step, outcome.stopped) == (2, None)
env, rollouts = environment(way, bad_references, 8), []
trainer = plain(way, model, Path(out, "plain"), env,
                rlvr.trl.reward(env, record=rollouts.extend, also=[some_digits]), beta=0.0)
advantages, mask = advantages_of(trainer)
effect = (advantages * mask).abs().sum(1)
unscored = [not rollout.verdict.scored for rollout in rollouts]
found = {"unscored": unscored, "effect": effect.tolist(), "processes": PartialState().num_processes}
Path(out, f"{PartialState().process_index}.json").write_text(json.dumps(found))
"""


@pytest.mark.sweep
@pytest.mark.parametrize("way", WAYS)
def test_two_processes(way: str, model: str, tmp_path: Path) -> None:
    """A run of `rlvr.train` and a script with another reward function, each of one batch in two processes."""
    script = tmp_path / "in_two.py"
    script.write_text(IN_TWO)
    root = str(Path(__file__).parents[2])
    environ = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(
        [*IN_TWO_PROCESSES, str(script), way, model, str(tmp_path)], capture_output=True, text=True, env=environ, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = list(read_rollouts(tmp_path / "run"))
    keys = [(row["part"], row["step"], row["task"], row["sample"]) for row in rows]
    assert len(set(keys)) == len(keys) == 2 * 32 + 2 * 9
    curve = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    curve = [row for row in curve if "reward" in row]
    assert [row["step"] for row in curve] == [1, 2]
    for row in curve:
        own = [r["verdict"] for r in rows if (r["part"], r["step"]) == ("train", row["step"])]
        assert set(
            Counter(
                r["task"] for r in rows if (r["part"], r["step"]) == ("train", row["step"])
            ).values()
        ) == {4}
        scored = [verdict["reward"] for verdict in own if verdict["scored"]]
        assert row["reward"] == pytest.approx(sum(scored) / len(scored))
        assert row["guards/unscored"] >= 0
    both = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert {found["processes"] for found in both} == {2}
    pairs = [
        pair for found in both for pair in zip(found["unscored"], found["effect"], strict=True)
    ]
    assert len(pairs) == 32
    assert any(unscored for unscored, _ in pairs)
    assert all(effect == 0 for unscored, effect in pairs if unscored)
    assert any(effect > 0 for _, effect in pairs)
