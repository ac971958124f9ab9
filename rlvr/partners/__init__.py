"""Partners: policies that have a part in an episode beside the one under training.

`Partner` asks one of them; `User` is a simulated user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "Partner": "rlvr.partners.partner",
    "Talk": "rlvr.partners.partner",
}

if TYPE_CHECKING:
    from rlvr.partners.partner import Partner, Talk

__all__ = ["Partner", "Talk"]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
