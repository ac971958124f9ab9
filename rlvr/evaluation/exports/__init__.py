"""A run in the forms that other tools read; one file a format.

`export(run, to)` is all of it in one function. What the formats share is how they read: strictly
(`records`), in memory that doesn't grow with the texts, and never with a number where there's no reward.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError, nearest
from rlvr.evaluation.exports.exported import Exported
from rlvr.evaluation.exports.inspect import export_inspect
from rlvr.evaluation.exports.lm_eval import export_lm_eval
from rlvr.evaluation.exports.preferences import export_preferences
from rlvr.evaluation.exports.rows import export_rows
from rlvr.evaluation.exports.sft import export_sft
from rlvr.runs.run import about

# Of each format: what writes it, and its place in the run's folder `exports`.
FORMATS: dict[str, tuple[Callable[..., Exported], str]] = {
    "jsonl": (export_rows, "rollouts.jsonl"),
    "parquet": (export_rows, "rollouts.parquet"),
    "inspect": (export_inspect, "inspect"),
    "lm-eval": (export_lm_eval, "lm-eval"),
    "preferences": (export_preferences, "preferences.jsonl"),
    "sft": (export_sft, "sft.jsonl"),
}
_FOLDERS = ("inspect", "lm-eval")
_OWN = ("run.json", "rollouts.jsonl", "metrics.jsonl", "report.json", "report.html", ".lock")


def export(
    run: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    step: int | None = None,
    **options: Any,
) -> Exported:
    """Write the run at `run` in another form.

    Args:
        to: one of `FORMATS`.
        out: a file, or a folder for `inspect` and `lm-eval`; by default in `run/exports`.
            `preferences` and `sft` are Parquet where it ends in `.parquet`, else JSONL.
        step: only rollouts of this step of training. By default all of them count, in the figures
            of `inspect` and `lm-eval` the last step's.
        options: the format's own: `export_preferences` and `export_sft` say which.

    Raises `DataError` where there's no run, it has no rollouts, or a line of it is none;
    `OptionError`; and `MissingExtraError` where Parquet needs pyarrow.
    """
    if to not in FORMATS:
        raise OptionError(f"There's no format {to!r}. {nearest(to, FORMATS)}")
    run = Path(run)
    about(run)
    write, place = FORMATS[to]
    target = run / "exports" / place if out is None else Path(out)
    if target.suffix != ".parquet" and to == "parquet":
        raise OptionError(f"A Parquet file's name ends in .parquet, not as {target.name!r} does.")
    if target.suffix == ".parquet" and to in ("jsonl", *_FOLDERS):
        raise OptionError(f"{to} is no Parquet: choose another name than {target.name!r}.")
    if to in _FOLDERS and target.exists() and not target.is_dir():
        raise DataError(f"{to} writes into a folder, and {str(target)!r} is a file.")
    if to not in _FOLDERS and target.is_dir():
        raise DataError(f"{to} writes a file, and {str(target)!r} is a folder.")
    if target.resolve().parent == run.resolve() and target.name in _OWN:
        raise DataError(f"{str(target)!r} is a file of the run itself. Choose another place.")
    return write(run, target, step, **options)
