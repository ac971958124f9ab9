"""Other reward functions beside the environments': a row without a verdict has no reward of theirs either.

TRL adds up what a row's reward functions give and passes over those that give nothing, so that a
row without a verdict would count as if its answer had been wrong.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from rlvr.core.errors import DataWarning, OptionError


class Beside:
    """Tells other reward functions which of a batch's rows have a verdict.

    Attributes:
        functions: the others, each waiting for the verdicts before it answers.
    """

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        for one in functions:
            if not callable(one) or hasattr(one, "forward"):
                raise OptionError(
                    f"`also` takes functions that return a reward for each completion, not {one!r:.80}: wrap a "
                    f"reward model in one."
                )
        self.functions = [self._waiting(one) for one in functions]
        self._batches: dict[int, asyncio.Future[list[bool]]] = {}
        self._left: dict[int, int] = {}

    def scored(self, completions: Any, found: list[bool] | BaseException) -> None:
        """Tell which rows of a batch have a verdict, or that judging it failed."""
        if not self.functions:
            return
        batch = self._batch(completions)
        if isinstance(found, BaseException):
            batch.set_exception(found)
        else:
            batch.set_result(found)

    def _batch(self, completions: Any) -> asyncio.Future[list[bool]]:
        # TRL hands the same list to all functions, and awaits them all before the next batch.
        key = id(completions)
        if key not in self._batches:
            self._batches[key] = asyncio.get_running_loop().create_future()
            self._left[key] = len(self.functions)
        return self._batches[key]

    def _waiting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def waiting(completions: Any, **columns: Any) -> list[float | None]:
            batch = self._batch(completions)
            try:
                # In a thread: the verdicts arrive on this loop meanwhile.
                rewards = await asyncio.to_thread(function, completions=completions, **columns)
                if inspect.isawaitable(rewards):
                    rewards = await rewards
                scored = await batch
            finally:
                key = id(completions)
                self._left[key] -= 1
                if not self._left[key]:
                    del self._left[key], self._batches[key]
            return [
                reward if has_verdict else None
                for reward, has_verdict in zip(rewards, scored, strict=True)
            ]

        named = function.func if isinstance(function, functools.partial) else function
        waiting.__name__ = getattr(named, "__name__", type(named).__name__)
        waiting.rlvr_beside = self  # type: ignore[attr-defined]
        return waiting


def trainer_behind(log_metric: Any) -> Any:
    """Return the trainer that a reward function is called by: what it hands over is a method of it."""
    return getattr(log_metric, "__self__", None)


def number_among_namesakes(own: Any, trainer: Any) -> int:
    """Return which of the trainer's reward functions of one name this is, from 1, and rename all but the first.

    TRL logs a function's rewards under its name: those of two on one environment would be one curve.
    """
    functions, names = (
        getattr(trainer, "reward_funcs", None),
        getattr(trainer, "reward_func_names", None),
    )
    if not isinstance(functions, list) or not isinstance(names, list) or own not in functions:
        return 1
    place, name = functions.index(own), str(own.__name__)
    others = [getattr(other, "__name__", None) for other in functions[:place]]
    number = 1 + others.count(name)
    if number > 1:
        names[place] = f"{name}_{number}"
    return number


def warn_of_others(own: Any, log_metric: Any) -> bool:
    """Warn if the trainer has reward functions that give rewards to rows without a verdict.

    Args:
        own: the environments' reward function.
        log_metric: what TRL hands over, a method of its trainer.

    Returns:
        True if the trainer was looked at.
    """
    functions = getattr(trainer_behind(log_metric), "reward_funcs", None)
    if not isinstance(functions, list) or own not in functions:
        return isinstance(functions, list)  # it's one of those that wait for another's verdicts
    others = [
        getattr(one, "__name__", type(one).__name__)
        for one in functions
        if one is not own and not hasattr(one, "rlvr_beside")
    ]
    if others:
        warnings.warn(
            f"{', '.join(others)} beside rlvr's reward: a row without a verdict has their reward alone, as if its "
            f"answer were wrong. Hand them over as rlvr.trl.reward(env, also=[…]): then it has none.",
            DataWarning,
            stacklevel=2,
        )
    return True
