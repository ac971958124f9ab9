"""Jails that hold workspaces: the host's end of the link, and the choice of a jail for a new workspace.

A thread per jail receives its answers and resolves the futures of the calls. If a jail dies, the calls and workspaces in it
fail with a `JailError`; those of other jails go on.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias

from rlvr.core.errors import JailError, LacksError, SandboxError
from rlvr.sandboxes import bootstrap
from rlvr.sandboxes.choose import Choice, chosen, explained
from rlvr.sandboxes.languages import LANGUAGES
from rlvr.sandboxes.link import Backend, Link
from rlvr.sandboxes.needs import Inventory, Needs
from rlvr.sandboxes.runner import frames

_START_S = 30.0
_SEND_S = 60.0
MOST_WORKSPACES = 50
"""Workspaces per jail. A jail's death is a fault for all that are in it, and a jail costs some 20 MB."""

Answer: TypeAlias = tuple[dict[str, Any], list[bytes]]


class WorkspaceJail:
    """One jail of workspaces.

    Args:
        choice: the backend that builds it.
        memory_mb: of all that is in it together.

    Attributes:
        inventory: the Python, the tools and the packages that are in it.
        numbers: the workspaces in it.
        dead: why it's of no more use; "" if it's alive.

    Raises `SandboxError` if it can't be started.
    """

    def __init__(self, choice: Choice, memory_mb: int) -> None:
        self.choice = choice
        self.numbers: set[int] = set()
        self.dead = ""
        self._calls: dict[int, Future[Answer]] = {}
        self._next = itertools.count(1)
        self._lock = threading.Lock()
        self._link: Link = choice.backend.launch(bootstrap.code("workspaces"), memory_mb)
        try:
            self._link.send(bootstrap.sources(), time.monotonic() + _START_S)
            self._thread = threading.Thread(
                target=self._receive, name="rlvr-workspaces", daemon=True
            )
            self._thread.start()
            tools = sorted({tool for language in LANGUAGES.values() for tool in language.tools})
            hello = self.call({"do": "hello", "tools": [*tools, "bash"]})
            answer, _ = hello.result(_START_S)
            if not answer["tools"].pop("bash"):
                raise SandboxError("The sandbox has no bash, which workspaces need.")
        except TimeoutError:
            self.close("it did not start in time")
            raise JailError("The jail did not start in time.") from None
        except BaseException:
            self.close("it did not start")
            raise
        self.inventory = Inventory(str(answer["python"]), answer["tools"], answer["packages"])
        self.about: Mapping[str, Any] = answer["about"]

    def call(self, header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> Future[Answer]:
        """Send a request; its future is the answer, or a `JailError`."""
        future: Future[Answer] = Future()
        with self._lock:
            if self.dead:
                future.set_exception(JailError(f"The jail is gone: {self.dead}."))
                return future
            number = next(self._next)
            self._calls[number] = future
        try:
            data = frames.packed({**header, "call": number}, list(blobs))
            self._link.send(data, time.monotonic() + _SEND_S)
        except JailError as error:
            self._fail(str(error))
        return future

    def close(self, why: str = "it was closed") -> None:
        """End it, with all that is in it."""
        self._fail(why)
        self._link.close()

    def abandon(self) -> None:
        """In a forked child: it's the parent's."""
        self.dead = "it belongs to the process that forked this one"
        self._link.abandon()

    def _receive(self) -> None:
        data = bytearray()
        try:
            while True:
                data += self._link.receive()
                while len(data) >= (wanted := frames.needed(data)):
                    header, blobs = frames.unpacked(data[:wanted])
                    del data[:wanted]
                    self._answered(header, blobs)
        except (JailError, frames.FrameError, KeyError, TypeError) as error:
            self._fail(str(error))

    def _answered(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        with self._lock:
            future = self._calls.pop(header.pop("call"), None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if "fault" in header:
            future.set_exception(JailError(f"The jail failed: {header['fault']}."))
        else:
            future.set_result((header, blobs))

    def _fail(self, why: str) -> None:
        with self._lock:
            self.dead = self.dead or why
            calls = list(self._calls.values())
            self._calls.clear()
        for future in calls:
            if future.set_running_or_notify_cancel():
                future.set_exception(JailError(f"The jail failed: {why}"))


class WorkspaceJails:
    """The jails of this process: as many as its workspaces need, and one that waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jails: list[WorkspaceJail] = []
        self._starting: dict[str, threading.Lock] = {}
        self._numbers = itertools.count(1)
        self._lacking: dict[tuple[str, Needs], list[str]] = {}

    def enter(self, needs: Needs, backend: str | Backend) -> tuple[WorkspaceJail, int]:
        """Return a jail with room for one more workspace, and the number that it has there.

        Raises `SandboxError` if there's no jail to be had, `LacksError` if none has what's needed.
        """
        choice = chosen(backend, needs)
        key = str(getattr(choice.backend, "key", choice.backend.name))
        with self._lock:
            starting = self._starting.setdefault(key, threading.Lock())
        jail, number = self._vacant(key)
        if jail is None:
            # One at a time: those that wait for it find room in it.
            with starting:
                jail, number = self._vacant(key)
                if jail is None:
                    started = WorkspaceJail(choice, _memory_mb())
                    with self._lock:
                        self._jails.append(started)
                        jail, number = started, next(self._numbers)
                        started.numbers.add(number)
        if missing := jail.inventory.lacks(needs):
            self.leave(jail, number)
            name = choice.backend.name
            raise LacksError(f"The sandbox ({name}) can't be used: {explained(name, missing)}")
        return jail, number

    def leave(self, jail: WorkspaceJail, number: int) -> None:
        """Give up a workspace's place. Jails without workspaces are closed, except one."""
        with self._lock:
            jail.numbers.discard(number)
            idle = [jail for jail in self._jails if not jail.numbers]
            closed = [*(j for j in idle if j.dead), *[j for j in idle if not j.dead][1:]]
            self._jails = [jail for jail in self._jails if jail not in closed]
        for idle_jail in closed:
            idle_jail.close()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            jails, self._jails = self._jails, []
        for jail in jails:
            jail.close()

    def abandon(self) -> None:
        """In a forked child: the jails are the parent's. Begin anew with none."""
        for jail in self._jails:
            jail.abandon()
        self.__init__()  # type: ignore[misc]

    def _vacant(self, key: str) -> tuple[WorkspaceJail | None, int]:
        with self._lock:
            for jail in self._jails:
                of = str(getattr(jail.choice.backend, "key", jail.choice.backend.name))
                if of == key and not jail.dead and len(jail.numbers) < MOST_WORKSPACES:
                    number = next(self._numbers)
                    jail.numbers.add(number)
                    return jail, number
        return None, 0


def _memory_mb() -> int:
    """Return the memory that a jail may have: each workspace has a limit of its own, together they may not take the machine."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return max(1024, int(line.split()[1]) * 9 // 10 // 1024)
    return 8192


jails = WorkspaceJails()
"""The jails of this process."""

atexit.register(lambda: jails.close())
os.register_at_fork(after_in_child=lambda: jails.abandon())
