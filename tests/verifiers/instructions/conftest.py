"""nltk's data, from the folder of data sets where `NLTK_DATA` names none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nltk_data(data: Path) -> Path:
    """Where sentences and tags come from; set before the first worker is started."""
    folder = os.environ.setdefault("NLTK_DATA", str(data / "nltk_data"))
    import nltk

    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)
    return Path(folder)
