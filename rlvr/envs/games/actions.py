"""Actions and observations of other libraries' environments as text, and their rewards as numbers from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.spaces import Text as TextSpace

from rlvr.core.errors import OptionError
from rlvr.core.spaces import Text
from rlvr.envs.games.game import IllegalMoveError

Describe = Callable[[Any], str]
_MOST_LISTED = 40


class Actions:
    """The actions of a space, as words.

    Args:
        space: a `Discrete` space, or one of texts.
        names: a word for each action of a `Discrete` space (default: its numbers).

    Raises `OptionError` for another space, and if the names don't fit.
    """

    def __init__(self, space: Any, names: Sequence[str] | None = None) -> None:
        self.space = space
        self.names: dict[str, int] | None = None
        if isinstance(space, Discrete):
            first, count = int(space.start), int(space.n)
            words = [str(first + i) for i in range(count)] if names is None else list(names)
            lowered = [word.strip().lower() for word in words]
            if len(set(lowered)) != count:
                raise OptionError(
                    f"actions are {count} different words, one for each action, not {names!r:.200}."
                )
            self.names = {word: first + i for i, word in enumerate(lowered)}
        elif not isinstance(space, Text | TextSpace):
            raise OptionError(
                f"A game's actions are those of a Discrete or a Text space, not {space!r:.80}. Wrap the environment "
                f"with gymnasium.ActionWrapper first."
            )

    def legal(self, mask: Any = None) -> list[str]:
        """Return the words of all actions that a mask allows. Raises `OptionError` for texts, which can't be listed."""
        if self.names is None:
            raise OptionError(
                "Texts can't be listed, so an opponent of such a game is a policy or a script."
            )
        first = int(self.space.start)
        return [w for w, a in self.names.items() if mask is None or bool(mask[a - first])]

    def action(self, move: str, mask: Any = None) -> tuple[str, Any]:
        """Return an action's word and value. Raises `IllegalMoveError` with what may be said instead."""
        if self.names is None:
            if not self.space.contains(move):
                raise IllegalMoveError("This text isn't an action here.")
            return move, move
        word = move.strip().lower()
        legal = self.legal(mask)
        if word not in legal:
            listed = ", ".join(legal[:_MOST_LISTED]) + (", …" if len(legal) > _MOST_LISTED else "")
            raise IllegalMoveError(f"{move!r:.40} isn't possible. You can say: {listed}.")
        return word, self.names[word]

    def text(self) -> str:
        """Return a sentence about the actions."""
        if self.names is None:
            return "A move is a text."
        words = list(self.names)
        return f"The moves are: {', '.join(words[:_MOST_LISTED])}{', …' if len(words) > _MOST_LISTED else ''}."


def observation_text(observation: Any) -> str:
    """Return an observation as text: rows of marks for a board of two planes, otherwise its values."""
    if isinstance(observation, dict) and "observation" in observation:
        observation = observation["observation"]
    if isinstance(observation, str):
        return observation
    if isinstance(observation, np.ndarray):
        if observation.ndim == 3 and observation.shape[2] == 2 and _are_planes(observation):
            marks = np.where(
                observation[..., 0] != 0, "X", np.where(observation[..., 1] != 0, "O", ".")
            )
            return "\n".join(" ".join(row) for row in marks)
        return np.array2string(observation, threshold=10_000, max_line_width=10_000)
    return str(observation)


def _are_planes(array: Any) -> bool:
    return bool(np.isin(array, (0, 1)).all() and not (array[..., 0] * array[..., 1]).any())


class RewardRange:
    """The rewards of an episode that count as 0 and as 1; those in between are shares, and those outside are cut.

    Raises `OptionError` unless the first is below the second.
    """

    def __init__(self, bounds: tuple[float, float]) -> None:
        try:
            self.low, self.high = map(float, bounds)
        except (TypeError, ValueError):
            self.low = self.high = 0.0
        if not self.low < self.high:
            raise OptionError(f"rewards are (low, high) with low < high, not {bounds!r:.60}.")

    def share(self, reward: float) -> float:
        """Return the reward as a number from 0 to 1."""
        return min(1.0, max(0.0, (reward - self.low) / (self.high - self.low)))
