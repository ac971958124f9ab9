"""Other reward functions next to the environments': an unscored row gets no reward from them either.

TRL sums a row's rewards and skips functions without one, so that an unscored row would count as if its answer were wrong.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rlvr.core.errors import DataWarning, OptionError

if TYPE_CHECKING:
    from rlvr.adapters.trl.trainer_types import TrlTrainer

Reward: TypeAlias = Callable[..., Any]
"""A reward function of TRL: it takes the columns of a batch by name."""
Completion: TypeAlias = str | Sequence[Mapping[str, Any]]
"""A completion in TRL's form: text, or messages."""
LogMetric: TypeAlias = Callable[[str, float], None]


class OtherRewards:
    """Other reward functions that wait for a batch's verdicts and give unscored rows no reward.

    Attributes:
        functions: The wrapped functions, for TRL.
    """

    def __init__(self, functions: Sequence[Reward]) -> None:
        for function in functions:
            if not callable(function) or hasattr(function, "forward"):
                raise OptionError(
                    f"`also` takes functions that return a reward for each completion, not {function!r:.80}: wrap a "
                    f"reward model in one."
                )
        self.functions = [self._waiting(function) for function in functions]
        self._batches: dict[int, asyncio.Future[list[bool]]] = {}
        self._left: dict[int, int] = {}

    def set_scored(
        self, completions: Sequence[Completion], scored: list[bool] | BaseException
    ) -> None:
        """Set which rows of a batch have a verdict, or the exception of judging it."""
        if not self.functions:
            return
        batch = self._batch(completions)
        if isinstance(scored, BaseException):
            batch.set_exception(scored)
        else:
            batch.set_result(scored)

    def _batch(self, completions: Sequence[Completion]) -> asyncio.Future[list[bool]]:
        # TRL passes the same list to all functions, and awaits all of them before the next batch.
        key = id(completions)
        if key not in self._batches:
            self._batches[key] = asyncio.get_running_loop().create_future()
            self._left[key] = len(self.functions)
        return self._batches[key]

    def _waiting(self, function: Reward) -> Reward:
        @functools.wraps(function)
        async def waiting(completions: Sequence[Completion], **columns: Any) -> list[float | None]:
            batch = self._batch(completions)
            try:
                # In a thread, since the verdicts arrive on this loop.
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
        waiting.rlvr_other_rewards = self  # type: ignore[attr-defined]
        return waiting


def trainer_behind(log_metric: LogMetric | None) -> TrlTrainer | None:
    """Return the trainer that calls a reward function: `log_metric` is its method."""
    return getattr(log_metric, "__self__", None)


def number_among_namesakes(own: Reward, trainer: TrlTrainer | None) -> int:
    """Return the function's number among the trainer's reward functions of its name, from 1.

    All except the first are renamed, since TRL logs rewards under the functions' names: two rewards on one environment
    would share a curve.
    """
    functions, names = (
        getattr(trainer, "reward_funcs", None),
        getattr(trainer, "reward_func_names", None),
    )
    if not isinstance(functions, list) or not isinstance(names, list) or own not in functions:
        return 1
    place, name = functions.index(own), str(own.__name__)
    earlier = [getattr(other, "__name__", None) for other in functions[:place]]
    number = 1 + earlier.count(name)
    if number > 1:
        names[place] = f"{name}_{number}"
    return number


def warn_of_others(own: Reward, log_metric: LogMetric | None) -> bool:
    """Warn if the trainer has reward functions that reward unscored rows.

    Args:
        own: The environments' reward function.
        log_metric: The argument from TRL, a method of its trainer.

    Returns:
        True if the trainer could be checked.
    """
    functions = getattr(trainer_behind(log_metric), "reward_funcs", None)
    if not isinstance(functions, list) or own not in functions:
        return isinstance(functions, list)  # it is one that waits for another's verdicts
    other_names = [
        getattr(function, "__name__", type(function).__name__)
        for function in functions
        if function is not own and not hasattr(function, "rlvr_other_rewards")
    ]
    if other_names:
        warnings.warn(
            f"{', '.join(other_names)} beside rlvr's reward: a row without a verdict gets their reward alone, as if its "
            f"answer were wrong. Pass them as rlvr.trl.reward(env, also=[…]): then it gets none.",
            DataWarning,
            stacklevel=2,
        )
    return True
