"""Environments, a trainer that keeps its batches, and readers of its rows, for the tests of `rollout_func`."""

from __future__ import annotations

from typing import Any

import pytest

import rlvr
from rlvr import Cause, Unscored
from rlvr.core.errors import CannotScore
from rlvr.core.task import Message
from rlvr.runs.rollouts import Rollout

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")


@rlvr.verifier(mode="whole")
def digits(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
    """The share of digits; none for answers of odd length: their judge is out of order."""
    if len(answer) % 2:
        return Unscored(Cause.JUDGE, "no judge for odd lengths")
    return sum(character.isdigit() for character in answer) / max(1, len(answer))


class Asks(rlvr.MultiTurn):
    """Asks again until three responses are there or one has a 7 in it."""

    def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
        said = messages[-1]["content"]
        count = sum(message["role"] == "assistant" for message in messages)
        return None if "7" in said or count == 3 else f"{count}+{task.reference}="


class Raises(Asks):
    def reply(self, task: rlvr.Task, messages: list[Message]) -> str | None:
        if len(messages[-1]["content"]) % 3 == 0:
            raise CannotScore(Cause.SANDBOX, "the sandbox is away")
        return super().reply(task, messages)


def tasks(name: str, count: int = 4) -> rlvr.TaskSet:
    """Tasks that have the same prompt, all of them."""
    return rlvr.TaskSet([rlvr.Task("1+1=", str(i), f"{name}{i}") for i in range(count)], name)


class Watched(trl.GRPOTrainer):  # type: ignore[misc]
    """Keeps what was generated and what the loss got. Its backend has logprobs, as vLLM's has."""

    generated: list[tuple[list[int], list[int]]]
    lost: list[dict[str, Any]]
    logprobs = False

    def _generate_single_turn(self, prompts: list[list[int]], *rest: Any) -> Any:
        ids, logprobs = super()._generate_single_turn(prompts, *rest)
        self.generated += zip(prompts, ids, strict=True)
        if self.logprobs:
            logprobs = [logprobs_of(self, p, c) for p, c in zip(prompts, ids, strict=True)]
        return ids, logprobs

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        self.lost.append({k: v for k, v in inputs.items() if torch.is_tensor(v)})
        return super()._compute_loss(model, inputs)


@torch.no_grad()  # type: ignore[untyped-decorator]
def logprobs_of(trainer: Any, prompt: list[int], completion: list[int]) -> list[float]:
    logits = trainer.model(torch.tensor([prompt + completion])).logits[0].float()
    logps = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return [float(logps[i, id]) for i, id in enumerate(completion)]


class Book(list[Rollout]):
    """The rollouts of all batches, and how many came with each."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, rollouts: list[Rollout]) -> None:
        self.batches.append(len(rollouts))
        self += rollouts


def rows_of(trainer: Any) -> list[tuple[list[int], list[int], list[int]]]:
    """Return each row's prompt, completion and mask in the loss, without padding."""
    found = []
    for batch in trainer.lost:
        for i in range(len(batch["prompt_ids"])):
            prompt = batch["prompt_ids"][i][batch["prompt_mask"][i].bool()].tolist()
            seen = batch["completion_mask"][i].bool()
            mask = (batch["tool_mask"][i] * batch["completion_mask"][i])[seen].tolist()
            found.append((prompt, batch["completion_ids"][i][seen].tolist(), mask))
    return found


def replayed(trainer: Any, row: tuple[list[int], list[int], list[int]]) -> None:
    """Every run of the model's tokens in a row is what was generated behind all before it.

    The last may have been cut, where another row of the batch had more room.
    """
    prompt, ids, mask = row
    start = 0
    while start < len(ids):
        end = start
        while end < len(ids) and mask[end]:
            end += 1
        written = [c for p, c in trainer.generated if p == prompt + ids[:start]]
        if end == len(ids) == 60:
            written = [c[: end - start] for c in written]
        assert ids[start:end] in written
        while end < len(ids) and not mask[end]:
            end += 1
        start = end
