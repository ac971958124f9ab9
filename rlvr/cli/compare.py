"""`rlvr compare BASELINE RUN...`: is a run better than the baseline?"""

from __future__ import annotations

from pathlib import Path

import click

from rlvr.cli.figures import print_compared
from rlvr.core.files import dumped
from rlvr.evaluation.compare import compare_runs
from rlvr.runs.saved import SavedRun


@click.command("compare")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--by", help="Compare slices of the tasks too, by a key such as metadata.level.")
@click.option("--json", "as_json", is_flag=True,
              help="Print a line of JSON per run and environment.")  # fmt: skip
def command(baseline: Path, runs: tuple[Path, ...], by: str | None, as_json: bool) -> None:
    """Compare each RUN with BASELINE on the tasks that both have.

    Prints the paired difference of the tasks' mean rewards, its 95% interval and its p value; with
    several runs or slices the p values are corrected as well (Holm). `rlvr view BASELINE RUN` shows
    the tasks themselves.
    """
    comparisons = compare_runs(baseline, *runs, by=by)
    if as_json:
        for comparison in comparisons:
            for part in comparison.parts:
                click.echo(dumped({"run": str(comparison.run.path), **part.to_json()}))
        return
    click.echo(f"baseline {baseline}: {SavedRun.open(baseline).describe()}")
    for comparison in comparisons:
        click.echo(f"run {comparison.run.path}: {comparison.run.describe()}")
        for part in comparison.parts:
            print_compared(part, len(runs))
