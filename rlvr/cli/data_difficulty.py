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
    help="Run of `rlvr eval`; repeatable, and their samples are added up.",
)  # fmt: skip
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN]…")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="File for one line per task: id, pass_rate, samples, solved, unscored, interval, bucket (default: none).",
)  # fmt: skip
@click.option(
    "--keep",
    metavar="LOW-HIGH",
    help="Only tasks with a pass rate in this range, such as 0.1-0.9 (default: all).",
)
@click.option(
    "--tasks", "tasks_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="File for the tasks: id, prompt, reference, metadata (default: none).",
)  # fmt: skip
@click.option("--buckets", default=10, show_default=True, type=click.IntRange(min=1),
              help="Number of equal parts of [0, 1] in the histogram.")  # fmt: skip
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
    """Measure how often each task of ENV was solved in saved runs.

    A task that is always or never solved teaches nothing. Unscored responses don't count; a task with no others has no
    pass rate, and --keep leaves it out. --split, --data and --env are for --tasks; give them as in the run.

    Exit status: 0 done, 3 if tasks have no scored response, 2 bad usage.
    """
    from rlvr.authoring import difficulty
    from rlvr.cli.options import make_environment
    from rlvr.runs.run import about, read_rollouts

    paths = (*runs, *more)
    for path in paths:
        about(path)  # raises for a folder that is no run, before the work
    measured = difficulty.difficulties(chain.from_iterable(map(read_rollouts, paths)), env)
    unknown = sum(not task.samples for task in measured)
    chosen = measured
    if keep is not None:
        low, high = _interval(keep)
        chosen = list(difficulty.kept(measured, low, high))
    if output:
        _write(output, (task.to_json(buckets) for task in chosen))
    if tasks_file:
        environment = make_environment(env, split, data, env_options)
        _write(
            tasks_file, (task.to_json() for task in difficulty.tasks_of(environment.tasks, chosen))
        )
    _print(measured, len(chosen), buckets, keep)
    if unknown:
        click.echo(f"{unknown} tasks have no scored response, and no pass rate", err=True)
        raise click.exceptions.Exit(3)


def _interval(text: str) -> tuple[float, float]:
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*", text)
    if not match or not 0 <= float(match[1]) <= float(match[2]) <= 1:
        raise click.UsageError(f"--keep takes two pass rates such as 0.1-0.9, not {text!r}.")
    return float(match[1]), float(match[2])


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with replacing(path) as file:
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def _print(tasks: list[Difficulty], chosen: int, buckets: int, keep: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("pass rate", "tasks", "share")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [("never solved", sum(task.samples > 0 == task.solved for task in tasks))]
    inside = [task.bucket(buckets) for task in tasks if 0 < task.solved < task.samples]
    rows += [
        (f"{i / buckets:.2f}–{(i + 1) / buckets:.2f}", inside.count(i)) for i in range(buckets)
    ]
    rows.append(("always solved", sum(0 < task.samples == task.solved for task in tasks)))
    for name, count in rows:
        table.add_row(name, str(count), f"{100 * count / len(tasks):.1f}%")
    console = Console()
    console.print(table)
    scored = sum(task.samples for task in tasks)
    unscored = sum(task.unscored for task in tasks)
    console.print(
        f"{len(tasks)} tasks, {scored} scored responses, {unscored} unscored and left out"
    )
    if keep is not None:
        console.print(f"{chosen} tasks have a pass rate in {keep}")
