"""`write_view`: runs as a self-contained HTML file.

The rollouts are read once and written as they come: their texts in blocks of about a megabyte
that the page unpacks when it needs them, and the few columns of its table in blocks that it
unpacks at once. In memory there are a few blocks, and some sixty bytes per rollout for the figures.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rlvr.core.episode import all_children
from rlvr.core.errors import OptionError
from rlvr.core.files import naming, replacing
from rlvr.core.task import content_text
from rlvr.core.verdict import Scored, Unscored
from rlvr.envs.slices import By, labeller
from rlvr.evaluation.compare import RunComparison, compare_tallies, corrected
from rlvr.evaluation.viewer import charts
from rlvr.evaluation.viewer.page import blob, block, page
from rlvr.runs.reading import Record
from rlvr.runs.report import Report
from rlvr.runs.rollouts import answer_of, number, text_of
from rlvr.runs.saved import SavedRun
from rlvr.runs.tally import Tallies

_BLOCK = 1 << 20  # characters of text: unpacked in some 10 ms
_ROLLOUTS = 256  # per block at most, so that short ones are not all in one block
_EXCERPT, _CELL = 160, 60
_LAID_OUT = 20_000  # characters of JSON up to which a person may read it to its end
_WAITING = 8  # blocks that are being compressed

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The names of runs in a page, as data.js has them."""
FILTERS = ("all", "wrong", "unparsable", "unscored", "truncated", "disagreed", "longest")
"""The filters of the page's table, as `SHOW` in viewer/rows.js has them."""


@dataclass(frozen=True)
class WrittenView:
    """The page that was written: its path, the number of rollouts, and what was odd about the runs."""

    path: Path
    rollouts: int
    warnings: list[str]


def write_view(
    runs: Sequence[Path],
    out: Path | None = None,
    progress: Callable[[int], object] = lambda done: None,
    show: str | None = None,
    by: By | None = None,
) -> WrittenView:
    """Write runs to `out`, by default the first one's `report.html`.

    Args:
        runs: the runs' folders. With several, each is compared with the first, as `rlvr compare` does.
        out: the file to write.
        progress: called with the number of rollouts that are done.
        show: the filter, of `FILTERS`, that the page opens with; None opens its summary.
        by: a key or function of tasks; then the figures of its slices are shown too.

    Raises `DataError` if a run can't be shown, `OptionError` if there is no such filter.
    """
    if show is not None and show not in FILTERS:
        raise OptionError(f"There's no filter {show!r}; there are {', '.join(FILTERS)}.")
    if not 1 <= len(runs) <= len(LETTERS):
        raise OptionError(f"A page shows 1 to {len(LETTERS)} runs, not {len(runs)}.")
    opened = [SavedRun.open(path) for path in runs]
    out = opened[0].path / "report.html" if out is None else out
    out.parent.mkdir(parents=True, exist_ok=True)
    head, middle, end = page()
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming(out))
        index, texts = (stack.enter_context(_spool(out)) for _ in range(2))
        written = [
            _Writer(number, index, texts, by).write(run, progress)
            for number, run in enumerate(opened)
        ]
        data: dict[str, Any] = {
            "runs": [_about(run, w) for run, w in zip(opened, written, strict=True)],
            "show": show,
        }
        if len(written) > 1:
            first, before = opened[0], written[0].tallies
            comparisons = [
                RunComparison(run, compare_tallies(first, before, run, w.tallies))
                for run, w in zip(opened[1:], written[1:], strict=True)
            ]
            data["compared"] = [charts.compared(c.parts) for c in corrected(comparisons)]
        with replacing(out) as binary:
            file = codecs.getwriter("utf-8")(binary)
            file.write(head)
            file.write(block("about", blob(data)))
            _copy(index, file)
            file.write(middle)
            _copy(texts, file)
            file.write(end)
    warnings = [f"{run.path}: {warning}" for run in opened for warning in run.warnings]
    return WrittenView(out, sum(w.rollouts for w in written), warnings)


