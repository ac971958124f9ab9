"""A tiny model on disk, data in verl's format, and verl's own configuration of our recipes."""

from __future__ import annotations

import copy
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a token would be written into the home folder
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    from rlvr.training.quickstart.model import make_model

    folder = tmp_path_factory.mktemp("model")
    tokenizer.save_pretrained(folder)
    make_model(tokenizer, 0).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "test"):
        envs = [rlvr.make("test_sums", split=split), rlvr.make("test_guess", split=split)]
        rlvr.verl.write_parquet(envs, folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="session")
def configured(
    model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Return a function that gives the configuration which verl's `main` makes of a recipe's command line."""

    @functools.cache
    def parsed(recipe: str, *more: str) -> Any:
        import verl.trainer.main_ppo as main_ppo

        handed: list[Any] = []
        given = [
            "main_ppo",
            *("--config-dir", "recipes/verl", "--config-name", recipe),
            f"actor_rollout_ref.model.path={model}",
            f"data.train_files={data}/train.parquet",
            f"data.val_files={data}/test.parquet",
            f"hydra.run.dir={tmp_path_factory.mktemp('hydra')}",
            *more,
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(main_ppo, "run_ppo", lambda config, **_: handed.append(config))
            patch.setattr(sys, "argv", given)
            patch.chdir(ROOT)
            main_ppo.main()
        return handed[0]

    # A test may change its own; verl takes two seconds to read one.
    return lambda recipe, *more: copy.deepcopy(parsed(recipe, *more))


@pytest.fixture(scope="session")
def queue(configured: Callable[..., Any]) -> Iterator[None]:
    """Start Ray and verl's queue, once: their processes' imports take most of the time."""
    import ray
    import transfer_queue as tq

    config = configured("grpo", "transfer_queue.backend.SimpleStorage.num_data_storage_units=1")
    # The storage needs several processors. Ray would start a worker on each at once, two seconds of imports.
    ray.init(
        num_cpus=16, include_dashboard=False, log_to_driver=False,
        _system_config={"prestart_worker_first_driver": False},
    )  # fmt: skip
    try:
        tq.init(config.transfer_queue)
        yield
        tq.close()
    finally:
        ray.shutdown()
