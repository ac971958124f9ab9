"""The tokenizer that the adapters' tests share, and the environments that they carry."""

from __future__ import annotations

from typing import Any

import pytest
import rows_used  # noqa: F401  (registers the environments)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    pytest.importorskip("transformers")
    from rlvr.training.small_model import make_tokenizer

    return make_tokenizer()
