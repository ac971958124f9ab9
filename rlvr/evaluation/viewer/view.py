"""`write_view`: one or two runs as a self-contained HTML file.

The rollouts are read once and written as they come: their texts in blocks of about a megabyte
that the page unpacks when it needs them, and the few columns of its table in blocks that it
unpacks at once. In memory there's one block, and some sixty bytes a rollout for the figures.
"""

from __future__ import annotations

import codecs
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from rlvr.core.errors import OptionError
from rlvr.core.files import replacing
from rlvr.evaluation.viewer import charts
from rlvr.evaluation.viewer.compare import compare
from rlvr.evaluation.viewer.figures import Columns, slices
from rlvr.evaluation.viewer.page import blob, block, page
from rlvr.evaluation.viewer.read import Rollout, RunFiles, text_of
from rlvr.evaluation.viewer.report import with_report

_BLOCK = 1 << 20  # characters of text: unpacked in some 10 ms
_ROLLOUTS = 256  # a block at most, so that short ones don't make one block of it all
_EXCERPT, _CELL = 160, 60

FILTERS = ("all", "wrong", "unparsable", "unscored", "truncated", "disagreed", "longest")
"""What the page's table can be narrowed to, as `SHOW` in viewer/rows.js has it."""


@dataclass(frozen=True)
class View:
    """What was written: where, how many rollouts, and what was odd about the runs."""

    path: Path
    rollouts: int
    warnings: list[str]


def write_view(
    runs: Sequence[Path],
    out: Path | None = None,
    progress: Callable[[int], object] = lambda done: None,
    show: str | None = None,
) -> View:
    """Write one or two runs to `out`, by default the first one's `report.html`.

    Args:
        runs: their folders.
        out: the file.
        progress: told how many rollouts are done.
        show: the filter, of `FILTERS`, that the page opens with; None opens its summary.

    Raises `DataError` where a run can't be shown, `OptionError` where there's no such filter.
    """
    if show is not None and show not in FILTERS:
        raise OptionError(f"There's no filter {show!r}; there are {', '.join(FILTERS)}.")
    opened = [RunFiles.open(path) for path in runs]
    out = opened[0].path / "report.html" if out is None else out
    out.parent.mkdir(parents=True, exist_ok=True)
    head, middle, end = page()
    with contextlib.ExitStack() as stack:
        index, texts = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii", dir=out.parent))
            for _ in range(2)
        )
        written = [
            _Writer(number, index, texts).write(run, progress) for number, run in enumerate(opened)
        ]
        data: dict[str, Any] = {
            "runs": [_about(run, w) for run, w in zip(opened, written, strict=True)],
            "show": show,
        }
        if len(written) == 2:
            data["compared"] = compare(written[0].columns, written[1].columns)
        with replacing(out) as binary:
            file = codecs.getwriter("utf-8")(binary)
            file.write(head)
            file.write(block("about", blob(data)))
            _copy(index, file)
            file.write(middle)
            _copy(texts, file)
            file.write(end)
    warnings = [f"{run.path}: {warning}" for run in opened for warning in run.warnings]
    return View(out, sum(len(w.columns.reward_R) for w in written), warnings)


class _Writer:
    """Spools one run's blocks."""

    def __init__(self, number: int, index: IO[str], texts: IO[str]) -> None:
        self.columns = Columns()
        self.blocks = 0
        self._number = number
        self._index = index
        self._texts = texts
        self._rollouts: list[Rollout] = []
        self._size = 0

    def write(self, run: RunFiles, progress: Callable[[int], object]) -> _Writer:
        for rollout in run.rollouts():
            self.columns.add(rollout)
            self._rollouts.append(rollout)
            self._size += sum(len(text) for _, text in rollout.messages) + len(rollout.reference)
            if self._size >= _BLOCK or len(self._rollouts) == _ROLLOUTS:
                self._flush()
                progress(len(self.columns.reward_R))
        self._flush()
        return self

    def _flush(self) -> None:
        if not self._rollouts:
            return
        name = f"{self._number}-{self.blocks}"
        table = {key: [row[key] for row in map(_row, self._rollouts)] for key in _row_keys()}
        self._index.write(block(f"rows-{name}", blob(table)))
        self._texts.write(block(f"texts-{name}", blob([_texts(r) for r in self._rollouts])))
        self.blocks += 1
        self._rollouts, self._size = [], 0


def _row(rollout: Rollout) -> dict[str, Any]:
    """What the table shows and filters."""
    last = next((text for role, text in reversed(rollout.messages) if role == "assistant"), "")
    # The end, where answers are.
    excerpt = " ".join(last[-4 * _EXCERPT :].split())
    return {
        "task": rollout.task,
        "sample": rollout.sample,
        "env": rollout.env,
        "part": rollout.part,
        "step": rollout.step,
        "status": rollout.status,
        "cause": rollout.cause,
        "reward": rollout.reward,
        "tokens": rollout.tokens,
        "characters": rollout.characters,
        "truncated": rollout.stop == "length",
        "answer": _short(rollout.answer, _CELL),
        "gold": _short(rollout.reference, _CELL),
        "excerpt": excerpt if len(excerpt) <= _EXCERPT else "…" + excerpt[-_EXCERPT:],
    }


def _row_keys() -> list[str]:
    return list(_row(Rollout("", 0, "", "", 0, "", 0, "", "", 0, 0, "", "", "", [], [], [])))


def _texts(rollout: Rollout) -> dict[str, Any]:
    shown = ("stop", "answer", "reference", "feedback", "components", "messages", "notes")
    return {name: value for name, value in asdict(rollout).items() if name in shown}


def _short(text: str, most: int) -> str:
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[:most] + "…"


def _about(run: RunFiles, written: _Writer) -> dict[str, Any]:
    columns = written.columns
    config = run.about.get("config")
    config = config if isinstance(config, dict) else {}
    figures = slices(columns)
    return {
        "name": run.path.resolve().name,
        "path": str(run.path),
        "env": run.env,
        "policy": text_of(config.get("policy") or config.get("model") or ""),
        "asked": [[k, text_of(v)] for k, v in {**run.about, **config}.items() if k != "config"],
        "report": None if run.report is None else text_of(run.report),
        "warnings": run.warnings,
        "blocks": written.blocks,
        "unit": columns.unit(),
        "step": columns.last_step(),
        "bootstrapped": with_report(figures, run.report),
        "slices": figures,
        "causes": columns.causes.most_common(),
        "rewards": charts.rewards(columns),
        "lengths": charts.lengths(columns),
        "curves": charts.curves(run),
    }


def _copy(spool: IO[str], file: codecs.StreamWriter) -> None:
    spool.seek(0)
    shutil.copyfileobj(spool, file)
