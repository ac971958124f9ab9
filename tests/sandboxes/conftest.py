from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from docker_daemon import docker_with_image

from rlvr import sandboxes
from rlvr.core.errors import RlvrError
from rlvr.sandboxes import Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.docker import Docker
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.workspace_jails import jails


@pytest.fixture(scope="module", autouse=True)
def _no_other_jails() -> None:
    """End the jails that other modules' tests left running: they would be counted."""
    sandboxes.close()
    jails.close()


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


@pytest.fixture(scope="session")
def bubblewrap() -> Bubblewrap:
    """Bubblewrap. Skips where it can't be used; but CI has to have it."""
    backend = Bubblewrap()
    reason = backend.why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI has to test bubblewrap: {reason}")
    if reason:
        pytest.skip(reason)
    return backend


@pytest.fixture(scope="module")
def sandbox(bubblewrap: Bubblewrap) -> Iterator[Sandbox]:
    """One jail, so that what one program leaves behind would be there for the next."""
    with Sandbox(bubblewrap, jails=1) as one:
        yield one


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def every_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One jail of each backend that the machine has."""
    backend: Backend = request.getfixturevalue(request.param)
    with Sandbox(backend, jails=1) as one:
        yield one


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def workspaces(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend that the machine has; the jails of workspaces end with the module."""
    backend: Backend = request.getfixturevalue(request.param)
    yield backend
    jails.close()
