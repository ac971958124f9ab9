"""`Python`, `Shell` and `Files`: tools in a workspace, which lasts an episode.

Several of them in one environment share the workspace: a file that `write_file` writes is there for the shell, and the
shell's files are there for Python. The workspace is opened at the first call that needs it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import posixpath
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from rlvr.core.episode import Episode
from rlvr.core.errors import CannotScore, OptionError, SandboxError, ToolError, WorkspaceFileError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause
from rlvr.envs.toolboxes.base import Toolbox
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.programs import PATIENCE
from rlvr.sandboxes.workspace import Workspace
from rlvr.sandboxes.workspace_results import CommandResult, FileEntry

Result = TypeVar("Result")

WORKSPACE = "workspace"
"""The name of an episode's workspace among what its toolboxes share."""

_MOST_SHOWN = (
    3600  # characters of a result; the rest of a message's 4000 is for what is said about it
)
_MOST_ENTRIES = 200
_START_S = 60.0


class EpisodeWorkspace:
    """The workspace of an episode, opened when it's first used. Its methods are those of `Workspace`.

    An author's class beside the toolboxes finds it as `self.shared["workspace"]`. A failing sandbox is `CannotScore`.

    Args:
        folder: the working folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.limits = Limits(wall_s=1, cpu_s=1, memory_mb=1, output_kb=1, processes=1, disk_mb=1)
        self._packages: set[str] = set()
        self._workspace: Workspace | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    def join(self, limits: Limits, packages: Sequence[str]) -> None:
        """Take the needs of one more toolbox: the largest of each limit holds."""
        mine, theirs = dataclasses.asdict(self.limits), dataclasses.asdict(limits)
        self.limits = Limits(**{name: max(mine[name], theirs[name]) for name in mine})
        self._packages.update(packages)

    async def shell(
        self, command: str, wall_s: float | None = None, stdin: bytes = b""
    ) -> CommandResult:
        """See `Workspace.shell`."""
        return await self._of_sandbox((await self._opened()).shell(command, wall_s, stdin))

    async def python(self, source: str, wall_s: float | None = None) -> CommandResult:
        """See `Workspace.python`."""
        return await self._of_sandbox((await self._opened()).python(source, wall_s))

    async def write(self, files: Mapping[str, bytes], executable: Sequence[str] = ()) -> None:
        """See `Workspace.write`."""
        await self._of_sandbox((await self._opened()).write(files, executable))

    async def read(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `Workspace.read`."""
        return await self._of_sandbox((await self._opened()).read(paths))

    async def archive(self, paths: Sequence[str]) -> dict[str, bytes]:
        """See `Workspace.archive`."""
        return await self._of_sandbox((await self._opened()).archive(paths))

    async def list(self, path: str = ".") -> Sequence[FileEntry]:
        """See `Workspace.list`."""
        return await self._of_sandbox((await self._opened()).list(path))

    async def close(self) -> None:
        """End it. May be called more than once."""
        self._closed = True
        workspace, self._workspace = self._workspace, None
        if workspace is not None:
            await workspace.close()

    async def _opened(self) -> Workspace:
        async with self._opening:
            if self._closed:
                raise CannotScore(Cause.SANDBOX, "The workspace is closed.")
            if self._workspace is None:
                needs = Needs.of(["python"], sorted(self._packages))
                opening = Workspace.open(self.folder, limits=self.limits, needs=needs)
                self._workspace = await self._of_sandbox(opening)
            return self._workspace

    async def _of_sandbox(self, call: Awaitable[Result]) -> Result:
        try:
            return await call
        except SandboxError as error:  # nobody's wrong answer
            raise CannotScore(Cause.SANDBOX, str(error)) from error


class _InWorkspace(Episode):
    """The tools of one toolbox in an episode's workspace."""

    def __init__(self, workspace: EpisodeWorkspace, wall_s: float) -> None:
        self._workspace = workspace
        self._wall_s = wall_s

    async def close(self) -> None:
        """Close the workspace, which the other toolboxes don't need any more either: the episode is over."""
        await self._workspace.close()


