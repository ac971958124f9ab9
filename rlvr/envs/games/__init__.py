"""Games of two seats: their rules, opponents, and environments in which a policy has one of the seats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "Game": "rlvr.envs.games.game",
    "IllegalMoveError": "rlvr.envs.games.game",
    "Player": "rlvr.envs.games.game",
    "SeatReward": "rlvr.envs.games.two_seats",
    "SeatedTasks": "rlvr.envs.games.seated",
    "TwoSeats": "rlvr.envs.games.two_seats",
    "both_seats": "rlvr.envs.games.seated",
    "gymnasium_game": "rlvr.envs.games.gymnasium_games",
    "pettingzoo_game": "rlvr.envs.games.pettingzoo_games",
}

if TYPE_CHECKING:
    from rlvr.envs.games.game import Game, IllegalMoveError, Player
    from rlvr.envs.games.gymnasium_games import gymnasium_game
    from rlvr.envs.games.pettingzoo_games import pettingzoo_game
    from rlvr.envs.games.seated import SeatedTasks, both_seats
    from rlvr.envs.games.two_seats import SeatReward, TwoSeats

__all__ = [
    "Game",
    "IllegalMoveError",
    "Player",
    "SeatReward",
    "SeatedTasks",
    "TwoSeats",
    "both_seats",
    "gymnasium_game",
    "pettingzoo_game",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
