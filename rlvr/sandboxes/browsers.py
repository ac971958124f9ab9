"""`BrowserJail`: a Chromium and the site that it shows, in a jail of their own whose only network is its own loopback.

    with BrowserJail.launch(source, {"orders": []}) as browser:
        page = browser.act({"do": "open", "path": "/"})
        state = browser.state()

Nothing that a page or its text says leads out of the jail: there is no route, no name resolves, and each request that isn't
to the site is refused before it is sent.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr.core.errors import JailError, LacksError, RlvrError, SandboxError
from rlvr.sandboxes import bootstrap
from rlvr.sandboxes.choose import BACKENDS, chosen
from rlvr.sandboxes.interpreter import needed_libraries
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.runner import frames

START_S = 240.0
"""Seconds that a browser may take to start, after it has waited for its turn, on a busy machine."""
ACTION_S = 90.0
"""Seconds until an action is given up: more than the jail itself gives it."""

_INSTALL = "Install it: `apt-get install chromium fonts-dejavu-core` (Debian)."
_MODULES = (
    "browser", "cells", "devtools", "filter", "frames", "groups", "jail", "kernel", "page_script", "site",
)  # fmt: skip
# The program itself, not the script that Debian starts it by.
_PROGRAMS = (
    "/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser",
    "/usr/lib64/chromium-browser/chromium-browser", "/opt/google/chrome/chrome", "/opt/chromium/chrome",
)  # fmt: skip
_BESIDE = ("/etc/fonts", "/usr/share/fonts", "/usr/share/fontconfig", "/var/cache/fontconfig")
_ROOM_MB = 450  # of memory that must be free for one more
_jails: weakref.WeakSet[BrowserJail] = weakref.WeakSet()


class ActionRefusedError(RlvrError):
    """An action that can't be done on the page, with the reason."""


def program() -> Path | None:
    """Return this machine's Chromium: `RLVR_CHROMIUM`, or that of a usual place; None if there's none."""
    named = os.environ.get("RLVR_CHROMIUM")
    for path in [named] if named else _PROGRAMS:
        if os.access(path, os.X_OK):
            return Path(os.path.realpath(path))
    return None


def why_not(backend: str | Backend | None = None) -> str | None:
    """Return the reason why no browser can be started on this machine; None if one can."""
    try:
        _backend(backend)
    except SandboxError as error:
        return str(error)
    return None


def _backend(wanted: str | Backend | None) -> tuple[Backend, str]:
    """Return the backend whose jails have a browser, and the browser's path there. Raises `SandboxError`."""
    wanted = wanted or os.environ.get("RLVR_SANDBOX", "auto")
    if not isinstance(wanted, str):
        return wanted, str(program() or _PROGRAMS[0])
    reasons = []
    for name in BACKENDS if wanted == "auto" else [wanted]:
        try:
            if name == "bubblewrap":
                chosen(name)
                return _bubblewrap()
            backend = chosen(name).backend
            return backend, _in_image(backend)
        except SandboxError as error:
            reasons.append(f"{name}: {error}")
    raise SandboxError("No browser can be started here. " + " ".join(reasons))


def _bubblewrap() -> tuple[Backend, str]:
    from rlvr.sandboxes.bubblewrap import Bubblewrap

    chromium = program()
    if chromium is None:
        raise LacksError(f"There's no Chromium on this machine. {_INSTALL}")
    beside = [Path(path) for path in _BESIDE if Path(path).is_dir()]
    return Bubblewrap(also=[chromium.parent, *beside, *_libraries(chromium)]), str(chromium)


@functools.cache
def _libraries(chromium: Path) -> Sequence[Path]:
    return [path for path in needed_libraries([chromium]) if chromium.parent not in path.parents]


_in_images: dict[str, str] = {}


