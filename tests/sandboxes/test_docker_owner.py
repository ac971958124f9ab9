"""Nothing is left of clients that die, and nobody touches what another one uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from docker_daemon import DEAF, ECHO, client_process, containers, killed, none_left, soon

from rlvr.sandboxes.docker import Docker, owners, reap
from rlvr.sandboxes.docker.client import client


def test_a_killed_client_takes_its_jail_along(docker: Docker) -> None:
    process, owner = client_process(ECHO)
    killed(process)
    assert none_left(owner)


def test_a_deaf_jail_of_a_killed_client_is_reaped(docker: Docker) -> None:
    process, owner = client_process(DEAF)
    mine = docker.launch(ECHO, 64)
    reap()
    assert len(containers(owner)) == 1  # its owner lives
    killed(process)
    reap()
    assert containers(owner) == []
    assert mine.exchange(b"", 1, soon()) == b"!"  # and so does this one's
    mine.close()


def test_the_first_launch_of_a_process_reaps(docker: Docker) -> None:
    process, owner = client_process(DEAF)
    killed(process)
    later, _ = client_process(ECHO)
    assert containers(owner) == []
    killed(later)


def test_a_container_whose_making_was_never_answered_is_reaped(docker: Docker) -> None:
    with client(10) as api:
        docker._create(api, "rlvr-lost", ECHO, 64)
    assert containers() == ["/rlvr-lost"]
    assert reap() >= 1
    assert containers() == []


def test_owners() -> None:
    me = owners.me()
    host, boot, namespace, pid, start = me.split("/")
    assert not owners.dead(me)
    assert owners.dead(f"{host}/{boot}/{namespace}/{pid}/{int(start) - 1}")  # pid used again
    assert owners.dead(f"{host}/{boot}/{namespace}/4194305/1")
    for elsewhere in (f"other/{boot}/{namespace}", f"{host}/other/{namespace}", f"{host}/{boot}/x"):
        assert not owners.dead(f"{elsewhere}/4194305/1")
    for nonsense in ("", "/", me + "/", f"{host}/{boot}/{namespace}/", "x" * 1000):
        assert not owners.dead(nonsense) or nonsense == me + "/"


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen(["true"])
    start = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    owner = f"{owners.me().rsplit('/', 2)[0]}/{process.pid}/{start}"
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owners.dead(owner)
    process.wait()


def test_a_forked_child_lets_the_parents_containers_be(docker: Docker) -> None:
    link = docker.launch(ECHO, 64)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            link.close()
            reap()
            own = docker.launch(ECHO, 64)  # and may have its own
            if own.exchange(b"", 1, soon()) == b"!":
                own.close()
                status = len(containers())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert link.exchange(b"abc", 4, soon()) == b"!abc"
    link.close()
    assert containers() == []
