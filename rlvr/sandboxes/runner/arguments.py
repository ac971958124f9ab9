"""What a solution did to the lists and the like that a test called it with, done to the test's own."""

from __future__ import annotations

from typing import Any

from .values import set_state, state_of


def bring_up_to_date(ours: Any, theirs: Any, classes: dict[str, Any]) -> None:
    """Give a mutable argument the content that it has after the call, keeping its identity.

    `classes`: those that both sides have, by name.
    """
    if type(ours) is not type(theirs):
        return
    if isinstance(ours, list):
        for i, (one, other) in enumerate(zip(ours, theirs)):
            if _goes_inside(one, other):
                bring_up_to_date(one, other, classes)
            else:
                ours[i] = other
        del ours[len(theirs) :]
        ours.extend(theirs[len(ours) :])
    elif isinstance(ours, dict):
        for key in [key for key in ours if key not in theirs]:
            del ours[key]
        for key, other in theirs.items():
            if key in ours and _goes_inside(ours[key], other):
                bring_up_to_date(ours[key], other, classes)
            else:
                ours[key] = other
    elif isinstance(ours, set):
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, bytearray):
        ours[:] = theirs
    elif classes.get(type(ours).__name__) is type(ours):
        set_state(ours, state_of(theirs))


def _goes_inside(one: Any, other: Any) -> bool:
    return type(one) is type(other) and isinstance(one, (list, dict, set, bytearray))
