"""`Mixture`: several environments for one training run, with their shares of the tasks."""

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
"""The environments that an adapter accepts: a single environment or several."""
Order: TypeAlias = Callable[[int], Sequence[int]]


class Mixture:
    """Several environments by name, with weights::

        sums, shop = rlvr.make("arithmetic"), rlvr.make("shop")
        mixture = rlvr.Mixture({"sums": sums, "shop": shop}, {"sums": 2, "shop": 1})

    Attributes:
        environments: The environments by name, in order.
        weights: Each environment's share of the tasks; the shares sum to 1. None if the shares are proportional to
            the environments' numbers of tasks.

    Args:
        environments: A mapping from names to environments, or a list of environments with different names.
        weights: Positive numbers by name, or in the order of the list; only their ratios count.
        orders: By name, for environments whose tasks are not drawn in order: a function that returns the indices of
            the first n tasks to draw (a curriculum's `order`).

    Raises `OptionError` for an empty mixture, a name that occurs twice, or invalid weights.
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
        """Yield tasks, each with its environment's name, in a random order of the environments.

        Each environment yields its tasks in order, and starts over when it has no more. The numbers of tasks follow
        the weights exactly, rounded by largest remainders; the order depends only on the seed.

        Args:
            count: Tasks of all environments together (default: `size()`).
            seed: Seed of the order.
        """
        counts = self._counts(count)
        labels = np.repeat(np.arange(len(counts)), counts)
        if len(counts) > 1:
            np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))).shuffle(labels)
        named = list(self.environments.items())
        drawn = [0] * len(counts)
        orders = [
            self.orders[name](n) if name in self.orders else None
            for (name, _), n in zip(named, counts, strict=True)
        ]
        for label in labels.tolist():
            name, env = named[label]
            order = orders[label]
            place = drawn[label] if order is None else order[drawn[label]]
            yield name, env.tasks[place % len(env.tasks)]
            drawn[label] += 1

    def size(self) -> int:
        """Return the number of tasks that can be drawn before an environment starts over."""
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
            # 1e-9 undoes a rounding error: 30 tasks with a share of 0.3 make 100 tasks, not 99.
            count = math.floor(min(n / s for n, s in zip(sizes, shares, strict=True)) + 1e-9)
        exact = [count * share for share in shares]
        counts = [math.floor(number) for number in exact]
        most = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
        for i in most[: count - sum(counts)]:
            counts[i] += 1
        return counts

    def __repr__(self) -> str:
        weights = self.weights or {}
        inside = ", ".join(f"{n}: {weights.get(n, 'by size')}" for n in self.environments)
        return f"Mixture({inside})"


def a_mixture(environments: Environments, weights: Any = None) -> Mixture:
    """Return the environments that an adapter was given as a mixture. Raises `OptionError` for any other value."""
    if isinstance(environments, Mixture):
        if weights is not None:
            raise OptionError("The mixture has its weights: give them there, and not here.")
        return environments
    if isinstance(environments, Environment):
        environments = [environments]
    return Mixture(environments, weights)


def _named(environments: Any) -> list[tuple[str, Environment]]:
    pairs: list[tuple[str, Environment]] = []
    if isinstance(environments, Mapping):
        pairs = list(environments.items())
    elif isinstance(environments, Sequence) and not isinstance(environments, str):
        pairs = [(getattr(env, "name", "?"), env) for env in environments]
    else:
        pairs = [("?", environments)]
    for name, env in pairs:
        if not isinstance(env, Environment):
            raise OptionError(
                f"This takes environments (rlvr.make(…)), one, a list or {{name: environment}}, "
                f"not {env!r:.80}."
            )
        if not isinstance(name, str) or not name:
            raise OptionError(f"An environment's name is text, not {name!r:.80}.")
    return pairs


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
    values = [weights[name] for name in names]
    for weight in values:
        fit = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not fit or not math.isfinite(weight) or weight <= 0:
            raise OptionError(
                f"A weight is a positive number, not {weight!r}; leave out an environment that has none."
            )
    return {name: weight / sum(values) for name, weight in zip(names, values, strict=True)}
