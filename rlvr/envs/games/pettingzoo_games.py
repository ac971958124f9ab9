"""Games of PettingZoo with two agents, played by messages."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.envs.games.actions import Actions, Describe, RewardRange, observation_text
from rlvr.envs.games.game import SEATS, Game
from rlvr.envs.games.gymnasium_games import game_of_seeds
from rlvr.envs.games.two_seats import Opponent, TwoSeats
from rlvr.verifiers.extraction import Mode


class PettingZooGame(Game):
    """A game of PettingZoo in which agents move in turn (`AECEnv`), with two agents.

    A seat learns of the other's move by its own observation alone, since in some games a move is secret for a while.

    Args:
        setup: `seed`, of the environment's first reset.
        make: makes the environment.
        title: its name in the prompt.
        rules: sentences about it.
        actions: words for the actions.
        describe: returns an observation as text.
        rewards: the sums of an agent's rewards that count as 0 and as 1.
    """

    name = "pettingzoo"

    def __init__(
        self,
        setup: Mapping[str, Any],
        make: Callable[[], Any],
        title: str,
        rules: str = "",
        actions: Sequence[str] | None = None,
        describe: Describe | None = None,
        rewards: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        self._rules, self._title = rules, title
        self._describe = describe or observation_text
        self._range = RewardRange(rewards)
        self._env = make()
        try:
            if not hasattr(self._env, "agent_selection") and not hasattr(self._env, "agent_iter"):
                raise OptionError(
                    f"{title} isn't an AECEnv, in which agents move in turn: pettingzoo.utils.parallel_to_aec makes one of "
                    f"a ParallelEnv."
                )
            self._env.reset(seed=int(setup["seed"]))
            self._agents = list(self._env.possible_agents)
            if len(self._agents) != len(SEATS):
                raise OptionError(f"{title} has {len(self._agents)} agents, not two.")
            self._actions = [Actions(self._env.action_space(a), actions) for a in self._agents]
            self._sums = dict.fromkeys(self._agents, 0.0)
            self._over = False
            self._mask: Any = None
            self._next()
        except BaseException:
            self._env.close()
            raise

    @property
    def over(self) -> bool:
        """True if no agent is left that may move."""
        return self._over

    def rules(self, seat: int) -> str:
        """Return the author's sentences and the actions."""
        return f"{self._rules or f'You play {self._title}.'} {self._actions[seat].text()}"

    def view(self, seat: int) -> str:
        """Return the seat's own observation as text."""
        return self._describe(self._env.observe(self._agents[seat]))

    def moves(self) -> list[str]:
        """Return the words of the actions that the environment's mask allows."""
        return self._actions[self.turn].legal(self._mask)

    def play(self, move: str) -> str:
        """Take a step of the agent whose turn it is. Raises `IllegalMoveError` for what isn't an action."""
        word, action = self._actions[self.turn].action(move, self._mask)
        self._env.step(action)
        self._next()
        return word

    def rewards(self) -> tuple[float, ...]:
        """Return the sum of each agent's rewards, as a share of the range."""
        return tuple(self._range.share(self._sums[agent]) for agent in self._agents)

    def told(self, seat: int, move: str) -> str:
        """Return that there was a move: the observation has what the seat may know of it."""
        return "The other player has moved."

    def ending(self, seat: int) -> str:
        """Tell the sums of the rewards."""
        own, other = (self._sums[self._agents[s]] for s in (seat, 1 - seat))
        return f"The rewards add up to {own:g} for you and {other:g} for the other player."

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _next(self) -> None:
        """Go on to the next agent that may move. An agent that is out gets its last reward, and a step without an action."""
        env = self._env
        while env.agents:
            agent = env.agent_selection
            observation, reward, ended, cut, info = env.last()
            self._sums[agent] += float(reward)
            if not (ended or cut):
                self.turn = self._agents.index(agent)
                self._mask = _mask_of(observation, info)
                return
            env.step(None)
        self._over = True


def pettingzoo_game(
    env: str | Callable[..., Any],
    *,
    opponent: Opponent = "random",
    tasks: int = 1000,
    seed: int = 0,
    rules: str = "",
    actions: Sequence[str] | None = None,
    describe: Describe | None = None,
    rewards: tuple[float, float] = (-1.0, 1.0),
    retries: int = 2,
    mode: Mode = "boxed",
    max_turns: int = 200,
    name: str | None = None,
    **options: Any,
) -> TwoSeats:
    """Make an environment of one of PettingZoo's games for two agents, with texts or discrete actions::

        env = rlvr.games.pettingzoo_game("classic/connect_four_v3", opponent="self", rules="Four in a row win.")

    The policy is each agent equally often. Moves that the game's `action_mask` doesn't allow are explained, and may be
    tried again; they never reach the game. An exception of the game leaves the episode unscored.

    Args:
        env: a name such as `classic/tictactoe_v3`, or a function that makes an `AECEnv`, such as a module's `env`.
        opponent: `random`, a script, `self`, options of a model, or a policy. See `TwoSeats`.
        tasks: the number of seeds; each is a task for either seat.
        seed: of the first task.
        rules: sentences for the prompt.
        actions: a word for each action (default: its number).
        describe: returns an observation as text (default: rows of X, O and points for a board of two planes, where X is
            the seat's own; otherwise the values).
        rewards: the sums of an agent's rewards that count as 0 and as 1.
        retries: attempts after a move that isn't legal; then the game is lost.
        mode: where the move is looked for.
        max_turns: the most messages of the policy.
        name: of the environment (default: the game's).
        options: those of the function that makes the game.

    Raises `OptionError` if PettingZoo or what the game needs isn't installed, and if it isn't a game for two agents with
    discrete actions or texts.
    """
    if isinstance(env, str):
        make, title = functools.partial(_made, env, options), env.rpartition("/")[2]
        make().close()  # a missing package is said now, not in each episode
    elif callable(env):
        make = functools.partial(env, **options)
        title = str(getattr(env, "__name__", "a game"))
    else:
        raise OptionError(
            f"pettingzoo_game takes a name or a function that makes a game, not {env!r:.80}: each episode needs one of its "
            f"own."
        )
    game = functools.partial(
        PettingZooGame,
        make=make,
        title=title,
        rules=rules,
        actions=actions,
        describe=describe,
        rewards=rewards,
    )
    return game_of_seeds(game, tasks, seed, name or title, opponent, retries, mode, max_turns)


def _made(name: str, options: Mapping[str, Any]) -> Any:
    """Make one of PettingZoo's own games. Raises `OptionError` if it isn't there."""
    family, _, version = name.rpartition("/")
    try:
        importlib.import_module("pettingzoo")
    except ImportError:
        raise OptionError(
            "Games of PettingZoo need the package pettingzoo: pip install 'pettingzoo[classic]'."
        ) from None
    try:
        module = importlib.import_module(f"pettingzoo.{family or 'classic'}.{version}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("pettingzoo."):
            raise OptionError(
                f"PettingZoo has no game {name!r:.80}. Names are like 'classic/tictactoe_v3'."
            ) from None
        raise OptionError(
            f"{name} needs the package {error.name}: pip install 'pettingzoo[{family or 'classic'}]'."
        ) from None
    return module.env(**options)


def _mask_of(observation: Any, info: Any) -> Any:
    for source in (observation, info):
        if isinstance(source, Mapping) and "action_mask" in source:
            return source["action_mask"]
    return None
