"""Instructions composed for any prompts: what IF-RLVR trains on (Pyatkin et al., arXiv:2507.02833), made on the spot.

One of them, of two instructions::

    Write a short story about the tides.

    Follow these instructions:
    - Use no commas.
    - Use the word 'lantern' at least 3 times.

The prompts are a small generator's or a file's; the instructions are drawn so that they can be
followed together, and their number is the difficulty. With several turns, each later one adds an
instruction or changes one, and the last response is judged by all that hold by then. With `dataset`
the tasks are those of a data set in open-instruct's form instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Message, Task
from rlvr.core.tasks import generated
from rlvr.envs.data import check_columns, read_file
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.if_rows import rows_of
from rlvr.envs.if_topics import request
from rlvr.envs.instruction_rows import guarded
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.verifiers.instructions import Instructions
from rlvr.verifiers.instructions.composing import Constraint, compose, redraw
from rlvr.verifiers.instructions.composing.compose import MOST
from rlvr.verifiers.instructions.composing.conflicts import fits
from rlvr.verifiers.instructions.verifier import Reward, Strictness

PROMPT = Prompt("{request}\n\nFollow these instructions:\n{instructions}")


class Conversation(MultiTurn):
    """Says the next turn's change after each response; the last response is judged."""

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the next instructions, or None if there are none."""
        answered = sum(message["role"] == "assistant" for message in messages)
        later: list[str] = task.metadata.get("turns", [])
        return later[answered - 1] if answered <= len(later) else None


@environment("if_rlvr", gym_name="IFRLVR")
def make(
    split: str = "train",
    level: int = 3,
    turns: int = 1,
    prompts: str | None = None,
    dataset: str | None = None,
    data: str | None = None,
    size: int = 100_000,
    seed: int = 0,
    prompt: Prompt | str | Mapping[str, str] = PROMPT,
    mode: Strictness = "strict",
    reward: Reward = "all",
    guard: str | None = "strict",
) -> Environment:
    """Composed instructions, as many as the level says.

    Args:
        split: train, dev or test; of a data set, train.
        level: instructions a task ends with, 1 to 10.
        turns: of a conversation; each after the first adds an instruction or changes one.
        prompts: a JSONL file with a `prompt` in each line; by default a small generator's.
        dataset: a data set on the Hub in open-instruct's form (messages, ground_truth), to take tasks of
            instead of composing them, such as allenai/IF_multi_constraints_upto5.
        data: a local file of that form.
        size: tasks that a composed split has.
        seed: of all tasks of all splits.
        prompt: may use {request} and {instructions}; of composed tasks.
        mode: `strict` or `loose`.
        reward: `all` or nothing, or the `fraction` of instructions followed.
        guard: `lenient` or `strict` refuses filler first (`rlvr.Coherent`); null for no guard.
    """
    verifier = guarded(Instructions(mode, reward), guard)
    fit = (mode, reward, guard) == ("strict", "all", "strict")
    fixtures = fixtures_of("if_rlvr", fit)
    if dataset is not None or data is not None:
        return SingleTurn(rows_of(split, dataset, data), verifier, fixtures=fixtures)
    if type(level) is not int or not 1 <= level <= MOST:
        raise OptionError(f"level is a whole number from 1 to {MOST}, not {level!r}.")
    if type(turns) is not int or not 1 <= turns <= level:
        raise OptionError(f"turns is a whole number from 1 to level ({level}), not {turns!r}.")
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="if_rlvr",
        requests=_read(prompts) if prompts else (),
        level=level,
        turns=turns,
        prompt=Prompt.of(prompt),
    )
    if turns == 1:
        return SingleTurn(tasks, verifier, fixtures=fixtures)
    return Conversation(tasks, verifier, max_turns=turns, fixtures=fixtures)


def problem(
    rng: np.random.Generator, requests: Sequence[str], level: int, turns: int, prompt: Prompt
) -> Task:
    """Draw one task: a request and its instructions; the instructions of later turns are in its metadata."""
    asked = requests[int(rng.integers(len(requests)))] if requests else request(rng)
    wanted = compose(rng, level)
    later = wanted[level - turns + 1 :]
    now = wanted[: level - turns + 1]
    shown = "\n".join(f"- {constraint.sentence}" for constraint in now)
    sentences = []
    for constraint in later:
        now, words = _next(rng, now, constraint)
        sentences.append(words)
    reference = {
        "instruction_id_list": [constraint.id for constraint in now],
        "kwargs": [constraint.kwargs for constraint in now],
    }
    metadata: dict[str, Any] = {"level": level, "turns": sentences}
    fields = {"request": asked, "instructions": shown}
    return Task(prompt.render(fields), reference, None, metadata)


def _next(
    rng: np.random.Generator, now: list[Constraint], constraint: Constraint
) -> tuple[list[Constraint], str]:
    """Return the set after a turn, and how the turn asks for it."""
    changeable = [number for number, old in enumerate(now) if old.kwargs]
    if changeable and rng.random() < 0.5:
        which = changeable[int(rng.integers(len(changeable)))]
        changed = redraw(rng, now, which)
        new = changed[which].sentence
        return changed, f"Write it again. Instead of “{now[which].sentence}”: {new}"
    assert fits(constraint.id, [old.id for old in now])
    return [*now, constraint], f"Write it again, and also: {constraint.sentence}"


def _read(path: str) -> tuple[str, ...]:
    rows = list(read_file(Path(path))) if Path(path).is_file() else []
    if not rows:
        raise DataError(
            f"There are no prompts in {path!r}: it's a JSONL file with a prompt a line."
        )
    check_columns(rows, ("prompt",), path)
    return tuple(str(row["prompt"]) for row in rows)
