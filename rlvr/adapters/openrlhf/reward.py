"""OpenRLHF's reward function, for `--reward.remote_url FILE.py`.

It gets prompt and response as one text and must return a number. An unscored row's number is NaN: with
`--algo.dynamic_filtering_enable` and a range that holds every possible reward, OpenRLHF drops its group and draws another
prompt. With `rlvr.openrlhf.agent_executor` only the row itself is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from rlvr.adapters.metrics import verdict_metrics
from rlvr.adapters.row import TrainerRow
from rlvr.adapters.token_episode import judged
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Unscored, Verdict

STOP_TOKENS = (
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
"""Markers at the end of a model's turn; one of them is removed from the end of a response."""

_DEADLINE_S = 120.0


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Return the rewards of single-turn responses. Never raises. A file for OpenRLHF has two lines::

        import rlvr
        reward_func = rlvr.openrlhf.reward_func

    Args:
        queries: N texts, each the prompt and the response with all special tokens.
        prompts: N prompts, as they begin the queries.
        labels: N texts that `write_jsonl` wrote.

    Returns:
        `rewards`, `scores` and `extra_logs` (the metrics of `rlvr.adapters.metrics` under `rlvr/…`): numbers if N is 1,
        as OpenRLHF calls it, otherwise lists. The reward of an unscored row is NaN.
    """
    judging = [_judge(*row) for row in zip(queries, prompts, labels, strict=True)]
    rows = asyncio.run(_all(judging))
    scores = [row.pop("rlvr/score") for row in rows]
    logs = {name: _plain([row[name] for row in rows]) for name in (rows[0] if rows else {})}
    return {"rewards": _plain(scores), "scores": _plain(scores), "extra_logs": logs}


def response_in(query: str, prompt: str) -> str | None:
    """Return the response in `query`: the text after the prompt, without one closing marker.

    The response is not searched for markers, so that those within it stay the model's text. The result is None if the
    query doesn't begin with the prompt, since OpenRLHF cut it from the left.
    """
    if not query.startswith(prompt):
        return None
    response = query[len(prompt) :]
    end = max((token for token in STOP_TOKENS if response.endswith(token)), key=len, default="")
    return response.removesuffix(end)


async def _all(judging: Sequence[Awaitable[dict[str, float]]]) -> list[dict[str, float]]:
    return list(await asyncio.gather(*judging))


async def _judge(query: str, prompt: str, label: str) -> dict[str, float]:
    verdict: Verdict
    try:
        row = TrainerRow.read(label)
        response = response_in(query, prompt)
        if row.env.max_turns > 1:
            raise DataError(f"{row.env.name} is multi-turn: use rlvr.openrlhf.agent_executor()")
        if response is None:
            raise DataError("the query doesn't begin with its prompt: raise --data.max_len")
    except Exception as error:
        verdict = Unscored(Cause.INPUT, raised("the row", error).message)
        return _logs(verdict_metrics(verdict, (), ()))
    verdict = await judged(row.env, row.task, response, _DEADLINE_S)
    return _logs(verdict_metrics(verdict, row.components, row.own_components))


def _logs(metrics: dict[str, float]) -> dict[str, float]:
    return {f"rlvr/{name}": value for name, value in metrics.items()}


def _plain(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values
