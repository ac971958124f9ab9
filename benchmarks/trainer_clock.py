"""Where a step's time goes: TRL's own methods, timed from outside.

For as long as the context lasts, `timed` wraps `_generate` (generation) and `_calculate_rewards`
(scoring: from the call of the reward function until all rewards are there) of TRL's `GRPOTrainer`,
which ours for PPO is one of, and takes a step from transformers' `on_step_begin` to its
`on_step_end`, before any callback is called: measuring, logging and saving are no part of it. What
is left of a step is the update: the passes for logprobs and KL, forward, backward and optimizer.
On a GPU each reading of the clock waits for the GPU first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Clock:
    """Seconds by part over all timed steps, how many there were, and the tokens generated."""

    seconds: dict[str, float] = field(
        default_factory=lambda: {"generation": 0.0, "scoring": 0.0, "step": 0.0}
    )
    steps: int = 0
    tokens: int = 0

    def shares(self) -> dict[str, float]:
        """Of generation, scoring and update in the step."""
        step = self.seconds["step"]
        parts = {name: s / step for name, s in self.seconds.items() if name != "step"}
        return parts | {"update": 1 - sum(parts.values())}


@contextmanager
def timed() -> Iterator[Clock]:
    """Measure the time of all of TRL's GRPO trainers that run inside the `with` block."""
    import trl
    from transformers.trainer_callback import CallbackHandler

    clock, began = Clock(), [0.0]

    def method(part: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def inner(self: Any, *args: Any, **kwargs: Any) -> Any:
            start = now()
            found = real(self, *args, **kwargs)
            clock.seconds[part] += now() - start
            if part == "generation":
                clock.tokens += sum(len(ids) for ids in found[1])
            return found

        return inner

    def on_begin(real: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any, **kwargs: Any) -> Any:
            found = real(*args, **kwargs)
            began[0] = now()
            return found

        return inner

    def on_end(real: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any, **kwargs: Any) -> Any:
            clock.seconds["step"] += now() - began[0]
            clock.steps += 1
            return real(*args, **kwargs)

        return inner

    trainer = trl.GRPOTrainer
    wrapped = [
        (trainer, "_generate", lambda real: method("generation", real)),
        (trainer, "_calculate_rewards", lambda real: method("scoring", real)),
        (CallbackHandler, "on_step_begin", on_begin),
        (CallbackHandler, "on_step_end", on_end),
    ]
    before = [getattr(cls, name) for cls, name, _ in wrapped]
    for (cls, name, wrap), real in zip(wrapped, before, strict=True):
        setattr(cls, name, wrap(real))
    try:
        yield clock
    finally:
        for (cls, name, _), real in zip(wrapped, before, strict=True):
            setattr(cls, name, real)


def now() -> float:
    """Seconds, when all that the GPU was told is done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
