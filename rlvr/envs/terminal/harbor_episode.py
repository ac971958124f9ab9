"""Episodes and verdicts of Harbor's tasks: a workspace for the agent, and another one for the tests."""

from __future__ import annotations

import json
import math
import posixpath
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rlvr.core.errors import CannotScore, SandboxError, WorkspaceFileError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Verdict, refused, status_of
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.controls import controlled
from rlvr.envs.terminal.draft import unpacked
from rlvr.envs.terminal.episode import Terminal
from rlvr.envs.terminal.harbor import LOGS, MOST_KB, TESTS, HarborTask, task_at
from rlvr.envs.terminal.start import Start, gathered
from rlvr.envs.terminal.verifier import TerminalVerifier, calling
from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.workspace import Workspace

_JSON, _TEXT = f"{LOGS}/verifier/reward.json", f"{LOGS}/verifier/reward.txt"
_PLANTED = (
    "conftest.py",
    "sitecustomize.py",
    "usercustomize.py",
    "pytest.ini",
    "tox.ini",
    "setup.cfg",
)
_CACHED = 256
MOST_FILES = 4000
"""Most files and folders among a task's artifacts."""


class HarborTerminal(Terminal):
    """The agent's side of a task of Harbor's."""

    def _start(self) -> Start:
        task = task_at(self.task.reference)
        if task.unavailable:
            raise CannotScore(Cause.SANDBOX, task.unavailable)
        return task.agents

    async def _gather(self, workspace: Workspace) -> Artifacts:
        task = task_at(self.task.reference)
        for command in task.collect:
            await workspace.shell(command)
        artifacts = await gathered(workspace, task.artifacts, MOST_KB, MOST_FILES)
        if artifacts.excess or task.judging is not task.start:
            return artifacts
        return _changes(artifacts, await _untouched(task, str(self.task.reference)))


class HarborVerifier(TerminalVerifier):
    """The reward that a task's `tests/test.sh` writes, in a workspace that the agent was never in.

        env = rlvr.make("terminal", data="tasks/")
        env.verifier

    The workspace begins as the task's image, and gets the declared artifacts and the tests. What only Python or pytest
    would read at its start (`conftest.py`, `sitecustomize.py`, compiled files) isn't among them unless the image has it.
    A task whose tests pay for an untouched workspace is at fault, and its episodes are unscored; so are those of a task
    whose tests write no reward even then. Otherwise tests that end without a reward pay nothing.

    A task with `tests/rlvr.json` is judged by `rlvr.envs.terminal.controls` in place of its `test.sh`.
    """

    name = "terminal"

    async def judge(self, task: Task, artifacts: Artifacts) -> Verdict:
        """Run the tests. Raises `CannotScore` for faults that aren't the agent's."""
        read = task_at(task.reference)
        try:
            if read.controls is not None:
                kept = _without_planted(read, artifacts)
                failure = await controlled(read.controls, read.judging, kept, read.timeout_s)
                if failure:
                    return refused(self.name, Status.INCORRECT, failure)
                return Scored(1.0, Status.CORRECT, {self.name: 1.0})
            return await self._by_script(read, artifacts, str(task.reference))
        except SandboxError as error:
            raise CannotScore(Cause.SANDBOX, str(error)) from error

    async def _by_script(self, read: HarborTask, artifacts: Artifacts, key: str) -> Verdict:
        untouched = await _untouched_reward(
            read, key
        )  # for each response, so that none can choose to be unscored
        if untouched is None:
            raise CannotScore(
                Cause.GOLD, f"{read.name}: tests/test.sh writes no reward if nothing was done."
            )
        if untouched >= 1.0:
            raise CannotScore(
                Cause.GOLD, f"{read.name}: the tests pay full reward if nothing was done."
            )
        reward = await _reward(read, artifacts)
        if reward is None:
            return refused(self.name, Status.LIMIT, "the tests ended without a reward")
        if reward <= untouched:
            return refused(
                self.name, Status.INCORRECT, "the tests pay no more than for an untouched workspace"
            )
        return Scored(reward, status_of(reward), {self.name: reward})

    def demonstrate(self, task: Task) -> str | None:
        """Return a message that writes and runs `solution/solve.sh`; None without one that calls can hold."""
        solution = task_at(task.reference).solution
        return calling(solution) if solution else None


_starts: dict[str, Artifacts] = {}
_rewards: dict[str, float | None] = {}


