"""The limit on the memory that a worker may add while it judges.

The limit counts a process's private writable memory (`RLIMIT_DATA`), not its address space, since a
library for GPUs maps gigabytes of code that it never reads. Memory that a verifier uses when it is loaded
(its module's imports, a model) is its author's choice and doesn't count.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
from collections.abc import Iterator

_LINUX = sys.platform == "linux"  # elsewhere kernels don't enforce it


class Growth:
    """Limits this process to `megabytes` more than it has now, plus the memory of loaded verifiers."""

    def __init__(self, megabytes: int) -> None:
        if _LINUX:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self._first = self._limit = _taken() + (megabytes << 20)
            _set(self._limit)

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """Move the limit by the memory that the `with` block allocates or frees."""
        if not _LINUX:
            yield
            return
        gc.collect()  # garbage from before must not count as freed by the block
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
    """Return the bytes that count, or the size of the address space if the kernel doesn't report them."""
    with open("/proc/self/statm", "rb") as file:
        pages = [int(field) for field in file.read().split()]
    return (pages[5] or pages[0]) * resource.getpagesize()
