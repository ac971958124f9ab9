"""The progress of an evaluation: a bar on a terminal, otherwise a plain line every half minute."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rlvr.evaluation.evaluation import Evaluation

_EVERY_S = {True: 0.3, False: 30.0}  # by whether it's a terminal


class Live:
    """The progress display, a context manager; it is called after each rollout."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._terminal = console.is_terminal
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not self._terminal,
        )
        self._task = self._bar.add_task("")
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Live:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, evaluation: Evaluation) -> None:
        """Show the progress if enough time has passed or everything is done."""
        now, done = time.monotonic(), evaluation.done
        if now - self._said < _EVERY_S[self._terminal] and (
            done < evaluation.total or not self._terminal
        ):
            return
        self._said = now
        rate = (done - evaluation.already) / max(now - self._began, 1e-9)
        scores = []
        for tally in evaluation.tallies.values():
            if len(tally):
                mean, half = tally.running()
                scores.append(f"{tally.env} {mean:.3f} ± {half:.3f}")
        unscored = sum(sum(tally.causes.values()) for tally in evaluation.tallies.values())
        line = f"{rate:.1f}/s · {' · '.join(scores)} · {unscored} unscored"
        self._bar.update(
            self._task, completed=done, total=evaluation.total, description=line, refresh=True
        )
        if not self._terminal:
            print(f"{done} of {evaluation.total} · {line}", file=sys.stderr)