async def _untouched(read: HarborTask, key: str) -> Artifacts:
    """Return the artifacts of a workspace in which nothing was done; gathered once per task."""
    if key not in _starts:
        workspace = await read.agents.open()
        try:
            artifacts = await gathered(workspace, read.artifacts, MOST_KB, MOST_FILES)
        finally:
            await workspace.close()
        _keep(_starts, key, artifacts)
    return _starts[key]


async def _untouched_reward(read: HarborTask, key: str) -> float | None:
    """Return what the tests pay if nothing was done; looked up once per task."""
    if key not in _rewards:
        artifacts = await _untouched(read, key)
        if read.judging is read.start:
            artifacts = _changes(artifacts, artifacts)
        _keep(_rewards, key, await _reward(read, artifacts))
    return _rewards[key]


def _keep(cache: dict[str, Any], key: str, value: Any) -> None:
    while len(cache) >= _CACHED:
        cache.pop(next(iter(cache)), None)
    cache[key] = value


def _changes(artifacts: Artifacts, before: Artifacts) -> Artifacts:
    """Return the files that are new or changed, and as entries of the kind `deleted` those that are gone."""
    modes = {path: entry.get("mode") for path, entry in before.entries.items()}
    files = {
        path: content
        for path, content in artifacts.files.items()
        if before.files.get(path) != content
        or modes.get(path) != artifacts.entries.get(path, {}).get("mode")
    }
    entries: dict[str, Mapping[str, str]] = {
        path: artifacts.entries.get(path, {"kind": "file"}) for path in files
    }
    entries |= {path: {"kind": "deleted"} for path in before.files if path not in artifacts.files}
    return Artifacts(files, entries)


async def _reward(read: HarborTask, artifacts: Artifacts) -> float | None:
    """Return the reward that the tests write, 0 if it isn't within [0, 1]; None if they write none."""
    limits = Limits(
        wall_s=read.timeout_s, cpu_s=read.timeout_s, memory_mb=1024, processes=128, disk_mb=128
    )
    also = [*read.judging.also]
    for path in (TESTS, LOGS, *(path for path in artifacts.files if path.startswith("/"))):
        top = "/" + path.lstrip("/").partition("/")[0]
        if top not in (read.judging.folder, "/tmp", *also):
            also.append(top)
    start = replace(read.judging, also=tuple(also))
    workspace = await start.open(limits)
    try:
        kept = _without_planted(read, artifacts)
        modes = {path: entry.get("mode", "644") for path, entry in kept.entries.items()}
        programs = [path for path in kept.files if int(modes.get(path, "644"), 8) & 0o100]
        try:
            gone = [p for p, entry in kept.entries.items() if entry["kind"] == "deleted"]
            if gone and read.shared:
                await workspace.shell("rm -f -- " + " ".join(map(shlex.quote, gone)))
            await workspace.write(dict(kept.files), executable=programs)
            tests = {f"{TESTS}/{name}": unpacked(content) for name, content in read.tests.items()}
            await workspace.write({**tests, f"{LOGS}/verifier/.rlvr": b""}, executable=[*tests])
        except WorkspaceFileError:
            return 0.0  # a file in place of a folder, or a folder in place of one of the tests
        exports = "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in read.environment.items()
        )
        await workspace.shell(f"{exports}bash {TESTS}/test.sh", wall_s=read.timeout_s)
        return _read_reward(await workspace.read([_JSON, _TEXT]))
    finally:
        await workspace.close()


def _read_reward(files: Mapping[str, bytes]) -> float | None:
    """Return the reward that files tell; None if there is none."""
    value: Any = None
    try:
        if _JSON in files:
            value = json.loads(files[_JSON])
            if isinstance(value, dict):
                value = value.get("reward", next(iter(value.values())) if len(value) == 1 else None)
        elif _TEXT in files:
            value = float(files[_TEXT])
    except (ValueError, RecursionError):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= 1 else 0.0


def _without_planted(read: HarborTask, artifacts: Artifacts) -> Artifacts:
    """Leave out files that change how tests are run, unless the image has a file of that name there."""
    there = _image_files(read.start)
    kept = {
        path: content
        for path, content in artifacts.files.items()
        if path in there or not _is_planted(path)
    }
    return Artifacts(kept, artifacts.entries)


def _is_planted(path: str) -> bool:
    parts = path.split("/")
    return parts[-1] in _PLANTED or parts[-1].endswith((".pyc", ".pth")) or "__pycache__" in parts


def _image_files(start: Start) -> frozenset[str]:
    return frozenset(
        posixpath.normpath(posixpath.join(start.workdir or start.folder, path))
        for step in start.steps
        for path in step.get("files", ())
    )
