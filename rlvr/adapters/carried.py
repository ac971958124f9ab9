"""What a row of a trainer's data set carries: its task, and how to make its environment again.

verl and OpenRLHF generate and score in processes of their own that were given a data file and no
objects. So each row holds one JSON text with everything its verdict needs::

    {"task": {…}, "env": "gsm8k", "options": {"mode": "boxed"}, "components": ["math"]}

A row names its environment and no code (`rlvr.core.foreign`): what isn't rlvr's, nor an installed package's, is
of a module that the trainer's user names in the variable `RLVR_ENVIRONMENTS`.

`components` are those of all environments in the file: whoever scores the row reports the same
numbers for each, whatever its environment.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rlvr.core.compose import leaves
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, DataWarning, OptionError
from rlvr.core.foreign import make_foreign
from rlvr.core.registry import NAMED, find
from rlvr.core.secrets import is_secret
from rlvr.core.task import Task

_MOST = 100_000


@dataclass(frozen=True)
class Carried:
    """One row's task, its environment and the components that the file's rows report."""

    task: Task
    env: Environment
    components: tuple[str, ...]

    @property
    def own(self) -> set[str]:
        """The components that this row's verifier has."""
        return components_of(self.env)

    @classmethod
    def read(cls, text: str) -> Carried:
        """What `rows` wrote. Raises `DataError` where it's something else, and what `rlvr.make` raises."""
        try:
            row = json.loads(text)
            task = Task.from_json(row["task"])
            components = tuple(str(name) for name in row["components"])
            env, options = str(row["env"]), dict(row["options"])
            module = str(row.get("module", ""))  # of older files; only told
        except (TypeError, ValueError, KeyError, LookupError) as error:
            raise DataError(
                f"This row carries no rlvr task ({type(error).__name__}: {error!s:.200}); write the "
                f"data with `rlvr data verl` or `rlvr data openrlhf`. It holds {text!r:.100}."
            ) from error
        return cls(task, _made(env, json.dumps(options, sort_keys=True), module), components)


def rows(
    envs: Environment | Sequence[Environment], limit: int | None = None
) -> Iterator[tuple[Environment, Task, str]]:
    """Each task of each environment, with the text that its row carries.

    Args:
        envs: made with `rlvr.make`; several make a mixture, one after the other.
        limit: the first so many tasks of each.

    Raises `OptionError` at once where an environment can't be made again elsewhere.
    """
    several = [envs] if isinstance(envs, Environment) else list(envs)
    if not several:
        raise OptionError("There's no environment to write the tasks of.")
    if limit is not None and limit < 1:
        raise OptionError(f"limit is at least 1, not {limit}.")
    origins = [_origin(env) for env in several]
    for env in several:
        if limit is None and len(env.tasks) > _MOST:
            raise OptionError(
                f"{env.name!r} has {len(env.tasks)} tasks: say how many with limit=…, steps times "
                f"prompts a step."
            )
    names = sorted(set().union(*map(components_of, several)))
    return _rows(list(zip(several, origins, strict=True)), names, limit)


def components_of(env: Environment) -> set[str]:
    """The names under which the environment's verifier reports its parts."""
    return {leaf.name for leaf in leaves(env.verifier)}


def _rows(
    several: list[tuple[Environment, dict[str, Any]]], components: list[str], limit: int | None
) -> Iterator[tuple[Environment, Task, str]]:
    for env, origin in several:
        tasks = env.tasks if limit is None else env.tasks[: min(limit, len(env.tasks))]
        for task in tasks:
            carried = {"task": task.to_json(), **origin, "components": components}
            yield env, task, json.dumps(carried)


def _origin(env: Environment) -> dict[str, Any]:
    if env.made_with is None:
        raise OptionError(
            f"{env.name!r} can't be made again in the trainer's processes: register its factory "
            f"with @rlvr.environment and make it with rlvr.make(name, …)."
        )
    spec = find(env.name)
    if spec.origin == "code" and not spec.installed:
        target = spec.target
        module = target.partition(":")[0] if isinstance(target, str) else target.__module__
        if module == "__main__":
            raise OptionError(
                f"The environment {env.name!r} is defined in the script that runs, which the trainer's "
                f"processes can't import: move it into a module of its own."
            )
        warnings.warn(
            f"{env.name!r} is of no installed package: set {NAMED}={module} where the trainer runs.",
            DataWarning,
            stacklevel=4,
        )
    for option in env.made_with:
        if is_secret(option):
            raise OptionError(
                f"The option {option!r} of {env.name!r} would be written into each row: have the environment "
                f"read it from a variable."
            )
    try:
        options = json.loads(json.dumps(env.made_with))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"The options of {env.name!r} have to be plain data to be written beside its tasks, "
            f"not {env.made_with!r:.200} ({error})."
        ) from error
    return {"env": env.name, "options": options}


@functools.lru_cache(maxsize=256)
def _made(name: str, options: str, module: str) -> Environment:
    """The environment, once a process. Its tasks aren't loaded: each row has its own."""
    return make_foreign(name, json.loads(options), "This row", module)
