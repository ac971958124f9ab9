"""What several verbs share: the environment argument and its `-o name=value` options."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from rlvr.core.environment import Environment
from rlvr.core.registry import make

F = TypeVar("F", bound=Callable[..., Any])


def environment_options(function: F) -> F:
    """Adds `--split`, `--data` and `--env name=value` to a verb."""
    for option in (
        click.option("--split", help="Which split of its tasks."),
        click.option("--data", help="A local data file, or a folder laid out like RLVR_DATA."),
        click.option(
            "--env",
            "env_options",
            multiple=True,
            metavar="NAME=VALUE",
            help="An option of the environment, such as level=3; may stand several times.",
        ),
    ):
        function = option(function)
    return function


def make_environment(
    name: str, split: str | None, data: str | None, env_options: tuple[str, ...]
) -> Environment:
    """The environment as the options say."""
    options = named_values("--env", env_options)
    for option, text in (("split", split), ("data", data)):
        if text is not None:
            options[option] = text
    return make(name, **options)


def named_values(flag: str, given: tuple[str, ...]) -> dict[str, Any]:
    """What NAME=VALUE options say. A VALUE is read as JSON where it is JSON, else as text."""
    values: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise click.UsageError(f"{flag} takes NAME=VALUE, not {one!r}.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
