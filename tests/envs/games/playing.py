"""Episodes of games as the tests of this folder play them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import rlvr
from rlvr.core.live_episode import LiveEpisode


def play(
    env: rlvr.Environment, task: rlvr.Task, turns: Sequence[str] | Callable[[LiveEpisode], str]
) -> tuple[rlvr.Verdict, LiveEpisode]:
    """Play an episode by messages in order, or by a function of the episode."""

    async def played() -> tuple[rlvr.Verdict, LiveEpisode]:
        left = iter(turns) if not callable(turns) else None
        async with env.episode(task) as episode:
            while not episode.over:
                message = next(left, None) if left is not None else turns(episode)  # type: ignore[operator]
                if message is None:
                    episode.cut("turns")
                else:
                    await episode.respond(message)
            return await episode.verdict(), episode

    return asyncio.run(played())


def reward(env: rlvr.Environment, task: rlvr.Task, turns: Any) -> float:
    """Return the reward of an episode."""
    verdict, _ = play(env, task, turns)
    assert isinstance(verdict, rlvr.Scored), verdict
    return verdict.reward


def boxed(*moves: str) -> list[str]:
    """Return moves in boxes."""
    return [f"\\boxed{{{move}}}" for move in moves]
