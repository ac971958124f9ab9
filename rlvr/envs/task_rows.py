"""`tasks/<environment>`: another environment with tasks from a file.

    rlvr.make("tasks/arithmetic", data="made/tasks.jsonl")

A row of the file is a task: `prompt` (a text or messages) and `reference`, and optionally `id` and `metadata`. It is what
`rlvr data synthesise` writes for environments that read no rows of their own, and `rlvr data difficulty --tasks` for any.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, TaskError, UnknownEnvironmentError
from rlvr.core.registry import find
from rlvr.core.registry import make as make_environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import read_file


class _AnyEnvironment(list[str]):
    """The members of the family: every environment that exists."""

    def __contains__(self, member: object) -> bool:
        try:
            find(str(member))
        except UnknownEnvironmentError:
            return False
        return True


def members() -> list[str]:
    """Return the form of the members' names, as a list that contains every environment."""
    return _AnyEnvironment(["<environment>"])


def factory(member: str) -> Callable[..., Environment]:
    """Return the function that makes an environment with tasks from a file."""
    return functools.partial(make, member)


def make(member: str, data: str, split: str | None = None, **options: Any) -> Environment:
    """Make an environment with tasks from a file.

    Args:
        member: the environment whose verifier judges, and whose episodes are played.
        data: the file: JSONL, JSON or Parquet.
        split: the split that the environment is made with, if it has one; the tasks are the file's.
        options: further options of the environment.
    """
    path = Path(data)
    if not path.is_file():
        raise DataError(f"There's no file {data!r}.")
    if split is not None and "split" in inspect.signature(find(member).load()).parameters:
        options["split"] = split
    env = copy.copy(make_environment(member, **options))

    def load() -> Iterable[Task]:
        tasks = []
        for number, row in enumerate(read_file(path), 1):
            try:
                task = Task.from_json(row)
            except TaskError as error:
                raise DataError(f"Row {number} of {data} is no task: {error}") from None
            tasks.append(task)
        return tasks

    env.tasks = TaskSet(load, f"{env.tasks.name} from {path.name}", env.tasks.version)
    env._fixtures = ()  # they are of the environment's own tasks
    return env
