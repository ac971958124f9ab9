"""`rlvr data dedupe`: a data file with one row per prompt."""

from __future__ import annotations

from pathlib import Path

import click

from rlvr.runs.rendering import printable


@click.command("dedupe", short_help="one row per prompt")
@click.argument("source", metavar="FILE")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="CLEAN",
    help="File for the first row of each prompt, unchanged and in order (default: count only).",
)  # fmt: skip
@click.option(
    "--near", is_flag=False, flag_value=0.5, type=click.FloatRange(0, 1, min_open=True),
    metavar="[SIMILARITY]",
    help="Also treat near-duplicates with the same numbers as one prompt, from this Jaccard similarity on (0.5 if "
         "no value is given; default: equal prompts only).",
)  # fmt: skip
@click.option(
    "--column",
    help="Column of the prompts (default: the first of prompt, question, problem, messages).",
)
def command(source: str, output: Path | None, near: float | None, column: str | None) -> None:
    """Keep the first row of each prompt of FILE.

    FILE is JSONL or Parquet, or an environment such as gsm8k:train. Prompts with the same words, numbers and
    operators are the same; case, white space and punctuation don't count. Rows without a prompt that can be read
    aren't in CLEAN.

    Exit status: 0 done, 3 if rows couldn't be read, 2 bad usage.
    """
    from rlvr.authoring.dedupe import dedupe
    from rlvr.authoring.rows import RowSource

    if output is not None and output.resolve() == Path(source).resolve():
        raise click.UsageError(f"{source} would be overwritten: it is the input.")
    if output is not None and not output.resolve().parent.is_dir():
        raise click.UsageError(f"There's no folder {str(output.parent)!r} to write into.")
    result = dedupe(RowSource(source), output, near, column)
    for number, kept in result.examples:
        click.echo(f"row {number} has the prompt of row {kept}")
    if result.removed > len(result.examples):
        click.echo(f"… and {result.removed - len(result.examples)} more")
    kept_rows = result.rows - result.removed - result.unread
    where = f", in {output}" if output else ""
    click.echo(
        f"{result.rows} rows: {result.removed} duplicates, {result.unread} not read, {kept_rows} kept{where}"
    )
    for number, why in result.first_unread:
        click.echo(f"row {number} of {source} isn't kept: {printable(why)}", err=True)
    if result.unread:
        raise click.exceptions.Exit(3)
