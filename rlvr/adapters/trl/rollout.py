"""`rollout`: episodes in any number of turns for TRL's `rollout_func`, tokens in and tokens out.

The model's responses are never tokenised again: the next prompt is the earlier ids, the response's ids, and the
environment's reply as the chat template continues. Judging begins when an episode ends, and continues while others are
generated and during TRL's own forward passes.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import cloudpickle

from rlvr.adapters.trl.backend import TrlBackend, too_long
from rlvr.adapters.trl.episode import TrlEpisode
from rlvr.adapters.trl.rows import EPISODE_COLUMN, unmarked, whose
from rlvr.core.errors import OptionError
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Message
from rlvr.core.verdict import Cause, Unscored
from rlvr.envs.mixture import Environments, Mixture, a_mixture
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.policies.batching import Batcher
from rlvr.scoring import default_pool
from rlvr.scoring.prints import aside

if TYPE_CHECKING:
    from rlvr.adapters.trl.trainer_types import TrlTrainer

T = TypeVar("T")
RolloutFunction: TypeAlias = Callable[[Sequence[Any], "TrlTrainer"], dict[str, Any]]


def rollout(env: Environments, max_turns: int | None = None, chunks: int = 1) -> RolloutFunction:
    """Return a function that plays the environments' episodes, as `GRPOTrainer`'s `rollout_func`::

        GRPOTrainer(model, args=config, train_dataset=rlvr.trl.dataset(env),
                    reward_funcs=rlvr.trl.reward(env), rollout_func=rlvr.trl.rollout(env))

    It generates by the trainer's own backend. `max_completion_length` bounds a whole trajectory, with the environment's
    tokens: an episode that would exceed it is cut, its stop is `length`, and its last response is judged as it is. With
    `mask_truncated_completions` in the config, such an episode has no loss. A reply that raises leaves its episode
    without a reward.

    Single-turn environments work, too: their judging then overlaps with TRL's forward passes between generation and
    reward (log-probabilities of the old policy and of the reference).

    Args:
        env: The same value as for `dataset` and `reward`.
        max_turns: Most responses of an episode, if fewer than its environment's own.
        chunks: Number of parts of a batch that take turns: while one part's replies and verdicts are computed, the next
            is generated. This helps if replies are slow, but each part is a smaller batch.
    """
    if max_turns is not None and max_turns < 1:
        raise OptionError(f"max_turns is at least 1, not {max_turns}.")
    if chunks < 1:
        raise OptionError(f"chunks is at least 1, not {chunks}.")
    return _RolloutFunction(a_mixture(env), max_turns, chunks)


class _RolloutFunction:
    """Plays a batch of prompts; it can be pickled with its environments."""

    def __init__(self, mixture: Mixture, max_turns: int | None, chunks: int) -> None:
        self._settings = (mixture, max_turns, chunks)
        self._judges = {name: EpisodeJudge(env) for name, env in mixture.environments.items()}
        aside()
        default_pool().start()  # ready before the first completions

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (cloudpickle.dumps(self._settings),)

    def __call__(self, prompts: Sequence[Any], trainer: TrlTrainer) -> dict[str, Any]:
        """Play an episode of each prompt, and return TRL's columns."""
        mixture, max_turns, chunks = self._settings
        backend = TrlBackend(trainer)
        aside(trainer.args.output_dir)
        rank = trainer.accelerator.process_index
        episodes = [
            TrlEpisode.played(
                mixture.environments[name], name, task, (rank * len(prompts) + i) % backend.group
            )
            for i, (name, task) in enumerate(whose(prompts, mixture))
        ]
        for episode, prompt, ids in zip(
            episodes,
            prompts,
            backend.prompt_ids([unmarked(prompt) for prompt in prompts]),
            strict=True,
        ):
            tools = episode.env.tool_schemas
            episode.prompt_ids = backend.template.prompt(unmarked(prompt), tools) if tools else ids
        if any(episode.env.max_turns > 1 for episode in episodes):
            backend.template.check()
        try:
            _BatchPlayer(backend, self._judges, max_turns).play(episodes, chunks)
        finally:
            for episode in episodes:
                if episode.verdict is None and episode.live is not None:
                    episode.live.begin_close()
        return _columns(episodes, trainer.mask_truncated_completions)


def _unpickled(settings: bytes) -> _RolloutFunction:
    return _RolloutFunction(*pickle.loads(settings))


