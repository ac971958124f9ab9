"""A probe of verdicts in another process, with another hash seed, folder and time zone, and helpers that run there.

Run as `python -m rlvr.authoring.audit.conformance.other_process`, with a pickle of the path and the work on stdin.
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

from rlvr.authoring.audit.finding import Finding, fail, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, columns, excerpt, shown
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
    "Find files by __file__ or importlib.resources instead of the working directory, sort sets, and don't use the "
    "clock, environment variables or hash(…)."
)
_TIMEOUT_S = 120


@probe("conformance")
def verdicts_elsewhere(subject: Subject) -> Finding:
    """Check that a trainer's process on another machine gives the same verdicts."""
    parts = leaves(subject.env.verifier)
    if not subject.by_response and subject.by_verifier:
        return nothing(
            "its verifier sees whole episodes, which same-verdict judges in a new process"
        )
    if not subject.by_verifier or not any(_own(part) for part in parts):
        return nothing("its verifier is rlvr's own")
    if any(part.is_async for part in parts):
        return nothing("its verifier is async")
    if any(isinstance(value, str) and Path(value).exists() for value in subject.options.values()):
        return nothing("its options name a path of this folder")
    if not subject.solved:
        return subject.lacks_right_answer()
    items = subject.solved[:_TASKS]
    items = [*items, *((task, "\\boxed{0}") for task, _ in items[:2])]
    tasks, texts = columns(items)
    verdicts = subject.judge(tasks, texts)
    try:
        rewards = rewards_in_another_process(subject.env.verifier, tasks, texts)
    except RlvrError as error:
        return fail("it can't be called in another process", [str(error)], _FIX)
    changed = [
        f"{task.id}, {excerpt(text)}: {shown(verdict)} here, {reward} there"
        for (task, text), verdict, reward in zip(items, verdicts, rewards, strict=True)
        if not isinstance(verdict, Unscored) and reward != f"{verdict.reward:g}"
    ]
    if changed:
        return fail(
            f"{len(changed)} of {len(items)} verdicts differ in another process, started in another "
            "folder with another hash seed and time zone",
            changed,
            _FIX,
        )
    return ok(f"{len(items)} verdicts are the same in another process, folder and time zone")


def _own(part: object) -> bool:
    return isinstance(part, FunctionVerifier) or not type(part).__module__.startswith("rlvr.")


def digests(env: Environment, count: int) -> list[str]:
    """Return a digest of each of the first tasks."""
    return [
        hashlib.blake2b(
            json.dumps(task.to_json(), sort_keys=True, default=repr).encode(), digest_size=8
        ).hexdigest()
        for task in itertools.islice(env.tasks, count)
    ]


def digests_in_another_process(
    factory: Callable[..., Environment], options: dict[str, Any], count: int
) -> list[str]:
    """Return the digests of the environment that the factory makes in another process.

    Raises `BrokenEnvironmentError` with the process's last words if it fails.
    """
    return _run_elsewhere((_digests_of, factory, options, count), os.getcwd(), os.environ.get("TZ"))


def rewards_in_another_process(
    verifier: Verifier, tasks: Sequence[Task], responses: Sequence[str]
) -> list[str]:
    """Return the reward of each response, or its exception, from another process in an empty folder.

    Raises `BrokenEnvironmentError` with the process's last words if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _run_elsewhere(
            (_rewards_of, verifier, list(tasks), list(responses)), folder, "Asia/Kathmandu"
        )


def _run_elsewhere(work: tuple[Any, ...], folder: str, zone: str | None) -> list[str]:
    path = [os.path.abspath(entry) for entry in sys.path]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path)}
    try:
        process = subprocess.run(
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
    if process.returncode != 0:
        errors = process.stderr.decode(errors="replace").strip().splitlines()
        raise BrokenEnvironmentError(errors[-1] if errors else f"exit status {process.returncode}")
    lines = process.stdout.decode(errors="replace").splitlines()
    if not lines or not lines[-1].startswith("["):
        raise BrokenEnvironmentError("the process ended without a result: something calls exit")
    results: list[str] = json.loads(lines[-1])
    return results


def _digests_of(
    factory: Callable[..., Environment], options: dict[str, Any], count: int
) -> list[str]:
    return digests(factory(**options), count)


def _rewards_of(verifier: Verifier, tasks: list[Task], responses: list[str]) -> list[str]:
    return [
        _reward(verifier, task, response) for task, response in zip(tasks, responses, strict=True)
    ]


def _reward(verifier: Verifier, task: Task, response: str) -> str:
    try:
        verdict = verifier.verify(task, response)
    except Exception as error:
        return described(error)
    return f"{verdict.reward:g}" if isinstance(verdict, Scored) else str(verdict)


def main() -> None:
    """Print the results as one line of JSON."""
    path, blob = pickle.loads(sys.stdin.buffer.read())
    sys.path += [entry for entry in path if entry not in sys.path]
    work, *arguments = pickle.loads(blob)
    print("\n" + json.dumps(work(*arguments)))


if __name__ == "__main__":
    main()
