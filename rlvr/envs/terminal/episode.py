"""`Terminal`: the agent's side of an episode: a workspace of its own, and a shell in it."""

from __future__ import annotations

from typing import Any

from rlvr.core.episode import Episode, Reply
from rlvr.core.errors import CannotScore, SandboxError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.start import Start, gathered
from rlvr.envs.toolboxes.workspace import shell_text
from rlvr.sandboxes.workspace import Workspace
from rlvr.sandboxes.workspace_results import CommandResult


class Terminal(Episode):
    """A shell in a jail that lasts as long as the episode."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._workspace: Workspace | None = None

    async def open(self) -> None:
        """Open a workspace in the task's first state. Raises `CannotScore` if it can't be had."""
        self._workspace = await self._start().open()

    async def shell(self, command: str) -> str:
        """Run a command in the terminal, which is bash. Return its output, and its exit status if that isn't 0.

        Args:
            command: one or more lines, such as "ls -l". Folder and variables last until the next call.
        """
        return shell_text(await self._run(command))

    def submit(self) -> Reply:
        """Hand in the work as it is. This ends the episode."""
        return Reply("submitted", over=True)

    async def outcome(self) -> dict[str, Any]:
        """Return the declared artifacts, gathered by the workspace's runner."""
        assert self._workspace is not None
        try:
            return (await self._gather(self._workspace)).to_json()
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error

    async def close(self) -> None:
        """End the workspace."""
        if self._workspace is not None:
            await self._workspace.close()

    def _start(self) -> Start:
        """Return the task's first state. Raises `CannotScore` if it can't be had."""
        return Start.of(self.task.metadata["start"])

    async def _gather(self, workspace: Workspace) -> Artifacts:
        """Return the declared artifacts. Raises `SandboxError`."""
        return await gathered(workspace, self.task.metadata["artifacts"])

    async def _run(self, command: str) -> CommandResult:
        assert self._workspace is not None
        try:
            return await self._workspace.shell(command)
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error
