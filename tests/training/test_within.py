"""A prompt that leaves no room in the context is unscored, in every trainer and wherever it's measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlvr
from rlvr.runs.run import read_rollouts
from rlvr.training.config import TrainConfig

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch
from accelerate import Accelerator

from rlvr.training.mixins import WithinContext, count_positions_by_the_mask
from rlvr.training.quickstart.model import make_tokenizer
from rlvr.training.train import train
from tests.training.architectures import make

TOKENIZER = make_tokenizer()
CONTEXT = 64
# Tokens with the template's two: one doesn't fit, one leaves 5 to answer with.
LONG, TIGHT = 123, 57
TASKS = [
    *(rlvr.Task(f"{i}+{i}=", "1", f"short-{i}") for i in range(4)),
    rlvr.Task("1" * LONG, "1", "long"),
    rlvr.Task("1" * TIGHT, "1", "tight"),
]


@rlvr.verifier(mode="whole", inline=True)
def share_of_digits(task: rlvr.Task, answer: str) -> float:
    return sum(letter.isdigit() for letter in answer) / max(1, len(answer))


class Once(rlvr.MultiTurn):
    """Asks once more."""

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        return "2" if len(messages) == 2 else None


@pytest.mark.sweep(gate=("ppo-GPT2-all", "turns-GPT2-lora"))
@pytest.mark.parametrize("lora", [None, 4], ids=["all", "lora"])
@pytest.mark.parametrize("family", ["GPT2", "Llama"])
@pytest.mark.parametrize("way", ["grpo", "rloo", "ppo", "turns", "ppo_turns"])
def test_a_prompt_that_leaves_no_room_is_unscored(
    way: str, family: str, lora: int | None, tmp_path: Path
) -> None:
    name = "n_positions" if family == "GPT2" else "max_position_embeddings"
    folder = str(tmp_path / "model")
    make(family, TOKENIZER, **{name: CONTEXT}).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    tasks = rlvr.TaskSet(TASKS, "tasks")
    env: Any = (
        Once(tasks, share_of_digits, max_turns=2)
        if "turns" in way
        else rlvr.SingleTurn(tasks, share_of_digits)
    )
    config = TrainConfig(
        folder, env, trainer={"turns": "grpo", "ppo_turns": "ppo"}.get(way, way), steps=2, batch=24, group=4,
        max_tokens=12, beta=0.01, learning_rate=1e-3, lora=lora, held_out=env, measure_every=2, save_every=2,
    )  # fmt: skip
    outcome = train(config, tmp_path / "run")
    assert outcome.step == 2
    rows = list(read_rollouts(outcome.run))
    assert {row["task"] for row in rows} == {task.id for task in TASKS}
    assert {row["part"] for row in rows} == {"train", "held-out"}
    for row in rows:
        verdict = row["verdict"]
        if row["task"] == "long":
            assert verdict["scored"] is False
            assert verdict["cause"] == "input"
            assert f"{CONTEXT}" in verdict["message"]
        else:
            assert verdict["scored"]
        if row["task"] == "tight" and "turns" not in way:  # whose prompts grow
            assert 0 < row["tokens"]["completion"] <= CONTEXT - TIGHT - 2
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    steps = [row for row in map(json.loads, lines) if "reward" in row]
    assert [row["rlvr/unscored"] for row in steps] == [pytest.approx(1 / 6)] * 2
    assert all(0 < row["grad_norm"] < 1e3 for row in steps)


@pytest.mark.parametrize("family", ["GPT2", "GPTBigCode", "Llama", "OPT"])
def test_padding_does_not_move_log_probabilities(family: str) -> None:
    """TRL's forward passes give no positions: with learned ones GPT-2 would count the padding, too."""
    made = make(family, TOKENIZER).eval()
    count_positions_by_the_mask(made)
    row = torch.arange(5, 15)[None]
    padded = torch.cat([torch.full((1, 7), TOKENIZER.pad_token_id), row], dim=1)
    mask = torch.cat([torch.zeros(1, 7, dtype=torch.long), torch.ones_like(row)], dim=1)
    with torch.no_grad():
        alone = made(input_ids=row, attention_mask=torch.ones_like(row)).logits
        beside = made(input_ids=padded, attention_mask=mask, use_cache=False).logits[:, 7:]
    assert torch.allclose(alone, beside, atol=1e-4)


def test_a_tool_loop_s_keywords_reach_the_trainer() -> None:
    """Generate as TRL's loop of tools does: with keywords, and rows of different room."""
    asked: list[tuple[int, int, dict[str, Any]]] = []

    class Base:
        def _generate_single_turn(self, prompt_ids: Any, *rest: Any, **options: Any) -> Any:
            asked.append((len(prompt_ids), self.generation_config.max_new_tokens, options))
            return [[len(ids)] for ids in prompt_ids], None

    class Trainer(WithinContext, Base):
        def __init__(self) -> None:
            self.use_vllm = False
            self.generation_config = SimpleNamespace(max_new_tokens=12)
            self.accelerator = Accelerator(cpu=True)
            self.model = make("GPT2", TOKENIZER, n_positions=CONTEXT)
            self.args = SimpleNamespace(vllm_max_model_length=None)

    rows = [[5] * 60, [5] * 3, [5] * 60, [5] * 62]
    options = {"num_generations": 1, "has_tool_images": False}
    found = Trainer()._generate_single_turn(rows, None, {}, **options)
    assert found == ([[60], [3], [60], [62]], None)
    assert asked == [(1, 2, options), (2, 4, options), (1, 12, options)]
