"""Probes of episodes: each is by itself, makes a call once, is closed once, and leaves nothing behind."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlvr.authoring.audit.finding import Finding, fail, nothing, ok
from rlvr.authoring.audit.playing import (
    Played,
    call_message,
    finish,
    in_order,
    plausible_calls,
    play,
    respond,
)
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import SINGLE_TURN, Subject, excerpt, shown
from rlvr.core.environment import Environment
from rlvr.core.episode import Episode
from rlvr.core.faults import described
from rlvr.core.fixtures import Turn
from rlvr.core.task import Task
from rlvr.envs.tools import ToolEnv
from rlvr.testing.fixtures import opened

_CALLS = 9
_EPISODES = 10  # whose traces are counted
_VARY = "its episodes declare that replies vary"
_FIX_STATE = (
    "Keep an episode's state on the `Episode` object, and none on its class, its module or the environment. Seed a "
    "random generator with the task's id, or declare `varies = True`."
)


@probe("conformance")
def replies_again(subject: Subject) -> Finding:
    """Check that the same conversation gets the same reply, after any other, unless replies are declared to vary."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    if subject.replies_vary:
        return nothing(_VARY)
    changed = []
    for task in subject.tasks[:3]:
        conversations = _conversations(subject.env, task)
        first = [_replies(subject, task, turns) for turns in conversations]
        backwards = [_replies(subject, task, turns) for turns in reversed(conversations)][::-1]
        changed += [
            f"{task.id}, after {excerpt(str(turns))}: {excerpt(str(a), 100)}, then {excerpt(str(b), 100)}"
            for turns, a, b in zip(conversations, first, backwards, strict=True)
            if a != b
        ]
    if changed:
        return fail("the same conversation gets another reply the next time", changed, _FIX_STATE)
    return ok("the same conversations get the same replies")


@probe("conformance")
def episodes_apart(subject: Subject) -> Finding:
    """Check that two episodes side by side are as each is alone, down to outcome and verdict."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    if subject.replies_vary:
        return nothing(_VARY)
    env, tasks = subject.env, (subject.tasks[0], subject.tasks[-1])
    turns = [_conversations(env, task)[-1] for task in tasks]
    alone = [play(env, task, in_order(script)) for task, script in zip(tasks, turns, strict=True)]
    with opened(env, tasks[0]) as first, opened(env, tasks[1]) as second:
        replies: list[list[str]] = [[], []]
        for place in range(max(map(len, turns))):
            for episode, script, got in zip((first, second), turns, replies, strict=True):
                if place < len(script) and not episode.over:
                    got.append(respond(episode, script[place]))
        for episode in (first, second):
            if not episode.over:
                episode.cut("turns")
        together = [
            finish(env, episode, got) for episode, got in zip((first, second), replies, strict=True)
        ]
    afterwards = [
        play(env, task, in_order(script)) for task, script in zip(tasks, turns, strict=True)
    ]
    changed = [
        f"{task.id}, {when}: {difference}"
        for when, plays in (("beside another episode", together), ("after others", afterwards))
        for task, expected, actual in zip(tasks, alone, plays, strict=True)
        if (difference := _difference(expected, actual))
    ]
    if changed:
        return fail("an episode changes when others are played", changed, _FIX_STATE)
    return ok("two episodes side by side are as each is alone")


@probe("conformance")
def closed_once(subject: Subject) -> Finding:
    """Check that `close` works and runs once: at the end, in the middle, and after a fault."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    task = subject.tasks[0]
    turns = _conversations(subject.env, task)[-1]
    wrong = []
    for when, script, faulty in (
        ("right after opening", (), False),
        ("in the middle", turns[:1], False),
        ("at the end", turns, False),
        ("after a fault in `reply`", turns[:1], True),
    ):
        env, closings = _watched(subject.env, faulty)
        with opened(env, task) as episode:
            for turn in script:
                if not episode.over:
                    respond(episode, turn)
            if script is turns:
                if not episode.over:
                    episode.cut("turns")
                episode.begin_end().result()
        if closings is None or not closings.watched:
            return nothing("its episodes have no `close` of their own")
        if closings.count != 1:
            wrong.append(f"{when}: `close` ran {closings.count} times")
        wrong += [f"{when}: `close` raised {error}" for error in closings.errors]
    if wrong:
        return fail(
            wrong[0],
            wrong,
            "`close` is called once, by rlvr, whatever happened before: don't call it yourself, and close only what "
            "was opened.",
        )
    return ok("`close` ran once in each of 4 situations")


