"""Shared by the puzzles: read the level, make the environment, strip an answer's decoration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.function import FunctionVerifier
from rlvr.verifiers.math import Math

L = TypeVar("L")
T = TypeVar("T")

_DRESS = re.compile(
    r"\\(?:text|texttt|textbf|mathrm|mathtt|mathbf|mathit)\s*(?=\{)|\\[,;:! ]|[{}$`\"]"
)


def puzzle(
    name: str,
    problem: Callable[..., Task],
    verifier: Math | FunctionVerifier,
    levels: Mapping[int, L],
    level: int,
    split: str,
    size: int,
    seed: int,
) -> Environment:
    """Make a puzzle's environment: `problem(rng, level=levels[level])` makes a task.

    Raises `OptionError` where `level` isn't one of `levels`.
    """
    if level not in tuple(levels):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, levels))}, not {level!r}.")
    tasks = generated(
        problem, split=split, size=size, seed=seed, name=name, level=levels[int(level)]
    )
    return SingleTurn(tasks, verifier, fixtures=fixtures_of(name, verifier.mode == "boxed"))


def plain(answer: str) -> str:
    r"""Strip an answer's decoration: `\text{…}`, thin spaces, dollar signs, quotes, braces."""
    return _DRESS.sub(" ", answer).replace("\\_", "_").replace("~", " ").strip()


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """Draw a whole number from `low` to `high`, both included."""
    return int(rng.integers(low, high + 1))


def nonzero(rng: np.random.Generator, most: int) -> int:
    """Draw a whole number from -`most` to `most` that isn't 0."""
    value = integer(rng, 1, 2 * most)
    return value if value <= most else most - value


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of `options`, each with the same chance."""
    return options[int(rng.integers(len(options)))]


def sample(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """Draw `count` distinct ones of `options`, in random order."""
    return [options[int(i)] for i in rng.permutation(len(options))[:count]]
