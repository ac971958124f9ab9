"""OpenRLHF's agent executor over any environment, for `--train.agent_func_path FILE.py`."""

from __future__ import annotations

import asyncio
import copy
import functools
import logging
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rlvr.adapters.metrics import verdict_metrics
from rlvr.adapters.row import TrainerRow
from rlvr.adapters.token_episode import Generated, TokenEpisode, play
from rlvr.core.errors import DataError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Scored, Unscored
from rlvr.policies.template import Template
from rlvr.scoring import default_pool

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


@functools.cache
def agent_executor(deadline_s: float = 120.0) -> type:
    """Return the class that OpenRLHF looks for as `AgentExecutor`. It plays each row's own environment.

    Args:
        deadline_s: Most seconds of each reply of the environment and of the verdict; after them the row is unscored.
    """
    from openrlhf.utils.agent import AgentExecutorBase

    class AgentExecutor(AgentExecutorBase):  # type: ignore[misc]
        """Plays rows; see `rlvr.openrlhf`."""

        def __init__(self) -> None:
            self._player = _RowPlayer(deadline_s)

        async def execute(
            self,
            prompt: str,
            label: str,
            sampling_params: Any,
            max_length: int,
            hf_tokenizer: PreTrainedTokenizerBase,
            llm_engine: Any,
            images: object = None,
        ) -> dict[str, Any]:
            """Play one sample of one prompt, as OpenRLHF asks for."""
            row = {"prompt": prompt, "label": label, "images": images, "mm_train_inputs": None}
            engine = _Engine(llm_engine, sampling_params)
            return row | await self._player.play(row, engine, max_length, hf_tokenizer)

    return AgentExecutor


class _Engine:
    """OpenRLHF's wrapper of vLLM, for one episode."""

    def __init__(self, engine: Any, sampling: Any) -> None:
        self._engine = engine
        self._sampling = sampling
        self.cut = False  # True if the last response reached its limit

    async def generate(self, tokens: list[int], left: int) -> Generated:
        sampling = copy.deepcopy(self._sampling)  # all samples share one object
        sampling.max_tokens = (
            left if sampling.max_tokens is None else min(left, sampling.max_tokens)
        )
        output = (await self._engine.generate(tokens, sampling, multi_modal_data=None)).outputs[0]
        self.cut = output.finish_reason == "length"
        ids = list(output.token_ids)
        if self._sampling.logprobs is None or output.logprobs is None:
            return Generated(ids)
        pairs = zip(ids, output.logprobs, strict=True)
        return Generated(ids, [float(logprobs[token].logprob) for token, logprobs in pairs])


class _RowPlayer:
    """Plays rows with their shared groups, template and components."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._groups = SampleGroups()
        self._template: tuple[PreTrainedTokenizerBase, Template] | None = None
        self._components: tuple[str, ...] | None = None
        default_pool().start()  # warm by the time the first response is there

    async def play(
        self,
        row: Mapping[str, Any],
        engine: _Engine,
        max_tokens: int,
        tokenizer: PreTrainedTokenizerBase,
    ) -> dict[str, Any]:
        """Return the fields of a sample, beside those of its row."""
        with self._groups.sample((str(row["prompt"]), str(row["label"]))) as group:
            episode, trainer_row = await self._episode(row, engine, max_tokens, tokenizer)
            verdict = episode.verdict
            if isinstance(verdict, Scored):
                group.rewards.append(verdict.reward)
        reward = verdict.reward if isinstance(verdict, Scored) else await group.mean()
        if isinstance(verdict, Unscored):
            logger.warning("unscored (%s): %s", verdict.cause, verdict.message)
        own = trainer_row.own_components if trainer_row is not None else ()
        logs = verdict_metrics(verdict, self._components or (), own, missing=0.0)
        del logs["score"]
        start = len(episode.prompt)
        logprobs = episode.logprobs
        return {
            "observation_tokens": episode.prompt + episode.response,
            # OpenRLHF's losses leave out sequences with an empty mask, as an unscored row's is.
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
        self,
        row: Mapping[str, Any],
        engine: _Engine,
        max_tokens: int,
        tokenizer: PreTrainedTokenizerBase,
    ) -> tuple[TokenEpisode, TrainerRow | None]:
        trainer_row = None
        prompt: list[int] = []
        try:
            if not isinstance(row["prompt"], str):
                raise DataError("the prompt isn't text: add --data.apply_chat_template")
            prompt = list(tokenizer(text=row["prompt"], add_special_tokens=False)["input_ids"])
            trainer_row = self._read(row["label"])
            template = self._template_of(tokenizer)
            if trainer_row.env.max_turns > 1:
                template.check()
            if trainer_row.env.tool_schemas:  # which OpenRLHF's own prompt lacks
                prompt = template.prompt(trainer_row.task.prompt, trainer_row.env.tool_schemas)
            if row["images"]:
                raise DataError("rlvr's environments have no images")
            if len(prompt) >= max_tokens:
                raise DataError(
                    f"the prompt has {len(prompt)} tokens, and --data.max_len is {max_tokens}"
                )
        except Exception as error:
            if self._components is None:  # the very first row: the whole file is another's
                raise
            logprobs: list[float] | None = None if engine._sampling.logprobs is None else []
            verdict = Unscored(Cause.INPUT, raised("the row", error).message)
            return TokenEpisode(
                prompt[:max_tokens], [], logprobs=logprobs, verdict=verdict
            ), trainer_row
        episode = await play(
            trainer_row.env,
            trainer_row.task,
            template,
            prompt,
            max_tokens - len(prompt),
            engine.generate,
            self._deadline_s,
        )
        return episode, trainer_row

    def _read(self, label: str) -> TrainerRow:
        trainer_row = TrainerRow.read(label)
        self._components = trainer_row.components
        return trainer_row

    def _template_of(self, tokenizer: PreTrainedTokenizerBase) -> Template:
        if self._template is None or self._template[0] is not tokenizer:
            self._template = (tokenizer, Template(tokenizer))
        return self._template[1]


class SampleGroup:
    """The samples in flight of one prompt, and the rewards of those that are done."""

    def __init__(self) -> None:
        self.running = 0
        self.rewards: list[float] = []
        self.over = asyncio.Event()

    async def mean(self) -> float:
        """Return the mean reward once every sample is done; 0.0 if none has a reward.

        In place of a missing reward it leaves the group's mean as it is. Call it outside `SampleGroups.sample`.
        """
        await self.over.wait()
        return sum(self.rewards) / len(self.rewards) if self.rewards else 0.0


class SampleGroups:
    """The groups of one executor.

    OpenRLHF starts all samples of a prompt at once, in one process and on one event loop. So the samples in flight with
    the same key are the group whose mean reward its estimators use.
    """

    def __init__(self) -> None:
        self._groups: dict[Hashable, SampleGroup] = {}

    @contextmanager
    def sample(self, key: Hashable) -> Iterator[SampleGroup]:
        """Add a sample while it generates and is judged. Enter it before the first `await`."""
        group = self._groups.setdefault(key, SampleGroup())
        group.running += 1
        try:
            yield group
        finally:
            group.running -= 1
            if group.running == 0:
                group.over.set()
                self._groups.pop(key, None)
