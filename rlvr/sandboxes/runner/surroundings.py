"""The surroundings that tests and a solution share as if they were one process: output, files, seeds, the environment.

The solution's surroundings are made like the tests' before it does something, if they differ since the last time. What
it prints comes back where a test has replaced `sys.stdout`, and the files that it wrote, if the tests can only read them as data.
"""

from __future__ import annotations

import base64
import builtins
import io
import os
import stat
import sys
from typing import Any

FOLDER = "/tmp"
_MOST_FILES, _MOST_BYTES = 2000, 8 << 20
_PATCHED = ("input", "print", "open")
_INPUT, _PRINT, _OPEN = builtins.input, builtins.print, builtins.open
_NOTHING: dict[str, Any] = {}
_ORIGINAL = {name: getattr(builtins, name) for name in _PATCHED}


class OfTests:
    """The tests' side.

    Args:
        used: which surroundings the tests use: "random", "files", "files back", "environment", "recursion".
    """

    def __init__(self, peer: Any, used: list[str]) -> None:
        self._peer = peer
        self._used = used
        self._sent: dict[str, Any] = {}
        self._files = SeenFiles() if "files" in used else None
        self._environment = dict(os.environ) if "environment" in used else {}

    def news(self) -> dict[str, Any]:
        """Return what has changed here and the solution should know."""
        if self._is_usual():
            return _NOTHING
        news: dict[str, Any] = {}
        captured = [sys.stdout is not sys.__stdout__, sys.stderr is not sys.__stderr__]
        if any(captured):
            news["capture"] = captured
        keep = self._peer.keep
        patched = {
            n: keep(getattr(builtins, n))
            for n in _PATCHED
            if getattr(builtins, n) is not _ORIGINAL[n]
        }
        if sys.stdin is not sys.__stdin__:
            patched["stdin"] = keep(sys.stdin)
        if patched:
            news["patched"] = patched
        if self._used:
            self._more(news)
        return news

    def _is_usual(self) -> bool:
        """Say if nothing is replaced and nothing else is used, as before nearly all calls."""
        return not self._used and (
            sys.stdout is sys.__stdout__
            and sys.stderr is sys.__stderr__
            and sys.stdin is sys.__stdin__
            and builtins.input is _INPUT
            and builtins.print is _PRINT
            and builtins.open is _OPEN
        )

    def _more(self, news: dict[str, Any]) -> None:
        if "random" in self._used:
            # Each state that was sent is left by one step: one that is seen again was set again by the tests.
            for name, module, state_of, step in _GENERATORS:
                if module in sys.modules and state_of() != self._sent.get(name):
                    news[name] = state_of()
                    step()
                    self._sent[name] = state_of()
        if "recursion" in self._used and sys.getrecursionlimit() != self._sent.get("recursion"):
            news["recursion"] = self._sent["recursion"] = sys.getrecursionlimit()
        if "environment" in self._used:
            now, before = dict(os.environ), self._environment
            changed: dict[str, Any] = {
                name: value for name, value in now.items() if before.get(name) != value
            }
            changed.update({name: None for name in before if name not in now})
            if changed:
                news["environment"], self._environment = changed, now
            if os.getcwd() != self._sent.get("folder", FOLDER):
                news["folder"] = self._sent["folder"] = os.getcwd()
        if self._files is not None:
            changes = self._files.changes()
            if changes:
                news["files"] = changes

    def hear(self, message: dict[str, Any]) -> None:
        """Take in what the solution printed and wrote. Raises `Unreadable` or the like for a malformed message."""
        printed = message.get("printed")
        if isinstance(printed, list):
            for stream, original, text in zip(
                (sys.stdout, sys.stderr), (sys.__stdout__, sys.__stderr__), printed
            ):
                if text and isinstance(text, str) and stream is not original:
                    stream.write(text)
        files = message.get("files")
        if isinstance(files, list) and self._files is not None and "files back" in self._used:
            self._files.apply(files)


