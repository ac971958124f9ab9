"""`rlvr compare RUN RUN2`: is the second one better?"""

from __future__ import annotations

from pathlib import Path

import click

from rlvr.core.files import dumped
from rlvr.evaluation.compare import Compared, compare_runs


@click.command("compare")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("run2", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each environment.")
def command(run: Path, run2: Path, as_json: bool) -> None:
    """Compare RUN2 with RUN on the tasks that both have: paired difference, interval, flips.

    `rlvr view RUN RUN2` shows the tasks themselves.
    """
    for one in compare_runs(run, run2):
        click.echo(dumped(one.to_json()) if as_json else _said(one))


def _said(one: Compared) -> str:
    where = f"{one.env} ({one.part})" if one.part else one.env
    found = one.comparison
    difference = found.difference
    lines = [
        f"{where}: reward {one.means[0]:.4f} → {one.means[1]:.4f} on {found.tasks} tasks",
        f"  difference {difference.value:+.4f}, 95% from {difference.low:+.4f} to {difference.high:+.4f}",
        f"  solved by the second alone {found.gained}, by the first alone {found.lost}: "
        f"McNemar's exact p {found.p:.3g}",
    ]
    if any(one.left_out):
        first, second = one.left_out
        lines.append(
            f"  without a counterpart that's scored: {first} of the first, {second} of the second"
        )
    return "\n".join(lines)
