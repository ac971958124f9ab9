"""Options and output that several commands share: the environment's options, and the console."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console

from rlvr.core.environment import Environment
from rlvr.core.registry import make

_UNWRAPPED = 400  # columns
F = TypeVar("F", bound=Callable[..., Any])


def environment_options(function: F) -> F:
    """Add `--split`, `--data` and `--env name=value` to a command."""
    for option in (
        click.option("--split", help="Split of its tasks (default: the environment's)."),
        click.option(
            "--data",
            help="Local data file, or a folder with the layout of RLVR_DATA (default: RLVR_DATA, then the Hub).",
        ),
        click.option(
            "--env",
            "env_options",
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of the environment, such as level=3; repeatable.",
        ),
    ):
        function = option(function)
    return function


def make_environment(
    name: str, split: str | None, data: str | None, env_options: tuple[str, ...]
) -> Environment:
    """Make an environment (a name, a Gymnasium id or FILE.py[:name]) with the options of the command line."""
    options = named_values("--env", env_options)
    for option, text in (("split", split), ("data", data)):
        if text is not None:
            options[option] = text
    return make(name, **options)


def output_console() -> Console:
    """Return a console for standard output; lines aren't wrapped in a file or a pipe, unless COLUMNS is set."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return Console()
    return Console(width=_UNWRAPPED)


def named_values(flag: str, given: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of NAME=VALUE options. A VALUE is read as JSON if it is JSON, otherwise as text."""
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
