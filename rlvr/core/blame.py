"""The text that a verifier is working on, in case it never returns.

A worker that is killed can't say why it hung. So a verifier announces its work: `working_on("reference")`
before it reads the reference, `working_on("response")` before it reads the model's text. If the
worker then exceeds its limit or dies, the first gives `Unscored(gold)` and the second `Scored(limit)`. Without
an announcement the verdict is `Unscored`, so that the model isn't blamed for an unknown cause. An exception after the
second is `Scored(unparsable)` if it is raised again and ordinary answers to the same task are judged without one.

One case stays unscored after the second: a verifier that sleeps, or waits for a child or a server,
past its limit. Nothing shows whether the response made it wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

Text: TypeAlias = Literal["reference", "response"]

_listeners: list[Callable[[Text], None]] = []


def working_on(text: Text) -> None:
    """Attribute the time and memory used from here on to `text`. Costs nothing outside a worker.

        def verify(task, response):
            rlvr.working_on("reference")
            expected = parse(task.reference)
            rlvr.working_on("response")
            return compare(expected, parse(response))

    The module's docstring describes the consequences.
    """
    for listener in _listeners:
        listener(text)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Ignore announcements inside the `with` block."""
    kept = _listeners[:]
    _listeners.clear()
    try:
        yield
    finally:
        _listeners[:] = kept


def listen(listener: Callable[[Text], None]) -> None:
    """Call `listener` at each announcement. Used once by a scoring worker when it starts."""
    _listeners.append(listener)
