"""Whole runs on a real model: each trainer, all weights and adapters, several turns, and what reads the runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.runs.run import read_rollouts
from rlvr.training.config import Source, TrainConfig

pytest.importorskip("trl")

from transformers import GenerationMixin

from rlvr.policies.template import Template
from rlvr.policies.transformers import TransformersPolicy, load
from rlvr.training.train import train

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def model(real_model: Path) -> str:
    return str(real_model / "float32")


@rlvr.verifier(mode="whole", inline=True)
def share_of_digits(task: rlvr.Task, answer: str) -> float:
    """Something in which any two responses differ."""
    return sum(letter.isdigit() for letter in answer) / max(1, len(answer))


def sums(split: str, size: int) -> rlvr.Environment:
    tasks = rlvr.make("arithmetic", split=split, size=size, digits=1, terms=2, operators="+").tasks
    return rlvr.SingleTurn(tasks, share_of_digits)


def config(model: str, **options: Any) -> TrainConfig:
    source, held_out = Source(env=sums("train", 8)), Source(env=sums("test", 8))
    given: dict[str, Any] = {
        "steps": 2, "batch": 8, "group": 4, "max_tokens": 16, "learning_rate": 1e-5,
        "measure_every": 2, "held_out": held_out,
    } | options  # fmt: skip
    return TrainConfig(model, given.pop("environments", source), **given)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The token ids of every prompt that a model is given to continue, without padding."""
    seen: list[list[int]] = []
    generate = GenerationMixin.generate

    def watched(self: Any, *args: Any, **options: Any) -> Any:
        ids, mask = options["input_ids"], options["attention_mask"]
        seen.extend(row[there.bool()].tolist() for row, there in zip(ids, mask, strict=True))
        return generate(self, *args, **options)

    monkeypatch.setattr(GenerationMixin, "generate", watched)
    return seen


@pytest.mark.parametrize("lora", [None, 16], ids=["all", "lora"])
@pytest.mark.parametrize("trainer", ["grpo", "rloo", "ppo"])
def test_each_trainer(
    trainer: Any,
    lora: int | None,
    model: str,
    tmp_path: Path,
    asked: list[list[int]],
    rlvr_cli: Any,
) -> None:
    given = config(model, trainer=trainer, lora=lora, group=1 if trainer == "ppo" else 4)
    outcome = train(given, tmp_path / "run")
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    steps = [row for row in map(json.loads, lines) if "reward" in row]
    assert [row["step"] for row in steps] == [1, 2]
    for row in steps:
        assert row["rlvr/unscored"] == 0
        assert math.isfinite(row["loss"])
        assert 0 < row["grad_norm"] < 1e4
    # What it was asked is the chat template's, in training and where it's measured.
    template = Template(load(model)[1])
    texts = {row["messages"][0]["content"] for row in read_rollouts(outcome.run)}
    own = [template.prompt([{"role": "user", "content": text}]) for text in texts]
    assert {tuple(ids) for ids in asked} <= {tuple(ids) for ids in own}
    assert len(asked) >= 2 * 8 + 2 * 8
    # The saved model is one that answers, and isn't the one that training began with.
    after = TransformersPolicy(str(outcome.run / "model"), max_new_tokens=4)
    before, _ = load(model)
    moved = [
        bool((a != b).any())
        for a, b in zip(after.model.parameters(), before.parameters(), strict=True)
    ]
    assert any(moved)
    (report, *_) = (rlvr.evaluate("arithmetic", after, limit=2),)
    assert report.scored == 2
    if trainer == "grpo" and lora is None:
        done = rlvr_cli("view", outcome.run, "-o", tmp_path / "page.html")
        assert done.returncode == 0, done.stderr
        few = ("--samples", "1", "--max-new-tokens", "4")
        done = rlvr_cli("kl", outcome.run, "--measure", *few)
        assert done.returncode == 0, done.stderr
        measured = json.loads((outcome.run / "kl.json").read_text())["measured"]
        assert abs(measured["sequence"]["k1"]["value"]) < 0.1


class Again(rlvr.MultiTurn):
    """Asks for another sum, twice."""

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        turn = len(messages) // 2
        return f"And what is {turn + 2} + {turn}?" if turn < 3 else None


def test_the_loss_is_on_the_model_s_tokens_alone(model: str, tmp_path: Path) -> None:
    """TRL's `rollout_func`: each row is what the template renders, and its mask the responses."""
    import trl

    from tests.adapters.rollout_case import Watched, rows_of

    sums = [rlvr.Task(f"What is {i} + {i + 1}?", "5", f"t{i}") for i in range(4)]
    env = Again(rlvr.TaskSet(sums, "again"), rlvr.Math(), max_turns=3)
    loaded, tokenizer = load(model)
    settings = trl.GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, max_steps=1, beta=0.0, seed=0,
        per_device_train_batch_size=4, num_generations=2, max_completion_length=160,
        logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, temperature=0.7,
    )  # fmt: skip
    trainer = Watched(
        model=loaded, args=settings, train_dataset=rlvr.trl.dataset(env),
        reward_funcs=rlvr.trl.reward(env), rollout_func=rlvr.trl.rollout(env),
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.generated, trainer.lost = [], []
    trainer.train()
    template, turns = Template(tokenizer), []
    for prompt, ids, mask in rows_of(trainer):
        messages = [{"role": "user", "content": tokenizer.decode(prompt).split("user\n")[-1]}]
        messages[0]["content"] = messages[0]["content"].partition("<|im_end|>")[0]
        assert prompt == template.prompt(messages)
        at, turn = 0, 1
        while at < len(ids):
            end = next((i for i in range(at, len(ids)) if not mask[i]), len(ids))
            assert any(
                p == prompt + ids[:at] and c[: end - at] == ids[at:end]
                for p, c in trainer.generated
            )
            if end == len(ids):
                break
            reply = template.reply(ids[at:end], f"And what is {turn + 2} + {turn}?")
            assert ids[end : end + len(reply)] == reply
            assert not any(mask[end : end + len(reply)])
            at, turn = end + len(reply), turn + 1
        turns.append(turn)
    assert max(turns) > 1  # a response that fills all of its room has no second turn
