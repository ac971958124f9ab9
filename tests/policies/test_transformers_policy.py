"""The policy around a transformers model, with a real one."""

from __future__ import annotations

import math
import socket
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError
from rlvr.core.http import hub_answers

torch = pytest.importorskip("torch")

from rlvr.policies import transformers  # noqa: E402
from rlvr.policies.base import Request  # noqa: E402
from rlvr.policies.transformers import TransformersPolicy  # noqa: E402
from rlvr.training.quickstart.model import make_model, make_tokenizer  # noqa: E402

TASKS = rlvr.make("arithmetic", digits=3, operators="+", prompt="{compact}=", size=24).tasks


@pytest.fixture(scope="module")
def model() -> Any:
    return make_model(make_tokenizer(), seed=0)


def policy(model: Any, **options: Any) -> TransformersPolicy:
    return TransformersPolicy(model, make_tokenizer(), max_new_tokens=12, **options)


def requests(seed: int = 0) -> list[Request]:
    return [Request.of(task, seed + i) for i, task in enumerate(TASKS)]


def test_greedy_answers_do_not_depend_on_the_batch(model: Any) -> None:
    alone = policy(model, batch_size=1).respond(requests())
    assert policy(model, batch_size=7).respond(requests()) == alone
    assert len(alone) == 24
    assert len(set(alone)) > 1


def test_a_response_knows_its_tokens_and_why_it_stopped(model: Any) -> None:
    end = make_tokenizer().eos_token_id
    for one in policy(model, temperature=1.0).respond(requests()):
        assert one.completion_tokens == len(one.token_ids) <= 12
        assert (one.token_ids[-1] == end) == (one.stop == "stop")
        assert end not in one.token_ids[:-1]
        assert one.stop == "stop" or one.completion_tokens == 12
        assert one.prompt_tokens > 0


def test_prompts_of_different_lengths_in_one_batch(model: Any) -> None:
    tasks = [rlvr.Task("1+2=", "3"), *TASKS[:3], rlvr.Task("1000+2000=", "3000")]
    mixed = [Request.of(task) for task in tasks]
    together = policy(model).respond(mixed)
    assert together == [policy(model).respond([one])[0] for one in mixed]


def test_answers_come_a_batch_at_a_time_the_longest_prompts_first(model: Any) -> None:
    one = policy(model, batch_size=5)
    assert one.window == 40
    batches = list(one.stream(requests()))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 4]
    places = [place for batch in batches for place, _ in batch]
    assert sorted(places) == list(range(24))
    found = dict(answer for batch in batches for answer in batch)
    lengths = [found[place].prompt_tokens for place in places]
    assert lengths == sorted(lengths, reverse=True)
    assert [found[place] for place in range(24)] == policy(model).respond(requests())
    with torch.enable_grad():
        next(iter(one.stream(requests())))
        assert torch.is_grad_enabled()  # between batches nothing is left as it was needed


def test_a_batch_is_as_large_as_memory_suffices_for(model: Any, monkeypatch: Any) -> None:
    one, sizes, generate = policy(model), [], model.generate
    tokens = max(len(one.template.prompt(request.prompt)) for request in requests()) + 12
    for_six = 6.5 * tokens * transformers.bytes_per_token(model) / transformers._SHARE_OF_MEMORY
    whole = one.respond(requests())

    def counted(input_ids: Any, **options: Any) -> Any:
        sizes.append(len(input_ids))
        return generate(input_ids=input_ids, **options)

    monkeypatch.setattr(transformers, "free_bytes", lambda device: for_six)
    monkeypatch.setattr(model, "generate", counted)
    assert one.respond(requests()) == whole
    assert sizes[0] == 6
    assert sum(sizes) == 24
    monkeypatch.setattr(transformers, "free_bytes", lambda device: math.inf)  # no Linux
    assert one.respond(requests()) == whole
    monkeypatch.setattr(transformers, "free_bytes", lambda device: 0.0)
    sizes.clear()
    assert one.respond(requests()[:3]) == whole[:3]
    assert sizes == [1, 1, 1]


def test_the_estimate_of_memory_is_of_the_model_s_cache(model: Any) -> None:
    """The keys and values of a token, as transformers keeps them, are less than it; but not far."""
    ids = torch.zeros(1, 64, dtype=torch.long)
    with torch.no_grad():
        cache = model(ids, use_cache=True).past_key_values
    kept = sum(x.nbytes for layer in cache.layers for x in (layer.keys, layer.values)) / 64
    assert 2 * kept <= transformers.bytes_per_token(model) < 10 * kept


def test_a_seed_gives_the_same_samples_and_another_others(model: Any) -> None:
    one = policy(model, temperature=1.0)
    assert one.respond(requests(3)) == one.respond(requests(3))
    assert one.respond(requests(4)) != one.respond(requests(3))


def test_torchs_random_state_and_the_models_mode_are_left_as_they_were(model: Any) -> None:
    model.train()
    before = torch.random.get_rng_state()
    policy(model, temperature=1.0).respond(requests())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training
    with pytest.raises(TypeError):
        policy(model).respond([Request(None, TASKS[0])])  # type: ignore[arg-type]
    assert model.training


def test_a_folder_without_a_model_is_named(tmp_path: Any) -> None:
    with pytest.raises(DataError, match=r"no config\.json in"):
        TransformersPolicy(str(tmp_path))


def test_without_the_hub_a_model_that_is_not_here_is_an_error_without_the_librarys_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert not hub_answers()
        with pytest.raises(
            DataError, match=r"The model 'no/model' can't be loaded: .*local folder"
        ):
            TransformersPolicy("no/model")


def test_a_model_without_a_chat_template_is_refused(model: Any, tmp_path: Any) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="has no chat template"):
        TransformersPolicy(str(tmp_path))
