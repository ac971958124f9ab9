"""Help for the tests of workspaces: play something in one, with the jails closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rlvr.sandboxes.base import Limits
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.workspace import Workspace

Result = TypeVar("Result")

LIMITS = Limits(
    wall_s=20, cpu_s=20, memory_mb=256, output_kb=256, processes=32, file_mb=16, disk_mb=16
)


def in_workspace(
    backend: Backend, what: Callable[[Workspace], Awaitable[Result]], **options: Any
) -> Result:
    """Return what a function returns that gets a new workspace."""

    async def played() -> Result:
        options.setdefault("limits", LIMITS)
        async with await Workspace.open(backend=backend, **options) as workspace:
            return await what(workspace)

    return asyncio.run(played())


def in_two(
    backend: Backend,
    what: Callable[[Workspace, Workspace], Awaitable[Result]],
    limits: Limits = LIMITS,
) -> Result:
    """Return what a function returns that gets two workspaces of the same jail, open at once."""

    async def played() -> Result:
        async with (
            await Workspace.open(backend=backend, limits=limits) as first,
            await Workspace.open(backend=backend, limits=limits) as second,
        ):
            assert first._jail is second._jail
            return await what(first, second)

    return asyncio.run(played())
