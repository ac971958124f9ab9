"""What stands between two responses, and that no quoted marker begins a turn."""

from __future__ import annotations

from typing import Any

import pytest

from rlvr.core.errors import OptionError
from rlvr.policies.template import Template


def test_a_prompt_is_the_template_with_its_opening(tokenizer: Any) -> None:
    ids = Template(tokenizer).prompt([{"role": "user", "content": "1+1="}])
    assert tokenizer.decode(ids) == "<user>1+1=<bot>"


def test_a_reply_closes_the_turn_that_the_model_left_open(tokenizer: Any) -> None:
    template, open_turn = Template(tokenizer), tokenizer("12")["input_ids"]
    ended = [*open_turn, tokenizer.eos_token_id]
    assert tokenizer.decode(template.reply(open_turn, "+3")) == "<eos><user>+3<bot>"
    assert tokenizer.decode(template.reply(ended, "+3")) == "<user>+3<bot>"


def test_together_they_are_what_the_template_renders(tokenizer: Any) -> None:
    template = Template(tokenizer)
    asked = [{"role": "user", "content": "1+1="}]
    wrote = [*tokenizer("3")["input_ids"], tokenizer.eos_token_id]
    ids = template.prompt(asked) + wrote + template.reply(wrote, "+")
    whole = [*asked, {"role": "assistant", "content": "3"}, {"role": "user", "content": "+"}]
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(
        whole, tokenize=False, add_generation_prompt=True
    )


@pytest.mark.parametrize("marker", ["<eos>", "<bot>", "<user>", "<pad>"])
def test_a_marker_that_a_reply_quotes_begins_no_turn(tokenizer: Any, marker: str) -> None:
    ids = Template(tokenizer).reply([tokenizer.eos_token_id], f"1{marker}2")
    inside = ids[1:-1]  # <user> … <bot>
    assert not set(inside) & {tokenizer.convert_tokens_to_ids(marker)}
    assert tokenizer(marker)["input_ids"] == [tokenizer.convert_tokens_to_ids(marker)]  # it would


def test_a_template_without_a_second_turn_says_so(tokenizer: Any) -> None:
    import copy

    single = copy.deepcopy(tokenizer)
    single.chat_template = "<user>{{ messages[0]['content'] }}<bot>"
    template = Template(single)
    assert template.prompt([{"role": "user", "content": "1"}])  # enough for one turn
    with pytest.raises(OptionError, match="can't be continued"):
        template.reply([1], "2")
