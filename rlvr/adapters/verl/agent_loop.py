"""verl's agent loop over any environment.

verl makes one for each row and calls `run`; it looks at no base class, so there's none here. The
verdict is reached in the agent loop's own process, off its event loop, while other rows generate.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rlvr.adapters.carried import Carried
from rlvr.adapters.episode import Episode, Generated, play
from rlvr.adapters.numbers import numbers
from rlvr.core.errors import OptionError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Scored, Unscored
from rlvr.policies.template import Template
from rlvr.scoring import default_pool

if TYPE_CHECKING:
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput

logger = logging.getLogger(__name__)


class AgentLoop:
    """Generates a row's episode and judges it.

    Args:
        deadline_s: seconds that each reply of the environment and the verdict may take; past it
            the row is unscored.

    The rest is what verl hands over. Raises `OptionError` under verl's old trainer, which can't go on
    without a row.
    """

    def __init__(
        self,
        trainer_config: Any,
        server_manager: Any,
        tokenizer: Any,
        data_config: Any,
        deadline_s: float = 120.0,
        **_: Any,
    ) -> None:
        config = trainer_config.config
        if not config.trainer.use_v1:
            raise OptionError(
                "Only verl's V1 trainer goes on without an unscored row: set trainer.use_v1=true."
            )
        self._rollout = config.actor_rollout_ref.rollout
        self._server = server_manager
        self._deadline_s = deadline_s
        options = data_config.config.get("apply_chat_template_kwargs") or {}
        self._template = _template(tokenizer, json.dumps(dict(options), sort_keys=True))
        default_pool().start()  # warm by the time the first response is there

    async def run(
        self, sampling_params: Mapping[str, Any], **row: Any
    ) -> AgentLoopOutput | list[AgentLoopOutput]:
        """verl's entry.

        Args:
            sampling_params: of each response.
            row: the columns that `write_parquet` wrote, and verl's own.

        Returns:
            The row's tokens with its reward; an empty list where it has no verdict, which V1's agent
            loop worker takes for a session without a trajectory.
        """
        try:
            carried = Carried.read(row["reward_model"]["ground_truth"])
            prompt = self._template.prompt(carried.task.prompt)
            if carried.env.max_turns > 1:
                self._template.check()
        except Exception as error:
            return self._unscored("?", Unscored(Cause.INPUT, raised("the row", error).message))
        task, longest = carried.task, int(self._rollout.prompt_length)
        if len(prompt) > longest:
            said = (
                f"the prompt has {len(prompt)} tokens, over rollout.prompt_length={longest}; "
                f"data.filter_overlong_prompts=true leaves such out"
            )
            return self._unscored(task.id, Unscored(Cause.INPUT, said))
        server = _Server(self._server, dict(sampling_params), int(row.get("priority", 0)))
        room = int(self._rollout.response_length)
        if (limit := self._rollout.get("max_model_len")) is not None:
            room = min(room, int(limit) - len(prompt))
        if room < 1:
            said = f"the prompt's {len(prompt)} tokens leave none of rollout.max_model_len={limit}"
            return self._unscored(task.id, Unscored(Cause.INPUT, said))
        began = time.monotonic()
        episode = await play(
            carried.env, task, self._template, prompt, room, server.generate, self._deadline_s
        )
        if isinstance(episode.verdict, Unscored):
            return self._unscored(task.id, episode.verdict)
        info = numbers(episode.verdict, carried.components, carried.own)
        return server.output(episode, episode.verdict, info, time.monotonic() - began)

    def _unscored(self, task_id: str, verdict: Unscored) -> list[AgentLoopOutput]:
        logger.warning("%s: unscored (%s): %s", task_id, verdict.cause, verdict.message)
        return []


class _Server:
    """verl's server for one episode, and what it said beside the tokens."""

    def __init__(self, client: Any, sampling: dict[str, Any], priority: int) -> None:
        self._client = client
        self._sampling = sampling
        self._priority = priority
        self._request = uuid4().hex  # one for all turns, so that they share a server's prefix cache
        self._extra: dict[str, Any] = {}
        self._routed: Any = None
        self._generating_s = 0.0
        self._preempted = -1  # verl's own sign for "not known"

    async def generate(self, tokens: list[int], left: int) -> Generated:
        began = time.monotonic()
        output = await self._client.generate(
            request_id=self._request,
            prompt_ids=tokens,
            sampling_params=self._sampling | {"max_tokens": left},
            priority=self._priority,
        )
        self._generating_s += time.monotonic() - began
        # The episode began with the first response's weights, and ended with the last one's.
        first = self._extra.get("min_global_steps", output.extra_fields.get("min_global_steps"))
        self._extra = {**self._extra, **output.extra_fields, "min_global_steps": first}
        self._routed = output.routed_experts
        if output.num_preempted is not None:
            self._preempted = max(self._preempted, 0) + output.num_preempted
        return Generated(output.token_ids, output.log_probs or None)

    def output(
        self, episode: Episode, verdict: Scored, info: dict[str, float], took_s: float
    ) -> AgentLoopOutput:
        from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput

        return AgentLoopOutput(
            prompt_ids=episode.prompt,
            response_ids=episode.response,
            response_mask=episode.mask,
            response_logprobs=episode.logprobs,
            routed_experts=self._routed,
            reward_score=verdict.reward,
            num_turns=len(episode.messages),
            metrics=AgentLoopMetrics(
                generate_sequences=self._generating_s,
                compute_score=took_s - self._generating_s,
                num_preempted=self._preempted,
            ),
            extra_fields=self._extra
            | {"reward_extra_info": info, "turn_scores": [], "tool_rewards": []},
        )


@functools.lru_cache(maxsize=8)
def _template(tokenizer: Any, options: str) -> Template:
    """One for all rows: verl makes an agent loop for each, and a template takes a while to read."""
    return Template(tokenizer, json.loads(options))
