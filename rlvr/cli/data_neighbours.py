"""`rlvr data neighbours`: databases that tell wrong queries from right ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from rlvr.authoring.neighbours import NeighbourSummary


@click.command("neighbours", short_help="databases that tell wrong queries from right ones")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for tasks.jsonl and for databases/ with the neighbours.",
)  # fmt: skip
@click.option(
    "--databases", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the databases that FILE names (default: FILE's folder).",
)  # fmt: skip
@click.option("-n", "most", default=10, show_default=True, type=click.IntRange(1, 100),
              help="Maximum number of neighbours per task.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the rows in the databases.")
@click.option("--limit", type=click.IntRange(min=1),
              help="Only so many tasks, from the first (default: all).")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1),
              help="Number of processes (default: one per processor).")  # fmt: skip
def command(
    file: Path,
    output: Path,
    databases: Path | None,
    most: int,
    seed: int,
    limit: int | None,
    workers: int | None,
) -> None:
    """Make small databases on which wrong queries give another result than the gold query.

    FILE is JSONL, each line with "sql" and "database" (a path or a name), or with a "reference" that has both. A
    gold query is changed in one place at a time. A neighbour is kept if it tells one of these mutants from the gold
    query that no other does. The same seed makes the same files.

    Exit status: 0 if every gold query could be used, 3 if some couldn't: these keep their own database alone.
    """
    from rich.console import Console
    from rich.progress import Progress

    from rlvr.authoring.neighbours import write_neighbours

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("making")
        summary = write_neighbours(
            file, output, databases, most, seed, limit, workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    _print(summary, Console())
    for line in summary.failed[:20]:
        click.echo(f"can't be used: {line}", err=True)
    if summary.failed:
        raise click.exceptions.Exit(3)


def _print(summary: NeighbourSummary, console: Console) -> None:
    from rich.table import Table

    table = Table("mutants by kind", "pass the task's own database", "killed")
    for kind, count in sorted(summary.passing.items(), key=lambda item: -item[1]):
        table.add_row(kind, str(count), str(summary.killed[kind]))
    passing, killed = sum(summary.passing.values()), sum(summary.killed.values())
    table.add_row("all", str(passing), str(killed), style="bold")
    console.print(table)
    equivalent = sum(summary.equivalent.values())
    why = ", ".join(f"{rule} {n}" for rule, n in summary.equivalent.most_common())
    console.print(f"{summary.failing} more fail on the task's own database already")
    console.print(f"{equivalent} proved equivalent to the gold query ({why or 'none'})")
    console.print(
        f"{len(summary.left)} left, in left.txt; {100 * summary.rate:.1f}% killed of the others"
    )
    console.print(
        f"{summary.databases} neighbours of {summary.golds} gold queries in {summary.tasks} tasks, "
        f"{summary.bytes / (1 << 20):.1f} MiB; {summary.without} gold queries have none, "
        f"{summary.empty} are empty on every database"
    )
