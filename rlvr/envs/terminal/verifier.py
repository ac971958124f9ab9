"""`TerminalVerifier`: judges the artifacts that an episode in a terminal has left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.tool_calls import MOST_CALLS, written_call
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.checks import failure
from rlvr.envs.terminal.programs import program_failure


class TerminalVerifier(Verifier):
    """Full reward for an episode whose declared artifacts pass all checks of the task; otherwise nothing.

        env = rlvr.make("terminal", family="merge_jsonl", level=2)
        env.verifier

    It sees the episode's outcome: the contents of the declared artifacts, and nothing else of the agent's workspace.
    Checks read them as data. What has to be run is run in a jail of its own, on inputs that the agent never saw, and
    its output is compared here.
    """

    name = "terminal"
    version = 1
    sees = "transcript"
    limit_s = math.inf  # the sandbox bounds each run from when it begins

    async def verify(self, task: Task, response: Transcript) -> Verdict:
        """Judge the outcome. Raises `CannotScore` for faults that aren't the agent's."""
        if response.outcome is None:
            return Unscored(Cause.INTERNAL, f"{self.name}: the episode has no outcome to judge")
        try:
            artifacts = Artifacts.of(response.outcome)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Unscored(Cause.INPUT, f"{self.name}: the outcome can't be read: {error!r:.100}")
        if artifacts.excess:
            return refused(self.name, Status.LIMIT, artifacts.excess)
        return await self.judge(task, artifacts)

    async def judge(self, task: Task, artifacts: Artifacts) -> Verdict:
        """Make the task's checks in order, up to the first that fails."""
        checks = task.reference.get("checks") if isinstance(task.reference, Mapping) else None
        if not isinstance(checks, list) or not checks:
            raise CannotScore(Cause.GOLD, "The reference has no checks, so any attempt would pass.")
        for number, check in enumerate(checks, 1):
            if check.get("kind") == "program":
                failed = await program_failure(check, artifacts)
                if failed is not None:
                    status = Status.LIMIT if failed.at_limit else Status.INCORRECT
                    return self._refused(status, number, len(checks), failed.reason)
            elif reason := failure(check, artifacts):
                return self._refused(Status.INCORRECT, number, len(checks), reason)
        return correct(self.name, checks=len(checks))

    def _refused(self, status: Status, number: int, count: int, reason: str) -> Verdict:
        return refused(self.name, status, f"check {number} of {count}: {reason}", check=number)

    def demonstrate(self, task: Task) -> str | None:
        """Return a message whose calls make the reference's solution and submit it."""
        solution = task.reference.get("solution") if isinstance(task.reference, Mapping) else None
        return None if not solution else calling(solution)


def calling(commands: Iterable[str]) -> str:
    """Return a message that runs commands in the terminal and submits.

    Commands are joined if there are more of them than a message may have calls.
    """
    commands = list(commands)
    while len(commands) >= MOST_CALLS:
        place = min(range(len(commands) - 1), key=lambda i: len(commands[i]) + len(commands[i + 1]))
        commands[place : place + 2] = ["\n".join(commands[place : place + 2])]
    calls = [written_call("shell", command=command) for command in commands]
    return "\n".join([*calls, written_call("submit")])
