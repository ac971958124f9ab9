"""What the documentation's tests share: a small model, and a place to work in."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

from rlvr.core import registry
from tests.docs.given import make_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    folder = tmp_path_factory.mktemp("small") / "model"
    make_model(folder)
    return folder


@pytest.fixture
def workplace(
    tmp_path: Path, small_model: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty working directory with the `model`; the data sets are found from there."""
    monkeypatch.setenv("RLVR_DATA", str(data.resolve()))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `rlvr` sets its own
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_model, "model")
    return tmp_path


@pytest.fixture
def own_registry() -> Iterator[None]:
    """What a page registers is gone with its test."""
    before = dict(registry._specs)
    yield
    for name in registry._specs.keys() - before.keys():
        gymnasium.registry.pop(registry._specs.pop(name).gym_id, None)
