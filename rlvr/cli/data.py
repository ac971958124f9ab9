"""`rlvr data`: what is done to tasks before they're trained on."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlvr.cli import data_decontaminate, data_difficulty, data_split, data_weakest

if TYPE_CHECKING:
    from rlvr.authoring.neighbours.files import Summary


@click.group("data")
def command() -> None:
    """Make tasks better before they're trained on."""


for _verb in (data_decontaminate, data_difficulty, data_split, data_weakest):
    command.add_command(_verb.command)


@command.command("neighbours", short_help="databases that tell wrong queries from right ones")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder: gets tasks.jsonl, and databases/ with the neighbours.",
)
@click.option(
    "--databases",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of databases that FILE names; by default where FILE is.",
)
@click.option("-n", "most", default=10, show_default=True, type=click.IntRange(1, 100),
              help="Neighbours of a task, at most.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="The first tasks alone.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes; by default one a processor."
)
def neighbours_command(
    file: Path,
    output: Path,
    databases: Path | None,
    most: int,
    seed: int,
    limit: int | None,
    workers: int | None,
) -> None:
    """Make small databases on which queries that are wrong give another result than the gold.

    FILE is JSONL, each line with "sql" and "database" (a path or a name), or with a "reference" of
    both. A gold is changed in one thing at a time; a neighbour is kept where it tells one of these
    mutants from the gold that no other does. The same seed gives the same files.

    Exit status: 0 where every gold could be used, 3 where some couldn't: these keep their own
    database alone.
    """
    from rich.console import Console
    from rich.progress import track

    from rlvr.authoring.neighbours import files
    from rlvr.envs.data import read_file

    rows = list(read_file(file))[:limit]
    golds = [files.gold_of(r, n, databases or file.parent) for n, r in enumerate(rows, 1)]
    different = list(dict.fromkeys(golds))
    folder = output / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    summary = files.Summary(tasks=len(rows))
    paths: dict[files.Gold, list[str]] = {}
    processes = min(workers or len(os.sched_getaffinity(0)), len(different))
    context = multiprocessing.get_context("forkserver")
    with (
        ProcessPoolExecutor(processes, mp_context=context) if processes > 1 else nullcontext()
    ) as pool:
        found = files.found_for(different, most, seed, pool)
        shown = Console(stderr=True)
        for gold, one in track(found, "making", len(different), console=shown, transient=True):
            if isinstance(one, str):
                summary.failed.append(f"{gold.database}: {gold.sql[:200]}: {one}")
                paths[gold] = [gold.database]
            else:
                summary.add(one)
                paths[gold] = files.write(folder, gold, one)
    with (output / "tasks.jsonl").open("w", encoding="utf-8") as out:
        for row, gold in zip(rows, golds, strict=True):
            out.write(files.with_databases(row, paths[gold]))
    _print(summary, Console())
    (output / "left.txt").write_text("\n".join(summary.left) + "\n", encoding="utf-8")
    if summary.failed:
        for line in summary.failed[:20]:
            click.echo(f"can't be used: {line}", err=True)
        raise click.exceptions.Exit(3)


@command.command("nltk", short_help="the tokenizer and tagger that checking instructions needs")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    help="A folder; by default the first that NLTK_DATA names, else nltk's own.",
)  # fmt: skip
def nltk_command(output: Path | None) -> None:
    """Download once what nltk needs to find sentences and verbs, where it isn't there yet."""
    from rlvr.verifiers.instructions.nltk_data import fetched

    for package, where in fetched(output):
        click.echo(f"{package}: {where}")


def _written(kind: str) -> Callable[..., None]:
    """The verb that writes an environment's splits for one trainer."""

    @click.argument("env")
    @click.option(
        "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path),
        help="A folder: gets a file for each split.",
    )  # fmt: skip
    @click.option("--splits", default="train,test", show_default=True, help="Which, by commas.")
    @click.option(
        "--limit", type=click.IntRange(min=1), help="The first tasks of each split alone."
    )
    @click.option("--data", help="A local data file, or a folder laid out like RLVR_DATA.")
    @click.option(
        "--env", "env_options", multiple=True, metavar="NAME=VALUE",
        help="An option of the environment, such as level=3; may stand several times.",
    )  # fmt: skip
    def write(
        env: str,
        output: Path,
        splits: str,
        limit: int | None,
        data: str | None,
        env_options: tuple[str, ...],
    ) -> None:
        from rlvr.adapters import openrlhf, verl
        from rlvr.cli.options import make_environment

        writer, ending = {
            "verl": (verl.write_parquet, "parquet"),
            "openrlhf": (openrlhf.write_jsonl, "jsonl"),
        }[kind]
        named = [one.strip() for one in splits.split(",") if one.strip()]
        if not named:
            raise click.UsageError("--splits names none: give it as train,test.")
        for split in named:
            made = make_environment(env, split, data, env_options)
            path = output / f"{split}.{ending}"
            click.echo(f"{path}: {writer(made, path, limit)} tasks")

    write.__doc__ = f"""Write the tasks of ENV as {kind}'s data files, each row with all its verdict needs.

    See docs/{kind}.md for the command that trains on them.
    """
    return write


for _kind, _format in (("verl", "Parquet"), ("openrlhf", "JSONL")):
    command.command(_kind, short_help=f"an environment's tasks as {_kind}'s {_format} files")(
        _written(_kind)
    )


def _print(summary: Summary, console: object) -> None:
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    table = Table("mutants by what is changed", "pass the task's own", "killed")
    for kind, count in sorted(summary.passing.items(), key=lambda item: -item[1]):
        table.add_row(kind, str(count), str(summary.killed[kind]))
    passing, killed = sum(summary.passing.values()), sum(summary.killed.values())
    table.add_row("all", str(passing), str(killed), style="bold")
    console.print(table)
    equivalent = sum(summary.equivalent.values())
    why = ", ".join(f"{rule} {n}" for rule, n in summary.equivalent.most_common())
    console.print(f"{summary.failing} more fail on the task's own database already")
    console.print(f"{equivalent} shown to be the gold in other words ({why or 'none'})")
    console.print(
        f"{len(summary.left)} left, in left.txt; {100 * summary.rate:.1f}% killed of the others"
    )
    console.print(
        f"{summary.databases} neighbours of {summary.golds} golds in {summary.tasks} tasks, "
        f"{summary.bytes / (1 << 20):.1f} MiB; {summary.without} golds have none, "
        f"{summary.empty} are empty on every database"
    )
