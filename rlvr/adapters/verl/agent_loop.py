"""verl's agent loop over any environment.

verl makes an agent loop for each row and calls `run`; it requires no base class. The row is judged in the agent loop's
process, off its event loop, while other rows generate.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rlvr.adapters.metrics import verdict_metrics
from rlvr.adapters.row import TrainerRow
from rlvr.adapters.token_episode import Generated, TokenEpisode, play
from rlvr.core.errors import OptionError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Scored, Unscored
from rlvr.policies.template import Template
from rlvr.scoring import default_pool

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput

logger = logging.getLogger(__name__)


class AgentLoop:
    """Generates a row's episode and judges it.

    Args:
        deadline_s: Most seconds of each reply of the environment and of the verdict; after them the row is unscored.

    verl passes the other arguments. Raises `OptionError` under verl's old trainer, which can't continue without a row.
    """

    def __init__(
        self,
        trainer_config: Any,
        server_manager: Any,
        tokenizer: PreTrainedTokenizerBase,
        data_config: Any,
        deadline_s: float = 120.0,
        **_: object,
    ) -> None:
        config = trainer_config.config
        if not config.trainer.use_v1:
            raise OptionError(
                "Only verl's V1 trainer continues without an unscored row: set trainer.use_v1=true."
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
        """Play one row, as verl asks for.

        Args:
            sampling_params: The sampling parameters of each response.
            row: The columns that `write_parquet` wrote, and verl's own.

        Returns:
            The row's tokens with its reward. Without a verdict it is an empty list, which V1's agent loop worker takes
            for a session without a trajectory.
        """
        try:
            trainer_row = TrainerRow.read(row["reward_model"]["ground_truth"])
            prompt = self._template.prompt(trainer_row.task.prompt, trainer_row.env.tool_schemas)
            if trainer_row.env.max_turns > 1:
                self._template.check()
        except Exception as error:
            return self._unscored("?", Unscored(Cause.INPUT, raised("the row", error).message))
        task, longest = trainer_row.task, int(self._rollout.prompt_length)
        if len(prompt) > longest:
            why = (
                f"the prompt has {len(prompt)} tokens, over rollout.prompt_length={longest}; "
                f"data.filter_overlong_prompts=true leaves such rows out"
            )
            return self._unscored(task.id, Unscored(Cause.INPUT, why))
        server = _VerlServer(self._server, dict(sampling_params), int(row.get("priority", 0)))
        max_tokens = int(self._rollout.response_length)
        if (limit := self._rollout.get("max_model_len")) is not None:
            max_tokens = min(max_tokens, int(limit) - len(prompt))
        if max_tokens < 1:
            why = f"the prompt's {len(prompt)} tokens leave none of rollout.max_model_len={limit}"
            return self._unscored(task.id, Unscored(Cause.INPUT, why))
        began = time.monotonic()
        episode = await play(
            trainer_row.env,
            task,
            self._template,
            prompt,
            max_tokens,
            server.generate,
            self._deadline_s,
        )
        if isinstance(episode.verdict, Unscored):
            return self._unscored(task.id, episode.verdict)
        info = verdict_metrics(episode.verdict, trainer_row.components, trainer_row.own_components)
        return server.output(episode, episode.verdict, info, time.monotonic() - began)

    def _unscored(self, task_id: str, verdict: Unscored) -> list[AgentLoopOutput]:
        logger.warning("%s: unscored (%s): %s", task_id, verdict.cause, verdict.message)
        return []


class _VerlServer:
    """verl's server for one episode, and its outputs other than tokens."""

    def __init__(self, client: Any, sampling: Mapping[str, Any], priority: int) -> None:
        self._client = client
        self._sampling = sampling
        self._priority = priority
        # The same for all turns, so that they share a server's prefix cache.
        self._request = uuid4().hex
        self._extra: dict[str, Any] = {}
        self._routed: object = None
        self._generating_s = 0.0
        self._preempted = -1  # verl's sign for "unknown"

    async def generate(self, tokens: list[int], left: int) -> Generated:
        began = time.monotonic()
        output = await self._client.generate(
            request_id=self._request,
            prompt_ids=tokens,
            sampling_params={**self._sampling, "max_tokens": left},
            priority=self._priority,
        )
        self._generating_s += time.monotonic() - began
        # The first response has the oldest weights of the episode, and the last one the newest.
        first = self._extra.get("min_global_steps", output.extra_fields.get("min_global_steps"))
        self._extra = {**self._extra, **output.extra_fields, "min_global_steps": first}
        self._routed = output.routed_experts
        if output.num_preempted is not None:
            self._preempted = max(self._preempted, 0) + output.num_preempted
        return Generated(output.token_ids, output.log_probs or None)

    def output(
        self, episode: TokenEpisode, verdict: Scored, info: dict[str, float], took_s: float
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
            | {
                "reward_extra_info": info,
                "turn_scores": list(episode.step_rewards),
                "tool_rewards": [],
            },
        )


@functools.lru_cache(maxsize=8)
def _template(tokenizer: PreTrainedTokenizerBase, options: str) -> Template:
    """Return the template for all rows: verl makes an agent loop per row, and reading a template takes time."""
    return Template(tokenizer, json.loads(options))
