"""What a run trains on: its environments, each with its tasks in the order that the seed gives them."""

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
    """The environments, each with its tasks in the order that the seed gives them."""
    made: dict[str, Environment] = {}
    weights: dict[str, float] = {}
    orders: dict[str, Order] = {}
    for name, source, env in made_of(config.environments, "environment"):
        made[name] = _shuffled(env, config.seed)
        if source.difficulties is not None:
            orders[name] = _curriculum(source, made[name], config.seed)
        weights[name] = source.weight
    # With weights, even of one, tasks begin again in the middle of a batch: TRL would drop the rest
    # of the set, each epoch the same, and take no step where the whole set is smaller than a batch.
    return Mixture(made, weights, orders)


def made_of(sources: Sequence[Source], what: str) -> list[tuple[str, Source, Environment]]:
    """Each source with its name and its environment. Raises `OptionError` where two have one name."""
    made: dict[str, tuple[str, Source, Environment]] = {}
    for source in sources:
        env = _limited(source.make(), source.limit)
        name = source.name or env.name
        if name in made:
            raise OptionError(f"The {what} {name!r} is named twice.")
        made[name] = (name, source, env)
    return list(made.values())


def _curriculum(source: Source, env: Environment, seed: int) -> Order:
    """By pass rates that were measured before: which tasks come when."""
    from rlvr.authoring.difficulty import Curriculum, read_difficulties

    assert source.difficulties is not None
    found = Curriculum.of(env.tasks, read_difficulties(source.difficulties), kind=source.curriculum)
    return lambda count: found.order(count, seed)


def _limited(env: Environment, limit: int | None) -> Environment:
    """A copy with the first so many tasks."""
    if limit is None:
        return env
    own = copy.copy(env)
    own.tasks = env.tasks[: min(limit, len(env.tasks))]
    return own


def _shuffled(env: Environment, seed: int) -> Environment:
    """A copy in another order: a data set may be sorted. Generated tasks are drawn at random already."""
    if isinstance(env.tasks, GeneratedTaskSet):
        return env
    own = copy.copy(env)
    order = np.random.default_rng(np.random.SeedSequence([seed, 0x7A5C])).permutation(
        len(env.tasks)
    )
    own.tasks = TaskSet([env.tasks[int(i)] for i in order], env.tasks.name, env.tasks.version)
    return own
