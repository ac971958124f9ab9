"""The data set's rows, and the recovery of a row's task when TRL passes only its prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.task import Message, Task
from rlvr.envs.mixture import Environments, Mixture, a_mixture
from rlvr.envs.tools import ToolEnv

if TYPE_CHECKING:
    import datasets

COLUMN = "rlvr_task"
"""The data set's column with each row's task, as JSON, for the reward function."""
ENV_COLUMN = "rlvr_env"
"""The column with the name of each row's environment."""
EPISODE_COLUMN = "rlvr_episode"
"""The key of each row's episode, from `rollout` to the reward function; no column of the data set."""

# A rollout function gets only the prompts of its rows, and two tasks may have the same prompt (in a guessing game all
# have). So a prompt's last message names its task, under a key that no chat template reads; it is removed before the
# template is applied.
_MARK = "rlvr"
_MOST = 100_000


def dataset(
    env: Environments,
    limit: int | None = None,
    weights: Mapping[str, float] | Sequence[float] | None = None,
    seed: int = 0,
) -> datasets.Dataset:
    """Return the environments' tasks as a data set for TRL, with conversational prompts.

    Args:
        env: One environment, a list, a mapping by name, or a `Mixture`.
        limit: Use the first so many tasks. Required if there are more than 100,000, since all of them are written.
        weights: Weights of several environments' tasks (default: their numbers of tasks).
        seed: Seed of the order in which several environments' tasks are mixed.

    Returns:
        A data set with the columns `prompt` (messages), `rlvr_task`, `rlvr_env` and `task_id`; for several environments
        of which one has tools also `environment`, for TRL.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            "The TRL adapter needs the package 'datasets': pip install 'rlvr[train]'."
        ) from error
    mixture = a_mixture(env, weights)
    if limit is not None and limit < 1:
        raise OptionError(f"limit is at least 1, not {limit}.")
    if limit is None and mixture.size() > _MOST:
        raise OptionError(
            f"{' and '.join(map(repr, mixture.environments))} has {mixture.size()} tasks: say how "
            f"many with dataset(env, limit=…), steps times prompts per step."
        )
    if mixture.weights is None and limit is not None:
        limit = min(limit, mixture.size())
    rows = list(mixture.draw(limit, seed))
    columns = {
        "prompt": [marked(name, task) for name, task in rows],
        COLUMN: [json.dumps(task.to_json()) for _, task in rows],
        ENV_COLUMN: [name for name, _ in rows],
        "task_id": [task.id for _, task in rows],
    }
    environments = mixture.environments.values()
    if len(environments) > 1 and any(
        isinstance(environment, ToolEnv) for environment in environments
    ):
        columns["environment"] = columns[ENV_COLUMN]
    return datasets.Dataset.from_dict(columns)


def marked(name: str, task: Task) -> list[Message]:
    """Return the task's prompt with the mark on its last message."""
    *before, last = [dict(message) for message in task.prompt]
    return [*before, last | {_MARK: json.dumps([name, task.id])}]


def whose(prompts: Sequence[Any], mixture: Mixture) -> list[tuple[str, Task]]:
    """Return the environment's name and the task of each prompt, from its mark.

    Equal marks give the same `Task` object. Raises `DataError` for a prompt that isn't of `dataset(env)`.
    """
    by_mark: dict[str, tuple[str, Task]] = {}
    owners = []
    for prompt in prompts:
        mark = prompt[-1].get(_MARK) if isinstance(prompt, list) and prompt else None
        if mark is None:
            raise DataError(
                "A prompt of the training data has no mark by rlvr: make the data with "
                "rlvr.trl.dataset(env), and keep the column 'prompt' as it is."
            )
        if mark not in by_mark:
            name, id = json.loads(mark)
            if name not in mixture.environments:
                raise DataError(unknown(name, mixture))
            task = mixture.environments[name].tasks.find(id)
            if list(task.prompt) != unmarked(prompt):
                raise DataError(
                    f"The task {id!r} of {name!r} has another prompt in the training data: make the "
                    f"data and the rollout with the same environment."
                )
            by_mark[mark] = (name, task)
        owners.append(by_mark[mark])
    return owners


def unmarked(prompt: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return the prompt's messages without the mark, for the chat template."""
    return [{"role": m["role"], "content": m["content"]} for m in prompt]


def unknown(name: str, mixture: Mixture) -> str:
    """Return the message about a row whose environment isn't in the mixture."""
    return (
        f"A row of the training data is of the environment {name!r}, and there is only "
        f"{', '.join(mixture.environments)}: make data and reward with the same environments."
    )
