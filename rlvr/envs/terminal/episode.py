"""`Terminal`: the agent's side of an episode: a workspace of its own, and a shell in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlvr.core.episode import Episode, Reply
from rlvr.core.errors import CannotScore, SandboxError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause
from rlvr.envs.terminal.artifacts import Artifacts, too_large
from rlvr.envs.terminal.draft import unpacked
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.workspace import CommandResult, Workspace

LIMITS = Limits(wall_s=30.0, cpu_s=60.0, memory_mb=512, processes=64, disk_mb=64)
"""The limits of an agent's workspace; `wall_s` and `cpu_s` are a command's."""


class Terminal(Episode):
    """A shell in a jail that lasts as long as the episode."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._workspace: Workspace | None = None

    async def open(self) -> None:
        """Open a workspace with the task's files in it."""
        start = self.task.metadata
        try:
            self._workspace = await Workspace.open(folder=start["folder"], limits=LIMITS)
            files = {path: unpacked(content) for path, content in start["files"].items()}
            await self._workspace.write(files, executable=start["executable"])
            for command in start["setup"]:
                await _ran(self._workspace, command)
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error

    async def shell(self, command: str) -> str:
        """Run a command in the terminal, which is bash. Return its output, and its exit status if that isn't 0.

        Args:
            command: one or more lines, such as "ls -l". Folder and variables last until the next call.
        """
        assert self._workspace is not None
        try:
            return said(await self._workspace.shell(command))
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error

    def submit(self) -> Reply:
        """Hand in the work as it is. This ends the episode."""
        return Reply("submitted", over=True)

    async def outcome(self) -> dict[str, Any]:
        """Return the declared artifacts, gathered by the workspace's runner."""
        assert self._workspace is not None
        try:
            return (await gathered(self._workspace, self.task.metadata["artifacts"])).to_json()
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error

    async def close(self) -> None:
        """End the workspace."""
        if self._workspace is not None:
            await self._workspace.close()


async def gathered(workspace: Workspace, paths: Sequence[str]) -> Artifacts:
    """Return the artifacts at some paths of a workspace. Raises `SandboxError`."""
    raise NotImplementedError


async def _ran(workspace: Workspace, command: str) -> None:
    """Run a command of the author's. Raises `CannotScore` if it fails."""
    result = await workspace.shell(command)
    if result.status != 0:
        raise CannotScore(
            Cause.SANDBOX, f"The task's workspace can't be made: {command!r:.120} says {said(result)!r:.200}."
        )


def said(result: CommandResult) -> str:
    """Return a command's result as the model reads it."""
    output = result.output.rstrip("\n")
    if result.limit is not None:
        ending = f"(ended by its limit: {result.limit})"
    elif result.status is None:
        ending = "(ended by a signal)"
    elif result.status != 0:
        ending = f"(exit status {result.status})"
    else:
        ending = "" if output else "(no output)"
    return "\n".join(part for part in (output, ending) if part)
