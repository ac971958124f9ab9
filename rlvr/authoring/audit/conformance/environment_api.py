"""Probes of an environment's methods: `reset`, `step` and `reply` keep their contract."""

from __future__ import annotations

import math
import pickle
import random
import warnings
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, excerpt
from rlvr.core.environment import Environment
from rlvr.core.errors import ResetNeededError
from rlvr.core.faults import described
from rlvr.core.task import Task
from rlvr.core.verdict import Unscored

_FIX_RESET = "Draw from self.np_random alone, after super().reset(seed=seed)."
_FIX_GENERATOR = (
    "The function that makes a task draws from its argument `rng` alone: no `random`, no `numpy.random`, no set "
    "whose order changes."
)


@probe("conformance")
def gymnasium_api(subject: Subject) -> Finding:
    """Check that Gymnasium's own checker passes."""
    unscored = _verdict_on_x(subject)
    if unscored is not None:
        return nothing(
            f"a plain response has no verdict (see any-response): {unscored.message:.120}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_env(_fresh(subject), skip_render_check=True)
    except Exception as error:
        return fail(
            "Gymnasium's check_env refuses it",
            [described(error)],
            _FIX_GENERATOR
            if _tasks_vary(subject)
            else "Make it with rlvr.SingleTurn(…) or a subclass of rlvr.MultiTurn. A `reset` or `step` of your own "
            "returns the values that Gymnasium's documentation lists.",
        )
    return ok("Gymnasium's check_env passes")


@probe("conformance")
def reset(subject: Subject) -> Finding:
    """Check that `reset(seed=…)` decides the task, and draws from nothing but `self.np_random`."""
    first, second = _fresh(subject), _fresh(subject)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    prompts_drawn = []
    for seed in range(8):
        prompts = [env.reset(seed=seed)[0] for env in (first, second)]
        again = first.reset(seed=seed)[0]
        if not prompts[0] == prompts[1] == again:
            return fail(
                "the same seed draws different tasks",
                [f"seed {seed}: {excerpt(prompt)}" for prompt in (*prompts, again)],
                _FIX_RESET if _own_reset(subject.env) else _FIX_GENERATOR,
            )
        prompts_drawn.append(prompts[0])
    after = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    if before != after:
        return fail(
            "reset draws from Python's or NumPy's global generator",
            fix=_FIX_RESET if _own_reset(subject.env) else _FIX_GENERATOR,
        )
    if len(subject.tasks) > 3 and len(set(prompts_drawn)) == 1:
        return fail(
            "every seed draws the same task",
            [excerpt(prompts_drawn[0])],
            "reset chooses one of self.tasks by self.np_random; don't override it.",
        )
    return ok(f"8 seeds, {len(set(prompts_drawn))} different tasks, each the same when drawn again")


@probe("conformance")
def episode(subject: Subject) -> Finding:
    """Check that an episode ends, with a verdict and the right flags, and can't be continued."""
    env = _fresh(subject)
    task = subject.tasks[0]
    _, info = env.reset(options={"task": task})
    wrong = []
    if info.get("task_id") != task.id or not info.get("messages"):
        wrong.append(f"reset's info has {sorted(info)}, without task_id and messages")
    given_away = _given_away(info, task)
    if given_away:
        wrong.append(f"reset's info gives the reference away: {given_away}")
    turns, earned = 0, 0.0
    while turns <= env.max_turns:
        turns += 1
        try:
            _, reward, terminated, truncated, info = env.step("x")
        except ResetNeededError:  # it's over, and the last step didn't say so
            break
        earned += reward
        if terminated or truncated:
            break
    if not (terminated or truncated):
        wrong.append(f"it goes on after max_turns ({env.max_turns}) responses")
    elif "verdict" not in info:
        wrong.append("the last step's info has no verdict")
    elif info["verdict"].scored and not math.isclose(earned, info["verdict"].reward, abs_tol=1e-9):
        wrong.append(f"the rewards add up to {earned:g}, the verdict's is {info['verdict'].reward}")
    elif not info["verdict"].scored and reward == reward:  # not NaN
        wrong.append(f"an unscored episode has the reward {reward}: it has to be NaN")
    else:
        try:
            env.step("x")
            wrong.append("step goes on after the end")
        except ResetNeededError:
            pass
    if wrong:
        return fail(
            wrong[0],
            wrong,
            "Don't override reset and step of rlvr.SingleTurn; write reply for several turns.",
        )
    return ok(f"an episode ends after {turns} response{'s' if turns > 1 else ''}, with a verdict")


@probe("conformance")
def pickling(subject: Subject) -> Finding:
    """Check that the environment survives pickling, as workers and vectors of environments need."""
    try:
        blob = cloudpickle.dumps(subject.env.verifier)
        pickle.loads(blob)
        pickle.loads(cloudpickle.dumps(subject.env))
    except Exception as error:
        return fail(
            "it can't be pickled",
            [described(error)],
            "A verifier holds plain data. Make files, locks, clients and connections inside the function that "
            "uses them, once per process; or judge in the caller's process with inline=True.",
        )
    if len(blob) > 10_000_000:
        return note(
            f"its verifier is {len(blob) / 1e6:.0f} MB when pickled, and every worker gets it",
            fix="Put data into the tasks' references, or load it at the first use.",
        )
    return ok(f"it survives pickling; its verifier is {max(1, len(blob) // 1000)} kB")


@probe("conformance")
def vectors(subject: Subject) -> Finding:
    """Check that episodes of several environments side by side are independent."""
    if subject.factory is None:
        return nothing("it was handed over as an object, and a vector needs a factory")
    a, b = subject.tasks[0], subject.tasks[-1]
    first, second = subject.make(), subject.make()
    first.reset(options={"task": a})
    second.reset(options={"task": b})
    wrong = []
    *_, first_info = first.step("first")
    try:
        *_, second_info = second.step("second")
    except ResetNeededError:
        second_info = {}
        wrong.append(f"the episode of {b.id} was over when the one of {a.id} ended")
    for info, task, response, strange in (
        (first_info, a, "first", "second"),
        (second_info, b, "second", "first"),
    ):
        messages = [m["content"] for m in info.get("messages", []) if m["role"] == "assistant"]
        if info.get("task_id") != task.id or response not in messages or strange in messages:
            wrong.append(f"the episode of {task.id} shows {info.get('task_id')}: {messages}")
    if wrong:
        return fail(
            "two environments of it share their state",
            wrong,
            "Keep an episode's state in `task` and `messages`, and none on the class.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vector = gymnasium.vector.SyncVectorEnv([subject.make, subject.make])
        try:
            prompts, _ = vector.reset(seed=[1, 2])
            vector.step(("x", "x"))
        finally:
            vector.close()
    alone = [subject.make().reset(seed=seed)[0] for seed in (1, 2)]
    if list(prompts) != alone:
        return fail(
            "in a vector, the same seeds draw other tasks",
            [excerpt(str(prompt)) for prompt in prompts],
            _FIX_GENERATOR if _tasks_vary(subject) else _FIX_RESET,
        )
    return ok("two side by side and two in a vector behave as each does alone")


def _own_reset(env: Environment) -> bool:
    """Return True if an author has overridden `reset`."""
    return not type(env).reset.__module__.startswith("rlvr.")


def _tasks_vary(subject: Subject) -> bool:
    """Return True if a task of the environment isn't the same when it is made again."""
    first, second = (_fresh(subject).tasks[0] for _ in range(2))
    return (first.text, first.reference) != (second.text, second.reference)


def _verdict_on_x(subject: Subject) -> Unscored | None:
    """Return the verdict on a plain response if it is unscored: then rewards are NaN, and NaN isn't equal to itself."""
    (verdict,) = subject.judge(subject.tasks[:1], ["x"])
    return verdict if isinstance(verdict, Unscored) else None


def _fresh(subject: Subject) -> Environment:
    """Return a fresh environment if possible, so that the audit's own episodes aren't disturbed."""
    if subject.factory is not None:
        return subject.make()
    copied: Environment = pickle.loads(cloudpickle.dumps(subject.env))
    return copied


def _given_away(info: dict[str, Any], task: Task) -> str:
    """Return the key of reset's info that holds the reference; "" if none does."""
    if not task.reference or task.reference in ([], {}):
        return ""
    for key, value in info.items():
        if key not in ("task_id", "messages") and task.reference in (
            value,
            getattr(value, "reference", None),
        ):
            return key
    return ""
