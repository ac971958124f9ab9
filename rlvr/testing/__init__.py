"""Helpers for the tests of environments: a scripted judge, and fixtures with their verdicts::

from rlvr.testing import ScriptedJudge, judge_fixtures

with ScriptedJudge(lambda reference, response: reference in response) as server:
    ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

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

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
