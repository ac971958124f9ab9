"""Where something is missing, the message says what to do about it, and soon."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest
from docker_daemon import ECHO, containers

from rlvr.core.errors import MissingExtraError, SandboxError
from rlvr.sandboxes.docker import Docker, reap


def test_no_image(docker: Docker) -> None:
    absent = Docker("rlvr-never-built")
    why = absent.why_not() or ""
    assert "There's no image 'rlvr-never-built': rlvr sandbox build --image rlvr-never-built" in why
    with pytest.raises(SandboxError, match="rlvr sandbox build --image rlvr-never-built"):
        absent.launch(ECHO, 64)
    assert containers() == []


def test_no_such_runtime(docker: Docker) -> None:
    absent = Docker(runtime="no-such-runtime")
    assert "no runtime 'no-such-runtime'" in (absent.why_not() or "")
    with pytest.raises(SandboxError, match="no-such-runtime"):
        absent.launch(ECHO, 64)
    assert containers() == []


def test_no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("rlvr.sandboxes.docker.backend.AWAY_S", 0.5)
    assert f"No Docker daemon answers at unix://{tmp_path}" in (Docker().why_not() or "")
    began = time.monotonic()
    with pytest.raises(SandboxError, match=r"No Docker daemon answers.*systemctl start docker"):
        Docker().launch(ECHO, 64)
    assert time.monotonic() - began > 0.5  # it may only be restarting
    with pytest.raises(SandboxError, match="No Docker daemon"):
        reap()


def test_a_daemon_that_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "d.sock"))
        silent.listen(100)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
        monkeypatch.setattr("rlvr.sandboxes.docker.backend.ASK_S", 0.3)
        monkeypatch.setattr("rlvr.sandboxes.docker.containers.GONE_S", 0.3)
        assert "hasn't answered in 0.3 s" in (Docker().why_not() or "")
        with pytest.raises(SandboxError, match="hasn't answered"):
            Docker(timeout_s=0.3).launch(ECHO, 64)


@pytest.mark.parametrize("address", ["ssh://somewhere", "npipe:////./pipe/docker"])
def test_a_daemon_that_cant_be_linked_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert "forward its socket" in (Docker().why_not() or "")


def test_without_docker_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    assert 'pip install "rlvr[docker]"' in (Docker().why_not() or "")
    with pytest.raises(MissingExtraError, match="pip install"):
        Docker().launch(ECHO, 64)
