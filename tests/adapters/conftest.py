"""The tokenizer that the adapters' tests share, and which tests need a trainer's package."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import rows_used  # noqa: F401  (registers the environments)

PACKAGES = ("verl", "openrlhf")


def pytest_configure(config: pytest.Config) -> None:
    for name in PACKAGES:
        config.addinivalue_line("markers", f"{name}: needs {name}; see tests/adapters/{name}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without its package a test is skipped, but not where it was asked for: `pytest -m verl`."""
    asked = config.getoption("markexpr") or ""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        # A folder of that name, such as the one beside this file, is no installed package.
        if (spec is None or spec.origin is None) and name not in asked:
            for item in items:
                if name in item.keywords and item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=f"{name} isn't installed"))


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    pytest.importorskip("transformers")
    from rlvr.training.small_model import make_tokenizer

    return make_tokenizer()
