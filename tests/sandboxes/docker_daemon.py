"""Help for the tests that need Docker: its daemon, its image, and what containers there are."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlvr.sandboxes.docker import Docker, owners
from rlvr.sandboxes.docker.client import client
from rlvr.sandboxes.docker.containers import OWNER
from rlvr.sandboxes.docker.image import build, is_current

SCRIPT = Path(__file__).parents[2] / ".ci/dockerd"
# Programs for jails. Each says when it's there.
ECHO = """
import os
os.write(1, b"!")
while data := os.read(0, 1 << 16):
    while data:
        data = data[os.write(1, data):]
"""
DEAF = "import os, time; os.write(1, b'!'); time.sleep(600)"


def dockerd(verb: str, folder: Path | None = None) -> None:
    """`.ci/dockerd VERB`, for the machine's daemon or for one of its own in a folder."""
    environment = {**os.environ, "DOCKERD_DIR": str(folder or "")}
    subprocess.run([SCRIPT, verb], check=True, env=environment, timeout=300)


@contextlib.contextmanager
def docker_with_image() -> Iterator[Docker]:
    """Docker, with its daemon started and its image built where they weren't there."""
    backend = Docker()
    reason = backend.why_not() or ""
    started = "No Docker daemon" in reason and os.geteuid() == 0
    if started:
        dockerd("start")
    try:
        reason = backend.why_not() or ""
        if "no image" in reason or (not reason and not is_current()):
            build(from_host=True)
        if reason := backend.why_not() or "":
            raise RuntimeError(reason)
        yield backend
    finally:
        if started:
            dockerd("stop")


def containers(owner: str | None = None) -> list[str]:
    """Names of the sandboxes' containers of a process, this one by default, in whatever state."""
    with client(10) as api:
        label = f"{OWNER}={owner or owners.me()}"
        found = api.containers(all=True, filters={"label": [label]})
        return [each["Names"][0] for each in found if each["Names"]]


def none_left(owner: str | None = None, seconds: float = 60.0) -> bool:
    """Whether a process's containers are gone, or go within some seconds."""
    deadline = time.monotonic() + seconds
    while containers(owner):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def soon(seconds: float = 60.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


# What is large in an image, and not needed to start a jail in Python.
_LARGE = (
    "./proc/*", "./sys/*", "./dev/*", "./opt/*", "./usr/lib/jvm", "./usr/lib/go*", "./usr/lib/gcc", "./usr/share/*", "./usr/include", "./var/*", "./usr/local/include",
    "./usr/local/lib/python*/site-packages/*", "./usr/local/bin/node", "./usr/local/bin/rustc", "*.a",
    "./usr/bin/*-linux-gnu-*", "*san.so.*", "*/gconv", "*/test", "*/tests", "*/__pycache__", "*/ensurepip", "*/idlelib", "*/lib2to3", "*/config-3*",
)  # fmt: skip


def small_system(backend: Docker, path: Path) -> Path:
    """Write the image's file system into a tar archive, without the compilers."""
    command = ["tar", "-C", "/", "-c", *(f"--exclude={each}" for each in _LARGE), "."]
    with client(60) as api, path.open("wb") as file:
        container = api.create_container(backend.image, command=command, network_disabled=True)
        try:
            pieces: Any = api.attach(container, stdout=True, stderr=False, stream=True)
            api.start(container)
            for piece in pieces:
                file.write(piece)
        finally:
            api.remove_container(container, force=True)
    return path


def copy_image(backend: Docker, address: str, path: Path) -> None:
    """Put a small copy of the backend's image into the daemon at an address; `path` is for the way."""
    system = small_system(backend, path)
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = address
    try:
        with client(60) as other, system.open("rb") as file:
            # In pieces: docker-py says that it sends them, and a file would be sent as a whole.
            pieces = iter(lambda: file.read(1 << 20), b"")
            other.import_image_from_stream(pieces, backend.image, "latest")
    finally:
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


CLIENT = """
import sys, time
from rlvr.sandboxes.docker import owners
from rlvr.sandboxes.docker import Docker
link = Docker().launch(sys.argv[1], 64)
assert link.exchange(b"", 1, time.monotonic() + 20) == b"!"
print(owners.me(), flush=True)
time.sleep(600)
"""


def client_process(code: str) -> tuple[subprocess.Popen[str], str]:
    """A process with a jail, and what it calls itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, code], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    assert len(containers(owner)) == 1
    return process, owner


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
