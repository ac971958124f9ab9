"""verl's agent loop on a real model's tokenizer: prompts, tokens and masks are the chat template's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_verl_v1 import V1

from rlvr.policies.template import Template

pytestmark = [pytest.mark.verl, pytest.mark.sweep]

ROOM = ("data.max_prompt_length=96", "data.max_response_length=96")


@pytest.fixture(scope="module")
def v1(configured: Callable[..., Any], queue: None, real_model: Path, data: Path) -> Iterator[V1]:
    from transformers import AutoTokenizer

    folder = real_model / "float32"
    more = ("actor_rollout_ref.rollout.n=4", f"actor_rollout_ref.model.path={folder}")
    v1 = V1(configured("grpo", *ROOM, *more), AutoTokenizer.from_pretrained(folder), data)
    yield v1
    v1.clear()


def test_a_conversation_is_what_the_template_renders(v1: V1) -> None:
    import transfer_queue as tq

    def plays(text: str, nth: int) -> str:
        return "3" if text.count("<|im_start|>assistant") > 1 else ["1", "3", "0", "4"][nth % 4]

    v1.generate(plays, [10])  # 2+1= of the guessing game; 0 breaks its sandbox, 4 its judge
    batch, _ = v1.sample(1)
    fields = ["prompts", "responses", "response_mask", "rm_scores"]
    found = tq.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=fields)
    rows = sorted(
        zip(*(list(found[name]) for name in fields), strict=True), key=lambda row: len(row[1])
    )
    template, tokenizer = Template(v1.tokenizer), v1.tokenizer
    asked = template.prompt([{"role": "user", "content": "2+1="}])
    once, again = ([*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in "31")
    reply = template.reply(again, "+1")
    assert [row[0].tolist() for row in rows] == [asked, asked]
    assert [row[1].tolist() for row in rows] == [once, [*again, *reply, *once]]
    assert rows[1][2].tolist() == [1] * len(again) + [0] * len(reply) + [1] * len(once)
    assert [float(row[3].sum()) for row in rows] == [1.0, 1.0]
    talk = [
        {"role": "user", "content": "2+1="},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "+1"},
    ]
    assert asked + again + reply == template.prompt(talk)
