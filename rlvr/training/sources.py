"""A run's environments, each with its tasks in the order that the seed gives."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.tasks import GeneratedTaskSet, TaskSet
from rlvr.envs.mixture import Mixture, Order
from rlvr.training.config import Source, TrainConfig


def mixture_of(config: TrainConfig) -> Mixture:
    """Return the run's environments, each with its tasks in the order that the seed gives."""
    environments: dict[str, Environment] = {}
    weights: dict[str, float] = {}
    orders: dict[str, Order] = {}
    for name, source, env in made_of(config.sources, "environment"):
        environments[name] = _shuffled(env, config.seed)
        if source.difficulties is not None:
            orders[name] = _curriculum(source, environments[name], config.seed)
        weights[name] = source.weight
    # With weights, even for a single environment, tasks start again in the middle of a batch. Without, TRL would drop the
    # remainder of the set, the same in each epoch, and take no step if the whole set is smaller than a batch.
    return Mixture(environments, weights, orders)


def made_of(sources: Sequence[Source], kind: str) -> list[tuple[str, Source, Environment]]:
    """Return each source with its name and its environment. Raises `OptionError` if two have the same name."""
    by_name: dict[str, tuple[str, Source, Environment]] = {}
    for source in sources:
        env = _limited(source.make(), source.limit)
        name = source.name or env.name
        if name in by_name:
            raise OptionError(f"The {kind} {name!r} is named twice.")
        by_name[name] = (name, source, env)
    return list(by_name.values())


def _curriculum(source: Source, env: Environment, seed: int) -> Order:
    """Return the order of tasks by pass rates that were measured before."""
    from rlvr.authoring.difficulty import Curriculum, read_difficulties

    assert source.difficulties is not None
    rates = read_difficulties(source.difficulties)
    curriculum = Curriculum.of(env.tasks, rates, kind=source.curriculum)
    return lambda count: curriculum.order(count, seed)


def _limited(env: Environment, limit: int | None) -> Environment:
    """Return a copy with the first `limit` tasks."""
    if limit is None:
        return env
    limited = copy.copy(env)
    limited.tasks = env.tasks[: min(limit, len(env.tasks))]
    return limited


def _shuffled(env: Environment, seed: int) -> Environment:
    """Return a copy in another order, since a data set may be sorted. Generated tasks are random already."""
    if isinstance(env.tasks, GeneratedTaskSet):
        return env
    shuffled = copy.copy(env)
    order = np.random.default_rng(np.random.SeedSequence([seed, 0x7A5C])).permutation(
        len(env.tasks)
    )
    shuffled.tasks = TaskSet([env.tasks[int(i)] for i in order], env.tasks.name, env.tasks.version)
    return shuffled