def _in_image(backend: Backend) -> str:
    """Return the path of the image's Chromium. Raises `LacksError` if it has none; a jail is started to know it."""
    key = str(getattr(backend, "key", backend.name))
    if key not in _in_images:
        code = f"import os; print([p for p in {_PROGRAMS!r} if os.access(p, os.X_OK)], end=';', flush=True)"
        link = backend.launch(code, 256)
        answer = b""
        try:
            while not answer.endswith(b";"):
                answer += link.exchange(b"", 1, time.monotonic() + 60.0)
        finally:
            link.close()
        paths = json.loads(answer[:-1].replace(b"'", b'"'))
        if not paths:
            raise LacksError(
                "its image has no Chromium: build one with `rlvr sandbox build --browser`."
            )
        _in_images[key] = paths[0]
    return _in_images[key]


class BrowserJail:
    """A browser and its site, until it is closed. Threads take turns.

    Raises `SandboxError` if there's no jail with a browser, or if it has died.
    """

    _starting = threading.BoundedSemaphore(max(1, len(os.sched_getaffinity(0))))

    def __init__(self, link: Any) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._data = bytearray()
        self._closed = False
        _jails.add(self)

    @classmethod
    def launch(
        cls,
        site: str,
        state: Any,
        *,
        memory_mb: int = 1024,
        disk_mb: int = 256,
        backend: str | Backend | None = None,
    ) -> BrowserJail:
        """Start a jail, the site in it and the browser. As many start at a time as there are processors; others wait.

        Args:
            site: the source of the site's module, of the standard library alone; see `rlvr.tools.Browser`.
            state: the site's state, plain JSON.
            memory_mb: of all that is in the jail, if this machine lets jails have limits.
            disk_mb: of the browser's files, which are in memory.
            backend: "auto", "docker", "bubblewrap" or a `Backend` (default: `RLVR_SANDBOX`, or "auto").
        """
        builder, chromium = _backend(backend)
        header = {"chromium": chromium, "disk_mb": disk_mb, "start_s": START_S}
        blobs = [site.encode(), json.dumps(state).encode()]
        with cls._starting:
            _check_room()
            jail = cls(builder.launch(bootstrap.code("browser"), memory_mb))
            try:
                jail._exchange(bootstrap.sources(_MODULES) + frames.packed(header, blobs), START_S)
            except BaseException:
                jail.close()
                raise
        return jail

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Do one action in the browser and return what the jail answers.

        Raises `ActionRefusedError` if the page doesn't allow it, `SandboxError` if the browser or the site has failed.
        """
        answer = self._exchange(frames.packed(dict(action)), ACTION_S)
        if "error" in answer:
            raise ActionRefusedError(str(answer["error"]))
        return answer

    def state(self) -> Any:
        """Return the site's state. Raises `SandboxError`."""
        return self._exchange(frames.packed({"do": "state"}), ACTION_S)["state"]

    def close(self) -> None:
        """End all that is in it. May be called more than once."""
        self._closed = True
        self._link.close()

    def abandon(self) -> None:
        """In a forked child: it's the parent's."""
        if not self._closed:
            self._closed = True
            self._link.abandon()

    def __enter__(self) -> BrowserJail:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, data: bytes, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        with self._lock:
            if self._closed:
                raise JailError("The browser is closed.")
            try:
                self._data += self._link.exchange(data, 0, deadline)
                while len(self._data) < (wanted := frames.needed(self._data)):
                    self._data += self._link.exchange(b"", wanted - len(self._data), deadline)
                answer, _ = frames.unpacked(self._data[:wanted])
            except frames.FrameError as error:
                raise JailError(f"The browser's jail answered nonsense: {error}.") from None
            del self._data[:wanted]
        if "fault" in answer:
            raise JailError(f"The browser's jail failed: {answer['fault']}.")
        return answer


def _check_room() -> None:
    """Raise `SandboxError` if this machine has no memory for one more browser: the kernel would kill one of them."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:") and int(line.split()[1]) < _ROOM_MB * 1024:
                raise SandboxError(
                    f"This machine has no memory for one more browser ({_ROOM_MB} MiB): run fewer episodes at once."
                )


def _forked() -> None:
    """In a forked child: the browsers are the parent's, and so is the turn to start one."""
    for jail in list(_jails):
        jail.abandon()
    _jails.clear()
    BrowserJail._starting = threading.BoundedSemaphore(max(1, len(os.sched_getaffinity(0))))


os.register_at_fork(after_in_child=_forked)
