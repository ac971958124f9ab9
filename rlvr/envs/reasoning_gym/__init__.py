"""`reasoning_gym/<name>`: the generated tasks of the library reasoning-gym (arXiv:2505.24760).

    rlvr.make("reasoning_gym/countdown", split="train", max_numbers=5)

The library makes item `i` of a data set from seed + i, so that neighbouring seeds share nearly all
items. Here each task has a seed of its own from its own random stream, and prompts are split by
their content. What its scorers pay for that is no right answer is in `strict.py`.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.prompt import Prompt
from rlvr.envs.reasoning_gym.strict import NO_STRICT, RUNS_ANSWERS, ReasoningGym, Scoring
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.extraction import Mode

PROMPT = Prompt("{question}\n\nPut your final answer, and nothing else, in \\boxed{}.")
_NOT_ALONE = ("composite",)  # it mixes others: that's rlvr.Mixture


def members() -> list[str]:
    """List the data sets."""
    return sorted(set(_library().DATASETS) - set(_NOT_ALONE))


def factory(member: str) -> Callable[..., Environment]:
    """Return the factory of one data set's environment."""
    return functools.partial(make, member)


def make(
    dataset: str,
    split: str = "train",
    size: int = 1_000_000,
    seed: int = 0,
    mode: Mode = "boxed",
    scoring: Scoring = "strict",
    prompt: Prompt | str | dict[str, str] = PROMPT,
    **config: Any,
) -> Environment:
    """Make one data set of the library.

    Args:
        dataset: its name, as `rlvr list reasoning_gym` shows it.
        split: train, dev or test.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
        scoring: `strict`, 1 for a right answer and 0 for any other; or `library`, what its own
            scorer gives, partial credit included. The latter is refused where that scorer runs the
            answer as Python.
        prompt: may use {question}.
        config: the data set's own options.
    """
    if scoring == "library" and dataset in RUNS_ANSWERS:
        raise OptionError(
            f"The library's scorer of {dataset!r} runs the answer as Python; use scoring='strict'."
        )
    if scoring == "strict" and dataset in NO_STRICT:
        raise OptionError(
            f"{dataset!r} has no strict scoring: {NO_STRICT[dataset]}. scoring='library' takes what "
            f"the library's scorer gives."
        )
    own = json.dumps(config, sort_keys=True)
    _dataset(dataset, own, 0)  # so that a wrong option is refused now
    tasks = generated(
        _problem,
        split=split,
        size=size,
        seed=seed,
        name=f"reasoning_gym/{dataset}",
        prompt=Prompt.of(prompt),
        dataset=dataset,
        config=own,
    )
    return SingleTurn(tasks, ReasoningGym(dataset, own, mode, scoring))


def _problem(rng: np.random.Generator, prompt: Prompt, dataset: str, config: str) -> Task:
    """Make a task from its own seed; the entry, which isn't all JSON, is made again for scoring."""
    seed = int(rng.integers(2**31))
    sample = entry(dataset, config, seed)[1]
    text = prompt.render({"question": sample["question"]})
    return Task(text, {"answer": sample["answer"], "seed": seed}, None, {"dataset": dataset})


@functools.lru_cache(maxsize=64)
def entry(dataset: str, config: str, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return the library's data set with that seed, and its first entry."""
    data = _dataset(dataset, config, seed)
    return data, data[0]


def _dataset(dataset: str, config: str, seed: int) -> Any:
    try:
        return _library().create_dataset(dataset, **json.loads(config), seed=seed, size=1)
    except (TypeError, AssertionError, ValueError) as error:
        raise OptionError(
            f"reasoning_gym/{dataset} can't be made with {config}: {error}"
        ) from error


def _library() -> Any:
    try:
        importlib.import_module("reasoning_gym")
    except ImportError as error:
        raise MissingExtraError(
            "reasoning_gym/… needs the package 'reasoning-gym': pip install 'rlvr[reasoning]'."
        ) from error
    return cast(Any, importlib.import_module("reasoning_gym.factory"))
