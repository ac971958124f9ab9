"""Mining: tasks for the environment `terminal` out of a local git repository's history."""

from __future__ import annotations

from rlvr.authoring.mining.folders import MinedTask
from rlvr.authoring.mining.mine import MiningReport, mine

__all__ = ["MinedTask", "MiningReport", "mine"]
