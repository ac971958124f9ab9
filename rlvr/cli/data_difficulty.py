"""`rlvr data difficulty`: pass rates of tasks from saved runs, and the tasks worth training on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlvr.cli.options import environment_options
from rlvr.core.files import replacing

if TYPE_CHECKING:
    from rlvr.authoring.difficulty import Difficulty


@click.command("difficulty", short_help="pass rates from saved runs; the tasks worth training on")
@click.argument("env")
@click.option(
    "--run", "runs", required=True, multiple=True, type=click.Path(path_type=Path), metavar="RUN",
    help="A run of `rlvr eval`; may stand several times, and they are added up.",
)  # fmt: skip
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN]…")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="Gets a line a task: id, pass_rate, samples, solved, unscored, interval, bucket.",
)  # fmt: skip
@click.option(
    "--keep", metavar="LOW-HIGH", help="Tasks with such pass rates alone, such as 0.1-0.9."
)
@click.option(
    "--tasks", "tasks_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="Gets the tasks themselves: id, prompt, reference, metadata.",
)  # fmt: skip
@click.option("--buckets", default=10, show_default=True, type=click.IntRange(min=1),
              help="Equal parts of [0, 1] that pass rates are counted in.")  # fmt: skip
@environment_options
def command(
    env: str,
    runs: tuple[Path, ...],
    more: tuple[Path, ...],
    output: Path | None,
    keep: str | None,
    tasks_file: Path | None,
    buckets: int,
    split: str | None,
    data: str | None,
    env_options: tuple[str, ...],
) -> None:
    """How often each task of ENV was solved in runs that are there.

    A task that is always or never solved teaches nothing. Unscored responses count neither way; a
    task with no other has no pass rate, and --keep leaves it out. --split, --data and --env are for
    --tasks, and as they were in the run.

    Exit status: 0 done, 3 where tasks have no scored response, 2 bad usage.
    """
    from rlvr.authoring import difficulty
    from rlvr.cli.options import make_environment
    from rlvr.runs.run import about, read_rollouts

    paths = (*runs, *more)
    for path in paths:
        about(path)  # says so where it's no run, before the work
    found = difficulty.difficulties(chain.from_iterable(map(read_rollouts, paths)), env)
    unknown = sum(not one.samples for one in found)
    chosen = found
    if keep is not None:
        low, high = _interval(keep)
        chosen = list(difficulty.kept(found, low, high))
    if output:
        _write(output, (one.to_json(buckets) for one in chosen))
    if tasks_file:
        made = make_environment(env, split, data, env_options)
        _write(tasks_file, (one.to_json() for one in difficulty.tasks_of(made.tasks, chosen)))
    _print(found, len(chosen), buckets, keep)
    if unknown:
        click.echo(f"{unknown} tasks have no scored response, and no pass rate", err=True)
        raise click.exceptions.Exit(3)


def _interval(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*", text)
    if not found or not 0 <= float(found[1]) <= float(found[2]) <= 1:
        raise click.UsageError(f"--keep takes two pass rates such as 0.1-0.9, not {text!r}.")
    return float(found[1]), float(found[2])


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with replacing(path) as file:
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def _print(found: list[Difficulty], chosen: int, buckets: int, keep: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("pass rate", "tasks", "share")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [("never solved", sum(one.samples > 0 == one.solved for one in found))]
    inside = [one.bucket(buckets) for one in found if 0 < one.solved < one.samples]
    rows += [
        (f"{i / buckets:.2f}–{(i + 1) / buckets:.2f}", inside.count(i)) for i in range(buckets)
    ]
    rows.append(("always solved", sum(0 < one.samples == one.solved for one in found)))
    for name, count in rows:
        table.add_row(name, str(count), f"{100 * count / len(found):.1f}%")
    console = Console()
    console.print(table)
    scored, unscored = sum(one.samples for one in found), sum(one.unscored for one in found)
    console.print(
        f"{len(found)} tasks, {scored} scored responses, {unscored} unscored and left out"
    )
    if keep is not None:
        console.print(f"{chosen} tasks have a pass rate in {keep}")
