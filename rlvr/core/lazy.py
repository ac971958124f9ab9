"""Names that a package exports and imports when first used, so that importing it stays light."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(
    package: str, home: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`::

        __getattr__, __dir__ = lazy_exports(__name__, {"Look": "rlvr.verifiers.sql.result_text"})

    Args:
        package: the package's `__name__`.
        home: the module of each exported name.
    """

    def get(name: str) -> Any:
        if name in home:
            return getattr(importlib.import_module(home[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted({*vars(sys.modules[package]), *home})
