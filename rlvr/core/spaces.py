"""`Text`: the observation and action space of every environment here."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.heap import BufferWrapper
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from rlvr.core.errors import OptionError

_BYTES = 1 << 24  # of one text in shared memory; pages that are never written take no memory
_HEADER = 8  # the text's size in bytes, before the text

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


# `gymnasium.make_vec(…, vectorization_mode="async")` keeps observations in shared memory and dispatches on
# the space. Gymnasium's own text space is read once, when the vector is made, and never again; a view
# is read whenever Gymnasium copies the observations.


class SharedTexts(Sequence[str]):
    """The texts that the workers of an `AsyncVectorEnv` wrote last, one per worker.

    A copy is a tuple of strings, which is what a `SyncVectorEnv` returns. The view itself is seen
    only with `copy=False`, and then follows the workers.
    """

    def __init__(self, memory: list[BufferWrapper]):
        self._memory = memory

    def __len__(self) -> int:
        return len(self._memory)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        view = self._memory[index].create_memoryview()
        size = int.from_bytes(view[:_HEADER], "little")
        return bytes(view[_HEADER : _HEADER + size]).decode("utf-8", "surrogatepass")

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return repr(tuple(self))


@create_shared_memory.register(Text)
def _create(space: Text, n: int = 1, ctx: Any = None) -> list[BufferWrapper]:
    # The heap maps an unlinked sparse file, which every start method of multiprocessing hands on. New
    # memory is zeroed only in its header: memory that was freed and comes again keeps old bytes.
    memory = [BufferWrapper(_HEADER + min(4 * space.max_length, _BYTES)) for _ in range(n)]
    for buffer in memory:
        buffer.create_memoryview()[:_HEADER] = bytes(_HEADER)
    return memory


@read_from_shared_memory.register(Text)
def _read(space: Text, shared_memory: list[BufferWrapper], n: int = 1) -> SharedTexts:
    return SharedTexts(shared_memory)


@write_to_shared_memory.register(Text)
def _write(space: Text, index: int, value: str, shared_memory: list[BufferWrapper]) -> None:
    text = value.encode("utf-8", "surrogatepass")
    view = shared_memory[index].create_memoryview()
    if len(text) > len(view) - _HEADER:
        raise OptionError(
            f"An observation of {len(text):,} bytes doesn't fit into the {len(view) - _HEADER:,} bytes of "
            'shared memory. Use gymnasium.make_vec(…, vector_kwargs={"shared_memory": False}).'
        )
    view[_HEADER : _HEADER + len(text)] = text
    view[:_HEADER] = len(text).to_bytes(_HEADER, "little")
