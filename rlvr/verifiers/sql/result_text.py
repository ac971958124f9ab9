"""`Look`: a query's result as text, without a verdict on it. A model may look before it answers.

It runs where verification runs and under the same guard, so that no look can hang, write or read
anything but the task's own database; its schema may be read too.
"""

from __future__ import annotations

from typing import Any

from rlvr.core.blame import working_on
from rlvr.core.task import Task
from rlvr.core.verdict import Status, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.sql.database import Identity
from rlvr.verifiers.sql.execution import Budget, Failed, Rows, run
from rlvr.verifiers.sql.feedback import explained
from rlvr.verifiers.sql.reference import SqlReference
from rlvr.verifiers.sql.statement import refusal
from rlvr.verifiers.sql.worker_cache import STORE


class Look(Verifier):
    """A verifier whose feedback is the result of the response's query, or the reason why it has none.

    Args:
        rows: shown at most.
        characters: shown at most.
        max_steps: of SQLite's virtual machine.
    """

    name = "look"
    limit_s = 10.0

    def __init__(
        self, rows: int = 20, characters: int = 2000, max_steps: int = Budget().steps
    ) -> None:
        self.rows = rows
        self.characters = characters
        self.max_steps = max_steps

    def verify(self, task: Task, response: str) -> Verdict:
        """Run the query on the first of the task's databases."""
        working_on("reference")
        identity = Identity.of(SqlReference.of(task.reference).databases[0])
        database = STORE.database(identity, "look", clock=False)
        working_on("response")
        why = refusal(response)
        if why:
            return refused(self.name, Status.INCORRECT, why)
        outcome = run(database, response, Budget(self.max_steps), first=self.rows + 1)
        if isinstance(outcome, Failed):
            message = explained(outcome.message, database)
            if outcome.status != Status.INCORRECT:
                STORE.drop(database)
            return refused(self.name, outcome.status, message)
        return correct(self.name, shown(outcome, self.rows, self.characters))


def shown(result: Rows, rows: int, characters: int) -> str:
    """Return a result as text: a line of names, then a line per row, with each value cut short."""
    lines = [" | ".join(_cell(name) for name in result.names)]
    lines += [" | ".join(map(_cell, row)) for row in result.rows[:rows]]
    text = "\n".join(lines)
    if len(text) > characters:
        return text[:characters] + "\n… (cut)"
    if not result.rows:
        return text + "\n(no rows)"
    return text + (f"\n… (more than {rows} rows)" if len(result.rows) > rows else "")


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value[:20].hex()}'" + ("…" if len(value) > 20 else "")
    # As UTF-8 can have it, on one line.
    text = " ".join(str(value)[:200].encode("utf-8", "replace").decode().split())
    return text[:77] + "…" if len(text) > 78 else text
