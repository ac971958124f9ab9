"""`rlvr list`: the environments."""

from __future__ import annotations

import warnings

import click
from rich.table import Table

from rlvr.cli.options import output_console
from rlvr.core.errors import MissingExtraError, RlvrError
from rlvr.core.families import families
from rlvr.core.registry import environments, import_named


@click.command("list")
@click.argument("family", required=False)
def command(family: str | None) -> None:
    """List all environments with their Gymnasium ids and packages, or the members of a FAMILY."""
    if family is not None:
        _list_members(family)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "Gymnasium id", "from", ""):
        table.add_column(column, overflow="fold")
    try:
        import_named()
    except RlvrError as error:  # the others are listed all the same
        warnings.warn(str(error), stacklevel=1)
    for spec in environments():
        table.add_row(spec.name, spec.gym_id, spec.origin, spec.summary)
    for name, entry in families().items():
        table.add_row(f"{name}/…", entry.gym_id, name, f"{entry.summary}; rlvr list {name}")
    output_console().print(table)


def _list_members(name: str) -> None:
    if name not in families():
        raise click.UsageError(f"{name!r} is no family. There are: {', '.join(families())}.")
    try:
        members = families()[name].members()
    except MissingExtraError as error:
        raise click.ClickException(str(error)) from error
    for member in members:
        click.echo(f"{name}/{member}")
