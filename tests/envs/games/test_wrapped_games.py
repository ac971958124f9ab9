"""Games of Gymnasium and PettingZoo, played by messages."""

from __future__ import annotations

import importlib.util
from typing import Any

import gymnasium
import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.core.task import content_text

from .playing import boxed, play, reward

ROUTE = ("down", "down", "right", "right", "down", "right")


def lake(**options: Any) -> Any:
    return rlvr.games.gymnasium_game(
        "FrozenLake-v1", actions=["left", "down", "right", "up"], render_mode="ansi",
        is_slippery=False, tasks=3, **options,
    )  # fmt: skip


def test_an_environment_of_gymnasium_is_played() -> None:
    env = lake()
    assert "[S]FFF" in env.tasks[0].text
    verdict, episode = play(env, env.tasks[0], boxed(*ROUTE))
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.components == {"game": 1, "seat:player": 1}
    assert "\x1b" not in "".join(content_text(m) for m in episode.messages)
    assert reward(env, env.tasks[0], boxed("right", "down")) == 0
    assert reward(env, env.tasks[0], ["up"] * 3) == 0
    assert reward(env, env.tasks[0], boxed("jump", "jump", *ROUTE)) == 1
    assert reward(env, env.tasks[0], boxed(*ROUTE[:-1])) == 0, "an unfinished episode"


def test_environments_that_dont_fit_are_said_to_be() -> None:
    for wrong in (
        lambda: rlvr.games.gymnasium_game("Pendulum-v1"),
        lambda: rlvr.games.gymnasium_game(7),
        lambda: lake(rewards=(1, 0)),
        lambda: rlvr.games.gymnasium_game("FrozenLake-v1", actions=["a", "a", "b", "c"]),
        lambda: rlvr.games.gymnasium_game("FrozenLake-v1", tasks=0),
    ):
        with pytest.raises(OptionError):
            wrong().tasks[0]


def test_an_exception_of_the_game_is_nobodys_loss() -> None:
    class Broken(gymnasium.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            raise OSError("disk full")

    env = rlvr.games.gymnasium_game(lambda: Broken(gymnasium.make("FrozenLake-v1")), tasks=1)
    verdict, _ = play(env, env.tasks[0], boxed("1"))
    assert isinstance(verdict, rlvr.Unscored)


def test_pettingzoo_is_named_if_it_is_missing() -> None:
    if importlib.util.find_spec("pettingzoo"):
        with pytest.raises(OptionError, match="no game"):
            rlvr.games.pettingzoo_game("classic/nothing_v1")
    else:
        with pytest.raises(OptionError, match="pip install"):
            rlvr.games.pettingzoo_game("classic/tictactoe_v3")


@pytest.mark.skipif(
    not (importlib.util.find_spec("pettingzoo") and importlib.util.find_spec("pygame")),
    reason="needs pettingzoo and pygame-ce",
)
@pytest.mark.parametrize("seat", [0, 1])
def test_a_game_of_pettingzoo_is_played(seat: int) -> None:
    env = rlvr.games.pettingzoo_game(
        "classic/tictactoe_v3", opponent=lambda game, rng: game.moves()[0], tasks=2
    )
    task = env.tasks[seat]
    ready = ["?"] * seat
    verdict, episode = play(env, task, [*ready, *boxed("8", "99", "8", "4", "6", "7", "5", "2")])
    assert isinstance(verdict, rlvr.Scored)
    rewards = episode.outcome["rewards"]
    assert sum(rewards.values()) == 1
    assert verdict.reward == rewards[task.metadata["seat"]]
    assert reward(env, task, [*ready, "x", "x", "x"]) == 0
