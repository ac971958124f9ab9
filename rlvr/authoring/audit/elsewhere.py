"""An environment made in another process, whose strings hash otherwise.

Run as `python -m rlvr.authoring.audit.elsewhere COUNT`, with a pickle of the path, the factory and
its options on stdin.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

from rlvr.core.environment import Environment
from rlvr.core.errors import BrokenEnvironmentError

_TIMEOUT_S = 300


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
    path = [os.path.abspath(entry) for entry in sys.path]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    try:
        payload = pickle.dumps((path, cloudpickle.dumps((factory, options))))
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(count)],
            input=payload,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path)},
            check=False,
        )
    except (subprocess.TimeoutExpired, pickle.PicklingError, TypeError) as error:
        raise BrokenEnvironmentError(f"{type(error).__name__}: {error!s:.200}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BrokenEnvironmentError(said[-1] if said else f"exit status {done.returncode}")
    found: list[str] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


def main() -> None:
    """Print the digests as one line of JSON."""
    path, blob = pickle.loads(sys.stdin.buffer.read())
    sys.path += [entry for entry in path if entry not in sys.path]
    factory, options = pickle.loads(blob)
    print("\n" + json.dumps(digests(factory(**options), int(sys.argv[1]))))


if __name__ == "__main__":
    main()
