"""`rlvr data decontaminate`: a data file without the prompts of evaluation sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlvr.runs.rendering import printable

if TYPE_CHECKING:
    from rlvr.authoring.decontamination import DecontaminationReport

_METHODS = "exact,normalised,ngram,near"


@click.command("decontaminate", short_help="training prompts that are in an evaluation set")
@click.argument("train")
@click.option(
    "--against", "evals", required=True, multiple=True, metavar="EVAL",
    help="Evaluation set: a file or an environment; repeatable.",
)  # fmt: skip
@click.argument("more", nargs=-1, metavar="[EVAL]…")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="CLEAN",
    help="File for the rows that match nothing, unchanged and in order (default: count only).",
)  # fmt: skip
@click.option(
    "--matches", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="File for the matches: line, evaluation set and id, method, score, both texts (default: none).",
)  # fmt: skip
@click.option(
    "--methods", default=_METHODS, show_default=True, help="Methods, separated by commas."
)
@click.option(
    "--templates", is_flag=True, help="Also match near-duplicates with other numbers (default: no)."
)
@click.option("-n", "n", default=8, show_default=True, type=click.IntRange(min=1),
              help="Number of tokens in an n-gram.")  # fmt: skip
@click.option("--overlap", default=0.5, show_default=True, type=click.FloatRange(0, 1, max_open=True),
              help="Share of an instance's tokens in shared n-grams above which it matches.")  # fmt: skip
@click.option("--near", default=0.35, show_default=True,
              type=click.FloatRange(0, 1, min_open=True),
              help="Jaccard similarity from which on texts are near-duplicates.")  # fmt: skip
@click.option("--whole", default=0.02, show_default=True, type=click.FloatRange(0, 1),
              help="Share of an evaluation set above which all of TRAIN is suspect.")  # fmt: skip
@click.option(
    "--column",
    help="Column of TRAIN's prompts (default: the first of prompt, question, problem, messages).",
)
@click.option("--eval-column", help="Column of each EVAL's prompts (default: as for TRAIN).")
def command(
    train: str,
    evals: tuple[str, ...],
    more: tuple[str, ...],
    output: Path | None,
    matches: Path | None,
    methods: str,
    templates: bool,
    n: int,
    overlap: float,
    near: float,
    whole: float,
    column: str | None,
    eval_column: str | None,
) -> None:
    """Find the prompts of TRAIN that are in an evaluation set, and write TRAIN without them.

    TRAIN and EVAL are JSONL, JSON or Parquet files, or environments such as gsm8k:train. Of an environment's prompts,
    the questions are compared, without the text that it puts around them. TRAIN is read once, in batches; memory
    depends on the evaluation sets alone. See docs/data.md for the methods.

    Rows without a prompt that can be read aren't in CLEAN; they are in FILE.jsonl with the method "unread".

    Exit status: 0 done; 4 if more than --whole of an evaluation set was found (by Tülu 3's rule TRAIN is then dropped
    whole); otherwise 3 if rows couldn't be read; 2 bad usage.
    """
    from rich.console import Console

    from rlvr.authoring.decontamination import Options, decontaminate
    from rlvr.authoring.rows import RowSource
    from rlvr.core.errors import OptionError

    sources = tuple(dict.fromkeys((*evals, *more)))
    _check_paths(train, sources, output, matches)
    chosen = [method.strip() for method in methods.split(",") if method.strip()]
    if templates:
        chosen.append("template")
    try:
        options = Options(chosen, n, overlap, near)
    except OptionError as error:
        raise click.UsageError(str(error)) from None
    shown = Console(stderr=True)
    with shown.status("reading the evaluation sets") as status:
        report = decontaminate(
            RowSource(train), sources, output, matches, options, column, eval_column,
            lambda rows: status.update(f"{rows:,} rows"),
        )  # fmt: skip
    above = report.above(whole)
    _print(report, chosen, above, output)
    for number, why in report.first_unread:
        click.echo(f"row {number} of {train} isn't judged: {printable(why)}", err=True)
    if report.unread:
        where = f"in {matches} and" if matches else "reported here alone,"
        click.echo(f"{report.unread} rows aren't judged: they are {where} not in CLEAN", err=True)
    if above:
        click.echo(
            f"More than {100 * whole:g}% of {', '.join(above)} is in {train}: a score there says little "
            f"after training on any part of it.",
            err=True,
        )
        raise click.exceptions.Exit(4)
    if report.unread:
        raise click.exceptions.Exit(3)


def _check_paths(
    train: str, evals: tuple[str, ...], output: Path | None, matches: Path | None
) -> None:
    inputs = {Path(source).resolve() for source in (train, *evals)}
    written = [path.resolve() for path in (output, matches) if path]
    for path in written:
        if path in inputs:
            raise click.UsageError(f"{path.name} would be overwritten: it is an input.")
        if not path.parent.is_dir():
            raise click.UsageError(f"There's no folder {str(path.parent)!r} to write into.")
    if len(set(written)) < len(written):
        raise click.UsageError("The clean rows and the matches need different files.")


def _print(
    report: DecontaminationReport, methods: list[str], above: list[str], output: Path | None
) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("evaluation set", overflow="fold")
    for column in ("size", "found", "rows of TRAIN"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("rows by method")
    for name, result in report.sets.items():
        rows = result.rows.total()
        table.add_row(
            escape(name),
            str(result.size),
            f"{len(result.matched)} ({100 * result.share:.2f}%)",
            f"{rows} ({100 * rows / max(1, report.rows):.3f}%)",
            ", ".join(f"{method} {result.rows[method]}" for method in methods),
            style="bold red" if name in above else None,
        )
    console = Console()
    console.print(table)
    for name, result in report.sets.items():
        if result.empty:
            console.print(
                f"{result.empty} instances of {escape(name)} have no words and can't be found"
            )
    kept = report.rows - report.removed - report.unread
    console.print(
        f"{report.rows} rows: {report.removed} match, {report.unread} not judged, {kept} clean"
        + (escape(f", in {output}") if output else "")
    )
