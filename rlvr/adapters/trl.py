"""TRL's `GRPOTrainer` and `RLOOTrainer`::

    env = rlvr.make("gsm8k", split="train")
    trainer = GRPOTrainer(model, args=config,
                          train_dataset=rlvr.trl.dataset(env), reward_funcs=rlvr.trl.reward(env))

An unscored row is `None` for TRL, which leaves it out of the group's baseline and gives it
advantage 0. Written against TRL 1.16.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.scoring import ascore, default_pool

if TYPE_CHECKING:
    import datasets

COLUMN = "rlvr_task"
"""The dataset's column that carries each row's task, as JSON, to the reward function."""

RewardFunction: TypeAlias = Callable[..., Coroutine[Any, Any, list[float | None]]]


def dataset(env: Environment, limit: int | None = None) -> datasets.Dataset:
    """The environment's tasks as TRL wants them: conversational prompts, and the task beside each.

    Args:
        env: single-turn.
        limit: the first so many tasks; needed where there are more than 100,000, since all of
            them are written out.

    Returns:
        A dataset with the columns `prompt` (messages), `rlvr_task` and `task_id`.
    """
    _check_single_turn(env)
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            "The TRL adapter needs the package 'datasets': pip install 'rlvr[train]'."
        ) from error
    if limit is not None and limit < 1:
        raise OptionError(f"limit is at least 1, not {limit}.")
    if limit is None and len(env.tasks) > 100_000:
        raise OptionError(
            f"{env.name!r} has {len(env.tasks)} tasks: say how many with dataset(env, limit=…), "
            f"steps times prompts a step."
        )
    tasks = env.tasks if limit is None else env.tasks[: min(limit, len(env.tasks))]
    return datasets.Dataset.from_dict(_columns(tasks))


def reward(env: Environment, deadline_s: float | None = None) -> RewardFunction:
    """The environment's verifier as a reward function.

    TRL runs it on its event loop, beside its other reward functions; the judging itself happens in
    the scoring pool, off the training process's threads.

    Metrics logged with each batch: `rlvr/<component>`, the mean of each component over the scored
    rows; `rlvr/status/<status>`, its share of the scored; `rlvr/unscored`, the share of all rows
    that got no reward, and `rlvr/unscored/<cause>`. The feedback is logged beside each completion.

    Args:
        env: single-turn.
        deadline_s: for a batch; what isn't judged by then is unscored. None: each row's own limit.
    """
    _check_single_turn(env)
    default_pool().start()  # warm by the time the first completions are there

    async def reward_function(
        completions: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        if COLUMN not in columns:
            raise DataError(
                f"The training data have no column {COLUMN!r}; make them with rlvr.trl.dataset(env). "
                f"TRL handed over: {', '.join(columns)}."
            )
        tasks = [Task.from_json(json.loads(task)) for task in columns[COLUMN]]
        responses = [_text(completion) for completion in completions]
        verdicts = await ascore(tasks, responses, env.verifier, deadline_s=deadline_s)
        if log_metric is not None:
            for name, value in metrics(verdicts).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("feedback", [_feedback(verdict) for verdict in verdicts])
        return [verdict.reward if isinstance(verdict, Scored) else None for verdict in verdicts]

    reward_function.__name__ = env.name  # TRL names the reward's metrics after it
    return reward_function


def metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """What `reward` logs about a batch. Every status and cause each time, so that no curve has gaps."""
    scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
    values: dict[str, list[float]] = {}
    for verdict in scored:
        for name, value in verdict.components.items():
            values.setdefault(name, []).append(value)
    logged = {f"rlvr/{name}": sum(some) / len(some) for name, some in values.items()}
    statuses = Counter(verdict.status for verdict in scored)
    causes = Counter(verdict.cause for verdict in verdicts if isinstance(verdict, Unscored))
    total = max(1, len(verdicts))
    if scored:
        # Under a folder of its own: a component may well be called "correct".
        logged |= {f"rlvr/status/{status}": statuses[status] / len(scored) for status in Status}
    logged["rlvr/unscored"] = (len(verdicts) - len(scored)) / total
    return logged | {f"rlvr/unscored/{cause}": causes[cause] / total for cause in Cause}


def _check_single_turn(env: Environment) -> None:
    if env.max_turns > 1:
        raise OptionError(
            f"{env.name!r} is multi-turn; a reward function judges single-turn environments."
        )


def _columns(tasks: Sequence[Task]) -> dict[str, list[Any]]:
    rows = list(tasks)
    return {
        "prompt": [[dict(message) for message in task.prompt] for task in rows],
        COLUMN: [json.dumps(task.to_json()) for task in rows],
        "task_id": [task.id for task in rows],
    }


def _text(completion: Any) -> str:
    """A completion's text: a string, or the content of its last message (its tool calls have none)."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, list):  # parts, as multi-modal templates have them
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _feedback(verdict: Verdict) -> str:
    if isinstance(verdict, Scored):
        return verdict.feedback
    return f"unscored ({verdict.cause}): {verdict.message}"
