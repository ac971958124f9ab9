"""`rlvr list`: the environments there are."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from rlvr.core.registry import environments


@click.command("list")
def command() -> None:
    """List the environments, where each comes from, and its Gymnasium id."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "Gymnasium id", "from", ""):
        table.add_column(column, overflow="fold")
    for spec in environments():
        table.add_row(spec.name, spec.gym_id, spec.origin, spec.summary)
    Console().print(table)
