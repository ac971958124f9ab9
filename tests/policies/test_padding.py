"""Answers in a batch and alone, for every way that a tokenizer pads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rlvr

torch = pytest.importorskip("torch")

from recipes._text_model import make_text_model, make_text_tokenizer  # noqa: E402
from rlvr.policies.base import Request  # noqa: E402
from rlvr.policies.transformers import TransformersPolicy  # noqa: E402

TEXTS = [
    "2+2=",
    "What is 7 plus 5?",
    "Name a colour. " * 40,
    "a",
    "Write the numbers from one to ten. Then write them again. " * 8,
    "Yes or no?",
    "",
    "Ünïcödé 数学",
]


def _left(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "left"


def _right(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "right"


def _without_a_pad_token(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "right"
    tokenizer.pad_token = None
    model.generation_config.pad_token_id = None


def _pad_is_eos(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "right"
    tokenizer.pad_token = tokenizer.eos_token
    model.generation_config.pad_token_id = tokenizer.eos_token_id


def _with_bos(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "right"
    tokenizer.add_special_tokens({"bos_token": "<system>"})
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template


def _without_an_end(tokenizer: Any, model: Any) -> None:
    tokenizer.padding_side = "right"
    tokenizer.pad_token = tokenizer.eos_token = None
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None


KINDS = [_left, _right, _without_a_pad_token, _pad_is_eos, _with_bos, _without_an_end]


def made(kind: Callable[[Any, Any], None], **options: Any) -> TransformersPolicy:
    tokenizer = make_text_tokenizer(TEXTS, 320)
    model = make_text_model(tokenizer, seed=3)
    kind(tokenizer, model)
    return TransformersPolicy(model, tokenizer, max_new_tokens=16, **options)


def asked(texts: list[str] = TEXTS, seed: int = 0) -> list[Request]:
    return [Request.of(rlvr.Task(text, "x", f"t{i}"), seed + i) for i, text in enumerate(texts)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_answers_as_each_request_does_alone(kind: Any, temperature: float) -> None:
    policy = made(kind, temperature=temperature)
    requests = asked()
    alone = [policy.respond([request])[0] for request in requests]
    assert policy.respond(requests) == alone
    assert policy.respond(requests[::-1]) == alone[::-1]
    assert len({response.token_ids for response in alone}) > 4
    for request, response in zip(requests, alone, strict=True):
        assert response.prompt_tokens == len(policy.template.prompt(request.prompt))


def test_every_kind_of_padding_gives_the_same_answers() -> None:
    """The model and its prompts are the same: so are its answers."""
    answers = {kind: made(kind).respond(asked()) for kind in KINDS[:4]}
    assert answers[_right] == answers[_left]
    assert answers[_without_a_pad_token] == answers[_left]
    assert answers[_pad_is_eos] == answers[_left]


def test_the_models_own_sampling_settings_are_set_aside_and_come_back() -> None:
    plain, policy = made(_right), made(_right)
    own = policy.model.generation_config
    own.repetition_penalty = 50.0
    own.suppress_tokens = list(range(5, 200))
    assert policy.respond(asked()) == plain.respond(asked())
    assert policy.model.generation_config is own


def test_samples_follow_the_models_probabilities() -> None:
    policy = made(_right, temperature=2.5)
    policy.limits = replace(policy.limits, max_tokens=1)
    requests = [Request.of(rlvr.Task("2+2=", "4"), seed) for seed in range(3000)]
    first = [response.token_ids[0] for response in policy.respond(requests)]
    ids = torch.tensor([policy.template.prompt(requests[0].prompt)])
    with torch.no_grad():
        chances = (policy.model(ids).logits[0, -1].double() / 2.5).softmax(-1)
    counts = torch.bincount(torch.tensor(first), minlength=len(chances))
    likely = chances > 0.003
    assert likely.sum() > 5
    error = (counts[likely] / 3000 - chances[likely]).abs()
    assert (error < 5 * (chances[likely] * (1 - chances[likely]) / 3000).sqrt()).all()


def test_a_prompt_without_room_is_no_answer_and_a_long_one_ends_with_the_context() -> None:
    tokenizer = make_text_tokenizer(TEXTS, 320)
    model = make_text_model(tokenizer, seed=3, positions=40)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    policy = TransformersPolicy(model, tokenizer, max_new_tokens=16)
    texts = ["2+2=", "x9" * 60, "q" * 36, "q" * 30, "a"]
    found = policy.respond(asked(texts))
    assert [response.overflow for response in found] == [False, True, False, False, False]
    assert found[1].stop == "error"
    assert "context of 40 tokens" in found[1].error
    for response in found:
        if not response.overflow:
            assert response.prompt_tokens + response.completion_tokens <= 40
    assert found == [policy.respond([request])[0] for request in asked(texts)]
    assert min(r.completion_tokens for r in found if not r.overflow) < 16


def test_a_batch_that_memory_does_not_suffice_for_is_halved(monkeypatch: Any) -> None:
    policy = made(_right)
    whole = policy.respond(asked())
    generate, sizes = policy.model.generate, []

    def small(input_ids: Any, **options: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return generate(input_ids=input_ids, **options)

    monkeypatch.setattr(policy.model, "generate", small)
    assert policy.respond(asked()) == whole
    assert sizes == [8, 4, 2, 2, 2, 2]


def test_a_real_model_answers_in_a_batch_as_alone(real_model: Path) -> None:
    """Its tokenizer pads on the right, with its end token."""
    policy = TransformersPolicy(str(real_model / "float32"), max_new_tokens=10)
    assert policy.tokenizer.padding_side == "right"
    assert policy.tokenizer.pad_token == policy.tokenizer.eos_token
    texts = [
        "What is 7 + 5?",
        "Name the capital of France.",
        "Write one word that rhymes with cat, and nothing else.",
        "Repeat this sentence. " * 8,
    ]
    requests = asked(texts)
    alone = [policy.respond([request])[0] for request in requests]
    together = policy.respond(requests)
    assert together == alone
    assert "7 and 5" in together[0].text
    assert "Paris" in together[1].text


@pytest.mark.sweep
def test_two_hundred_answers_of_a_real_model_in_batches_as_alone(
    real_model: Path, data: Path, monkeypatch: Any
) -> None:
    """Questions of GSM8K and prompts of IFEval, 100 each, of very different lengths."""
    texts = [
        sorted((task.text for task in rlvr.make(name, **options).tasks), key=len)
        for name, options in (("gsm8k", {"split": "test"}), ("ifeval", {}))
    ]
    requests = asked([*texts[0][:100], *texts[1][::6], *texts[1][1:60:6]])
    assert len(requests) == 200
    policy = TransformersPolicy(str(real_model / "float32"), max_new_tokens=12)
    alone = [policy.respond([request])[0] for request in requests]
    generate, given = policy.model.generate, []

    def kept(input_ids: Any, attention_mask: Any, **options: Any) -> Any:
        found = generate(input_ids=input_ids, attention_mask=attention_mask, **options)
        given.append((input_ids, attention_mask, found))
        return found

    def again(input_ids: Any, attention_mask: Any, **options: Any) -> Any:
        ids, mask, found = given.pop(0)
        assert input_ids.equal(ids)
        assert attention_mask.equal(mask)
        return found

    for side, way in (("right", kept), ("left", again)):
        policy.tokenizer.padding_side = side
        monkeypatch.setattr(policy.model, "generate", way)
        together = policy.respond(requests)
        differ = [i for i in range(len(requests)) if together[i] != alone[i]]
        assert not differ, side
    print(f"{len(requests)} answers are the same")