class _Writer:
    """Spools one run's blocks."""

    def __init__(self, number: int, index: IO[str], texts: IO[str], by: By | None) -> None:
        self.tallies = Tallies(by)
        self.rollouts = 0
        self.blocks = 0
        self.has_tokens = True
        self._slice = labeller(by) if by is not None else lambda task: ""
        self._number = number
        self._index = index
        self._texts = texts
        self._block: list[Record] = []
        self._size = 0
        self._packing: deque[tuple[str, Future[str], Future[str]]] = deque()

    def write(self, run: SavedRun, progress: Callable[[int], object]) -> _Writer:
        # Compression leaves the interpreter free for the next lines.
        with ThreadPoolExecutor(2, "rlvr-view") as threads, run.collect_warnings():
            for record in run.records(bad=run.warnings.append):
                rollout = record.rollout
                self.tallies.add(rollout, record.step)
                self.rollouts += 1
                self.has_tokens = self.has_tokens and rollout.completion_tokens is not None
                self._block.append(record)
                self._size += sum(len(message["content"]) for message in rollout.messages)
                if self._size >= _BLOCK or len(self._block) == _ROLLOUTS:
                    self._pack(threads)
                    progress(self.rollouts)
            self._pack(threads)
            self._spool(0)
        return self

    def _pack(self, threads: ThreadPoolExecutor) -> None:
        if not self._block:
            return
        rows = [(*_row(record), self._slice(record.rollout.task)) for record in self._block]
        table = {name: [row[i] for row in rows] for i, name in enumerate(_COLUMNS)}
        texts = [_texts(record) for record in self._block]
        name = f"{self._number}-{self.blocks}"
        self._packing.append((name, threads.submit(blob, table), threads.submit(blob, texts)))
        self.blocks += 1
        self._block, self._size = [], 0
        self._spool(_WAITING)

    def _spool(self, waiting: int) -> None:
        while len(self._packing) > waiting:
            name, rows, texts = self._packing.popleft()
            self._index.write(block(f"rows-{name}", rows.result()))
            self._texts.write(block(f"texts-{name}", texts.result()))


_COLUMNS = (
    "task", "sample", "env", "part", "step", "status", "cause", "reward", "tokens", "characters",
    "truncated", "answer", "gold", "excerpt", "slice",
)  # fmt: skip


def _row(record: Record) -> tuple[Any, ...]:
    """Return what the table shows and filters, in the order of `_COLUMNS`, without the slice."""
    rollout, verdict = record.rollout, record.rollout.verdict
    scored = verdict if isinstance(verdict, Scored) else None
    # The end of the response, where answers are.
    last = (rollout.response or "")[-4 * _EXCERPT :]
    excerpt = " ".join(last.split())
    assert verdict is not None
    return (
        rollout.task.id,
        _whole(rollout.sample),
        rollout.env,
        rollout.part or "",
        _whole(record.step),
        "unscored" if scored is None else str(scored.status),
        str(verdict.cause) if isinstance(verdict, Unscored) else "",
        None if scored is None else scored.reward,
        _whole(rollout.completion_tokens),
        rollout.characters,
        rollout.truncated,
        _short(answer_of(verdict) or "", _CELL),
        _short(_text(rollout.task.reference), _CELL),
        excerpt if len(excerpt) <= _EXCERPT else "…" + excerpt[-_EXCERPT:],
    )


