"""Probes that an environment keeps the contract that trainers and evaluators rely on."""

from __future__ import annotations

import pickle
import random
import warnings
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import SINGLE_TURN, Subject, excerpt
from rlvr.core.environment import Environment
from rlvr.core.errors import ResetNeededError
from rlvr.core.faults import described
from rlvr.core.task import Task


@probe("conformance")
def gymnasium_api(subject: Subject) -> Finding:
    """Gymnasium's own checker passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_env(_another(subject), skip_render_check=True)
    except Exception as error:
        return fail(
            "Gymnasium's check_env refuses it",
            [described(error)],
            "An environment is rlvr.SingleTurn(…) or rlvr.MultiTurn; where `reset` or `step` are your "
            "own, they return what Gymnasium's documentation says.",
        )
    return ok("Gymnasium's check_env passes")


@probe("conformance")
def reset(subject: Subject) -> Finding:
    """`reset(seed=…)` decides the task, and draws from nothing but `self.np_random`."""
    first, second = _another(subject), _another(subject)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    drawn = []
    for seed in range(8):
        prompts = [env.reset(seed=seed)[0] for env in (first, second)]
        again = first.reset(seed=seed)[0]
        if not prompts[0] == prompts[1] == again:
            return fail(
                "the same seed draws different tasks",
                [f"seed {seed}: {excerpt(one)}" for one in (*prompts, again)],
                "Draw from self.np_random alone, after super().reset(seed=seed).",
            )
        drawn.append(prompts[0])
    after = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    if before != after:
        return fail(
            "reset draws from Python's or NumPy's global generator",
            fix="Draw from self.np_random, or from the `rng` that a task's generator is given.",
        )
    if len(subject.tasks) > 3 and len(set(drawn)) == 1:
        return fail(
            "every seed draws the same task",
            [excerpt(drawn[0])],
            "reset chooses one of self.tasks by self.np_random; don't override it.",
        )
    return ok(f"8 seeds, {len(set(drawn))} different tasks, each the same when drawn again")


@probe("conformance")
def episode(subject: Subject) -> Finding:
    """An episode ends, says how, gives a verdict, and isn't gone on with."""
    env = _another(subject)
    task = subject.tasks[0]
    _, info = env.reset(options={"task": task})
    wrong = []
    if info.get("task_id") != task.id or not info.get("messages"):
        wrong.append(f"reset's info has {sorted(info)}: task_id and messages belong there")
    given_away = _given_away(info, task)
    if given_away:
        wrong.append(f"reset's info gives the reference away: {given_away}")
    turns = 0
    while turns <= env.max_turns:
        turns += 1
        _, reward, terminated, truncated, info = env.step("x")
        if terminated or truncated:
            break
    if not (terminated or truncated):
        wrong.append(f"it goes on after max_turns ({env.max_turns}) responses")
    elif "verdict" not in info:
        wrong.append("the last step's info has no verdict")
    elif info["verdict"].scored and reward != info["verdict"].reward:
        wrong.append(f"the reward is {reward}, the verdict's {info['verdict'].reward}")
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
            "Leave reset and step to rlvr.SingleTurn; write reply for several turns.",
        )
    return ok(f"an episode ends after {turns} response{'s' if turns > 1 else ''}, with a verdict")


@probe("conformance")
def pickling(subject: Subject) -> Finding:
    """The environment survives pickling, as workers and vectors of environments need."""
    try:
        blob = cloudpickle.dumps(subject.env.verifier)
        pickle.loads(blob)
        pickle.loads(cloudpickle.dumps(subject.env))
    except Exception as error:
        return fail(
            "it can't be pickled",
            [described(error)],
            "A verifier holds plain data: open files, locks, clients and connections are made where "
            "they're used, once for each process.",
        )
    if len(blob) > 10_000_000:
        return note(
            f"its verifier is {len(blob) / 1e6:.0f} MB when pickled, and every worker gets it",
            fix="Put data into the tasks' references, or load it at the first use.",
        )
    return ok(f"it survives pickling; its verifier is {max(1, len(blob) // 1000)} kB")


@probe("conformance")
def vectors(subject: Subject) -> Finding:
    """Episodes of several environments side by side don't meet."""
    if subject.factory is None:
        return nothing("it was handed over as an object, and a vector needs a factory")
    a, b = subject.tasks[0], subject.tasks[-1]
    one, other = subject.make(), subject.make()
    one.reset(options={"task": a})
    other.reset(options={"task": b})
    *_, ended = one.step("first")
    *_, later = other.step("second")
    wrong = []
    for info, task, said, strange in ((ended, a, "first", "second"), (later, b, "second", "first")):
        messages = [m["content"] for m in info.get("messages", []) if m["role"] == "assistant"]
        if info.get("task_id") != task.id or said not in messages or strange in messages:
            wrong.append(f"the episode of {task.id} shows {info.get('task_id')}: {messages}")
    if wrong:
        return fail(
            "two environments of it share their state",
            wrong,
            "Keep an episode's state in `task` and `messages`; nothing on the class.",
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
            [excerpt(str(one)) for one in prompts],
            "Draw from self.np_random alone.",
        )
    return ok("two side by side, and in a vector: each as if it were alone")


@probe("conformance")
def replies_again(subject: Subject) -> Finding:
    """The same conversation gets the same reply, whatever was asked before."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    said = [["x"], ["?", "0"], ["x"], ["1"]]
    changed = []
    for task in subject.tasks[:3]:
        first = [subject.reply(task, texts) for texts in said]
        backwards = [subject.reply(task, texts) for texts in reversed(said)][::-1]
        changed += [
            f"{task.id}, after {texts}: {excerpt(str(a))}, then {excerpt(str(b))}"
            for texts, a, b in zip(said, first, backwards, strict=True)
            if a != b
        ]
    if changed:
        return fail(
            "the same conversation gets another reply the next time",
            changed,
            "`reply` keeps no state of its own: all it may use is in `task` and `messages`; what's "
            "random is drawn by a generator seeded from the task's id.",
        )
    return ok("the same conversations get the same replies")


def _another(subject: Subject) -> Environment:
    """A fresh one where that's possible, so that the audit's own episodes aren't disturbed."""
    if subject.factory is not None:
        return subject.make()
    copied: Environment = pickle.loads(cloudpickle.dumps(subject.env))
    return copied


def _given_away(info: dict[str, Any], task: Task) -> str:
    """Which part of reset's info holds the reference."""
    if not task.reference or task.reference in ([], {}):
        return ""
    for key, value in info.items():
        if key not in ("task_id", "messages") and task.reference in (
            value,
            getattr(value, "reference", None),
        ):
            return key
    return ""
