"""`SiteState`: judges the rows that an episode leaves in a web application."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.envs.browser.walk import WalkError, messages_of

_Tables = dict[str, dict[str, dict[str, Any]]]


class SiteState(Verifier):
    """Full reward if exactly what was asked for has changed, and nothing else; otherwise nothing.

        env = rlvr.make("browser", family="inbox", level=2)
        env.verifier

    It sees the episode's outcome, which is the state of the site's server, and no page. It compares it with the task's
    first state and the reference: new values of rows, rows that are added (under any id, in any order), rows that are
    removed. The last message doesn't count.
    """

    name = "site_state"
    version = 1
    sees = "transcript"

    def verify(self, task: Task, response: Transcript) -> Verdict:
        """Judge the outcome. Raises `CannotScore` if the task has no first state or no reference."""
        first = _tables(task.metadata.get("site"))
        reference = task.reference if isinstance(task.reference, Mapping) else {}
        if first is None or not (reference.keys() & {"changed", "added", "removed"}):
            raise CannotScore(Cause.GOLD, "The task has no first state, or no reference.")
        if response.outcome is None:
            return Unscored(Cause.INTERNAL, f"{self.name}: the episode has no outcome to judge")
        last = _tables(response.outcome)
        if last is None:
            return Unscored(Cause.INPUT, f"{self.name}: the outcome can't be read")
        missing, collateral = _differences(first, last, reference)
        if not missing and not collateral:
            return correct(self.name, changes=_count(reference))
        feedback = f"{missing} of the rows that were to change are not as asked; {collateral} other rows have changed"
        return refused(
            self.name, Status.INCORRECT, feedback, missing=missing, collateral=collateral
        )

    def demonstrate(self, task: Task) -> str | None:
        """Return a message whose calls make the reference's changes; None if one message can't hold them all."""
        messages = right_messages(task)
        return messages[0] if messages and len(messages) == 1 else None


def right_messages(task: Task) -> tuple[str, ...] | None:
    """Return the messages of an episode that takes the reference's steps; None if there are none, or they don't fit."""
    steps = task.reference.get("steps") if isinstance(task.reference, Mapping) else None
    if not steps:
        return None
    try:
        return messages_of(task.metadata["site"], steps)
    except (WalkError, LookupError, TypeError, ValueError):
        return None


def _tables(state: Any) -> _Tables | None:
    """Return the rows by id, by table; None if it is no state."""
    try:
        return {
            str(name): {str(row["id"]): dict(row) for row in rows}
            for name, rows in state["tables"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _count(reference: Mapping[str, Any]) -> int:
    changes = (reference.get(kind) or {} for kind in ("changed", "added", "removed"))
    return sum(len(rows) for tables in changes for rows in tables.values())


def _differences(first: _Tables, last: _Tables, reference: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many rows aren't as asked, and how many others have changed."""
    changed, added, removed = (
        reference.get(kind) or {} for kind in ("changed", "added", "removed")
    )
    missing = collateral = 0
    for table in first.keys() | last.keys():
        before, after = first.get(table, {}), last.get(table, {})
        gone = {str(id) for id in removed.get(table, ())}
        asked = changed.get(table, {})
        for id, row in before.items():
            expected = None if id in gone else {**row, **asked.get(id, {})}
            if _plain(after.get(id)) != _plain(expected):
                if id in gone or id in asked:
                    missing += 1
                else:
                    collateral += 1
        wanted = Counter(_plain(row) for row in added.get(table, ()))
        new = Counter(_plain(row) for id, row in after.items() if id not in before)
        missing += (wanted - new).total()
        collateral += (new - wanted).total()
    return missing, collateral


def _plain(row: Mapping[str, Any] | None) -> str:
    """Return a row as text, without its id: true isn't 1, and 1 isn't "1"."""
    if row is None:
        return ""
    return json.dumps({key: value for key, value in row.items() if key != "id"}, sort_keys=True)
