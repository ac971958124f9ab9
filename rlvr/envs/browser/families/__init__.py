"""The families of generated tasks in web applications: each draws any number of them by seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rlvr.core.errors import OptionError, nearest
from rlvr.envs.browser.families import forms, office, records
from rlvr.envs.browser.families.common import BrowserDraft

BROWSER_FAMILIES: Mapping[str, Callable[[np.random.Generator, int], BrowserDraft]] = {
    "shop_order": forms.shop_order,
    "todo": forms.todo,
    "registration": forms.registration,
    "settings": records.settings,
    "staff_records": records.staff_records,
    "inbox": office.inbox,
    "booking": office.booking,
    "inventory": records.inventory,
    "travel_request": office.travel_request,
    "permissions": records.permissions,
    "wiki": records.wiki,
    "tickets": records.tickets,
}
"""The generators by name; each takes a random generator and a level."""


def chosen(family: str) -> tuple[str, ...]:
    """Return the names of the families that an option names. Raises `OptionError` for one that there isn't."""
    if family == "all":
        return tuple(BROWSER_FAMILIES)
    names = tuple(dict.fromkeys(name.strip() for name in str(family).split(",")))
    for name in names:
        if name not in BROWSER_FAMILIES:
            raise OptionError(
                f"There's no family {name!r:.60}. {nearest(name, list(BROWSER_FAMILIES))}"
            )
    return names
