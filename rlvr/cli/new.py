"""`rlvr new NAME`: a new environment as an installable package."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from rlvr.authoring.scaffold.plan import KINDS, VERIFIERS


@click.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default="single-turn", show_default=True,
              help="Kind of episodes.")  # fmt: skip
@click.option(
    "--verifier", type=click.Choice(VERIFIERS), default="custom", show_default=True,
    help="Verifier of the environment; custom is a function of your own.",
)  # fmt: skip
@click.option(
    "--from", "data", metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rows with a prompt and a reference (JSONL or JSON), which are copied and split (default: a generator).",
)  # fmt: skip
@click.option("--prompt-column", help="Column of FILE's prompts (default: the first of prompt, question, "
              "problem, instruction, query).")  # fmt: skip
@click.option("--reference-column", help="Column of FILE's references (default: the first of reference, "
              "answer, gold, target, ground_truth, final_answer, expected_answer, solution).")  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER",
    help="New folder for the package (default: rlvr-NAME).",
)  # fmt: skip
def command(
    name: str,
    kind: str,
    verifier: str,
    data: Path | None,
    prompt_column: str | None,
    reference_column: str | None,
    output: Path | None,
) -> None:
    """Write the package of a new environment called NAME.

    The package is complete: it can be installed, audited and trained on. Then edit its one file,
    rlvr_NAME/__init__.py.
    """
    from rlvr.authoring.scaffold import Plan, write_package
    from rlvr.authoring.scaffold.rows import RowColumns

    if data is None and (prompt_column or reference_column):
        raise click.UsageError("--prompt-column and --reference-column need --from FILE.")
    plan = Plan(name, kind, verifier, from_rows=data is not None)
    folder = output or Path(plan.distribution)
    write_package(plan, folder, data, RowColumns(prompt_column, reference_column))
    click.echo(f"{folder}/{plan.module}/__init__.py is the environment. Next steps:\n")
    for line in (
        f"pip install -e {shlex.quote(str(folder))}",
        f"rlvr show {name}",
        f"rlvr audit {name}",
    ):
        click.echo(f"  {line}")
