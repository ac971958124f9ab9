"""Shared by the instruction-following environments: turn rows with a prompt, ids and kwargs into tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verifier import Verifier
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.coherence import Coherent
from rlvr.verifiers.instructions import Instructions
from rlvr.verifiers.instructions.verifier import Reward, Strictness

PROMPT = Prompt("{prompt}")
COLUMNS = ("key", "prompt", "instruction_id_list", "kwargs")
# What `rlvr audit` finds, as anybody does who tries.
_PAID_WITHOUT_CONTENT = (
    "any-response", "empty", "echo", "instructions-echoed", "copied-from-prompt", "stated-formula",
    "refusal", "constant", "format-only", "padding", "one-token", "injection", "every-candidate", "instruction-template",
)  # fmt: skip
_WHY = (
    "the benchmark's checks look at form alone, so text without content follows many of them. To "
    "measure a model that wasn't trained on it, that does no harm; to train on it, set guard=strict."
)
Correction = Callable[[Row], Row | None]


def guarded(verifier: Instructions, guard: str | None) -> Verifier:
    """Return the verifier behind `Coherent(guard)`, where a guard is wanted."""
    return verifier if guard is None else Coherent(guard) >> verifier  # type: ignore[arg-type]


def benchmark(
    name: str,
    source: DataSource,
    split: str,
    data: str | None,
    prompt: Prompt | str | Mapping[str, str],
    mode: Strictness,
    reward: Reward,
    reference_bugs: bool,
    guard: str | None,
    usual: Strictness,
    correct: Correction = lambda row: row,
) -> Environment:
    """Return a single-turn environment over a benchmark's rows.

    Args:
        usual: the mode that its fixtures are written for.
        correct: makes a row right, or leaves it out (None); not applied with `reference_bugs`.
    """
    template = Prompt.of(prompt)
    source.check_split(split)

    def load() -> list[Task]:
        rows = source.rows(split, data)
        right = (
            rows
            if reference_bugs
            else [fixed for row in rows if (fixed := correct(row)) is not None]
        )
        return [_task(row, template) for row in right]

    verifier = guarded(Instructions(mode, reward, reference_bugs), guard)
    findings = {} if guard else dict.fromkeys(_PAID_WITHOUT_CONTENT, _WHY)
    fit = (mode, reward, reference_bugs, guard) == (usual, "all", False, None)
    return SingleTurn(
        TaskSet(load, name), verifier, fixtures=fixtures_of(name, fit), known_findings=findings
    )


def _task(row: Row, template: Prompt) -> Task:
    reference: dict[str, Any] = {
        "instruction_id_list": list(row["instruction_id_list"]),
        # The Hub's columns have every kwarg there is, null where it isn't the instruction's.
        "kwargs": [
            {k: v for k, v in (values or {}).items() if v is not None} for values in row["kwargs"]
        ],
    }
    asked = template.render({"prompt": row["prompt"]})
    return Task(asked, reference, str(row["key"]), {"instructions": len(row["kwargs"])})
