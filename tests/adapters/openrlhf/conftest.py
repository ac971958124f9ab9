"""OpenRLHF on a machine without a GPU: two of its packages have no build for one that would fit here.

`vllm` and `flash_attn` are empty stand-ins that can be imported; nothing under test calls them. All of
OpenRLHF itself is the released package.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator, Sequence

import pytest

os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # a token would be written into the home folder


class Absent(types.ModuleType):
    """A module in which every name is some class."""

    __path__: list[str] = []
    __version__ = "0.29.0"

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in ("vllm", "flash_attn"):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """It's ready."""


@pytest.fixture(scope="session", autouse=True)
def without_a_gpu() -> Iterator[None]:
    finder = Finder()
    sys.meta_path.append(finder)  # last: a package that is installed is the real one
    yield
    sys.meta_path.remove(finder)
