"""Environments of Gymnasium, played by messages."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from rlvr.core.errors import OptionError
from rlvr.envs.games.actions import Actions, Describe, RewardRange, observation_text
from rlvr.envs.games.game import Game
from rlvr.envs.games.seated import both_seats
from rlvr.envs.games.two_seats import TwoSeats
from rlvr.verifiers.extraction import Mode

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_HIGHLIGHTED = re.compile(r"\x1b\[[0-9;]+m([^\x1b\n]+)\x1b\[0m")


class GymnasiumGame(Game):
    """An environment of Gymnasium with one seat: its actions are moves, and its observations views.

    Args:
        setup: `seed`, of the environment's first reset.
        make: makes the environment.
        title: its name in the prompt.
        rules: sentences about it.
        actions: words for the actions.
        describe: returns an observation as text.
        rewards: the sums of rewards that count as 0 and as 1.
    """

    name = "gymnasium"
    seats = ("player",)

    def __init__(
        self,
        setup: Mapping[str, Any],
        make: Callable[[], Any],
        title: str,
        rules: str = "",
        actions: Sequence[str] | None = None,
        describe: Describe | None = None,
        rewards: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self._rules, self._title, self._describe = rules, title, describe
        self._range = RewardRange(rewards)
        self._env = make()
        try:
            self._actions = Actions(self._env.action_space, actions)
            self._observation, self._info = self._env.reset(seed=int(setup["seed"]))
        except BaseException:
            self._env.close()
            raise
        self._sum = 0.0
        self._over = False

    @property
    def over(self) -> bool:
        """True if the environment has terminated or truncated the episode."""
        return self._over

    def rules(self, seat: int) -> str:
        """Return the author's sentences and the actions."""
        return f"{self._rules or f'You play {self._title}.'} {self._actions.text()}"

    def view(self, seat: int) -> str:
        """Return the observation as text: as `describe` has it, or as the environment renders it in text."""
        if self._describe is not None:
            return self._describe(self._observation)
        if not isinstance(self._observation, str) and self._env.render_mode == "ansi":
            return _plain(str(self._env.render())).strip("\n")
        return observation_text(self._observation)

    def moves(self) -> list[str]:
        """Return the words of the actions that the environment's mask allows."""
        return self._actions.legal(self._mask)

    def play(self, move: str) -> str:
        """Take a step. Raises `IllegalMoveError` for what isn't an action."""
        word, action = self._actions.action(move, self._mask)
        self._observation, reward, ended, cut, self._info = self._env.step(action)
        self._sum += float(reward)
        self._over = bool(ended or cut)
        return word

    def rewards(self) -> tuple[float, ...]:
        """Return the sum of the environment's rewards, as a share of the range."""
        return (self._range.share(self._sum),)

    def ending(self, seat: int) -> str:
        """Tell the sum."""
        return f"The environment's rewards add up to {self._sum:g}."

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    @property
    def _mask(self) -> Any:
        return self._info.get("action_mask") if isinstance(self._info, Mapping) else None


def _plain(rendered: str) -> str:
    """Return a rendering for a terminal as plain text, in which what is highlighted stands in brackets."""
    marked = _HIGHLIGHTED.sub(r"[\1]", rendered)
    return _ESCAPE.sub("", marked)


def gymnasium_game(
    env: str | Callable[[], Any],
    *,
    tasks: int = 1000,
    seed: int = 0,
    rules: str = "",
    actions: Sequence[str] | None = None,
    describe: Describe | None = None,
    rewards: tuple[float, float] = (0.0, 1.0),
    retries: int = 2,
    mode: Mode = "boxed",
    max_turns: int = 100,
    name: str | None = None,
    **options: Any,
) -> TwoSeats:
    """Make an environment of rlvr of one of Gymnasium's, with texts or discrete actions::

        env = rlvr.games.gymnasium_game(
            "FrozenLake-v1", actions=["left", "down", "right", "up"], render_mode="ansi", is_slippery=False
        )

    Each episode has an environment of its own, which is closed with it. The policy's message is an action; what isn't one
    is explained, and may be tried again. The reward is the sum of the environment's rewards, as a share of `rewards`. An
    exception of the environment leaves the episode unscored.

    Args:
        env: an id, or a function that makes an environment. An environment as such is made again from its spec.
        tasks: the number of tasks; task `i` resets the environment with the seed `seed + i`.
        seed: of the first task.
        rules: sentences for the prompt: what it is, and what to reach.
        actions: a word for each action (default: its number).
        describe: returns an observation as text (default: as it renders itself with `render_mode="ansi"`, or its values).
        rewards: the sums of rewards that count as 0 and as 1.
        retries: attempts after an action that isn't one; then the reward is 0.
        mode: where the action is looked for.
        max_turns: the most messages.
        name: of the environment (default: its id).
        options: those of `gymnasium.make`.

    Raises `OptionError` if the environment's actions are neither discrete nor texts.
    """
    spec = getattr(env, "spec", None)
    if isinstance(env, str):
        make: Callable[[], Any] = functools.partial(gymnasium.make, env, **options)
        title = env
    elif isinstance(env, gymnasium.Env) and spec is not None:
        make, title = functools.partial(gymnasium.make, spec, **options), spec.id
    elif callable(env) and not isinstance(env, gymnasium.Env):
        make = functools.partial(env, **options)
        title = str(getattr(env, "__name__", "a game"))
    else:
        raise OptionError(
            f"gymnasium_game takes an id or a function that makes an environment, not {env!r:.80}: each episode needs one "
            f"of its own."
        )
    game = functools.partial(
        GymnasiumGame,
        make=make,
        title=title,
        rules=rules,
        actions=actions,
        describe=describe,
        rewards=rewards,
    )
    return game_of_seeds(game, tasks, seed, name or title, None, retries, mode, max_turns)


def game_of_seeds(
    game: Callable[[dict[str, Any]], Game],
    tasks: int,
    seed: int,
    name: str,
    opponent: Any,
    retries: int,
    mode: Mode,
    max_turns: int,
) -> TwoSeats:
    """Return a game whose setups are seeds as an environment."""
    if type(tasks) is not int or tasks < 1:
        raise OptionError(f"tasks is a whole number from 1 on, not {tasks!r:.40}.")
    if type(seed) is not int or seed < 0:
        raise OptionError(f"seed is a whole number from 0 on, not {seed!r:.40}.")
    setups = [{"seed": seed + i} for i in range(tasks)]
    seated = both_seats(setups, game, name=name, mode=mode, retries=retries)
    if not seated[0].text:
        raise OptionError(f"{name} has no text to begin with.")
    return TwoSeats(
        seated, game, opponent, retries=retries, mode=mode, max_turns=max_turns, name=name
    )
