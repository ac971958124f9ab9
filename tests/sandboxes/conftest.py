from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from docker_daemon import docker_with_image

from rlvr.core.errors import RlvrError
from rlvr.sandboxes.docker import Docker


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """Docker on a real daemon, with its image. Skips where there's none; but CI has to have one."""
    available = docker_with_image()
    try:
        backend = available.__enter__()
    except (RlvrError, RuntimeError, OSError) as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI has to test Docker: {error}")
        pytest.skip(str(error))
    yield backend
    available.__exit__(None, None, None)
