"""Fixtures judged: what the responses that an author knows earn now."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.envs.turns import SingleTurn
from rlvr.scoring import score


def judge_fixtures(env: Environment, fixtures: Sequence[Fixture] | None = None) -> list[Verdict]:
    """The verdict on each fixture, in order; `fixture.holds(verdict)` says whether it's as it should be.

    Those of one turn are judged together. Those of several are played through `reset` and `step`,
    on a copy: an episode that goes on in `env` isn't disturbed. Where the episode isn't over after
    the last response, that one is judged as it stands, as after `max_turns`.

    A fixture that can't be judged is unscored: its task isn't among the environment's, the episode
    is over before its last response, or the environment raised.

    Args:
        fixtures: the environment's own by default. Raises `DataError` where their file can't be read.
    """
    chosen = env.fixtures if fixtures is None else tuple(fixtures)
    verdicts: list[Verdict | None] = [None] * len(chosen)
    together: list[tuple[int, Task]] = []
    for place, fixture in enumerate(chosen):
        task = task_of(env, fixture)
        if isinstance(task, Unscored):
            verdicts[place] = task
        elif len(fixture.turns) == 1 and _only_the_verifier_decides(env):
            together.append((place, task))
        else:
            verdicts[place] = _played(env, task, fixture.turns)
    tasks = [task for _, task in together]
    responses = [chosen[place].turns[0] for place, _ in together]
    for (place, _), verdict in zip(together, score(tasks, responses, env.verifier), strict=True):
        verdicts[place] = verdict
    return [verdict for verdict in verdicts if verdict is not None]


def task_of(env: Environment, fixture: Fixture) -> Task | Unscored:
    """The task that a fixture answers to; unscored where the environment hasn't got it."""
    if isinstance(fixture.task, Task):
        return fixture.task
    try:
        return env.tasks.find(fixture.task)
    except DataError as error:
        return Unscored(Cause.INPUT, f"{error} Give the fixture another id, or a task of its own.")
    except Exception as error:
        return raised(f"the tasks of {env.name} raised", error)


def _only_the_verifier_decides(env: Environment) -> bool:
    return env.max_turns == 1 and type(env).judge is SingleTurn.judge


def _played(env: Environment, task: Task, turns: tuple[str, ...]) -> Verdict:
    """The verdict on an episode with these responses."""
    episode = copy.copy(env)
    try:
        episode.reset(options={"task": task})
        for number, response in enumerate(turns, 1):
            _, _, terminated, truncated, info = episode.step(response)
            if not (terminated or truncated):
                continue
            if number < len(turns):
                return Unscored(
                    Cause.INPUT,
                    f"the episode is over after response {number} of {len(turns)}: leave out "
                    f"the rest, or raise max_turns.",
                )
            verdict: Verdict = info["verdict"]
            return verdict
        return episode.judge(task, info["messages"][:-1])  # without what was asked next
    except Exception as error:
        return raised(f"{env.name} raised", error)
