"""The policy around a transformers model, with a real one."""

from __future__ import annotations

from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError, OptionError

torch = pytest.importorskip("torch")

from rlvr.policies.transformers import TransformersPolicy  # noqa: E402
from rlvr.training.small_model import make_model, make_tokenizer  # noqa: E402

TASKS = rlvr.make("arithmetic", digits=3, operators="+", prompt="{compact}=", size=24).tasks


@pytest.fixture(scope="module")
def model() -> Any:
    return make_model(make_tokenizer(), seed=0)


def policy(model: Any, **options: Any) -> TransformersPolicy:
    return TransformersPolicy(model, make_tokenizer(), max_new_tokens=12, **options)


def test_greedy_answers_do_not_depend_on_the_batch(model: Any) -> None:
    alone = policy(model, batch_size=1).respond(TASKS)
    assert policy(model, batch_size=7).respond(TASKS) == alone
    assert len(alone) == 24
    assert len(set(alone)) > 1


def test_prompts_of_different_lengths_in_one_batch(model: Any) -> None:
    mixed = [rlvr.Task("1+2=", "3"), *TASKS[:3], rlvr.Task("1000+2000=", "3000")]
    together = policy(model).respond(mixed)
    assert together == [policy(model).respond([task])[0] for task in mixed]


def test_a_seed_gives_the_same_samples_and_each_call_others(model: Any) -> None:
    def samples(seed: int) -> list[list[str]]:
        one = policy(model, temperature=1.0, seed=seed)
        return [one.respond(TASKS) for _ in range(2)]

    first, second = samples(3)
    assert samples(3) == [first, second]
    assert samples(4) != [first, second]
    assert first != second


def test_torchs_random_state_and_the_models_mode_are_left_as_they_were(model: Any) -> None:
    model.train()
    before = torch.random.get_rng_state()
    policy(model, temperature=1.0).respond(TASKS)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training
    with pytest.raises(AttributeError):
        policy(model).respond([None])  # type: ignore[list-item]
    assert model.training


def test_a_folder_without_a_model_is_named(tmp_path: Any) -> None:
    with pytest.raises(DataError, match=r"no config\.json in"):
        TransformersPolicy(str(tmp_path))


def test_a_model_without_a_chat_template_is_refused(model: Any, tmp_path: Any) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="has no chat template"):
        TransformersPolicy(str(tmp_path))


def test_a_negative_seed_is_refused(model: Any) -> None:
    with pytest.raises(OptionError, match="seed is at least 0, not -1"):
        policy(model, seed=-1)
