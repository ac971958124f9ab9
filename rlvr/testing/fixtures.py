"""`judge_fixtures`: the present verdicts on responses whose verdicts an author knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

from rlvr.core.environment import Environment, judged
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.fixtures import Fixture, Turn
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.envs.turns import SingleTurn
from rlvr.scoring import score


def judge_fixtures(env: Environment, fixtures: Sequence[Fixture] | None = None) -> list[Verdict]:
    """Return the verdict on each fixture, in order; `fixture.holds(verdict)` compares it with the expected one::

        for fixture, verdict in zip(env.fixtures, judge_fixtures(env)):
            assert fixture.holds(verdict), verdict

    Fixtures of one turn are judged together, and so are those with messages, which aren't played. The others are played
    in episodes of their own. If an episode isn't over after the last response, that one is judged, as after `max_turns`.

    A fixture that can't be judged is unscored: its task isn't among the environment's, the episode
    is over before its last response, or the environment raised.

    Args:
        fixtures: the environment's own by default. Raises `DataError` if their file can't be read.
    """
    chosen = env.fixtures if fixtures is None else tuple(fixtures)
    verdicts: list[Verdict | None] = [None] * len(chosen)
    together: list[tuple[int, Task, str | Transcript]] = []
    for place, fixture in enumerate(chosen):
        task = task_of(env, fixture)
        if isinstance(task, Unscored):
            verdicts[place] = task
        elif fixture.messages:
            messages = [*task.prompt, *fixture.messages]
            transcript = Transcript(messages, fixture.outcome, (), len(task.prompt))
            if judges_by_verifier(env):
                together.append((place, task, transcript))
            else:
                verdicts[place] = _result(env.submit(task, transcript))
        elif (
            len(fixture.turns) == 1
            and isinstance(fixture.turns[0], str)
            and not env.is_interactive
            and judges_by_verifier(env)
        ):
            together.append((place, task, fixture.turns[0]))
        else:
            verdicts[place] = _played(env, task, fixture.turns)
    tasks = [task for _, task, _ in together]
    responses = [response for *_, response in together]
    for (place, *_), verdict in zip(together, score(tasks, responses, env.verifier), strict=True):
        verdicts[place] = verdict
    return [verdict for verdict in verdicts if verdict is not None]


@contextlib.contextmanager
def opened(env: Environment, task: Task) -> Iterator[LiveEpisode]:
    """Open an episode for a `with` block, for callers without a loop."""
    episode = env.episode(task)
    try:
        episode.begin_open().result()
        yield episode
    finally:
        episode.begin_close().result()


def play_turns(episode: LiveEpisode, turns: Iterable[Turn]) -> int:
    """Hand over messages until the episode is over or none is left, and return the number of those handed over."""
    played = 0
    for turn in turns:
        if episode.over:
            break
        episode.begin_respond(turn).result()
        played += 1
    if not episode.over:
        episode.cut("turns")  # without the next question
    return played


def judges_by_verifier(env: Environment) -> bool:
    """Return whether an episode's verdict is the verifier's, and not that of a `judge` of the environment's own."""
    return isinstance(env, SingleTurn) and env.judges_by_verifier


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


def _played(env: Environment, task: Task, turns: tuple[Turn, ...]) -> Verdict:
    """Return the verdict on an episode with these responses."""
    try:
        with opened(env, task) as episode:
            played = play_turns(episode, turns)
            if played < len(turns) and episode.fault is None:
                return Unscored(
                    Cause.INPUT,
                    f"the episode is over after response {played} of {len(turns)}: leave out "
                    f"the rest, or raise max_turns.",
                )
            return judged(env, episode)
    except Exception as error:
        return raised(f"{env.name} raised", error)


def _result(verdict: Verdict | Future[Verdict]) -> Verdict:
    return verdict.result() if isinstance(verdict, Future) else verdict
