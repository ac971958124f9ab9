"""Toolboxes that any `rlvr.ToolEnv` takes, as `rlvr.tools`::

    env = rlvr.ToolEnv(tasks, rlvr.Math(), rlvr.tools.Python(wall_s=10))
    env = rlvr.ToolEnv(tasks, verifier, [rlvr.tools.Shell(), rlvr.tools.Files(), Submit])

They are configurations: each episode gets tools of its own. Several in a list are offered together, and those that need a
workspace share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "Files": "rlvr.envs.toolboxes.workspace",
    "Python": "rlvr.envs.toolboxes.workspace",
    "Shell": "rlvr.envs.toolboxes.workspace",
    "Browser": "rlvr.envs.toolboxes.browser",
    "Calculator": "rlvr.envs.toolboxes.calculator",
    "Mcp": "rlvr.envs.toolboxes.mcp",
    "Passage": "rlvr.envs.retrieval.corpus",
    "PassageIndex": "rlvr.envs.retrieval.index",
    "Search": "rlvr.envs.toolboxes.search",
    "Sql": "rlvr.envs.toolboxes.sql",
    "SubAgents": "rlvr.envs.toolboxes.sub_agents",
    "Toolbox": "rlvr.envs.toolboxes.base",
}

if TYPE_CHECKING:
    from rlvr.envs.retrieval.corpus import Passage
    from rlvr.envs.retrieval.index import PassageIndex
    from rlvr.envs.toolboxes.base import Toolbox
    from rlvr.envs.toolboxes.browser import Browser
    from rlvr.envs.toolboxes.calculator import Calculator
    from rlvr.envs.toolboxes.mcp import Mcp
    from rlvr.envs.toolboxes.search import Search
    from rlvr.envs.toolboxes.sql import Sql
    from rlvr.envs.toolboxes.sub_agents import SubAgents
    from rlvr.envs.toolboxes.workspace import Files, Python, Shell

__all__ = [
    "Browser",
    "Calculator",
    "Files",
    "Mcp",
    "Passage",
    "PassageIndex",
    "Python",
    "Search",
    "Shell",
    "Sql",
    "SubAgents",
    "Toolbox",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
