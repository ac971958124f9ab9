"""`Text`: the observation and action space of every environment here."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from rlvr.core.errors import OptionError

_SAMPLED = np.array(list("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?\n"))


class Text(gymnasium.Space[str]):
    """All strings up to a length, in any script.

    `gymnasium.spaces.Text` checks each character against an explicit alphabet; with all of Unicode
    it takes ten seconds to build. This one accepts every `str` and samples short ASCII.

    Args:
        max_length: in characters (Unicode code points).
        seed: for `sample`.
    """

    def __init__(self, max_length: int = 1 << 24, seed: int | np.random.Generator | None = None):
        if max_length < 1:
            raise OptionError(f"max_length must be at least 1, not {max_length}.")
        self.max_length = max_length
        super().__init__(dtype=str, seed=seed)

    def contains(self, x: Any) -> bool:
        """Tell whether `x` is a string of at most `max_length` characters."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Draw a random ASCII string of up to 64 characters. Masks are not supported."""
        if mask is not None or probability is not None:
            raise OptionError("rlvr's Text space takes no mask and no probability.")
        size = int(self.np_random.integers(0, min(64, self.max_length) + 1))
        return "".join(self.np_random.choice(_SAMPLED, size=size))

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no fixed-size array form."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash(("rlvr.Text", self.max_length))

    def __repr__(self) -> str:
        return f"Text(max_length={self.max_length})"