@probe("conformance")
def episode_leaves_nothing(subject: Subject) -> Finding:
    """Check that episodes leave no file, process, thread or open descriptor behind after `close`."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    if not Path("/proc/self/fd").exists():
        return nothing("descriptors are counted by /proc, which this system doesn't have")
    task = subject.tasks[0]
    turns = _conversations(subject.env, task)[-1]
    subject.hang_budget.check()
    with _temporary() as folder:
        _some(subject.env, task, turns, 3)  # what is made once per process is no trace
        before = _traces(folder)
        _some(subject.env, task, turns, _EPISODES)
        after = _traces(folder)
    left = [
        f"{after[kind] - before[kind]} {kind}"
        for kind in before
        if after[kind] - before[kind] >= _EPISODES // 2
    ]
    if left:
        return fail(
            f"{_EPISODES} episodes leave behind: {', '.join(left)}",
            left,
            "`close` ends and removes everything that `open`, `__init__` and `reply` have made.",
        )
    return ok(f"{_EPISODES} episodes, some of them broken off, leave nothing behind")


@probe("conformance")
def calls_once(subject: Subject) -> Finding:
    """Check that nine calls of tools execute nine times."""
    env = subject.env
    if not isinstance(env, ToolEnv):
        return nothing("it has no tools")
    task = subject.tasks[0]
    calls = plausible_calls(env, task)
    if not calls:
        return nothing("no call of its tools can be made up")
    counting, executed = _counting(env)
    messages = min(3, env.max_turns)
    sent = 0
    with opened(counting, task) as episode:
        for number in range(messages):
            if episode.over:
                break
            share = [calls[(number + i) % len(calls)] for i in range(_CALLS // messages)]
            respond(episode, call_message(*share))
            sent += len(share)
    done = executed.total()
    if done != sent:
        return fail(
            f"{sent} calls of tools execute {done} times",
            [f"{name}: {times} times" for name, times in executed.items()],
            "Keep the toolbox of an episode, and don't make earlier calls again: tools may write, pay or send. "
            "rlvr.ToolEnv makes each call once.",
        )
    return ok(f"{sent} calls of tools execute {done} times")


# ------------------------------------------------------------------ helpers


def _conversations(env: Environment, task: Task) -> list[list[Turn]]:
    """Return conversations to try, the last of which has the most messages."""
    texts: list[list[Turn]] = [["x"], ["?", "0"], ["x"], ["1"]]
    calls = [call_message(call) for call in plausible_calls(env, task)]
    return [*texts, [*calls[: env.max_turns - 1], "x"] if calls else ["x", "1", "?"]]


def _replies(subject: Subject, task: Task, turns: Sequence[Turn]) -> list[str]:
    return subject.play(task, in_order(turns)).replies


def _difference(expected: Played, actual: Played) -> str:
    """Return the first difference between two episodes in words; "" if there is none."""
    for label, a, b in (
        ("the replies are", expected.replies, actual.replies),
        ("the outcome is", expected.outcome, actual.outcome),
        ("the step rewards are", expected.step_rewards, actual.step_rewards),
        ("the verdict is", shown(expected.verdict), shown(actual.verdict)),
    ):
        if a != b:
            return f"{label} {excerpt(str(b), 100)}, and alone {excerpt(str(a), 100)}"
    return ""


class _Closings:
    """The calls of one episode's `close`, and what they raised."""

    def __init__(self) -> None:
        self.watched = False
        self.count = 0
        self.errors: list[str] = []

    def watch(self, author: Any) -> None:
        """Count the calls of an author's object."""
        if not isinstance(author, Episode) or type(author).close is Episode.close:
            return
        self.watched = True
        close = author.close

        async def closing_async() -> None:
            with self._counted():
                await close()

        def closing() -> Any:
            with self._counted():
                return close()

        author.close = closing_async if inspect.iscoroutinefunction(close) else closing  # type: ignore[method-assign]

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.count += 1
        try:
            yield
        except Exception as error:
            self.errors.append(described(error))
            raise


def _watched(env: Environment, faulty: bool) -> tuple[Environment, _Closings]:
    """Return a copy of the environment whose next episode's `close` is counted, and whose `reply` may raise."""
    watched, closings = copy.copy(env), _Closings()

    def begin(task: Task) -> Any:
        session = env.begin(task)
        closings.watch(getattr(session, "_toolbox", session))
        if faulty:
            session.reply = _raising
        return session

    watched.begin = begin  # type: ignore[method-assign]
    return watched, closings


async def _raising(message: Any) -> Any:
    raise RuntimeError("a fault that the audit makes")


def _some(env: Environment, task: Task, turns: Sequence[Turn], count: int) -> None:
    """Play some episodes: to the end, broken off, and with a fault."""
    for number in range(count):
        if number % 3 == 0:
            play(env, task, in_order(turns))
            continue
        some, _ = _watched(env, faulty=number % 3 == 1)
        with opened(some, task) as episode:
            if not episode.over:
                respond(episode, turns[0])


@contextmanager
def _temporary() -> Iterator[Path]:
    """Send temporary files to a folder of its own."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def _traces(folder: Path) -> dict[str, int]:
    gc.collect()
    children = [Path(task, "children") for task in Path("/proc/self/task").iterdir()]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": sum(not t.name.startswith("rlvr") for t in threading.enumerate()),
        "processes": sum(len(file.read_text().split()) for file in children if file.exists()),
        "temporary files": len(list(folder.iterdir())),
        "files in the working directory": len(os.listdir()),
    }


def _counting(env: ToolEnv) -> tuple[ToolEnv, Counter[str]]:
    """Return a copy of the environment whose tools count their executions."""
    executed: Counter[str] = Counter()

    def counted(name: str, tool: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(tool)
        def plain(*arguments: Any, **named: Any) -> Any:
            executed[name] += 1
            return tool(*arguments, **named)

        @functools.wraps(tool)
        async def awaited(*arguments: Any, **named: Any) -> Any:
            executed[name] += 1
            return await tool(*arguments, **named)

        return awaited if inspect.iscoroutinefunction(tool) else plain

    tools = {name: counted(name, tool) for name, tool in env.tools.items()}
    counting = copy.copy(env)
    if inspect.isclass(env.toolbox):
        counting.toolbox = type(env.toolbox.__name__, (env.toolbox,), tools)
        counting.episode_class = counting.toolbox
    counting.tools = tools
    return counting, executed
