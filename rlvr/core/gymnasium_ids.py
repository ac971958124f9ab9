"""Gymnasium's ids of our environments, registered as soon as somebody imports Gymnasium.

`import gymnasium` takes longer than everything else that the command line needs, and judging answers doesn't need
it. So a process that never imports it doesn't wait for it, and in a process that does, `gymnasium.make` knows our ids.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_entries: dict[str, tuple[str, dict[str, str]]] = {}  # by id: the entry point and its arguments


def publish(gym_id: str, entry_point: str, arguments: dict[str, str]) -> None:
    """Make `gymnasium.make(gym_id)` call `entry_point` with these arguments."""
    _entries[gym_id] = entry_point, arguments
    if _is_imported():
        _register(gym_id)
    elif _hook not in sys.meta_path:
        sys.meta_path.insert(0, _hook)


def withdraw(gym_id: str) -> None:
    """Remove an id, if it is there."""
    _entries.pop(gym_id, None)
    if _is_imported():
        sys.modules["gymnasium"].registry.pop(gym_id, None)


def warn(message: str) -> None:
    """Warn as Gymnasium does."""
    import gymnasium

    gymnasium.logger.warn("%s", message)  # a % in it is no format


def _is_imported() -> bool:
    """Tell whether Gymnasium can register ids: an import under way sets `register` among the last names."""
    return hasattr(sys.modules.get("gymnasium"), "register")


def _register(gym_id: str) -> None:
    import gymnasium

    entry_point, arguments = _entries[gym_id]
    gymnasium.registry.pop(gym_id, None)  # Gymnasium warns about an id that it replaces
    gymnasium.register(gym_id, entry_point=entry_point, kwargs=dict(arguments))


class _Hook:
    """A finder that finds Gymnasium as the other finders do, and registers our ids after its import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = self._then_registered(spec.loader)  # type: ignore[method-assign]
                return spec
        return None

    def _then_registered(self, loader: Any) -> Any:
        exec_module = loader.exec_module

        def exec_and_register(module: ModuleType) -> None:
            try:
                exec_module(module)
            except BaseException:
                sys.meta_path.insert(0, self)  # the next import may succeed
                raise
            for gym_id in _entries:
                _register(gym_id)

        return exec_and_register


_hook: Any = _Hook()
