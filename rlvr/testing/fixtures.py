"""`judge_fixtures`: the present verdicts on responses whose verdicts an author knows."""

from __future__ import annotations

from collections.abc import Sequence

from rlvr.core.environment import Environment, judged
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.envs.turns import SingleTurn
from rlvr.scoring import score


def judge_fixtures(env: Environment, fixtures: Sequence[Fixture] | None = None) -> list[Verdict]:
    """Return the verdict on each fixture, in order; `fixture.holds(verdict)` compares it with the expected one::

        for fixture, verdict in zip(env.fixtures, judge_fixtures(env)):
            assert fixture.holds(verdict), verdict

    Fixtures of one turn are judged together. Those of several turns are played through `reset` and `step`, on a
    copy, so that an episode in `env` isn't disturbed. If the episode isn't over after the last response, that one is
    judged, as after `max_turns`.

    A fixture that can't be judged is unscored: its task isn't among the environment's, the episode
    is over before its last response, or the environment raised.

    Args:
        fixtures: the environment's own by default. Raises `DataError` if their file can't be read.
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
    """Return the task of a fixture; an unscored verdict if the environment doesn't have it."""
    if isinstance(fixture.task, Task):
        return fixture.task
    try:
        return env.tasks.find(fixture.task)
    except DataError as error:
        return Unscored(Cause.INPUT, f"{error} Give the fixture another id, or a task of its own.")
    except Exception as error:
        return raised(f"the tasks of {env.name} raised", error)


def _only_the_verifier_decides(env: Environment) -> bool:
    return not env.is_interactive and isinstance(env, SingleTurn) and env.judges_by_verifier


def _played(env: Environment, task: Task, turns: tuple[str, ...]) -> Verdict:
    """Return the verdict on an episode with these responses."""
    episode = env.episode(task)
    try:
        episode.begin_open().result()
        for number, response in enumerate(turns, 1):
            if episode.over and episode.fault is None:
                return Unscored(
                    Cause.INPUT,
                    f"the episode is over after response {number - 1} of {len(turns)}: leave out "
                    f"the rest, or raise max_turns.",
                )
            if not episode.over:
                episode.begin_respond(response).result()
        if not episode.over:
            episode.cut("turns")
        return judged(env, episode)
    except Exception as error:
        return raised(f"{env.name} raised", error)
    finally:
        episode.begin_close().result()
