"""`rollout`: episodes in any number of turns for TRL's `rollout_func`, tokens in and tokens out.

What the model wrote is never tokenised again: the next prompt is the ids there were, its own, and
the environment's reply as the chat template continues with it. Judging begins as each episode ends
and goes on while the others are generated, and through TRL's own forward passes after that.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, TypeAlias

from rlvr.adapters.trl.backend import Backend, too_long
from rlvr.adapters.trl.episodes import Episode
from rlvr.adapters.trl.rows import EPISODE_COLUMN, unmarked, whose
from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.faults import raised
from rlvr.core.verdict import Cause, Unscored
from rlvr.envs.mixture import Environments, a_mixture
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.scoring import default_pool
from rlvr.scoring.prints import aside, call_judging

RolloutFunction: TypeAlias = Callable[[Sequence[Any], Any], dict[str, Any]]
_THREADS = 16  # that run environments' replies


def rollout(env: Environments, max_turns: int | None = None, lots: int = 1) -> RolloutFunction:
    """Plays the environments' episodes as `GRPOTrainer`'s `rollout_func`::

        GRPOTrainer(model, args=config, train_dataset=rlvr.trl.dataset(env),
                    reward_funcs=rlvr.trl.reward(env), rollout_func=rlvr.trl.rollout(env))

    It generates by the trainer's backend, whichever that is. `max_completion_length` bounds a whole
    trajectory, the environment's tokens included: an episode that would overflow is cut, its stop is
    `length`, and its last response is judged as it stands. Where the config sets
    `mask_truncated_completions`, such an episode gets no loss. A reply that raises leaves its
    episode without a reward.

    Single-turn environments work too: their judging then overlaps with what TRL computes between
    generation and reward (the old policy's logprobs, and the reference's).

    Args:
        env: as `dataset` and `reward` got it.
        max_turns: responses an episode may take, where that's fewer than its environment's own.
        lots: parts of a batch that take turns: while one's replies and verdicts are worked out, the
            next is generated. Worth it where replies are slow; each lot has a smaller batch.
    """
    if max_turns is not None and max_turns < 1:
        raise OptionError(f"max_turns is at least 1, not {max_turns}.")
    if lots < 1:
        raise OptionError(f"lots is at least 1, not {lots}.")
    mixture = a_mixture(env)
    aside()
    default_pool().start()  # warm by the time the first completions are there
    threads = ThreadPoolExecutor(_THREADS, "rlvr-episodes")
    judges = {name: EpisodeJudge(one, threads) for name, one in mixture.environments.items()}

    def rollout_function(prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        backend = Backend(trainer)
        aside(trainer.args.output_dir)
        rank = trainer.accelerator.process_index
        episodes = [
            Episode.of(
                mixture.environments[name], name, task, (rank * len(prompts) + i) % backend.group
            )
            for i, (name, task) in enumerate(whose(prompts, mixture))
        ]
        for episode, ids in zip(
            episodes, backend.prompt_ids([unmarked(prompt) for prompt in prompts]), strict=True
        ):
            episode.prompt_ids = ids
        if any(episode.env.max_turns > 1 for episode in episodes):
            backend.template.check()
        _Player(backend, judges, threads, max_turns).play(episodes, lots)
        return _columns(episodes, trainer.mask_truncated_completions)

    return rollout_function


class _Player:
    """Plays a batch's episodes to their ends."""

    def __init__(
        self,
        backend: Backend,
        judges: dict[str, EpisodeJudge],
        threads: ThreadPoolExecutor,
        max_turns: int | None,
    ) -> None:
        self._backend = backend
        self._judges = judges
        self._threads = threads
        self._max_turns = max_turns

    def play(self, episodes: list[Episode], lots: int) -> None:
        """Until all are over, in all processes."""
        size = max(1, -(-len(episodes) // lots))
        waiting = deque(
            (part, dict[Future[str | None], Episode]())
            for part in (episodes[i : i + size] for i in range(0, len(episodes), size))
        )
        for episode in episodes:
            if len(episode.prompt_ids) >= self._backend.context:
                self._end(episode, "error", _too_long(episode, self._backend.context))
                # No loss falls on it, but TRL's forward passes take it all the same.
                episode.prompt_ids = episode.prompt_ids[: self._backend.context - 1]
        # Always in the same order, whoever is ready first: a run can be repeated, and processes
        # that generate together meet.
        while waiting:
            part, replies = waiting.popleft()
            self._take(replies)
            part = [episode for episode in part if episode.verdict is None]
            if self._backend.widest(len(part)):
                waiting.append((part, self._respond(part)))

    def _respond(self, part: list[Episode]) -> dict[Future[str | None], Episode]:
        """Have the model write in each episode; the environments' replies, under way."""
        backend = self._backend
        room = [self._room(episode) for episode in part]
        prompts = [episode.prompt_ids + episode.ids for episode in part]
        began = time.monotonic()
        found, logprobs = backend.generate(prompts, max(room, default=1))
        share = (time.monotonic() - began) / max(1, len(part))
        replies = {}
        for i, (episode, ids) in enumerate(zip(part, found, strict=True)):
            ids = list(ids)[: room[i]]
            beside = [] if logprobs is None else list(logprobs[i])[: len(ids)]
            episode.generate_s += share
            episode.said(backend.template.text(ids), ids, beside)
            if len(ids) == room[i] and ids[-1] not in backend.ends:
                self._end(episode, "length")
            elif episode.env.max_turns == 1:
                self._end(episode, "stop")
            else:
                task, messages = episode.task, episode.messages
                replies[self._threads.submit(_reply, episode.env, task, messages)] = episode
        return replies

    def _take(self, replies: dict[Future[str | None], Episode]) -> None:
        """Go on with each episode where its environment has replied."""
        for future in as_completed(replies):
            episode = replies[future]
            limit = min(episode.env.max_turns, self._max_turns or episode.env.max_turns)
            try:
                reply = future.result()
                ids = [] if reply is None else self._tokens(reply, episode)
            except NotImplementedError:
                raise  # there's no environment yet
            except (
                Exception,
                SystemExit,
            ) as error:  # as in Environment.step: nobody's wrong answer
                fault = raised(f"the reply of {episode.env.name} raised", error)
                self._end(episode, "stop", fault)
                continue
            if reply is None:
                self._end(episode, "stop")
            elif episode.turns >= limit:
                self._end(episode, "turns")
            elif len(ids) >= self._room(episode):
                self._end(episode, "length")
            else:
                episode.told(reply, ids)

    def _tokens(self, reply: str, episode: Episode) -> list[int]:
        return self._backend.template.reply(episode.last, reply)

    def _room(self, episode: Episode) -> int:
        """Tokens that the episode may still have."""
        context = self._backend.context - len(episode.prompt_ids)
        return min(self._backend.budget, context) - len(episode.ids)

    def _end(self, episode: Episode, stop: str, fault: Unscored | None = None) -> None:
        episode.stop = stop
        judge = self._judges[episode.name]
        episode.verdict = fault or judge(episode.task, episode.messages)
        episode.padded(self._backend.ends[0])


def _reply(env: Environment, task: Any, messages: list[dict[str, str]]) -> str | None:
    reply = call_judging(env.reply, task, messages)
    if reply is not None and not isinstance(reply, str):
        raise TypeError(f"a reply is a str or None, not {type(reply).__name__}")
    return reply


def _too_long(episode: Episode, context: int) -> Unscored:
    return Unscored(Cause.INPUT, too_long(len(episode.prompt_ids), context))


def _columns(episodes: list[Episode], mask_cut: bool) -> dict[str, Any]:
    """What TRL wants back; the episodes themselves are for the reward function."""
    logprobs = all(len(episode.logprobs) == len(episode.ids) for episode in episodes)
    return {
        "prompt_ids": [episode.prompt_ids for episode in episodes],
        "completion_ids": [episode.ids for episode in episodes],
        "logprobs": [episode.logprobs for episode in episodes] if logprobs else None,
        # TRL takes an episode for cut where no end token is last, and one that had no room for
        # the reply has one.
        "env_mask": [
            [0] * len(episode.mask) if mask_cut and episode.stop == "length" else episode.mask
            for episode in episodes
        ],
        EPISODE_COLUMN: episodes,
    }
