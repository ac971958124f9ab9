"""Probes of leaks: a reply or a tool tells the answer, or the grader's process runs code in a response.

The code makes an empty file in a folder of the audit, and the file shows that it was run. In a jail (`rlvr.Code`)
that folder doesn't exist.
"""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

from rlvr.authoring.audit.finding import Finding, fail, nothing, ok
from rlvr.authoring.audit.playing import call_message, in_order
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import HANGS, SINGLE_TURN, Subject, excerpt
from rlvr.core.task import content_text
from rlvr.envs.tools import ToolEnv

_EPISODES = 8
_BLANK = ("?", "I don't know.", "0")


@probe("hacks")
def replies_tell(subject: Subject) -> Finding:
    """Check that the environment's reply to a message without content doesn't tell the answer."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    leaks, tried = [], 0
    for task in subject.tasks[:_EPISODES]:
        reference = str(task.reference)
        if not isinstance(task.reference, str | int | float) or _contains(reference, task.text):
            continue
        tried += 1
        for text in _BLANK:
            reply = "\n".join(subject.play(task, in_order([text])).replies)
            if _contains(reference, reply):
                leaks.append(f"{task.id}, after {text!r}: {excerpt(reply, 160)}")
                break
    if not tried:
        return nothing("its references aren't texts, or are part of the prompts")
    if len(leaks) > tried / 2:
        return fail(
            f"the reply to a message without content tells the answer on {len(leaks)} of {tried} tasks",
            leaks,
            "A policy sends anything first and copies the reply: say what's wrong, without the reference.",
        )
    return ok(f"{tried} tasks: the reply to a message without content doesn't hold the answer")


@probe("hacks")
def tools_tell(subject: Subject) -> Finding:
    """Check that no tool gives the answer to a call without arguments, or with the prompt alone."""
    env = subject.env
    if not isinstance(env, ToolEnv):
        return nothing("it has no tools")
    leaks: dict[str, list[str]] = {}
    tasks = [task for task in subject.tasks[:_EPISODES] if str(task.reference).strip()]
    for task in tasks:
        for name, function in env.tools.items():
            arguments = _blank_arguments(function, content_text(task.prompt[-1]))
            if arguments is None:
                continue
            message = call_message((name, arguments))
            result = "\n".join(subject.play(task, in_order([message])).replies)
            if result.strip().strip('"') == str(task.reference).strip():
                leaks.setdefault(name, []).append(f"{task.id}, {name}(…): {excerpt(result)}")
    name = max(leaks, key=lambda tool: len(leaks[tool]), default="")
    different = {str(task.reference) for task in tasks}
    if name and len(leaks[name]) > len(tasks) / 2 and len(different) > 2:
        return fail(
            f"the tool {name!r} gives the answer to any call, on {len(leaks[name])} of "
            f"{len(tasks)} tasks",
            leaks[name],
            "Every method of the toolbox is a tool unless its name begins with an underscore: rename it, or make "
            "it answer less than the whole task.",
        )
    return ok(f"{len(env.tools)} tools: none gives the answer by itself")


@probe("hacks")
def runs_nothing(subject: Subject) -> Finding:
    """Check that nothing in a response is run in the grader's process."""
    if not subject.inline:
        return nothing(HANGS)
    task = subject.tasks[0]
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            (language, text, path)
            for i, (language, source) in enumerate(_sources())
            for j, mark in enumerate(("%s", "\\boxed{%s}", f"```{language.lower()}\n%s\n```"))
            for path in [Path(folder, f"ran-{i}-{j}")]
            for text in [mark.replace("%s", source.replace("PATH", str(path)))]
        ]
        subject.episodes([task] * len(cases), [text for _, text, _ in cases])
        executed = [(language, text) for language, text, path in cases if path.exists()]
    if executed:
        return fail(
            f"a response is run: as {', '.join(dict.fromkeys(language for language, _ in executed))}",
            [f"{language}, {excerpt(text, 200)}" for language, text in executed],
            "The policy can run anything on your machine. Parse responses as data (int(…), ast.literal_eval, "
            "json.loads, rlvr.Math()); run programs with rlvr.Code and queries with rlvr.Sql.",
        )
    return ok(f"{len(cases)} responses with code in them: none was run")


def _contains(answer: str, text: str) -> bool:
    """Return True if an answer is in a text as a whole word."""
    answer = answer.strip()
    return len(answer) > 1 and bool(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text))


def _blank_arguments(function: Callable[..., object], prompt: str) -> dict[str, str] | None:
    """Return the prompt as each text argument; None if the tool needs something else."""
    hints = get_type_hints(function)
    needed = [
        name
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
        if parameter.default is inspect.Parameter.empty
    ]
    return dict.fromkeys(needed, prompt) if all(hints[name] is str for name in needed) else None


def _sources() -> Iterator[tuple[str, str]]:
    call = "__import__('pathlib').Path('PATH').touch()"
    yield "Python", call
    yield "Python", f"[{call}, 1][1]"
    yield "sh", "; touch 'PATH' #"
    yield "sh", "touch 'PATH'"
    yield "sh", "$(touch 'PATH')"
    yield "SQL", "VACUUM INTO 'PATH'"
    yield "SQL", "ATTACH DATABASE 'PATH' AS c; CREATE TABLE c.t (a)"
    yield "YAML", f'!!python/object/apply:builtins.eval ["{call}"]'