class OfSolution:
    """The solution's side.

    Args:
        flush: writes out what was printed. Once the tests have what they asked for, they may be over, and nobody waits
            for the rest.
    """

    def __init__(self, flush: Any, peer: Any) -> None:
        self._flush = flush
        self._peer = peer
        self._captured: dict[
            str, tuple[Any, Any]
        ] = {}  # the stream's name: what it was, and what it is now
        self._patched: dict[str, Any] = {}
        self._files: SeenFiles | None = None

    def hear(self, message: dict[str, Any]) -> None:
        """Make the surroundings like the tests'."""
        if not (self._captured or self._patched or _HEARD & message.keys()):
            return
        capture = message.get("capture", (False, False))
        for name, is_captured in zip(("stdout", "stderr"), capture):
            if is_captured and name not in self._captured:
                stream = io.TextIOWrapper(
                    io.BytesIO(), "utf-8", "surrogatepass", newline="", write_through=True
                )
                self._captured[name] = getattr(sys, name), stream
                setattr(sys, name, stream)
            elif not is_captured and name in self._captured:
                setattr(sys, name, self._captured.pop(name)[0])
        self._patch(message.get("patched", {}))
        if "random" in message:
            import random

            version, state, gauss = message["random"]
            random.setstate((version, tuple(state), gauss))
        if "numpy" in message:
            import numpy

            numpy.random.set_state(tuple(message["numpy"]))
        if message.get("recursion", 0) > sys.getrecursionlimit():
            sys.setrecursionlimit(message["recursion"])
        for name, value in message.get("environment", {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if "files" in message:
            self._files = self._files or SeenFiles()
            self._files.apply(message["files"])
        if "folder" in message:
            os.chdir(message["folder"])

    def _patch(self, patched: dict[str, Any]) -> None:
        for name in [name for name in self._patched if name not in patched]:
            place = sys if name == "stdin" else builtins
            setattr(place, name, self._patched.pop(name))
        for name, written in patched.items():
            place = sys if name == "stdin" else builtins
            self._patched.setdefault(name, getattr(place, name))
            setattr(place, name, self._peer.heap.value(written))

    def news(self) -> dict[str, Any]:
        """Return what was printed while a test captures it, and the files that were written."""
        self._flush()
        if not self._captured and self._files is None:
            return _NOTHING
        news: dict[str, Any] = {}
        if self._captured:
            printed = []
            for name in ("stdout", "stderr"):
                content = self._captured[name][1].buffer if name in self._captured else io.BytesIO()
                printed.append(content.getvalue().decode("utf-8", "surrogatepass"))
                content.seek(0)
                content.truncate()
            if any(printed):
                news["printed"] = printed
        if self._files is not None:
            changes = self._files.changes()
            if changes:
                news["files"] = changes
        return news


_HEARD = frozenset(
    ("capture", "patched", "random", "numpy", "recursion", "environment", "files", "folder")
)


class SeenFiles:
    """The files and folders in `/tmp` as the other side last saw them."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] = {}

    def changes(self) -> list[Any]:
        """Return what is new: [path, content in base64], content being null for a folder and absent if it's gone.

        Raises ValueError if it's too much.
        """
        now: dict[str, Any] = {}
        changes: list[Any] = []
        size = 0
        for folder, folders, names in os.walk(FOLDER):
            for name in folders + names:
                path = os.path.join(folder, name)
                about = os.lstat(path)
                if stat.S_ISDIR(about.st_mode):
                    now[path] = None
                elif stat.S_ISREG(about.st_mode):
                    now[path] = about.st_mtime_ns, about.st_size, about.st_ino
                    size += about.st_size if now[path] != self._seen.get(path) else 0
            if len(now) > _MOST_FILES or size > _MOST_BYTES:
                raise ValueError("too many files, or too large ones, to be handed over")
        for path, about in now.items():
            if path not in self._seen or self._seen[path] != about:
                changes.append([path, None if about is None else _content(path)])
        changes += [[path] for path in self._seen if path not in now]
        self._seen = now
        return changes

    def apply(self, changes: list[Any]) -> None:
        """Do what the other side says was done there. Only plain files and folders, and nothing outside the folder."""
        for path, *content in changes:
            path = str(path)
            parent = os.path.dirname(path)
            inside = os.path.realpath(parent) == parent and (parent + "/").startswith(FOLDER + "/")
            if not inside or os.path.basename(path) in ("", ".", "..") or os.path.islink(path):
                raise ValueError("no path")
            if not content:
                _remove(path)
                self._seen.pop(path, None)
            elif content[0] is None:
                os.makedirs(path, exist_ok=True)
                self._seen[path] = None
            else:
                with open(path, "wb") as file:
                    file.write(base64.b64decode(content[0]))
                about = os.lstat(path)
                self._seen[path] = about.st_mtime_ns, about.st_size, about.st_ino


def _content(path: str) -> str:
    with open(path, "rb") as file:
        return base64.b64encode(file.read(_MOST_BYTES)).decode("ascii")


def _remove(path: str) -> None:
    try:
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError:
        pass  # a folder that isn't empty here: its files come next


def _random_state() -> Any:
    version, state, gauss = sys.modules["random"].getstate()
    return [version, list(state), gauss]


def _numpy_state() -> Any:
    name, keys, *rest = sys.modules["numpy.random"].get_state()
    return [name, keys.tolist(), *rest]


_GENERATORS: tuple[tuple[str, str, Any, Any], ...] = (
    ("random", "random", _random_state, lambda: sys.modules["random"].random()),
    ("numpy", "numpy.random", _numpy_state, lambda: sys.modules["numpy.random"].random_sample()),
)
