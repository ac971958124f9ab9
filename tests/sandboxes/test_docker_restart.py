"""The daemon is killed and restarted under our feet: nothing is left, and the next jail starts."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker_daemon import DEAF, ECHO, client_process, copy_image, dockerd, killed, none_left, soon

from rlvr.core.errors import JailError, SandboxError
from rlvr.sandboxes import Program, Sandbox
from rlvr.sandboxes.docker import Docker
from rlvr.sandboxes.docker.client import client


@pytest.fixture(scope="module")
def folder(docker: Docker) -> Iterator[Path]:
    """A daemon of the tests' own: the machine's has others' containers, and isn't ours to kill."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker daemon")
    folder = Path(tempfile.mkdtemp(prefix="rlvr-dockerd-"))  # a socket's path has to be short
    try:
        dockerd("start", folder)
        copy_image(docker, f"unix://{folder}/docker.sock", folder / "system.tar")
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
        # One that is being removed has lost its name already.
        return [each["Names"][0] for each in api.containers(all=True) if each["Names"]]


@pytest.mark.sweep
def test_a_daemon_killed_and_restarted(own_daemon: Path) -> None:
    backend = Docker()
    links = [backend.launch(code, 64) for code in (ECHO, DEAF)]
    for link in links:
        assert link.exchange(b"", 1, soon()) == b"!"
    process, owner = client_process(DEAF)

    dockerd("kill", own_daemon)
    for link in links:
        with pytest.raises(JailError, match="hung up"):  # and not: didn't answer in time
            link.exchange(b"x", 2, soon())
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
        thread.join(120)
        assert not thread.is_alive()
    assert launched == [b"!"]
    assert none_left(owner)
    assert all_containers() == []


@pytest.mark.sweep
def test_a_daemon_away_for_longer_than_close_waits(
    own_daemon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Docker()
    link = backend.launch(DEAF, 64)
    dockerd("kill", own_daemon)
    monkeypatch.setattr("rlvr.sandboxes.docker.containers.GONE_S", 0.5)
    link.close()
    dockerd("start", own_daemon)
    backend.launch(ECHO, 64).close()
    assert all_containers() == []


@pytest.mark.sweep
def test_a_batch_whose_daemon_is_killed_and_restarted(own_daemon: Path) -> None:
    program = Program(b"import time\ntime.sleep(0.05)\nprint(int(input()) + 1)")
    with Sandbox("docker", jails=2) as sandbox, ThreadPoolExecutor(4) as threads:
        sandbox.start()

        def judged(number: int) -> int | None:
            try:
                run = sandbox.run(program, [str(number).encode()] * 3)
            except SandboxError:
                return None  # no verdict, which is no wrong one
            outputs = {done.stdout for done in run.executions}
            assert len(run.executions) == 3
            return int(outputs.pop()) if len(outputs) == 1 else -1

        results = [threads.submit(judged, number) for number in range(60)]
        while sum(one.done() for one in results) < 10:
            time.sleep(0.01)
        dockerd("kill", own_daemon)
        time.sleep(0.5)
        dockerd("start", own_daemon)
        came = [one.result(120) for one in results]
        assert all(one in (number + 1, None) for number, one in enumerate(came))
        # What was running had a second try; what came later didn't notice.
        assert sum(one is None for one in came) <= 4
        assert judged(1) == 2
    assert none_left()
    assert all_containers() == []


@pytest.mark.sweep
def test_jails_that_died_while_they_waited(own_daemon: Path) -> None:
    with Sandbox("docker", jails=2) as sandbox:
        sandbox.start()
        dockerd("kill", own_daemon)
        dockerd("start", own_daemon)
        for _ in range(4):
            (done,) = sandbox.run(Program(b"print(1)")).executions
            assert done.stdout == b"1\n"
    assert all_containers() == []
