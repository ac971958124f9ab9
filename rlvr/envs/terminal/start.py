"""`Start`: the state in which a workspace begins, and `gathered`: the files that are taken out of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlvr.core.errors import CannotScore, SandboxError, WorkspaceFileError
from rlvr.core.verdict import Cause
from rlvr.envs.terminal.artifacts import MOST_FILES, MOST_KB, Artifacts, too_large
from rlvr.envs.terminal.draft import unpacked
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.needs import Needs
from rlvr.sandboxes.workspace import Workspace

LIMITS = Limits(wall_s=30.0, cpu_s=60.0, memory_mb=512, processes=64, disk_mb=64)
"""The limits of an agent's workspace; `wall_s` and `cpu_s` are a command's."""


@dataclass(frozen=True, slots=True)
class Start:
    """A workspace before anything is done in it.

        workspace = await Start("/work", steps=({"files": {"notes.txt": "a"}, "executable": []},)).open()

    Attributes:
        folder: the folder that the workspace has, in which its shell begins.
        also: further folders that can be written to.
        workdir: the shell's first folder, if it is another one.
        environment: variables.
        steps: what is done in order, each `{"files": {path: content}, "executable": [paths]}` or
            `{"run": command, "in": folder}`.
        packages: that its Python may import.
    """

    folder: str
    also: tuple[str, ...] = ()
    workdir: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    packages: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Start:
        """Read what `to_json` returned."""
        return cls(
            data["folder"],
            tuple(data.get("also", ())),
            data.get("workdir", ""),
            dict(data.get("environment", {})),
            tuple(data.get("steps", ())),
            tuple(data.get("packages", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "folder": self.folder,
            "also": list(self.also),
            "workdir": self.workdir,
            "environment": dict(self.environment),
            "steps": [dict(step) for step in self.steps],
            "packages": list(self.packages),
        }

    async def open(self, limits: Limits = LIMITS) -> Workspace:
        """Open a workspace in this state. Raises `CannotScore` if there is none to be had."""
        workspace = None
        try:
            workspace = await Workspace.open(
                self.folder,
                also=self.also,
                limits=limits,
                needs=Needs.of(packages=self.packages),
                environment=self.environment,
            )
            for step in self.steps:
                if "run" in step:
                    await _ran(workspace, f"(cd {shlex.quote(step['in'])} && {step['run']})")
                else:
                    files = {path: unpacked(content) for path, content in step["files"].items()}
                    await workspace.write(files, executable=step["executable"])
            if self.workdir and self.workdir != self.folder:
                place = shlex.quote(self.workdir)
                await _ran(workspace, f"mkdir -p {place} && cd {place}")
            return workspace
        except BaseException as error:
            if workspace is not None:
                await workspace.close()
            if isinstance(error, SandboxError | WorkspaceFileError):
                raise CannotScore(Cause.SANDBOX, str(error)) from error
            raise


async def _ran(workspace: Workspace, command: str) -> None:
    """Run a command of the author's. Raises `CannotScore` if it fails."""
    result = await workspace.shell(command)
    if result.status != 0:
        raise CannotScore(
            Cause.SANDBOX,
            f"The task's workspace can't be made: {command!r:.160} says {result.output!r:.200}.",
        )


async def gathered(
    workspace: Workspace,
    paths: Sequence[str],
    most_kb: int = MOST_KB,
    most_files: int = MOST_FILES,
) -> Artifacts:
    """Return the artifacts at some paths of a workspace, absolute or relative to its folder. Raises `SandboxError`.

    The workspace's runner reads them while all processes in it stand still.
    """
    files: dict[str, bytes] = {}
    entries: dict[str, dict[str, str]] = {}
    for path in paths:
        try:
            listed = await workspace.list(path)
        except WorkspaceFileError:
            continue  # there is nothing of that name
        for entry in listed:
            entries[entry.path] = {"kind": entry.kind, "mode": f"{entry.mode:o}"}
            if entry.kind == "link":
                entries[entry.path]["target"] = entry.target
        if sum(entry.bytes for entry in listed if entry.kind == "file") > most_kb << 10:
            return Artifacts(excess=f"the files at {path} have more than {most_kb} KiB")
        try:
            files |= await workspace.archive([path])
        except WorkspaceFileError as error:
            return Artifacts(excess=f"the files at {path} can't be gathered: {error}")
    excess = too_large(files, list(entries), most_kb, most_files)
    return Artifacts(excess=excess) if excess else Artifacts(files, entries)
