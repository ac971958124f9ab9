"""`Policy`: whatever answers a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rlvr.core.task import Task


class Policy(Protocol):
    """Answers tasks. Anything with a name and this method is one."""

    name: str

    def respond(self, tasks: Sequence[Task]) -> list[str]:
        """One response for each task, in order, from `task.prompt` alone (scripts excepted)."""
        ...
