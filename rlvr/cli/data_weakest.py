"""`rlvr data weakest RUN --by KEY`: a mixture for training that weighs what the model is bad at."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlvr.runs.rendering import printable

if TYPE_CHECKING:
    from rlvr.runs.report import Report
    from rlvr.runs.saved import SavedRun


@click.command("weakest", short_help="a mixture that trains what a run was bad at")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--by", required=True, help="The key to slice the run's tasks by, such as metadata.level."
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="The TOML file to write, for rlvr train --config.")  # fmt: skip
@click.option("--split", default="train", show_default=True, help="The split to train on.")
@click.option("--data", help="A local data file or folder to train on (default: the run's folder).")
def command(run: Path, by: str, output: Path, split: str, data: str | None) -> None:
    """Write a mixture of RUN's slices whose weights follow their loss, 1 minus the mean reward.

    A slice with fewer than 20 tasks gets the loss of all tasks. One without any loss is left out.
    `rlvr train --config FILE --model MODEL` takes the file as it is.
    """
    from rlvr.core.errors import DataError
    from rlvr.core.files import replacing
    from rlvr.runs.saved import SavedRun

    saved = SavedRun.open(run)
    rows = [row for report in saved.reports(by) for row in _rows(saved, report, by, split, data)]
    if not any(row["weight"] for row in rows):
        raise DataError(f"The run in {str(run)!r} has no loss in any slice: nothing is weak.")
    for row in rows:
        if row["weight"]:
            _check(row)
    with replacing(output) as file:
        file.write(_toml(saved, by, rows).encode())
    width = min(40, max(len(row["label"]) for row in rows))
    for row in sorted(rows, key=lambda row: -row["weight"]):
        click.echo(
            f"{printable(row['label'], 40):<{width}}  weight {row['weight']:.4f}  {row['note']}"
        )
    click.echo(f"mixture: {output} (rlvr train --config {output} --model MODEL)")


def _rows(
    saved: SavedRun, report: Report, by: str, split: str, data: str | None
) -> list[dict[str, Any]]:
    from rlvr.envs.slices import ABSENT, option_of, slice_name
    from rlvr.runs.rendering import FEW

    options = _options(saved)
    changed = option_of(report.env, by)
    options.pop(changed or "", None)
    folder = saved.config.get("data")
    if data is not None or (isinstance(folder, str) and Path(folder).is_dir()):
        options["data"] = data if data is not None else folder
    overall = report.mean.value
    rows = []
    for label, part in report.slices.items():
        few = part.tasks < FEW or math.isnan(part.mean.value)
        value = overall if few else part.mean.value
        note = f"reward {part.mean.value:.4f} on {part.tasks} tasks"
        if few:
            note += f"; fewer than {FEW} tasks: the weight is that of all tasks"
        weight = 0.0 if label == ABSENT or math.isnan(value) else max(0.0, 1.0 - value)
        name = slice_name(report.env, by, label)
        rows.append(
            {"label": label, "name": name, "weight": weight, "note": note, "split": split, "options": options}
        )  # fmt: skip
    return rows


def _options(saved: SavedRun) -> dict[str, Any]:
    """Return the options that the run's environment was made with, without its split and data."""
    from rlvr.cli.options import named_values

    saved_options = saved.config.get("options")
    options = named_values(
        "--env", tuple(map(str, saved_options if isinstance(saved_options, list) else ()))
    )
    return {name: value for name, value in options.items() if name not in ("split", "data")}


def _check(row: dict[str, Any]) -> None:
    """Make the slice and look for its first task, so that training does not fail on it later."""
    from rlvr.core.errors import DataError, RlvrError
    from rlvr.core.registry import make

    try:
        env = make(row["name"], split=row["split"], **row["options"])
        len(env.tasks)
    except RlvrError as error:
        raise DataError(
            f"The slice {row['label']!r} can't be trained on: {error} Name other tasks with --split or "
            f"--data."
        ) from error


def _toml(saved: SavedRun, by: str, rows: list[dict[str, Any]]) -> str:
    lines = [f"# By {by}, from {saved.path}: {saved.describe()}".replace("\n", " ")]
    for row in rows:
        comment = f"# {row['note']}"
        if not row["weight"]:
            lines += ["", f"# left out: {_text(row['name'])}", comment]
            continue
        lines += ["", "[[environment]]", comment, f"name = {_text(row['name'])}"]
        lines += [f"weight = {row['weight']:.6f}", f"split = {_text(row['split'])}"]
        if "data" in row["options"]:
            lines.append(f"data = {_text(row['options']['data'])}")
        rest = {name: value for name, value in row["options"].items() if name != "data"}
        if rest:
            pairs = ", ".join(f"{_text(name)} = {_value(value)}" for name, value in rest.items())
            lines.append(f"options = {{{pairs}}}")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # TOML's basic strings have JSON's escapes, except the slash and DEL.
    return json.dumps(value).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_text(str(name))} = {_value(item)}" for name, item in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
