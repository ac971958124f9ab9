"""A row of a trainer's data set, with its task and the name and options of its environment.

verl and OpenRLHF generate and score in processes of their own, which have a data file and no Python objects. So each row
holds one JSON text with everything that its verdict needs::

    {"task": {…}, "env": "gsm8k", "options": {"mode": "boxed"}, "components": ["math"]}

A row names its environment and no code (`rlvr.core.foreign`). An environment that isn't rlvr's or an installed package's
is of a module that the trainer's user names in the variable `RLVR_ENVIRONMENTS`.

`components` are those of all environments in the file, so that each row reports the same metrics.
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
class TrainerRow:
    """A row's task, its environment, and the components that all rows of the file report."""

    task: Task
    env: Environment
    components: tuple[str, ...]

    @property
    def own_components(self) -> set[str]:
        """The components of this row's verifier."""
        return components_of(self.env)

    @classmethod
    def read(cls, text: str) -> TrainerRow:
        """Return the row in a text that `rows` wrote.

        Raises `DataError` for another text, and the errors of `rlvr.make`.
        """
        try:
            row = json.loads(text)
            task = Task.from_json(row["task"])
            components = tuple(str(name) for name in row["components"])
            env, options = str(row["env"]), dict(row["options"])
            module = str(row.get("module", ""))  # of older files, and used in messages alone
        except (TypeError, ValueError, KeyError, LookupError) as error:
            raise DataError(
                f"This row carries no rlvr task ({type(error).__name__}: {error!s:.200}); write the "
                f"data with `rlvr data verl` or `rlvr data openrlhf`. It holds {text!r:.100}."
            ) from error
        return cls(task, _environment(env, json.dumps(options, sort_keys=True), module), components)


def rows(
    envs: Environment | Sequence[Environment], limit: int | None = None
) -> Iterator[tuple[Environment, Task, str]]:
    """Yield each task of each environment, with the text of its row.

    Args:
        envs: One or several environments, made with `rlvr.make`.
        limit: Use the first so many tasks of each.

    Raises `OptionError` at once if an environment can't be made again in another process.
    """
    environments = [envs] if isinstance(envs, Environment) else list(envs)
    if not environments:
        raise OptionError("There are no environments whose tasks to write.")
    if limit is not None and limit < 1:
        raise OptionError(f"limit is at least 1, not {limit}.")
    origins = [_origin(env) for env in environments]
    for env in environments:
        if limit is None and len(env.tasks) > _MOST:
            raise OptionError(
                f"{env.name!r} has {len(env.tasks)} tasks: say how many with limit=…, steps times "
                f"prompts per step."
            )
    names = sorted(set().union(*map(components_of, environments)))
    return _rows(list(zip(environments, origins, strict=True)), names, limit)


def components_of(env: Environment) -> set[str]:
    """Return the names of the components that the environment's verifier reports."""
    return {leaf.name for leaf in leaves(env.verifier)}


def _rows(
    origins: list[tuple[Environment, dict[str, Any]]], components: list[str], limit: int | None
) -> Iterator[tuple[Environment, Task, str]]:
    for env, origin in origins:
        tasks = env.tasks if limit is None else env.tasks[: min(limit, len(env.tasks))]
        for task in tasks:
            row = {"task": task.to_json(), **origin, "components": components}
            yield env, task, json.dumps(row)


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
            f"{env.name!r} belongs to no installed package: set {NAMED}={module} where the trainer runs.",
            DataWarning,
            stacklevel=4,
        )
    for option in env.made_with:
        if is_secret(option):
            raise OptionError(
                f"The option {option!r} of {env.name!r} would be written into each row: have the environment "
                f"read it from an environment variable."
            )
    try:
        options = json.loads(json.dumps(env.made_with))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"The options of {env.name!r} must be plain data to be written beside its tasks, "
            f"not {env.made_with!r:.200} ({error})."
        ) from error
    return {"env": env.name, "options": options}


@functools.lru_cache(maxsize=256)
def _environment(name: str, options: str, module: str) -> Environment:
    """Return the environment, made once per process. Its tasks aren't loaded, since each row has its own."""
    return make_foreign(name, json.loads(options), "This row", module)
