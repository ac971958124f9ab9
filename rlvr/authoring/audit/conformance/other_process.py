"""An environment made, or a verifier asked, in another process, whose strings hash otherwise.

Run as `python -m rlvr.authoring.audit.conformance.other_process`, with a pickle of the path and of what to do on stdin.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cloudpickle

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt, shown
from rlvr.core.compose import leaves
from rlvr.core.environment import Environment
from rlvr.core.errors import BrokenEnvironmentError, RlvrError
from rlvr.core.faults import described
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Unscored
from rlvr.core.verifier import Verifier
from rlvr.verifiers.function import FunctionVerifier

_TASKS = 6
_FIX = (
    "Find files from __file__ or importlib.resources rather than from the working directory, sort "
    "sets, and take nothing from the clock, the environment's variables or hash(…)."
)
_TIMEOUT_S = 120


@probe("conformance")
def verdicts_elsewhere(subject: Subject) -> Finding:
    """A trainer's process on another machine gives the same verdicts."""
    parts = leaves(subject.env.verifier)
    if not subject.by_verifier or not any(_own(part) for part in parts):
        return nothing("its verifier is rlvr's own")
    if any(part.is_async for part in parts):
        return nothing("its verifier is async")
    relative = [v for v in subject.options.values() if isinstance(v, str) and Path(v).exists()]
    if relative or not subject.solved:
        return nothing("it was given a path of this folder, or can't make right answers")
    items = subject.solved[:_TASKS]
    items = [*items, *((task, "\\boxed{0}") for task, _ in items[:2])]
    tasks, texts = [task for task, _ in items], [said for _, said in items]
    here = subject.judge(tasks, texts)
    try:
        there = rewards_in_another_process(subject.env.verifier, tasks, texts)
    except RlvrError as error:
        return fail("it can't be asked in another process", [str(error)], _FIX)
    changed = [
        f"{task.id}, {excerpt(said)}: {shown(verdict)} here, {other} there"
        for (task, said), verdict, other in zip(items, here, there, strict=True)
        if not isinstance(verdict, Unscored) and other != f"{verdict.reward:g}"
    ]
    if changed:
        return fail(
            f"{len(changed)} of {len(items)} verdicts are others in another process, started in another "
            "folder with another hash seed and time zone",
            changed,
            _FIX,
        )
    return ok(f"{len(items)} verdicts are the same in another process, folder and time zone")


def _own(part: object) -> bool:
    return isinstance(part, FunctionVerifier) or not type(part).__module__.startswith("rlvr.")


def digests(env: Environment, count: int) -> list[str]:
    """One for each of the first tasks, of all that's in it."""
    return [
        hashlib.blake2b(
            json.dumps(task.to_json(), sort_keys=True, default=repr).encode(), digest_size=8
        ).hexdigest()
        for task in itertools.islice(env.tasks, count)
    ]


def digests_in_another_process(
    factory: Callable[..., Environment], options: dict[str, Any], count: int
) -> list[str]:
    """The same of the environment that the factory makes there.

    Raises `BrokenEnvironmentError` with what it said where it can't.
    """
    return _there((_digests_of, factory, options, count), os.getcwd(), os.environ.get("TZ"))


def rewards_in_another_process(
    verifier: Verifier, tasks: Sequence[Task], responses: Sequence[str]
) -> list[str]:
    """What the verifier gives each response there, in an empty folder: the reward, or what it raised.

    Raises `BrokenEnvironmentError` with what it said where it can't be asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _there(
            (_rewards_of, verifier, list(tasks), list(responses)), folder, "Asia/Kathmandu"
        )


def _there(work: tuple[Any, ...], folder: str, zone: str | None) -> list[str]:
    path = [os.path.abspath(entry) for entry in sys.path]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path)}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=pickle.dumps((path, cloudpickle.dumps(work))),
            capture_output=True,
            timeout=_TIMEOUT_S,
            cwd=folder,
            env=variables if zone is None else {**variables, "TZ": zone},
            check=False,
        )
    except (subprocess.TimeoutExpired, pickle.PicklingError, TypeError) as error:
        raise BrokenEnvironmentError(f"{type(error).__name__}: {error!s:.200}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BrokenEnvironmentError(said[-1] if said else f"exit status {done.returncode}")
    lines = done.stdout.decode(errors="replace").splitlines()
    if not lines or not lines[-1].startswith("["):
        raise BrokenEnvironmentError(
            "the process ended before it said anything: something exits it"
        )
    found: list[str] = json.loads(lines[-1])
    return found


def _digests_of(
    factory: Callable[..., Environment], options: dict[str, Any], count: int
) -> list[str]:
    return digests(factory(**options), count)


def _rewards_of(verifier: Verifier, tasks: list[Task], responses: list[str]) -> list[str]:
    return [_reward(verifier, task, said) for task, said in zip(tasks, responses, strict=True)]


def _reward(verifier: Verifier, task: Task, response: str) -> str:
    try:
        verdict = verifier.verify(task, response)
    except Exception as error:
        return described(error)
    return f"{verdict.reward:g}" if isinstance(verdict, Scored) else str(verdict)


def main() -> None:
    """Print what was found as one line of JSON."""
    path, blob = pickle.loads(sys.stdin.buffer.read())
    sys.path += [entry for entry in path if entry not in sys.path]
    work, *arguments = pickle.loads(blob)
    print("\n" + json.dumps(work(*arguments)))


if __name__ == "__main__":
    main()