@dataclass(frozen=True)
class WorkspaceToolbox(Toolbox):
    """A toolbox in a workspace.

    Args:
        wall_s: most seconds of a call on the clock.
        cpu_s: most seconds of processor time of a call (default: `wall_s`).
        memory_mb: memory of all that runs in the workspace, in MiB.
        disk_mb: files of the workspace, in MiB.
        processes: most processes and threads at once.
        packages: Python packages that the workspace needs beside the standard library.
        folder: the working folder.
    """

    wall_s: float = 20.0
    cpu_s: float | None = None
    memory_mb: int = 512
    disk_mb: int = 128
    processes: int = 64
    packages: tuple[str, ...] = ()
    folder: str = "/work"

    session: ClassVar[type[Any]] = _InWorkspace

    def __post_init__(self) -> None:
        object.__setattr__(self, "packages", tuple(self.packages))
        self.limits  # noqa: B018  (an OptionError is said at once)

    @property
    def limits(self) -> Limits:
        """The limits of the workspace if no other toolbox needs more."""
        return Limits(
            wall_s=self.wall_s,
            cpu_s=self.wall_s if self.cpu_s is None else self.cpu_s,
            memory_mb=self.memory_mb,
            disk_mb=self.disk_mb,
            processes=self.processes,
            output_kb=1024,
        )

    @property
    def deadline_s(self) -> float:
        """The seconds that a call may take if it waits for a processor, and a jail for its start."""
        return self.wall_s * PATIENCE + _START_S

    def check_beside(self, beside: Sequence[Toolbox]) -> None:
        """Raise `OptionError` if they would share a workspace with two folders."""
        for other in beside:
            if isinstance(other, WorkspaceToolbox) and other.folder != self.folder:
                raise OptionError(
                    f"Toolboxes share one workspace, and its folder can't be {self.folder} and {other.folder}."
                )

    def start(self, task: Task, shared: dict[str, Any]) -> Any:
        """Return the tools of an episode, in the workspace that they share."""
        workspace = shared.setdefault(WORKSPACE, EpisodeWorkspace(self.folder))
        workspace.join(self.limits, self.packages)
        return self.session(workspace, self.wall_s)

    def _limits_text(self) -> str:
        limits = self.limits
        text = (
            f"A call may take {limits.wall_s:g} s, {limits.memory_mb} MiB of memory and {limits.disk_mb} MiB of files. "
            f"There is no network."
        )
        if self.packages:
            text += f" Beside the standard library there are: {', '.join(self.packages)}."
        return text


class PythonTools(_InWorkspace):
    """An interpreter that lasts the episode."""

    async def python(self, code: str) -> str:
        """Run Python code; return what it prints and the value of its last expression.

        Variables, functions and imports are kept from call to call.

        Args:
            code: the code, of one or more lines.
        """
        return _shown(await self._workspace.python(code, self._wall_s))


class ShellTools(_InWorkspace):
    """A terminal that lasts the episode."""

    async def shell(self, command: str) -> str:
        """Run a command in bash; return what it prints.

        The folder, variables, functions and background jobs are kept from call to call.

        Args:
            command: the command, of one or more lines.
        """
        return shell_text(await self._workspace.shell(command, self._wall_s))


