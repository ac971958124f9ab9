"""Live progress of a run's stages on standard error: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[..., None]
_LINES = 10  # plain lines per stage, without a terminal


class TrainingStages:
    """A context in which each part of the work opens a `stage`; with `quiet` nothing is printed."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal
        columns = (
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self._bars = Progress(*columns, console=self._console, disable=not self._live)

    def __enter__(self) -> TrainingStages:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, highlight=False)

    @contextlib.contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Yield `advance(done, **figures)`; a figure is shown until it has a new value."""
        bar = self._bars.add_task(name, total=total, figures="")
        figures: dict[str, float] = {}
        start = time.monotonic()
        printed = 0

        def advance(done: int, **new: float) -> None:
            nonlocal printed
            figures.update(new)
            text = "  ".join(
                f"{key.replace('_', '-')} {value:.3f}" for key, value in figures.items()
            )
            self._bars.update(bar, completed=done, figures=text)
            if not self._live and done * _LINES // total > printed:
                printed = done * _LINES // total
                self.say(f"{name} {done}/{total}  {text}  ({time.monotonic() - start:.0f} s)")

        yield advance
