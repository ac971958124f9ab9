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
    """The environment as the options say. A VALUE is read as JSON where it is JSON, else as text."""
    options: dict[str, Any] = {}
    for given in env_options:
        option, equals, value = given.partition("=")
        if not equals:
            raise click.UsageError(f"--env takes NAME=VALUE, not {given!r}.")
        try:
            options[option] = json.loads(value)
        except ValueError:
            options[option] = value
    for option, text in (("split", split), ("data", data)):
        if text is not None:
            options[option] = text
    return make(name, **options)
