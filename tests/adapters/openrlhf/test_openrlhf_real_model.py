"""OpenRLHF's executor on a real model's tokenizer: tokens and action ranges are the chat template's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_openrlhf_rows import generated, rows  # noqa: F401  (a fixture)

from rlvr.policies.template import Template

pytestmark = [pytest.mark.openrlhf, pytest.mark.sweep]


@pytest.fixture(scope="session")
def tokenizer(real_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(real_model / "float32")


def test_a_conversation_is_what_the_template_renders(tokenizer: Any, rows: Any) -> None:  # noqa: F811
    def plays(text: str, nth: int) -> str:
        return "3" if text.count("<|im_start|>assistant") > 1 else "1"

    # 2+1= of the guessing game.
    (row,), _ = generated(tokenizer, rows[10], plays, samples=1, most=160)
    template = Template(tokenizer)
    prompt = template.prompt([{"role": "user", "content": "2+1="}])
    wrong, right = ([*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in "13")
    reply = template.reply(wrong, "+1")
    assert row["observation_tokens"] == [*prompt, *wrong, *reply, *right]
    start, again = len(prompt), len(prompt) + len(wrong) + len(reply)
    assert row["action_ranges"] == [(start, start + len(wrong)), (again, again + len(right))]
    assert row["reward"] == 1.0
