"""OpenRLHF's agent executor over any environment, for `--train.agent_func_path FILE.py`."""

from __future__ import annotations

import copy
import functools
import logging
from typing import Any

from rlvr.adapters.carried import Carried
from rlvr.adapters.episode import Episode, Generated, play
from rlvr.adapters.numbers import numbers
from rlvr.adapters.openrlhf.groups import Groups
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Scored, Unscored
from rlvr.policies.template import Template
from rlvr.scoring import default_pool

logger = logging.getLogger(__name__)


@functools.cache
def agent_executor(deadline_s: float = 120.0) -> type:
    """The class that OpenRLHF looks for as `AgentExecutor`.

    Args:
        deadline_s: seconds that each reply of the environment and the verdict may take; past it
            the row is unscored.

    Returns:
        A class without arguments, which plays each row's environment: rows carry their own.
    """
    from openrlhf.utils.agent import AgentExecutorBase

    class AgentExecutor(AgentExecutorBase):  # type: ignore[misc]
        """Plays rows; see `rlvr.openrlhf`."""

        def __init__(self) -> None:
            self._player = _Player(deadline_s)

        async def execute(
            self,
            prompt: str,
            label: str,
            sampling_params: Any,
            max_length: int,
            hf_tokenizer: Any,
            llm_engine: Any,
            images: Any = None,
        ) -> dict[str, Any]:
            """OpenRLHF's entry: one sample of one prompt."""
            row = {"prompt": prompt, "label": label, "images": images, "mm_train_inputs": None}
            engine = _Engine(llm_engine, sampling_params)
            return row | await self._player.played(row, engine, max_length, hf_tokenizer)

    return AgentExecutor


class _Engine:
    """vLLM as OpenRLHF wraps it, for one episode."""

    def __init__(self, engine: Any, sampling: Any) -> None:
        self._engine = engine
        self._sampling = sampling
        self.cut = False  # whether the last response ran into its limit

    async def generate(self, tokens: list[int], left: int) -> Generated:
        sampling = copy.deepcopy(self._sampling)  # it's one object for all samples
        sampling.max_tokens = (
            left if sampling.max_tokens is None else min(left, sampling.max_tokens)
        )
        made = (await self._engine.generate(tokens, sampling, multi_modal_data=None)).outputs[0]
        self.cut = made.finish_reason == "length"
        ids = list(made.token_ids)
        if self._sampling.logprobs is None or made.logprobs is None:
            return Generated(ids)
        pairs = zip(ids, made.logprobs, strict=True)
        return Generated(ids, [float(of[token].logprob) for token, of in pairs])


class _Player:
    """What all rows of one executor share."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._groups = Groups()
        self._template: tuple[Any, Template] | None = None
        self._components: tuple[str, ...] | None = None
        default_pool().start()  # warm by the time the first response is there

    async def played(
        self, row: dict[str, Any], engine: _Engine, most: int, tokenizer: Any
    ) -> dict[str, Any]:
        """The fields of a sample that aren't its row's."""
        with self._groups.sample((str(row["prompt"]), str(row["label"]))) as group:
            episode, carried = await self._episode(row, engine, most, tokenizer)
            verdict = episode.verdict
            if isinstance(verdict, Scored):
                group.rewards.append(verdict.reward)
        reward = verdict.reward if isinstance(verdict, Scored) else await group.mean()
        if isinstance(verdict, Unscored):
            logger.warning("unscored (%s): %s", verdict.cause, verdict.message)
        own = carried.own if carried is not None else ()
        logs = numbers(verdict, self._components or (), own, nothing=0.0)
        del logs["score"]
        start = len(episode.prompt)
        logprobs = episode.logprobs
        return {
            "observation_tokens": episode.prompt + episode.response,
            # An unscored row's mask is empty: OpenRLHF's losses leave out such sequences.
            "action_ranges": [(start + a, start + b) for a, b in episode.ranges]
            if verdict.scored
            else [],
            "rollout_log_probs": [0.0] * start + logprobs if logprobs is not None else None,
            "truncated": engine.cut and verdict.scored,
            "reward": reward,
            "scores": reward,
            "extra_logs": {f"rlvr/{name}": value for name, value in logs.items()},
        }

    async def _episode(
        self, row: dict[str, Any], engine: _Engine, most: int, tokenizer: Any
    ) -> tuple[Episode, Carried | None]:
        carried = None
        prompt: list[int] = []
        try:
            if not isinstance(row["prompt"], str):
                raise DataError("the prompt isn't text: add --data.apply_chat_template")
            prompt = list(tokenizer(text=row["prompt"], add_special_tokens=False)["input_ids"])
            carried = self._read(row["label"])
            template = self._template_of(tokenizer)
            if carried.env.max_turns > 1:
                template.check()
            if row["images"]:
                raise DataError("rlvr's environments have no images")
            if len(prompt) >= most:
                raise DataError(
                    f"the prompt has {len(prompt)} tokens, and --data.max_len is {most}"
                )
        except Exception as error:
            if self._components is None:  # the first row there is: the whole file is another's
                raise
            logprobs: list[float] | None = None if engine._sampling.logprobs is None else []
            verdict = Unscored(Cause.INPUT, raised("the row", error).message)
            return Episode(prompt[:most], [], logprobs=logprobs, verdict=verdict), carried
        env, room = carried.env, most - len(prompt)
        played = await play(
            env, carried.task, template, prompt, room, engine.generate, self._deadline_s
        )
        return played, carried

    def _read(self, label: str) -> Carried:
        carried = Carried.read(label)
        self._components = carried.components
        return carried

    def _template_of(self, tokenizer: Any) -> Template:
        if self._template is None or self._template[0] is not tokenizer:
            self._template = (tokenizer, Template(tokenizer))
        return self._template[1]
