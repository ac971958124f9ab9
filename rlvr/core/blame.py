"""Whose text a verifier is working on, in case it never comes back.

A worker that is killed can't say why it hung. So a verifier says beforehand: `working_on("reference")`
before it touches the gold answer, `working_on("response")` before what the model wrote. If the
worker then overstays or dies, the first is `Unscored(gold)`, the second `Scored(limit)`, and
silence is `Unscored`: nobody's fault is never the model's. An exception after the second is
`Scored(unparsable)` if it comes again and ordinary answers to the same task are judged without one.

One thing stays unscored after the second: a verifier that sleeps, or waits for a child or a server,
past its limit. Nothing tells whether the response made it wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

Text: TypeAlias = Literal["reference", "response"]

_listeners: list[Callable[[Text], None]] = []


def working_on(text: Text) -> None:
    """Say that from here on, time and memory are spent on account of `text`. Costs nothing outside a worker."""
    for listener in _listeners:
        listener(text)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Tell no listener of what is said meanwhile."""
    kept = _listeners[:]
    _listeners.clear()
    try:
        yield
    finally:
        _listeners[:] = kept


def listen(listener: Callable[[Text], None]) -> None:
    """Have `listener` told. Called once by a scoring worker when it starts."""
    _listeners.append(listener)
