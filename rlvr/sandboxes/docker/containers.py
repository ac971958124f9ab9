"""The end of containers: how one ended, making sure one is gone, and reaping those of dead owners."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from typing import Any

from rlvr.core.errors import RlvrError
from rlvr.sandboxes.docker import owners
from rlvr.sandboxes.docker.client import AwayError, client, package

LABEL = "rlvr.sandbox"
OWNER = "rlvr.owner"
GONE_S = 15.0  # how long `remove` tries
ONCE_S = 5.0  # how long it waits for one answer
ENDED_S = 1.0  # how long `how_it_ended` waits for the daemon to know

# Names of this process's containers, from before they're made until they're known to be gone.
# One with our label that isn't here was made by a call whose answer was lost.
_mine: set[str] = set()
_numbers = itertools.count()


def new_name() -> str:
    """Return a name that no container has had, on any machine; it's this process's from now on."""
    name = f"rlvr-{os.urandom(8).hex()}-{next(_numbers)}"
    _mine.add(name)
    return name


def remove(name: str, patient: bool = True) -> None:
    """Make sure that a container is gone.

    Tries for `GONE_S` seconds, or once where not `patient`, and leaves the rest to the reaper.
    """
    deadline = time.monotonic() + (GONE_S if patient else 0)
    while True:
        with contextlib.suppress(AwayError), client(ONCE_S) as api:
            if _removed(api, name):
                break
        if time.monotonic() >= deadline:
            reaper.wanted = True
            break
        time.sleep(0.05)
    _mine.discard(name)


def _removed(api: Any, name: str) -> bool:
    """One attempt; whether the container is gone."""
    errors = package().errors
    try:
        api.remove_container(name, force=True, v=True)
    except errors.NotFound:
        return True
    except errors.APIError:  # removal in progress, or it can't be killed just now
        return False
    return True


def how_it_ended(name: str) -> str:
    """ ": exit status 1", ": out of memory", …; "" where the daemon doesn't say so in a second.

    From the daemon's events, as a container that removes itself can't be asked.
    """
    until = f"{time.time() + ENDED_S:.6f}"
    filters = {"container": name, "event": ["oom", "die"]}
    memory = False
    try:
        with (
            client(ENDED_S + 1) as api,
            contextlib.closing(api.events("1", until, filters, decode=True)) as events,
        ):
            for event in events:
                memory |= event["Action"] == "oom"
                if event["Action"] == "die":
                    status = int(event["Actor"]["Attributes"].get("exitCode", -1))
                    # The kernel's killer ends it by signal 9, which Docker calls status 137.
                    killed = "out of memory" if memory else "killed (exit status 137)"
                    return ": " + (killed if status == 137 else f"exit status {status}")
    except (RlvrError, package().errors.APIError):
        pass
    return ""


class Reaper:
    """Removes containers whose owner is dead: once in each process, and again after trouble."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Start as in a new process, which a forked child is: the lock may be held by a thread it hasn't got."""
        self._lock = threading.Lock()
        self.wanted = True

    def reap_once(self, timeout_s: float) -> None:
        """Reap where that's wanted. Raises `AwayError`; what the daemon refuses waits for next time."""
        with self._lock:
            if self.wanted:
                with contextlib.suppress(package().errors.APIError):
                    reap(timeout_s)
                self.wanted = False


reaper = Reaper()


def reap(timeout_s: float = 20.0) -> int:
    """Remove the sandboxes' containers whose owner on this machine is dead, or that have ended.

    Args:
        timeout_s: seconds that the daemon may be silent within a call.

    Returns:
        The number of containers removed.

    Raises `SandboxError` if the daemon doesn't answer, and `MissingExtraError`.
    """
    count = 0
    with client(timeout_s) as api:
        for container in api.containers(all=True, filters={"label": [f"{LABEL}=1"]}):
            name = container["Names"][0].lstrip("/") if container["Names"] else container["Id"]
            owner = container["Labels"].get(OWNER, "")
            lost = owner == owners.me() and name not in _mine
            ended = container["State"] in ("exited", "dead")
            if lost or ended or owners.dead(owner):
                count += 1
                _removed(api, container["Id"])
    return count


def _forked() -> None:
    """In a forked child: the containers are the parent's."""
    _mine.clear()
    reaper.start_over()


os.register_at_fork(after_in_child=_forked)
