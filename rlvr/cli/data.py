"""`rlvr data`: commands that prepare tasks for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from rlvr.cli import (
    data_critiques,
    data_decontaminate,
    data_dedupe,
    data_difficulty,
    data_mine,
    data_neighbours,
    data_split,
    data_synthesise,
    data_weakest,
)


@click.group("data")
def command() -> None:
    """Prepare tasks for training: find duplicates and test problems, measure, split, convert, mine."""


for _module in (
    data_critiques,
    data_decontaminate,
    data_dedupe,
    data_difficulty,
    data_mine,
    data_neighbours,
    data_split,
    data_synthesise,
    data_weakest,
):
    command.add_command(_module.command)


@command.command("nltk", short_help="the tokenizer and tagger for instructions")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the data (default: the first in NLTK_DATA, otherwise nltk's own).",
)  # fmt: skip
def nltk_command(output: Path | None) -> None:
    """Download the data that nltk needs to find sentences and verbs, unless they are there."""
    from rlvr.verifiers.instructions.nltk_data import fetched

    for package, where in fetched(output):
        click.echo(f"{package}: {where}")


def _written(kind: str) -> Callable[..., None]:
    """Return the command that writes an environment's splits for one trainer."""

    @click.argument("env")
    @click.option(
        "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path),
        help="Folder for one file per split.",
    )  # fmt: skip
    @click.option(
        "--splits", default="train,test", show_default=True, help="Splits, separated by commas."
    )
    @click.option(
        "--limit",
        type=click.IntRange(min=1),
        help="Only so many tasks per split, from the first (default: all).",
    )
    @click.option(
        "--data",
        help="Local data file, or a folder with the layout of RLVR_DATA (default: RLVR_DATA, then the Hub).",
    )
    @click.option(
        "--env", "env_options", multiple=True, metavar="NAME=VALUE",
        help="Option of the environment, such as level=3; repeatable.",
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
        named = [name.strip() for name in splits.split(",") if name.strip()]
        if not named:
            raise click.UsageError("--splits is empty: give it as train,test.")
        for split in named:
            environment = make_environment(env, split, data, env_options)
            path = output / f"{split}.{ending}"
            click.echo(f"{path}: {writer(environment, path, limit)} tasks")

    write.__doc__ = f"""Write the tasks of ENV as {kind}'s data files; each row has everything that its verdict needs.

    See docs/{kind}.md for the command that trains on them.
    """
    return write


for _kind, _format in (("verl", "Parquet"), ("openrlhf", "JSONL")):
    command.command(_kind, short_help=f"an environment's tasks as {_kind}'s {_format} files")(
        _written(_kind)
    )
