"""Helpers for the tests of environments: a scripted judge, and fixtures with their verdicts::

from rlvr.testing import ScriptedJudge, judge_fixtures

with ScriptedJudge(lambda reference, response: reference in response) as server:
    ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "ScriptedJudge": "rlvr.testing.scripted_judge",
    "judge_fixtures": "rlvr.testing.fixtures",
    "read_fixtures": "rlvr.core.fixtures",
}

if TYPE_CHECKING:
    from rlvr.core.fixtures import read_fixtures
    from rlvr.testing.fixtures import judge_fixtures
    from rlvr.testing.scripted_judge import ScriptedJudge

__all__ = ["ScriptedJudge", "judge_fixtures", "read_fixtures"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'rlvr.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
