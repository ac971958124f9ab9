"""verl's own configuration and data set take what we write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.adapters.verl.agent_loop import AgentLoop

pytestmark = pytest.mark.verl
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("recipe", "estimator", "critic", "reference"),
    [("grpo", "grpo", False, False), ("ppo", "gae", True, True)],
)
def test_verl_accepts_the_recipes(
    configured: Callable[..., Any], recipe: str, estimator: str, critic: bool, reference: bool
) -> None:
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.import_utils import load_extern_object

    config = configured(recipe)  # verl's validate_config has run
    assert config.algorithm.adv_estimator == estimator
    assert config.trainer.use_v1
    assert (need_critic(config), need_reference_policy(config)) == (critic, reference)
    sampler = config.trainer.v1.sampler
    found = load_extern_object(sampler.custom_sampler.path, sampler.custom_sampler.name)
    made = found(
        trainer_mode=config.trainer.v1.trainer_mode,
        trainer_config={},
        max_off_policy_threshold=sampler.max_off_policy_threshold,
        max_off_policy_strategy=sampler.max_off_policy_strategy,
        sampler_kwargs=sampler.sampler_kwargs,
        refill_fn=lambda count: count,
    )
    assert made._n == config.actor_rollout_ref.rollout.n


def test_a_typing_error_is_verls_to_refuse(configured: Callable[..., Any]) -> None:
    with pytest.raises(SystemExit):
        configured("grpo", "data.train_batch_sise=3")


def test_the_agent_files_name_is_the_one_rows_have(configured: Callable[..., Any]) -> None:
    from hydra.utils import get_class
    from omegaconf import OmegaConf
    from verl.utils.import_utils import resolve_config_path

    config = configured("grpo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        agent = config.actor_rollout_ref.rollout.agent.agent_loop_config_path
        (entry,) = OmegaConf.load(resolve_config_path(agent))
    assert entry.name == config.actor_rollout_ref.rollout.agent.default_agent_loop == "rlvr"
    assert get_class(entry._target_) is AgentLoop


def test_verls_dataset_reads_the_file(
    configured: Callable[..., Any], data: Path, tokenizer: Any
) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    rows = RLHFDataset(str(data / "train.parquet"), tokenizer, configured("grpo").data)
    assert len(rows) == 16
    batch = collate_fn([rows[i] for i in range(16)])
    assert list(batch["index"]) == list(range(16))
    assert list(batch["data_source"]) == ["test_sums"] * 8 + ["test_guess"] * 8
    assert set(batch["agent_name"]) == {"rlvr"}
    assert batch["raw_prompt"][1] == [{"role": "user", "content": "1+1="}]


def test_prompts_that_are_too_long_are_left_out(
    configured: Callable[..., Any], tmp_path: Path, tokenizer: Any
) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset

    env = rlvr.make("arithmetic", digits=9, terms=20, prompt="{compact}=")
    rlvr.verl.write_parquet([env, rlvr.make("test_sums")], tmp_path / "x.parquet", limit=4)
    config = configured("grpo", "data.max_prompt_length=32")
    assert len(RLHFDataset(str(tmp_path / "x.parquet"), tokenizer, config.data)) == 4