class FileTools(_InWorkspace):
    """Files of the workspace."""

    async def read_file(self, path: str, first_line: int = 1, lines: int = 200) -> str:
        """Return lines of a text file.

        Args:
            path: the file's path.
            first_line: the number of the first line to return, from 1 on.
            lines: how many lines to return at most.
        """
        text = await self._text(path)
        every = text.splitlines(keepends=True)
        first = max(1, first_line)
        part = every[first - 1 : first - 1 + max(0, lines)]
        content = "".join(part)
        if len(content) > _MOST_SHOWN:
            content = f"{content[:_MOST_SHOWN]}… (cut; ask for fewer lines)"
        if first > 1 or len(part) < len(every):
            return f"[lines {first} to {first + len(part) - 1} of {len(every)}]\n{content}"
        return content or "(the file is empty)"

    async def write_file(self, path: str, text: str) -> str:
        """Write a text file; folders on the way are made, and a file that is there is replaced.

        Args:
            path: the file's path.
            text: its whole content.
        """
        data = text.encode("utf-8", "replace")
        await self._write(path, data)
        return f"{path}: {len(data)} bytes written"

    async def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace a text that occurs exactly once in a file.

        Args:
            path: the file's path.
            old: the text to be replaced, exactly as it stands in the file.
            new: the text in its place.
        """
        text = await self._text(path)
        count = text.count(old) if old else 0
        if count != 1:
            raise ToolError(f"the old text occurs {count} times in {path:.200}, not once")
        await self._write(path, text.replace(old, new).encode("utf-8", "replace"))
        return f"{path}: replaced"

    async def list_files(self, path: str = ".") -> str:
        """List the files and folders in a folder and below it, with their sizes in bytes.

        Args:
            path: the folder's path.
        """
        try:
            entries = await self._workspace.list(_plain(path))
        except WorkspaceFileError as error:
            raise ToolError(f"{error!s:.300}") from None
        lines = [
            f"{entry.path}/" if entry.kind == "folder" else f"{entry.path} ({entry.bytes})"
            for entry in entries[:_MOST_ENTRIES]
        ]
        if len(entries) > _MOST_ENTRIES:
            lines.append(f"… and {len(entries) - _MOST_ENTRIES} more")
        return "\n".join(lines) or "(the folder is empty)"

    async def _text(self, path: str) -> str:
        contents = await self._workspace.read([_plain(path)])
        if not contents:
            raise ToolError(f"there's no plain file {path!r:.200}, or it's too large")
        return next(iter(contents.values())).decode("utf-8", "replace")

    async def _write(self, path: str, data: bytes) -> None:
        try:
            await self._workspace.write({_plain(path): data})
        except WorkspaceFileError as error:
            raise ToolError(f"{error!s:.300}") from None


@dataclass(frozen=True)
class Python(WorkspaceToolbox):
    """A tool `python`: an interpreter in a jail, which keeps its variables for the episode::

        env = rlvr.ToolEnv(tasks, rlvr.Math(), rlvr.tools.Python(wall_s=10, packages=("numpy",)))

    The model reads its limits in the description of the tool.
    """

    name: str = "python"
    session: ClassVar[type[Any]] = PythonTools

    def notes(self) -> Mapping[str, str]:
        """Say the limits."""
        return {"python": self._limits_text()}


@dataclass(frozen=True)
class Shell(WorkspaceToolbox):
    """A tool `shell`: a bash in a jail, which keeps its folder and variables for the episode::

        env = rlvr.ToolEnv(tasks, verifier, [rlvr.tools.Shell(), rlvr.tools.Files()])

    The model reads its limits in the description of the tool.
    """

    name: str = "shell"
    session: ClassVar[type[Any]] = ShellTools

    def notes(self) -> Mapping[str, str]:
        """Say the limits."""
        return {"shell": f"The working folder is {self.folder}. {self._limits_text()}"}


@dataclass(frozen=True)
class Files(WorkspaceToolbox):
    """Tools `read_file`, `write_file`, `edit_file` and `list_files` in the workspace of the episode."""

    name: str = "files"
    session: ClassVar[type[Any]] = FileTools

    def notes(self) -> Mapping[str, str]:
        """Say where paths begin."""
        note = f"Paths are relative to {self.folder}, or absolute."
        return {"read_file": note, "write_file": note, "list_files": note}


def shell_text(result: CommandResult) -> str:
    """Return a command's output as the model reads it, with its exit status if that isn't 0."""
    text = _shown(result)
    if result.status and not result.lost:
        text += f"\n[exit status {result.status}]"
    return text


def _shown(result: CommandResult) -> str:
    """Return an output as the model reads it: its head and its tail, if it's long."""
    text = result.output
    if len(text) > _MOST_SHOWN:
        half = _MOST_SHOWN // 2
        cut = len(text) - 2 * half
        text = f"{text[:half]}\n… ({cut} characters cut) …\n{text[-half:]}"
    return text.rstrip("\n") or "(no output)"


def _plain(path: str) -> str:
    """Return a path that a file can have. Raises `ToolError`."""
    path = path.strip()
    if not path or "\0" in path or len(path) > 1000:
        raise ToolError(f"no file has the path {path!r:.80}")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ToolError("a path is text without halves of characters") from None
    return posixpath.normpath(path)
