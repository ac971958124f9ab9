"""What a worker's memory may grow by while it judges.

Counted is what a process has to itself and can write to (`RLIMIT_DATA`), not its address space: a
library for GPUs maps gigabytes of code that it never reads. What a verifier takes as it's loaded
(its module's imports, a model) is its author's doing and doesn't count.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
from collections.abc import Iterator

_LINUX = sys.platform == "linux"  # elsewhere kernels don't enforce it


class Growth:
    """Lets this process grow by `megabytes` from here, and by whatever is loaded, but no more."""

    def __init__(self, megabytes: int) -> None:
        if _LINUX:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self._first = self._limit = _taken() + (megabytes << 20)
            _set(self._limit)

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """Move the limit by what is taken, or let go of, within."""
        if not _LINUX:
            yield
            return
        gc.collect()  # what is garbage already isn't let go of by what is loaded
        before = _taken()
        _set(resource.RLIM_INFINITY)
        try:
            yield
        finally:
            self._limit = max(self._first, self._limit + _taken() - before)
            _set(self._limit)


def _set(soft: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _taken() -> int:
    """Bytes that count. A kernel that doesn't tell them says how large the address space is."""
    with open("/proc/self/statm", "rb") as file:
        pages = [int(field) for field in file.read().split()]
    return (pages[5] or pages[0]) * resource.getpagesize()
