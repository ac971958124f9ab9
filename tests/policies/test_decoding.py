"""Stop strings, thinking budgets and templates of base models, with a real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError, OptionError

torch = pytest.importorskip("torch")

from rlvr.policies.base import Request  # noqa: E402
from rlvr.policies.decoding import cut_at, read_response, renderer  # noqa: E402
from rlvr.policies.openai import OpenAIPolicy  # noqa: E402
from rlvr.policies.template import Template  # noqa: E402
from rlvr.policies.transformers import TransformersPolicy, load  # noqa: E402
from tests.policies.thinking_model import (  # noqa: E402
    TALKS,
    THINKS,
    random_model,
    thinking_tokenizer,
)

REQUESTS = [Request.of(rlvr.Task("what is it" + "?" * (i % 5), str(i)), 100 + i) for i in range(24)]
CLOSING = "\n</think>\n\n"


@pytest.fixture(scope="module")
def model() -> Any:
    return random_model(thinking_tokenizer())


def policy(model: Any, template: str = TALKS, **options: Any) -> TransformersPolicy:
    options = {"max_new_tokens": 40, "temperature": 1.0} | options
    return TransformersPolicy(model, thinking_tokenizer(template), **options)


def decoded(ids: Any) -> str:
    return str(thinking_tokenizer().decode(list(ids), skip_special_tokens=True))


def test_a_response_ends_before_its_first_stop_string(model: Any) -> None:
    whole = policy(model).respond(REQUESTS)
    stop = [whole[0].text[5:7], whole[1].text[9:10], "zzzz"]
    cut = policy(model, stop=stop).respond(REQUESTS)
    assert cut == policy(model, stop=stop, batch_size=1).respond(REQUESTS)
    assert sum(one.text != other.text for one, other in zip(whole, cut, strict=True)) > 12
    for one, other in zip(whole, cut, strict=True):
        at = cut_at(one.text, stop)
        assert other.text == (one.text if at is None else one.text[:at])
        assert other.completion_tokens == len(other.token_ids)
        assert other.token_ids == one.token_ids[: other.completion_tokens]
        if at is not None:
            assert other.stop == "stop"
            assert cut_at(decoded(other.token_ids), stop) == at
            assert cut_at(decoded(other.token_ids[:-1]), stop) is None  # not a token more


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_thoughts_are_closed_at_the_budget_and_the_answer_goes_on(
    model: Any, temperature: float
) -> None:
    without = policy(model, THINKS, temperature=temperature).respond(REQUESTS)
    within = policy(model, THINKS, temperature=temperature, thinking_tokens=9).respond(REQUESTS)
    alone = policy(model, THINKS, temperature=temperature, thinking_tokens=9, batch_size=1)
    assert within == alone.respond(REQUESTS)
    closing = tuple(thinking_tokenizer()(CLOSING)["input_ids"])
    closed = 0
    for one, other in zip(without, within, strict=True):
        begun = one.token_ids[:9]
        if "</think>" in decoded(begun) or len(one.token_ids) < 9 or one.token_ids[8] == 1:
            assert other == one  # the budget changed nothing, up to the last sampled token
            continue
        closed += 1
        assert other.token_ids[: 9 + len(closing)] == begun + closing
        answer = other.token_ids[9 + len(closing) :]
        assert other.text == f"<think>{decoded(begun)}{CLOSING}{decoded(answer)}"
        assert other.completion_tokens == len(other.token_ids) <= 40
        assert other.stop == ("stop" if answer and answer[-1] == 1 else "length")
        assert other.stop == "stop" or other.completion_tokens == 40
    assert closed > 12


def test_a_model_that_does_not_think_is_not_interrupted(model: Any) -> None:
    assert policy(model, thinking_tokens=9).respond(REQUESTS) == policy(model).respond(REQUESTS)


def test_a_stop_string_across_the_budget_counts(model: Any) -> None:
    whole = policy(model).respond(REQUESTS)
    stop = [one.text[8:10] for one in whole if len(one.text) > 20]
    cut = policy(model, stop=stop, thinking_tokens=9).respond(REQUESTS)
    assert cut == policy(model, stop=stop).respond(REQUESTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thinking_tokens": 40}, "room for an answer"),
        ({"thinking_tokens": 0}, "room for an answer"),
        ({"stop": [""]}, "none of them empty"),
    ],
)
def test_settings_that_can_not_be_met_are_refused(
    model: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        policy(model, **options)


def test_a_server_takes_a_budget_only_with_a_template_file() -> None:
    for template in (None, "plain"):
        with pytest.raises(OptionError, match="as a file"):
            OpenAIPolicy("m", template=template, thinking_tokens=10)
    with pytest.raises(OptionError, match="api is 'completions'"):
        OpenAIPolicy("m", api="chat", template="plain")


def test_a_base_model_takes_the_plain_template(model: Any, tmp_path: Path) -> None:
    tokenizer = thinking_tokenizer(None)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="--template plain"):
        TransformersPolicy(str(tmp_path))
    base = TransformersPolicy(str(tmp_path), template="plain", max_new_tokens=5)
    messages = [
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two?"},
    ]
    assert base.tokenizer.decode(base.template.prompt(messages)) == "one?\n\n1\n\ntwo?"
    assert renderer("plain")(messages) == "one?\n\n1\n\ntwo?"
    # The template is saved with the tokenizer, so that the trained model has it.
    _, loaded = load(str(tmp_path), "plain")
    loaded.save_pretrained(tmp_path / "trained")
    model.save_pretrained(tmp_path / "trained")
    assert load(str(tmp_path / "trained"))[1].chat_template == loaded.chat_template


def test_the_plain_template_begins_as_the_tokenizer_does(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = thinking_tokenizer(None)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<user> $A", special_tokens=[("<user>", 2)]
    )
    tokenizer.bos_token = "<user>"
    made = TransformersPolicy(random_model(tokenizer), tokenizer, template="plain")
    assert made.template.prompt([{"role": "user", "content": "ab"}]) == tokenizer("ab")["input_ids"]


def test_a_template_file_reads_the_same_here_and_for_a_server(model: Any, tmp_path: Path) -> None:
    file = tmp_path / "q.jinja"
    file.write_text(
        "{%- for m in messages -%}\n{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}answer:"
    )
    made = TransformersPolicy(model, thinking_tokenizer(None), template=str(file))
    messages = [{"role": "user", "content": "one?"}, {"role": "user", "content": "two?"}]
    here = made.tokenizer.decode(made.template.prompt(messages))
    assert here == renderer(str(file))(messages) == "user: one?\nuser: two?\nanswer:"


def test_a_template_file_that_can_not_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'plain' or a jinja file"):
        renderer("plian")
    file = tmp_path / "bos.jinja"
    file.write_text("{{ bos_token }}{{ messages[0].content }}")
    with pytest.raises(DataError, match="Write the token itself"):
        renderer(str(file))
    file.write_text("{% for m in messages %}")
    with pytest.raises(DataError, match="no jinja"):
        renderer(str(file))


def test_the_end_of_a_response_is_cut_whatever_tags_are_before_it() -> None:
    tokenizer = thinking_tokenizer(THINKS)
    ids = tokenizer("abc</think>12Q: 3")["input_ids"]
    text, own, cut = read_response(Template(tokenizer), ids, ["2"])
    assert (text, cut) == ("<think>abc</think>1", True)
    assert own == ids[: ids.index(tokenizer.convert_tokens_to_ids("2")) + 1]
