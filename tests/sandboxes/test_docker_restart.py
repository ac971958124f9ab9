"""The daemon is killed and restarted under our feet: nothing is left, and the next jail starts."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_daemon import DEAF, ECHO, client_process, copy_image, dockerd, killed, none_left, soon

from rlvr.core.errors import JailError
from rlvr.sandboxes.docker import Docker
from rlvr.sandboxes.docker_client import client


@pytest.fixture(scope="module")
def folder(docker: Docker) -> Iterator[Path]:
    """A daemon of the tests' own: the machine's has others' containers, and isn't ours to kill."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker daemon")
    folder = Path(tempfile.mkdtemp(prefix="rlvr-dockerd-"))  # a socket's path has to be short
    try:
        dockerd("start", folder)
        copy_image(docker, f"unix://{folder}/docker.sock")
        yield folder
    finally:
        try:
            dockerd("start", folder)  # so that it clears up, if it was killed
        finally:
            dockerd("stop", folder)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_daemon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
    return folder


def all_containers() -> list[str]:
    with client(10) as api:
        return [each["Names"][0] for each in api.containers(all=True)]


def test_a_daemon_killed_and_restarted(own_daemon: Path) -> None:
    backend = Docker()
    links = [backend.launch(code, 64) for code in (ECHO, DEAF)]
    for link in links:
        assert link.exchange(b"", 1, soon()) == b"!"
    process, owner = client_process(DEAF)

    dockerd("kill", own_daemon)
    for link in links:
        began = time.monotonic()
        with pytest.raises(JailError, match="hung up"):
            link.exchange(b"x", 2, soon())
        assert time.monotonic() - began < 3
    killed(process)

    # Meanwhile one thread closes and another launches, and both wait for it to be back.
    threads = [threading.Thread(target=link.close) for link in links]
    launched: list[bytes] = []

    def launch() -> None:
        link = backend.launch(ECHO, 64)
        launched.append(link.exchange(b"", 1, soon()))
        link.close()

    threads.append(threading.Thread(target=launch))
    for thread in threads:
        thread.start()
    time.sleep(1)
    dockerd("start", own_daemon)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert launched == [b"!"]
    assert none_left(owner)
    assert all_containers() == []


def test_a_daemon_away_for_longer_than_close_waits(
    own_daemon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Docker()
    link = backend.launch(DEAF, 64)
    dockerd("kill", own_daemon)
    monkeypatch.setattr("rlvr.sandboxes.docker_containers.GONE_S", 0.5)
    link.close()
    dockerd("start", own_daemon)
    backend.launch(ECHO, 64).close()
    assert all_containers() == []
