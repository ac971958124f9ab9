"""Partners: policies that have a part in an episode beside the one under training.

`Partner` asks one of them; `User` is a simulated user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "Partner": "rlvr.partners.partner",
    "Talk": "rlvr.partners.partner",
    "ControlUser": "rlvr.partners.user",
    "InCharacter": "rlvr.partners.user",
    "KnownValues": "rlvr.partners.user",
    "SaysAll": "rlvr.partners.user",
    "User": "rlvr.partners.user",
    "UserBrief": "rlvr.partners.user",
    "user_errors": "rlvr.partners.user",
}

if TYPE_CHECKING:
    from rlvr.partners.partner import Partner, Talk
    from rlvr.partners.user import (
        ControlUser,
        InCharacter,
        KnownValues,
        SaysAll,
        User,
        UserBrief,
        user_errors,
    )

__all__ = [
    "ControlUser",
    "InCharacter",
    "KnownValues",
    "Partner",
    "SaysAll",
    "Talk",
    "User",
    "UserBrief",
    "user_errors",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
