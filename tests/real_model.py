"""A real model for tests: SmolLM2-135M-Instruct, fetched once and kept outside the clone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "real-model"


@pytest.fixture(scope="session")
def real_model() -> Path:
    """Return a folder with the subfolders `float32` and `bfloat16`.

    Its tests are skipped if it can't be fetched, except in CI.
    """
    pytest.importorskip("transformers")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    version = hashlib.sha256(TOOL.read_bytes()).hexdigest()[:10]
    folder = Path(cache, "rlvr", f"real-model-{version}")
    done = subprocess.run(
        [TOOL, folder], env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True
    )
    if done.returncode:
        reason = f"tools/real-model {folder} failed: {done.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
