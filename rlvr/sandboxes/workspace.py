"""`Workspace`: a folder, a shell and a Python in a jail, which last as long as an episode.

    async with await Workspace.open(limits=Limits(wall_s=10)) as workspace:
        await workspace.write({"data.csv": b"1,2\\n"})
        done = await workspace.shell("wc -l < data.csv")
        done = await workspace.python("rows = open('data.csv').read().split()\\nlen(rows)")

What the model's code does is a `CommandResult`, also if it goes over a limit. A `SandboxError` is a fault of ours.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import posixpath
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import JailError, OptionError, WorkspaceFileError
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.programs import PATIENCE
from rlvr.sandboxes.workspace_jails import Answer, WorkspaceJail, jails
from rlvr.sandboxes.workspace_results import CommandResult, FileEntry, command_result

LIMITS = Limits(wall_s=30, cpu_s=30, memory_mb=512, output_kb=1024, processes=64, disk_mb=128)
"""The limits of a workspace if none are given: of each call, and of all its processes and files."""

_LENGTH = struct.Struct("<I")
_MOST_COMMAND = 1 << 20  # bytes
_MOST_AT_ONCE = 200  # files of one message
_MOST_NAMES = 60_000  # bytes of their names
_MOST_LISTED = 2000
_SMALL = 1 << 16  # bytes that a link takes in at once
# Folders of the jail's own, over which none of a workspace's can be laid.
_TAKEN = frozenset("bin box dev etc lib lib32 lib64 libx32 proc sbin sys usr".split())  # noqa: SIM905


class Workspace:
    """A jail of its own within a jail: one user, its processes, its files, no network. `Workspace.open` makes it.

    Its calls are made one after the other. Between calls all its processes stand still. Methods raise `JailError`, which is
    a `SandboxError`, if the jail has died.

    Attributes:
        folder: the working folder.
        limits: of each call, and of all its processes and files.
    """

    def __init__(self, jail: WorkspaceJail, number: int, folder: str, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._jail = jail
        self._number = number
        self._turn = asyncio.Lock()
        self._closed = False
        self._owner = os.getpid()

    @classmethod
    async def open(
        cls,
        folder: str = "/work",
        *,
        also: Sequence[str] = (),
        limits: Limits = LIMITS,
        needs: Needs | None = None,
        environment: Mapping[str, str] | None = None,
        backend: str | Backend | None = None,
    ) -> Workspace:
        """Open a workspace with an empty folder.

        Args:
            folder: its working folder, an absolute path that doesn't exist in the jail.
            also: further folders that its code may write to, beside `/tmp` and `/dev/shm`.
            limits: `wall_s`, `cpu_s` and `output_kb` hold for each call; `memory_mb`, `processes`, `disk_mb` and `files`
                for all that is in the workspace.
            needs: the languages and packages that its code needs.
            environment: variables of its shell and interpreter.
            backend: "auto", "docker", "bubblewrap" or a `Backend` (default: `RLVR_SANDBOX`, or "auto").

        Raises `SandboxError` if there's no sandbox or the jail fails, `LacksError` if it lacks what's needed, `OptionError`
        for a folder that can't be.
        """
        folders = [_checked_folder(path) for path in (folder, *also)]
        backend = backend or os.environ.get("RLVR_SANDBOX", "auto")
        header = {
            "do": "open",
            "folders": folders,
            "environment": dict(environment or {}),
            "limits": {**dataclasses.asdict(limits), "address_space": 0, "patience": PATIENCE},
        }
        try:
            return await cls._opened(header, folders[0], limits, needs or Needs(), backend)
        except JailError:
            # In another jail: the one that had room may be dead by now.
            return await cls._opened(header, folders[0], limits, needs or Needs(), backend)

    @classmethod
    async def _opened(
        cls,
        header: dict[str, Any],
        folder: str,
        limits: Limits,
        needs: Needs,
        backend: str | Backend,
    ) -> Workspace:
        entering = asyncio.get_running_loop().run_in_executor(None, jails.enter, needs, backend)
        try:
            jail, number = await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(_leave)
            raise
        workspace = cls(jail, number, folder, limits)
        try:
            await workspace._answer(header)
        except BaseException:
            await workspace.close()
            raise
        return workspace

    async def shell(
        self, command: str, wall_s: float | None = None, stdin: bytes = b""
    ) -> CommandResult:
        """Run a command in the workspace's bash, which keeps its folder, variables, functions and background jobs.

        Args:
            command: text for bash, of one or more lines.
            wall_s: seconds on the clock (default: the limits').
            stdin: standard input.
        """
        return await self._run("shell", command, wall_s, [stdin] if stdin else [])

    async def python(self, source: str, wall_s: float | None = None) -> CommandResult:
        """Run a cell in the workspace's Python, which keeps its variables; its last expression's value is shown.

        Args:
            source: the cell.
            wall_s: seconds on the clock (default: the limits').
        """
        return await self._run("python", source, wall_s, [])

    async def write(self, files: Mapping[str, bytes], executable: Sequence[str] = ()) -> None:
        """Write files, with the rights of the workspace's user; folders on the way are made.

        Args:
            files: contents by path, absolute or relative to the folder.
            executable: the paths of those that may be executed.

        Raises `WorkspaceFileError` if one can't be written, `OptionError` for a path that no file can have.
        """
        items = [(_checked_path(path), data) for path, data in files.items()]
        for chunk in _chunks(items):
            index = [[path, path in executable] for path, _ in chunk]
            header = {"do": "write", "files": index}
            _unpacked(*await self._answer(header, [data for _, data in chunk]))

    async def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of plain files by path. Those that aren't there, links and pipes are left out.

        Args:
            paths: absolute or relative to the folder.
        """
        return (await self._collected("read", paths))[0]

    async def archive(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of all plain files in some folders, by path.

        Args:
            paths: folders or files, absolute or relative to the folder.

        Raises `WorkspaceFileError` if there are more, or larger ones, than the limits allow.
        """
        files, cut = await self._collected("archive", paths)
        if cut:
            raise WorkspaceFileError("The files are more, or larger, than the workspace's limits.")
        return files

    async def list(self, path: str = ".") -> Sequence[FileEntry]:
        """Return the files and folders in a folder and below, at most 2000 of them.

        Args:
            path: absolute or relative to the folder.

        Raises `WorkspaceFileError` if there's nothing of that name.
        """
        header = {"do": "list", "path": _checked_path(path), "most_files": _MOST_LISTED}
        index, _ = _unpacked(*await self._answer(header))
        return [
            FileEntry(name, int(size), kind, int(mode), str(target))
            for name, size, kind, mode, target in index["entries"]
        ]

    async def close(self) -> None:
        """End all that is in it; its files vanish. May be called more than once."""
        if self._closed or self._owner != os.getpid():
            return
        self._closed = True
        ending = self._jail.call({"do": "close", "workspace": self._number})
        try:
            await asyncio.shield(asyncio.wrap_future(ending))
        except JailError:
            pass  # it has ended with its jail
        finally:
            leaving = asyncio.get_running_loop().run_in_executor(
                None, jails.leave, self._jail, self._number
            )
            await asyncio.shield(leaving)

    async def __aenter__(self) -> Workspace:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Workspace({self.folder!r})"

    # ------------------------------------------------------------------ calls

    async def _run(
        self, action: str, text: str, wall_s: float | None, blobs: Sequence[bytes]
    ) -> CommandResult:
        if wall_s is not None and not 0 < wall_s <= 10**6:
            raise OptionError(f"wall_s is a number of seconds above 0, not {wall_s!r:.40}.")
        data = text.encode("utf-8", "replace")
        if "\0" in text or len(data) > _MOST_COMMAND:
            why = "holds a NUL character" if "\0" in text else f"has over {_MOST_COMMAND} bytes"
            return CommandResult(f"[It was not run: it {why}.]", 2, None, 0.0)
        wall = float(self.limits.wall_s if wall_s is None else wall_s)
        header = {"do": action, "wall_s": wall, "most_s": wall * PATIENCE}
        reply, output = await self._answer(header, [data, *blobs])
        return command_result(action, reply, output, self.limits, wall)

    async def _collected(self, action: str, paths: Sequence[str]) -> tuple[dict[str, bytes], bool]:
        files: dict[str, bytes] = {}
        cut = False
        for chunk in _chunks([(_checked_path(path), b"") for path in paths]):
            header = {
                "do": action,
                "paths": [path for path, _ in chunk],
                "most_mb": self.limits.disk_mb,
                "most_files": self.limits.files,
            }
            index, content = _unpacked(*await self._answer(header))
            at = 0
            for path, size in index["files"]:
                files[path] = content[at : at + size]
                at += size
            cut = cut or index["cut"]
        return files, cut

    async def _answer(self, header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> Answer:
        """Make one call after those before it. One that is cancelled goes on until its end, and the next waits for it."""
        if self._closed:
            raise JailError("The workspace is closed.")
        await self._turn.acquire()
        try:
            sent = {**header, "workspace": self._number}
            if sum(map(len, blobs)) <= _SMALL:
                future = self._jail.call(sent, blobs)
            else:
                loop = asyncio.get_running_loop()
                future = await asyncio.shield(
                    loop.run_in_executor(None, self._jail.call, sent, blobs)
                )
        except BaseException:
            self._turn.release()
            raise
        answer: asyncio.Future[Answer] = asyncio.wrap_future(future)
        answer.add_done_callback(self._answered)
        return await asyncio.shield(answer)

    def _answered(self, answer: asyncio.Future[Answer]) -> None:
        self._turn.release()
        if not answer.cancelled():
            answer.exception()  # its caller may be gone; asyncio would report it


def _leave(entering: asyncio.Future[tuple[WorkspaceJail, int]]) -> None:
    if not entering.cancelled() and entering.exception() is None:
        jails.leave(*entering.result())


def _chunks(items: Sequence[tuple[str, bytes]]) -> list[list[tuple[str, bytes]]]:
    """Split files into as many messages as they need."""
    chunks: list[list[tuple[str, bytes]]] = []
    names = 0
    for path, data in items:
        names += len(json.dumps(path)) + 16
        if not chunks or len(chunks[-1]) >= _MOST_AT_ONCE or names > _MOST_NAMES:
            chunks.append([])
            names = len(json.dumps(path)) + 16
        chunks[-1].append((path, data))
    return chunks


def _unpacked(reply: Mapping[str, Any], blobs: Sequence[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read a delivery. Raises `WorkspaceFileError` if the files were the reason of a failure."""
    try:
        (data,) = blobs
        (length,) = _LENGTH.unpack_from(data)
        index = json.loads(data[_LENGTH.size : _LENGTH.size + length])
        if not isinstance(index, dict):
            raise ValueError("no index")
    except (ValueError, struct.error) as error:
        raise JailError(f"The jail answered nonsense: {error}.") from None
    if "error" in index:
        raise WorkspaceFileError(str(index["error"]))
    return index, data[_LENGTH.size + length :]


def _checked_folder(folder: str) -> str:
    parts = folder.split("/")
    plain = folder == posixpath.normpath(folder) and folder.startswith("/") and len(parts) > 1
    if (
        not plain
        or parts[1] in ("", "tmp", *_TAKEN)
        or not folder.isprintable()
        or len(folder) > 200
    ):
        raise OptionError(
            f"A workspace's folder is an absolute path outside of the system's folders, not {folder!r:.80}."
        )
    return folder


def _checked_path(path: str) -> str:
    try:
        # A file's name may be no text; then it stands as Linux's names stand in Python.
        fits = 0 < len(path.encode("utf-8", "surrogateescape")) < 4000 and "\0" not in path
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise OptionError(f"No file can have the path {path!r:.80}.")
    return path
