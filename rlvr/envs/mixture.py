"""`Mixture`: several environments to be trained on at once, and each one's share of the tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Task

Environments: TypeAlias = (
    "Environment | Mapping[str, Environment] | Sequence[Environment] | Mixture"
)
"""What an adapter takes: one environment or several."""
Order: TypeAlias = Callable[[int], Sequence[int]]


class Mixture:
    """Several environments by name, with weights::

        sums, shop = rlvr.make("arithmetic"), rlvr.make("shop")
        mixture = rlvr.Mixture({"sums": sums, "shop": shop}, {"sums": 2, "shop": 1})

    Attributes:
        environments: the environments by name, in order.
        weights: shares of the tasks, which sum to 1; None if each environment counts by its number
            of tasks.

    Args:
        environments: a mapping by name, or a list of environments, which go by their own names.
        weights: positive numbers by name or in the list's order; only their ratios count.
        orders: for environments whose tasks aren't drawn in order, by name: a function from the number of tasks
            to their indices (a curriculum's `order`).
    """

    def __init__(
        self,
        environments: Mapping[str, Environment] | Sequence[Environment],
        weights: Mapping[str, float] | Sequence[float] | None = None,
        orders: Mapping[str, Order] | None = None,
    ) -> None:
        named = _named(environments)
        self.environments: dict[str, Environment] = dict(named)
        if not named:
            raise OptionError("A mixture needs at least one environment.")
        if len(self.environments) < len(named):
            names = ", ".join(name for name, _ in named)
            raise OptionError(
                f"Two environments have the same name ({names}): give them as {{name: environment}}."
            )
        self.orders = dict(orders or {})
        self.weights = None if weights is None else _shares(list(self.environments), weights)

    def draw(self, count: int | None = None, seed: int = 0) -> Iterator[tuple[str, Task]]:
        """Draw tasks with their environments' names, mixed evenly over the whole.

        Each environment gives its tasks in order, and begins again where it has too few. The shares
        are exact (largest remainders); which comes when depends on the seed alone.

        Args:
            count: of all tasks together; None: as many as there are before one has to begin again.
            seed: of the order.
        """
        counts = self._counts(count)
        labels = np.repeat(np.arange(len(counts)), counts)
        if len(counts) > 1:
            np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))).shuffle(labels)
        named = list(self.environments.items())
        given = [0] * len(counts)
        orders = [
            self.orders[name](n) if name in self.orders else None
            for (name, _), n in zip(named, counts, strict=True)
        ]
        for label in labels.tolist():
            name, env = named[label]
            order = orders[label]
            place = given[label] if order is None else order[given[label]]
            yield name, env.tasks[place % len(env.tasks)]
            given[label] += 1

    def size(self) -> int:
        """Return the number of tasks before an environment has to begin again."""
        return sum(self._counts(None))

    def _counts(self, count: int | None) -> list[int]:
        sizes = [len(env.tasks) for env in self.environments.values()]
        if self.weights is None and count is None:
            return sizes
        if self.weights is None:
            shares = [size / sum(sizes) for size in sizes]
        else:
            shares = list(self.weights.values())
        if count is None:
            # The nudge undoes rounding: 30 tasks at a share of 0.3 are 100, not 99.
            count = math.floor(min(n / s for n, s in zip(sizes, shares, strict=True)) + 1e-9)
        exact = [count * share for share in shares]
        counts = [math.floor(one) for one in exact]
        most = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
        for i in most[: count - sum(counts)]:
            counts[i] += 1
        return counts

    def __repr__(self) -> str:
        weights = self.weights or {}
        inside = ", ".join(f"{n}: {weights.get(n, 'by size')}" for n in self.environments)
        return f"Mixture({inside})"


def a_mixture(given: Environments, weights: Any = None) -> Mixture:
    """Turn whatever an adapter accepts into a mixture. Raises `OptionError` for anything else."""
    if isinstance(given, Mixture):
        if weights is not None:
            raise OptionError("The mixture has its weights: give them there, and not here.")
        return given
    if isinstance(given, Environment):
        given = [given]
    return Mixture(given, weights)


def _named(given: Any) -> list[tuple[str, Environment]]:
    found: list[tuple[str, Environment]] = []
    if isinstance(given, Mapping):
        found = list(given.items())
    elif isinstance(given, Sequence) and not isinstance(given, str):
        found = [(getattr(env, "name", "?"), env) for env in given]
    else:
        found = [("?", given)]
    for name, env in found:
        if not isinstance(env, Environment):
            raise OptionError(
                f"This takes environments (rlvr.make(…)), one, a list or {{name: environment}}, "
                f"not {env!r:.80}."
            )
        if not isinstance(name, str) or not name:
            raise OptionError(f"An environment's name is text, not {name!r:.80}.")
    return found


def _shares(names: list[str], weights: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        if len(weights) != len(names):
            raise OptionError(
                f"There are {len(names)} environments and {len(weights)} weights: give one for each."
            )
        weights = dict(zip(names, weights, strict=True))
    if set(weights) != set(names):
        raise OptionError(
            f"The weights are for {', '.join(map(str, weights))}, the environments are "
            f"{', '.join(names)}: give one weight for each."
        )
    given = [weights[name] for name in names]
    for weight in given:
        fit = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not fit or not math.isfinite(weight) or weight <= 0:
            raise OptionError(
                f"A weight is a positive number, not {weight!r}; leave out an environment that has none."
            )
    return {name: weight / sum(given) for name, weight in zip(names, given, strict=True)}