def _texts(record: Record) -> dict[str, Any]:
    """Return all that is written about a rollout."""
    rollout, verdict = record.rollout, record.rollout.verdict
    assert verdict is not None
    scored = verdict if isinstance(verdict, Scored) else None
    parts = _parts(verdict.detail)
    shown = {name: value for name, value in verdict.detail.items() if name != "parts" or not parts}
    notes = [(f"detail: {name}", _text(value)) for name, value in shown.items()]
    notes += [(name, _text(value)) for name, value in record.labels.items()]
    for child in all_children(rollout.children):
        turns = [f"[{message['role']}]\n{content_text(message)}" for message in child.messages]
        notes.append((f"{child.role}, played by {child.policy}", "\n\n".join(turns)))
    if rollout.outcome is not None:
        notes.append(("outcome", _text(rollout.outcome)))
    if rollout.task.metadata:
        notes.append(("metadata", _text(rollout.task.metadata)))
    for name, value in (("token_ids", rollout.token_ids), ("logprobs", rollout.logprobs)):
        if value is not None:
            notes.append((name, _text(value)))
    return {
        "stop": rollout.stop,
        "answer": answer_of(verdict) or "",
        "reference": _text(rollout.task.reference),
        "feedback": verdict.feedback if isinstance(verdict, Scored) else verdict.message,
        "components": [] if scored is None or parts else list(scored.components.items()),
        "parts": parts,
        "messages": [(message["role"], _content(message)) for message in rollout.messages],
        "notes": notes,
    }


def _parts(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each part of a composite verdict, and a judge alone as its only part: with its votes and reason."""
    parts = detail.get("parts")
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        return []
    return [_part(text_of(name), part) for name, part in parts.items()]


def _part(name: str, part: dict[str, Any]) -> dict[str, Any]:
    detail = part.get("detail")
    detail = dict(detail) if isinstance(detail, dict) else {}
    votes = detail.pop("votes", None)
    return {
        "name": name,
        "reward": number(part.get("reward")),
        "status": text_of(part.get("status", "unscored")),
        "cause": text_of(part.get("cause", "")),
        "votes": [text_of(vote) for vote in votes] if isinstance(votes, list) else [],
        "says": text_of(part.get("feedback", part.get("message", ""))),
        "more": _text(detail) if detail else "",
    }


def _content(message: dict[str, Any]) -> str:
    if len(message) == 2:
        return str(message["content"])
    more = [f"{k}: {_text(v)}" for k, v in message.items() if k not in ("role", "content")]
    return "\n".join([message["content"], *more])


def _text(value: Any) -> str:
    """Return a string unchanged and anything else as JSON, laid out if it is neither tiny nor huge."""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    # Laying it out takes ten times as long, and short lists read better on one line.
    if len(text) < 80 or len(text) > _LAID_OUT or not isinstance(value, dict):
        return text
    lines = [f" {json.dumps(k, ensure_ascii=False)}: {_line(v)}" for k, v in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _whole(value: Any) -> int | None:
    """Return an integer that JavaScript holds exactly, or None."""
    return value if type(value) is int and abs(value) < 2**53 else None


def _short(text: str, most: int) -> str:
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[:most] + "…"


def _about(run: SavedRun, written: _Writer) -> dict[str, Any]:
    tallies, asked = written.tallies, run.asked
    slices = tallies.slices if tallies.is_sliced else {}
    rows, parts = [], []
    for key, tally in tallies.parts.items():
        step = _whole(tallies.steps[key])
        rows.append(charts.figures(Report.of(tally, asked=asked.get(key)), step))
        for name, part in slices.get(key, {}).items():
            rows.append(charts.figures(Report.of(part), step, name))
        unit, _ = tally.lengths()
        parts.append(
            {
                "env": key[0],
                "part": key[1] or "",
                "step": step,
                "unit": unit,
                "rewards": charts.rewards(tally),
                "lengths": charts.lengths(tally),
            }
        )
    with run.collect_warnings():
        metrics = run.metrics()
    return {
        "name": run.path.resolve().name,
        "path": str(run.path),
        "says": run.describe(),
        "asked": [[k, _text(v)] for k, v in {**run.about, **run.config}.items() if k != "config"],
        "warnings": run.warnings,
        "blocks": written.blocks,
        "unit": "tokens" if written.has_tokens else "characters",
        "slices": rows,
        "parts": parts,
        "curves": charts.curves(metrics),
    }


def _spool(out: Path) -> IO[str]:
    """Return a temporary file on the disk of `out`."""
    try:
        return tempfile.TemporaryFile("w+", encoding="ascii", dir=out.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error


def _copy(spool: IO[str], file: codecs.StreamWriter) -> None:
    spool.seek(0)
    shutil.copyfileobj(spool, file)