class _BatchPlayer:
    """Plays a batch's episodes to their ends."""

    def __init__(
        self,
        backend: TrlBackend,
        judges: dict[str, EpisodeJudge],
        max_turns: int | None,
    ) -> None:
        self._backend = backend
        self._judges = judges
        self._max_turns = max_turns
        # Futures that are done, and what the policy is asked beside the turns: both are seen to in this thread.
        self._events: SimpleQueue[Future[Any] | Callable[[], None]] = SimpleQueue()

    def play(self, episodes: list[TrlEpisode], chunks: int) -> None:
        """Play until all episodes are over, in all processes."""
        size = max(1, -(-len(episodes) // chunks))
        waiting = deque(
            (chunk, dict[Future[list[Message]], TrlEpisode]())
            for chunk in (episodes[i : i + size] for i in range(0, len(episodes), size))
        )
        side = self._backend.side_policy()
        if side is not None:
            batcher = Batcher(side, self._events.put)
            for episode in episodes:
                live_of(episode).policy = lambda request: asyncio.wrap_future(
                    batcher.submit(request)
                )
        for _ in self._finished([live_of(episode).begin_open() for episode in episodes]):
            pass
        for episode in episodes:
            live = live_of(episode)
            if len(episode.prompt_ids) >= self._backend.context:
                live.fail(_too_long(episode, self._backend.context))
                # It has no loss, but stays in TRL's forward passes.
                episode.prompt_ids = episode.prompt_ids[: self._backend.context - 1]
            if live.over:
                self._end(episode)
        # The order of chunks is fixed, whichever is ready first, so that a run can be repeated and processes that
        # generate together wait for each other at the same calls.
        while waiting:
            chunk, replies = waiting.popleft()
            self._take(replies)
            chunk = [episode for episode in chunk if episode.verdict is None]
            if self._backend.widest(len(chunk)):
                waiting.append((chunk, self._respond(chunk)))

    def _respond(self, chunk: list[TrlEpisode]) -> dict[Future[list[Message]], TrlEpisode]:
        """Generate a response in each episode, and return the futures of the environments' replies."""
        backend = self._backend
        limits = [self._tokens_left(episode) for episode in chunk]
        prompts = [episode.prompt_ids + episode.ids for episode in chunk]
        began = time.monotonic()
        completions, logprobs = backend.generate(prompts, max(limits, default=1))
        share = (time.monotonic() - began) / max(1, len(chunk))
        replies = {}
        for i, (episode, ids) in enumerate(zip(chunk, completions, strict=True)):
            ids = list(ids)[: limits[i]]
            own_logprobs = [] if logprobs is None else list(logprobs[i])[: len(ids)]
            episode.generate_s += share
            episode.add_response(ids, own_logprobs)
            cut = len(ids) == limits[i] and ids[-1] not in backend.stop_token_ids
            template, tools = backend.template, episode.env.tool_schemas
            response = template.message(ids, tools) if tools else template.text(ids)
            reply = live_of(episode).begin_respond(response, "length" if cut else "stop", last=cut)
            replies[reply] = episode
        return replies

    def _take(self, replies: dict[Future[list[Message]], TrlEpisode]) -> None:
        """Continue each episode by its environment's reply."""
        for future in self._finished(replies):
            # An environment without `reply` is a mistake of its author, and ends the training.
            new = future.result()
            episode = replies[future]
            live = live_of(episode)
            if not live.over:
                ids = self._backend.template.reply(episode.last, new)
                if live.turns >= (self._max_turns or live.turns + 1):
                    live.cut("turns")
                elif len(ids) >= self._tokens_left(episode):
                    live.cut("length")
                else:
                    episode.add_reply(ids)
            if live.over:
                self._end(episode)

    def _finished(self, futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
        """Yield futures as they are done, and generate what their episodes ask of the policy meanwhile."""
        left = set(futures)
        for future in left:
            future.add_done_callback(self._events.put)
        while left:
            event = self._events.get()
            if isinstance(event, Future):
                left.discard(event)
                yield event
            else:
                event()

    def _tokens_left(self, episode: TrlEpisode) -> int:
        """Return the number of tokens that the episode may still have."""
        context = self._backend.context - len(episode.prompt_ids)
        return min(self._backend.budget, context) - len(episode.ids)

    def _end(self, episode: TrlEpisode) -> None:
        live = live_of(episode)
        episode.stop = live.stop
        episode.verdict = self._judges[episode.name].finish(live)
        episode.pad(self._backend.stop_token_ids[0])


def live_of(episode: TrlEpisode) -> LiveEpisode:
    """Return the episode that is played."""
    assert episode.live is not None
    return episode.live


def _too_long(episode: TrlEpisode, context: int) -> Unscored:
    return Unscored(Cause.INPUT, too_long(len(episode.prompt_ids), context))


def _columns(episodes: list[TrlEpisode], mask_cut: bool) -> dict[str, Any]:
    """Return TRL's columns, and the episodes for the reward function."""
    logprobs = all(len(episode.logprobs) == len(episode.ids) for episode in episodes)
    return {
        "prompt_ids": [episode.prompt_ids for episode in episodes],
        "completion_ids": [episode.ids for episode in episodes],
        "logprobs": [episode.logprobs for episode in episodes] if logprobs else None,
        # TRL recognises a cut episode by its missing end token, but one that had no room for a reply ends with it.
        "env_mask": [
            [0] * len(episode.mask) if mask_cut and episode.stop == "length" else episode.mask
            for episode in episodes
        ],
        EPISODE_COLUMN: episodes,
    }
