"""`slice/<environment>:<key>=<value>`: the tasks of another environment with one value of a key.

    rlvr.make("slice/math:metadata.type=Algebra", split="train")

A slice is an environment like any other: it is trained on with a weight of its own (`rlvr data weakest`
writes such mixtures), measured and audited. If the environment has an option of the key's name, such as
`level`, the slice is made with that option, so that generated tasks are never used up.
"""

from __future__ import annotations

import copy
import functools
import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError, UnknownEnvironmentError
from rlvr.core.registry import find
from rlvr.core.registry import make as make_environment
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet, TaskSet

By: TypeAlias = str | Callable[[Task], Any]
"""A key of the tasks to slice by, such as `metadata.level`, or a function of a task."""

ABSENT = "(none)"
"""The slice of the tasks that do not have the key."""


class _Members(list[str]):
    """The members of the family: any slice of an environment that exists."""

    def __contains__(self, member: object) -> bool:
        try:
            name, _, _ = parse_slice(str(member))
            find(name)
        except (OptionError, UnknownEnvironmentError):
            return False
        return True


def members() -> list[str]:
    """Return the form of the members' names, as a list that contains every slice."""
    return _Members(["<environment>:<key>=<value>"])


def factory(member: str) -> Callable[..., Environment]:
    """Return the function that makes a slice."""
    return functools.partial(make, member)


def make(member: str, split: str | None = None, **options: Any) -> Environment:
    """Make a slice of an environment.

    Args:
        member: the environment, the key and the value, such as math:metadata.type=Algebra.
        split: the split of its tasks; by default the environment's own.
        options: further options of the environment.
    """
    name, key, value = parse_slice(member)
    if split is not None:
        options["split"] = split
    option = option_of(name, key)
    if option is not None:
        return make_environment(name, **options, **{option: _plain(value)})
    whole = make_environment(name, **options)
    if isinstance(whole.tasks, GeneratedTaskSet):
        raise OptionError(
            f"The tasks of {name!r} are generated, and it has no option {key.split('.')[-1]!r} that "
            f"makes those with {key} {value}."
        )
    label = labeller(key)
    tasks = whole.tasks

    def load() -> Iterable[Task]:
        return [task for task in tasks if label(task) == value]

    part = copy.copy(whole)
    part.tasks = TaskSet(load, f"{tasks.name} with {key} {value}", tasks.version)
    return part


def slice_name(environment: str, key: str, value: str) -> str:
    """Return the name of the environment that is a slice of another."""
    return f"slice/{environment}:{key}={value}"


def parse_slice(member: str) -> tuple[str, str, str]:
    """Return the environment, the key and the value. Raises `OptionError` if one is missing."""
    name, colon, rest = member.partition(":")
    key, equals, value = rest.partition("=")
    if not (name and colon and key and equals):
        raise OptionError(
            f"A slice is named slice/<environment>:<key>=<value>, such as "
            f"slice/math:metadata.type=Algebra, not 'slice/{member}'."
        )
    return name, key, value


def option_of(environment: str, key: str) -> str | None:
    """Return the environment's option that makes tasks with one value of the key; None if it has none."""
    head, _, last = key.rpartition(".")
    if head not in ("", "metadata"):
        return None
    return last if last in inspect.signature(find(environment).load()).parameters else None


def labeller(by: By) -> Callable[[Task], str]:
    """Return a function that gives the name of a task's slice.

    Args:
        by: a function of a task; or a path such as `metadata.level`, `reference` or `id`. A path that
            begins with none of a task's fields is one of its metadata: `level` is `metadata.level`.

    Raises `OptionError` if the path is empty.
    """
    if callable(by):
        return lambda task: _label(by(task))
    head, *rest = keys = by.split(".")
    if not all(keys):
        raise OptionError(f"A key to slice by is such as metadata.level, not {by!r}.")
    if head not in ("metadata", "reference", "id"):
        head, rest = "metadata", keys

    def label(task: Task) -> str:
        value = getattr(task, head)
        for key in rest:
            if not isinstance(value, dict) or key not in value:
                return ABSENT
            value = value[key]
        return _label(value)

    return label


def _label(value: Any) -> str:
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
