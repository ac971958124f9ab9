"""`rlvr data split`: train and test that share no group."""

from __future__ import annotations

from pathlib import Path

import click

from rlvr.runs.rendering import printable


@click.command("split", short_help="train and test that share no group")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Folder for train and test, and for unread.jsonl if lines can't be read.",
)  # fmt: skip
@click.option("--test", "test", default=0.1, show_default=True,
              type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Test share of the rows.")  # fmt: skip
@click.option("--by", metavar="GROUP", help="Field whose values are groups (default: the prompt).")
@click.option(
    "--stratify",
    metavar="FIELD",
    help="Field whose values keep their shares on both sides (default: none).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--near", is_flag=False, flag_value=0.5, type=click.FloatRange(0, 1, min_open=True),
    metavar="[SIMILARITY]",
    help="Put near-duplicate prompts into one group, from this Jaccard similarity on (0.5 if no value is given; "
         "default: equal prompts only).",
)  # fmt: skip
@click.option(
    "--column",
    help="Column of the prompts (default: the first of prompt, question, problem, messages).",
)
def command(
    file: Path,
    output: Path,
    test: float,
    by: str | None,
    stratify: str | None,
    seed: int,
    near: float | None,
    column: str | None,
) -> None:
    """Split FILE in train and test, so that no group is in both.

    FILE is JSONL, JSON or Parquet; rows are written unchanged and in order. A field may be metadata.level. The same
    seed gives the same split. Rows that are added to FILE later don't move the others; with --stratify a few at the
    border may move (see docs/data.md).

    Exit status: 0 done, 3 if lines couldn't be read, 2 bad usage.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rlvr.authoring.rows import RowSource
    from rlvr.authoring.split import split

    result = split(RowSource(file), output, test, by, stratify, seed, near, column)
    console = Console()
    table = Table("", "train", "test", "test share")
    strata = result.strata if stratify else {}
    for name, (train, held_out) in (*strata.items(), ("all", (result.train, result.test))):
        share = held_out / max(1, train + held_out)
        table.add_row(escape(printable(name, 60)), str(train), str(held_out), f"{100 * share:.2f}%")
    console.print(table)
    console.print(
        f"{result.train_groups} groups in train, {result.test_groups} in test, none in both"
    )
    if result.unread:
        click.echo(
            f"{result.unread} lines can't be read: they are in {output}/unread.jsonl", err=True
        )
        raise click.exceptions.Exit(3)
