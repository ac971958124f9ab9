"""Options that several commands share: an environment and its options, and the fields of a dataclass."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click

from rlvr.core.registry import make

if TYPE_CHECKING:
    from rich.console import Console

    from rlvr.core.environment import Environment

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
    from rich.console import Console

    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return Console()
    return Console(width=_UNWRAPPED)


def named_values(flag: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of NAME=VALUE options. A VALUE is read as JSON if it is JSON, otherwise as text."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"{flag} takes NAME=VALUE, not {text!r}.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def dataclass_options(config: type, *names: str) -> Callable[[F], F]:
    """Return a decorator that adds one option per named field of a dataclass to a command.

    The option's type is the field's, and its help is the field's entry under "Attributes:" in the class's docstring,
    with the field's default behind its first sentence. An option that isn't used is None (an empty tuple for a
    sequence), so that the default stays the dataclass's own.
    """
    hints, helps = get_type_hints(config), _attribute_docs(config)
    by_name = {field.name: field for field in fields(config)}

    def add(function: F) -> F:
        for name in reversed(names):  # click shows the last decorator's option first
            kind, several = _click_type(hints[name])
            flag = name.replace("_", "-")
            function = click.option(
                f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}",
                name,
                type=kind,
                default=None,
                multiple=several,
                help=_with_default(helps[name], by_name[name].default),
            )(function)
        return function

    return add


def _click_type(hint: Any) -> tuple[Any, bool]:
    """Return click's type for a field's type, and True if the option may be repeated."""
    if get_origin(hint) in (Union, UnionType):  # of `int | None`
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is Literal:
        return click.Choice(get_args(hint)), False
    if get_origin(hint) is Sequence:
        return get_args(hint)[0], True
    return hint, False


def _attribute_docs(config: type) -> dict[str, str]:
    """Return the texts under "Attributes:" in a class's docstring, by name, each in one line."""
    section = (inspect.getdoc(config) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (\w+): ", section, flags=re.MULTILINE)[1:]
    texts = (" ".join(text.split()) for text in entries[1::2])
    return dict(zip(entries[::2], texts, strict=True))


def _with_default(text: str, default: Any) -> str:
    """Put a default behind the text's first sentence; none if it is missing, None or empty."""
    if default is None or default is MISSING or default == ():
        return text
    first, _, rest = text.partition(". ")
    return f"{first.removesuffix('.')} (default {default}). {rest}".rstrip()
