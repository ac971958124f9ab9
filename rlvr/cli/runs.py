"""`rlvr runs FOLDER`: the runs in a folder, with their figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from rlvr.core.errors import OptionError, nearest
from rlvr.core.secrets import scrubbed_options
from rlvr.runs.rendering import printable

_COLUMNS = ("run", "kind", "environment", "split", "policy", "k", "temperature", "tasks", "reward", "correct", "unscored")  # fmt: skip


@click.command("runs")
@click.argument("folder", default="runs", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sort", metavar="FIELD",
              help="Sort by a field, such as reward or config.seed; -FIELD puts the highest first (default: the time).")  # fmt: skip
@click.option("--where", multiple=True, metavar="FIELD=VALUE",
              help="List only the runs with this value of a field; may be given several times.")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print a line of JSON per environment of a run."
)
def command(folder: Path, sort: str | None, where: tuple[str, ...], as_json: bool) -> None:
    """List the runs below FOLDER (default: runs), a line per environment that a run measured.

    A field is a column of the table, or config.NAME for anything that a run was made with. The figures
    are those of each run's report.json.
    """
    rows = sorted(_rows(folder), key=lambda row: str(row["began"]))
    for condition in where:
        name, equals, value = condition.partition("=")
        if not equals:
            raise click.UsageError(f"--where takes FIELD=VALUE, not {condition!r}.")
        _check(name, rows)
        rows = [row for row in rows if _text(row.get(name)) == value]
    if sort is not None:
        name, down = sort.removeprefix("-"), sort.startswith("-")
        _check(name, rows)
        there = [row for row in rows if row.get(name) is not None]
        # Runs without the field come last either way.
        there.sort(key=lambda row: _order(row[name]), reverse=down)
        rows = there + [row for row in rows if row.get(name) is None]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    table = [[_shown(name, row.get(name)) for name in _COLUMNS] for row in rows]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *table, strict=True)]
    for line in (_COLUMNS, *table):
        click.echo("  ".join(f"{cell:<{n}}" for cell, n in zip(line, widths, strict=True)).rstrip())
    if not rows:
        click.echo(f"no runs below {str(folder)!r}", err=True)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("run.json")):
        about = _read(path)
        config = about.get("config")
        config = scrubbed_options(config) if isinstance(config, dict) else {}
        reports = _read(path.parent / "report.json").get("reports")
        asked = {
            (a.get("env"), a.get("part")): a
            for a in about.get("asked") or ()
            if isinstance(a, dict)
        }
        common = {f"config.{name}": value for name, value in config.items()} | {
            "run": str(path.parent),
            "kind": about.get("kind"),
            "began": about.get("began"),
            "policy": config.get("policy") or config.get("model"),
            "temperature": config.get("temperature") if config.get("model") else None,
        }
        reports = [r for r in reports if isinstance(r, dict)] if isinstance(reports, list) else []
        for report in reports or [{}]:
            part = asked.get((report.get("env"), report.get("part")), {})
            name, of = report.get("env") or config.get("environment"), report.get("part")
            scored, count = report.get("scored"), report.get("asked") or report.get("rollouts")
            yield common | {
                "environment": f"{name} ({of})" if of else name,
                "split": part.get("split") or config.get("split"),
                "k": part.get("k") or config.get("k"),
                "tasks": report.get("tasks"),
                "reward": _value(report.get("mean")),
                "correct": _value(report.get("correct")),
                "unscored": count - scored
                if isinstance(count, int) and isinstance(scored, int)
                else None,
            }


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _value(estimate: Any) -> float | None:
    value = estimate.get("value") if isinstance(estimate, dict) else None
    return value if isinstance(value, int | float) else None


def _check(name: str, rows: list[dict[str, Any]]) -> None:
    fields = {field for row in rows for field in row} | set(_COLUMNS)
    if name not in fields:
        raise OptionError(f"The runs have no field {name!r}. {nearest(name, fields)}")


def _order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (False, float(value), "") if number else (True, math.inf, _text(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in ("reward", "correct"):
        return f"{value:.4f}"
    return printable(_text(value), 60)
