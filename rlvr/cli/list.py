"""`rlvr list`: the environments there are."""

from __future__ import annotations

import warnings

import click
from rich.console import Console
from rich.table import Table

from rlvr.core.errors import MissingExtraError, RlvrError
from rlvr.core.families import families
from rlvr.core.registry import environments, import_named


@click.command("list")
@click.argument("family", required=False)
def command(family: str | None) -> None:
    """List the environments, where each comes from, and its Gymnasium id; or those of a FAMILY."""
    if family is not None:
        _list_members(family)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "Gymnasium id", "from", ""):
        table.add_column(column, overflow="fold")
    try:
        import_named()
    except RlvrError as error:  # the others are there all the same
        warnings.warn(str(error), stacklevel=1)
    for spec in environments():
        table.add_row(spec.name, spec.gym_id, spec.origin, spec.summary)
    for name, found in families().items():
        table.add_row(f"{name}/…", found.gym_id, name, f"{found.summary}; rlvr list {name}")
    Console().print(table)


def _list_members(name: str) -> None:
    if name not in families():
        raise click.UsageError(f"{name!r} is no family. There are: {', '.join(families())}.")
    try:
        members = families()[name].members()
    except MissingExtraError as error:
        raise click.ClickException(str(error)) from error
    for member in members:
        click.echo(f"{name}/{member}")
