"""OpenRLHF's reward function, for `--reward.remote_url FILE.py`.

It's handed prompt and response as one text and must answer with a number. An unscored row's is NaN:
`--algo.dynamic_filtering_enable`, with a range that holds every reward there is, lets OpenRLHF drop
its group and draw another prompt. `rlvr.openrlhf.agent_executor` costs the row alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rlvr.adapters.carried import Carried
from rlvr.adapters.episode import judged
from rlvr.adapters.numbers import numbers
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Unscored, Verdict

ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<|end▁of▁sentence|>",
    "<｜end▁of▁sentence｜>",
    "<end_of_turn>",
    "</s>",
    "<eos>",
)
"""What models end their turn with; one of them is taken off the end of a response."""

_DEADLINE_S = 120.0


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Rewards of single-turn responses. Never raises; a file for OpenRLHF has two lines::

        import rlvr
        reward_func = rlvr.openrlhf.reward_func

    Args:
        queries: N texts, each the prompt and the response with all special tokens.
        prompts: N prompts, as they begin the queries.
        labels: N texts that `write_jsonl` wrote.

    Returns:
        `rewards`, `scores` and `extra_logs` (the numbers of `rlvr.adapters.numbers` under `rlvr/…`),
        each a number where N is 1, as OpenRLHF calls it, and else a list. NaN where unscored.
    """
    judging = [_judge(*row) for row in zip(queries, prompts, labels, strict=True)]
    found = asyncio.run(_all(judging))
    scores = [one.pop("rlvr/score") for one in found]
    logs = {name: _plain([one[name] for one in found]) for name in (found[0] if found else {})}
    return {"rewards": _plain(scores), "scores": _plain(scores), "extra_logs": logs}


def response_in(query: str, prompt: str) -> str | None:
    """The response in `query`: what follows the prompt, without one closing marker.

    Nothing is searched for in it: whatever markers the model wrote stay its own text. None where
    the query doesn't begin with the prompt (OpenRLHF cut it from the left).
    """
    if not query.startswith(prompt):
        return None
    response = query[len(prompt) :]
    end = max((one for one in ENDS if response.endswith(one)), key=len, default="")
    return response.removesuffix(end)


async def _all(judging: Sequence[Any]) -> list[dict[str, float]]:
    return list(await asyncio.gather(*judging))


async def _judge(query: str, prompt: str, label: str) -> dict[str, float]:
    verdict: Verdict
    try:
        carried = Carried.read(label)
        response = response_in(query, prompt)
        if carried.env.max_turns > 1:
            raise DataError(f"{carried.env.name} is multi-turn: use rlvr.openrlhf.agent_executor()")
        if response is None:
            raise DataError("the query doesn't begin with its prompt: raise --data.max_len")
    except Exception as error:
        verdict = Unscored(Cause.INPUT, raised("the row", error).message)
        return _logs(numbers(verdict, (), ()))
    messages = [dict(message) for message in carried.task.prompt]
    messages.append({"role": "assistant", "content": response})
    verdict = await judged(carried.env, carried.task, messages, _DEADLINE_S)
    return _logs(numbers(verdict, carried.components, carried.own))


def _logs(found: dict[str, float]) -> dict[str, float]:
    return {f"rlvr/{name}": value for name, value in found.items()}


def _plain(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values
