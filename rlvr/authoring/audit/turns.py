"""Episodes of several turns: what the environment replies, and what its tools tell."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import get_type_hints

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt, full, shown
from rlvr.authoring.fixtures import task_of
from rlvr.core.environment import Environment
from rlvr.core.errors import RlvrError
from rlvr.core.task import Task
from rlvr.core.verdict import Unscored, Verdict
from rlvr.envs.tools import ToolEnv, call

_TASKS = 8
_BLANK = ("?", "I don't know.", "0")
_SINGLE = "its episodes have one turn"


@probe("truth")
def right_episode(subject: Subject) -> Finding:
    """A right answer earns full reward in an episode too, and ends it."""
    if not _several(subject):
        return nothing(_SINGLE)
    if not subject.solved:
        return nothing("its verifier can't make right answers")
    broken: list[str] = []
    other: list[str] = []
    cut = 0
    for task, said in subject.solved[:4]:
        verdict, truncated = _played(subject, task, said)
        line = f"{task.id}, {excerpt(said)} at each turn: {shown(verdict)}"
        if isinstance(verdict, Unscored):
            broken.append(line)
        elif not full(verdict):
            other.append(line)
        cut += truncated
    if broken:
        return fail(f"{len(broken)} episodes with right answers have no verdict", broken,
                    "Most likely `reply` raises: it must answer whatever a model writes.")  # fmt: skip
    if other:
        return note(f"{len(other)} right answers, said at each turn, earn no full reward", other,
                    "Fine where an answer has to be prepared by other turns; else `reply` or `judge` "
                    "looks at another message than the verifier.")  # fmt: skip
    if cut == min(4, len(subject.solved)):
        if _fixture_ends(subject):  # the answer's form in an episode isn't the verifier's alone
            return ok("right fixtures end their episodes, with full reward")
        return fail(
            "no episode ends by itself, even by a right answer",
            [f"each is cut after {subject.env.max_turns} turns"],
            "`reply` returns None where the episode is over; what comes after a right answer would be "
            "judged in its place. Where an answer takes another form in an episode than `demonstrate` "
            "gives it, a right fixture shows that.",
        )
    return ok("right answers end their episodes, with full reward")


@probe("hacks")
def replies_tell(subject: Subject) -> Finding:
    """The environment's reply to a message without content doesn't tell the answer."""
    if not _several(subject):
        return nothing(_SINGLE)
    told, asked = [], 0
    for task in subject.tasks[:_TASKS]:
        reference = str(task.reference)
        if not isinstance(task.reference, str | int | float) or _stands(reference, task.text):
            continue
        asked += 1
        for text in _BLANK:
            reply = _reply(subject.env, task, [text])
            if reply is not None and _stands(reference, reply):
                told.append(f"{task.id}, after {text!r}: {excerpt(reply, 160)}")
                break
    if not asked:
        return nothing("its references are no texts, or stand in the prompts")
    if len(told) > asked / 2:
        return fail(
            f"the reply to a message without content tells the answer on {len(told)} of {asked} tasks",
            told,
            "A policy says anything first, and copies the reply: say what's wrong, and never the "
            "reference.",
        )
    return ok(f"{asked} tasks: the reply to a message without content doesn't hold the answer")


@probe("conformance")
def replies_again(subject: Subject) -> Finding:
    """The same conversation gets the same reply, whatever was asked before."""
    if not _several(subject):
        return nothing(_SINGLE)
    said = [["x"], ["?", "0"], ["x"], ["1"]]
    changed = []
    for task in subject.tasks[:3]:
        first = [_reply(subject.env, task, texts) for texts in said]
        backwards = [_reply(subject.env, task, texts) for texts in reversed(said)][::-1]
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


@probe("hacks")
def tools_tell(subject: Subject) -> Finding:
    """No tool gives the answer to whoever asks without arguments, or with the prompt alone."""
    env = subject.env
    if not isinstance(env, ToolEnv):
        return nothing("it has no tools")
    told: dict[str, list[str]] = {}
    tasks = [task for task in subject.tasks[:_TASKS] if str(task.reference).strip()]
    for task in tasks:
        for name, function in env.tools.items():
            arguments = _blank_arguments(function, task.prompt[-1]["content"])
            if arguments is None:
                continue
            try:
                result = call(env.tools, env.toolbox(task), name, arguments)
            except RlvrError:
                continue
            if result.strip().strip('"') == str(task.reference).strip():
                told.setdefault(name, []).append(f"{task.id}, {name}(…): {excerpt(result)}")
    name = max(told, key=lambda one: len(told[one]), default="")
    different = {str(task.reference) for task in tasks}
    if name and len(told[name]) > len(tasks) / 2 and len(different) > 2:
        return fail(
            f"the tool {name!r} gives the answer to whoever asks, on {len(told[name])} of "
            f"{len(tasks)} tasks",
            told[name],
            "Methods of the toolbox without an underscore are tools: name it with one, or make the "
            "tool answer less than the whole task.",
        )
    return ok(f"{len(env.tools)} tools: none gives the answer by itself")


def _several(subject: Subject) -> bool:
    return type(subject.env).reply is not Environment.reply


def _played(subject: Subject, task: Task, said: str) -> tuple[Verdict, bool]:
    """The verdict of an episode in which that's said at each turn, and whether it was cut."""
    env = subject.env
    env.reset(options={"task": task})
    for _ in range(env.max_turns):
        *_, terminated, truncated, info = env.step(said)
        if terminated or truncated:
            break
    return info["verdict"], truncated


def _fixture_ends(subject: Subject) -> bool:
    """Whether some right fixture's episode ends by itself, with full reward."""
    env = subject.env
    for fixture in env.fixtures:
        task = task_of(env, fixture)
        if fixture.kind != "right" or not isinstance(task, Task):
            continue
        env.reset(options={"task": task})
        for said in fixture.turns:
            *_, terminated, truncated, info = env.step(said)
            if terminated and full(info["verdict"]):
                return True
            if terminated or truncated:
                break
    return False


def _reply(env: Environment, task: Task, said: list[str]) -> str | None:
    """The reply to the last of these messages; None where the episode is over, or it raises."""
    messages = [dict(m) for m in task.prompt]
    reply: str | None = None
    for text in said:
        messages.append({"role": "assistant", "content": text})
        try:
            reply = env.reply(task, messages)
        except Exception:  # right-episode and gymnasium-api tell
            return None
        if reply is None:
            return None
        messages.append({"role": "user", "content": reply})
    return reply


def _stands(answer: str, text: str) -> bool:
    """Whether an answer stands in a text, as a word of its own."""
    answer = answer.strip()
    return len(answer) > 1 and bool(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text))


def _blank_arguments(function: Callable[..., object], prompt: str) -> dict[str, str] | None:
    """The prompt for each text; None where it needs something else."""
    hints = get_type_hints(function)
    needed = [
        name
        for name, one in list(inspect.signature(function).parameters.items())[1:]
        if one.default is inspect.Parameter.empty
    ]
    return dict.fromkeys(needed, prompt) if all(hints[name] is str for name in needed) else None
