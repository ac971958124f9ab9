"""An environment made, or a verifier asked, in another process, whose strings hash otherwise.

Run as `python -m rlvr.authoring.audit.elsewhere`, with a pickle of the path and of what to do on stdin.
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
from typing import Any

import cloudpickle

from rlvr.core.environment import Environment
from rlvr.core.errors import BrokenEnvironmentError
from rlvr.core.faults import described
from rlvr.core.task import Task
from rlvr.core.verdict import Scored
from rlvr.core.verifier import Verifier

_TIMEOUT_S = 120


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
