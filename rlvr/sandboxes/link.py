"""The seam between the pool and what builds jails: a `Backend` launches a jail and gives its `Link`."""

from __future__ import annotations

from typing import Protocol


class Link(Protocol):
    """A two-way stream of bytes to the process in a jail.

    Either one thread at a time calls `exchange`, or one thread calls `receive` and others call `send`. Any may `close`.
    """

    def exchange(self, data: bytes, wanted: int, deadline: float) -> bytes:
        """Send all of `data` and receive until `wanted` bytes are there, both at once.

        Sending alone would deadlock where the jail is itself writing an answer into a full pipe.

        Args:
            deadline: on `time.monotonic()`'s clock.

        Returns:
            All that has arrived: `wanted` bytes or more.

        Raises `JailError` where the jail hung up or the deadline passed.
        """

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of `data`. Another thread receives meanwhile. Raises `JailError` as `exchange` does."""

    def receive(self) -> bytes:
        """Wait for bytes and return what has arrived. Raises `JailError` if the jail hung up or was closed."""

    def close(self) -> None:
        """End the jail and all that runs in it; returns when it's gone, or after some seconds.

        Any thread may call it, more than once, also while another is in `exchange`.
        """

    def abandon(self) -> None:
        """In a child forked from the client: let go of the descriptors, touching nothing else."""


ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""The environment of a jail's runner. Sets are ordered alike in every jail: a program that depends on it is judged
alike, too."""

PYTHON_FLAGS = ("-S", "-s")
"""No `site`: what it finds may run code of the machine's (`.pth` files) before ours. Not `-I` either: with it,
PYTHONHASHSEED doesn't count, and sets would be ordered differently in each jail."""


class Backend(Protocol):
    """One way to build jails."""

    name: str

    def why_not(self) -> str | None:
        """Return the reason why it can't be used on this machine, and the remedy; None if it can."""

    def launch(self, code: str, memory_mb: int) -> Link:
        """Start a jail in which `python3 -S -s -c CODE` runs, its stdin and stdout the link.

        The jail ends when its stdin does, so a client that dies takes it along.

        Args:
            memory_mb: of everything in the jail together, where the backend can hold that.

        Raises `SandboxError`.
        """
