"""Jails in containers, on a real daemon."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker_daemon import DEAF, ECHO, containers, none_left, soon

from rlvr.core.errors import JailError, OptionError
from rlvr.sandboxes.docker import Docker

# What a jail looks like from within.
LOOK = """
import json, os
def tries(path):
    try:
        open(path, "w").close()
        return "ok"
    except OSError as error:
        return error.errno
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "pid": os.getpid(),
    "uid": os.getuid(),
    "host": os.uname().nodename,
    "capabilities": int(status["CapEff"], 16),
    "privileges": int(status["NoNewPrivs"]),
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "environment": sorted(os.environ),
    "root": tries("/x"), "tmp": tries("/tmp/x"), "box": tries("/box/x"), "shm": tries("/dev/shm/x"),
    "memory": int(open("/sys/fs/cgroup/memory/memory.limit_in_bytes").read())
        if os.path.exists("/sys/fs/cgroup/memory") else int(open("/sys/fs/cgroup/memory.max").read()),
}), flush=True)
"""


def test_echo_and_nothing_left(docker: Docker) -> None:
    assert docker.why_not() is None
    link = docker.launch(ECHO, 64)
    assert link.exchange(b"abc", 4, soon()) == b"!abc"
    assert len(containers()) == 1
    link.close()
    assert containers() == []
    link.close()


def test_two_jails_are_launched_at_once(docker: Docker) -> None:
    def first_byte(_: int) -> bytes:
        link = docker.launch(ECHO, 64)
        first = link.exchange(b"", 1, soon())
        link.close()
        return first

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(first_byte, range(2))) == [b"!", b"!"]


def test_eight_at_once(docker: Docker) -> None:
    with ThreadPoolExecutor(8) as threads:
        links = list(threads.map(lambda _: docker.launch(ECHO, 64), range(8)))
        said = list(threads.map(lambda link: link.exchange(b"x", 2, soon()), links))
        assert len(containers()) == 8
        list(threads.map(lambda link: link.close(), links))
    assert said == [b"!x"] * 8
    assert containers() == []


def test_fifty_megabytes_both_ways_at_once(docker: Docker) -> None:
    link = docker.launch(ECHO, 64)
    data = os.urandom(1 << 20) * 50
    try:
        assert link.exchange(b"", 1, soon()) == b"!"
        assert link.exchange(data, len(data), soon(60)) == data
    finally:
        link.close()


def test_a_jail_from_within(docker: Docker) -> None:
    link = docker.launch(LOOK, 64)
    try:
        said = b""
        while not said.endswith(b"\n"):
            said += link.exchange(b"", 1, soon())
    finally:
        link.close()
    seen = json.loads(said)
    names = ("LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED")
    assert set(seen.pop("environment")) <= {*names, "HOME", "HOSTNAME"}
    # CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, MKNOD
    bits = sum(1 << bit for bit in (0, 1, 3, 5, 6, 7, 18, 19, 21, 27))
    assert seen.pop("shm") != "ok"
    assert seen == {
        "pid": 1,
        "uid": 0,
        "host": "jail",
        "capabilities": bits,
        "privileges": 1,
        "interfaces": ["lo"],
        "root": 30,  # EROFS
        "tmp": "ok",
        "box": "ok",
        "memory": 64 << 20,
    }


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit(3)", r"^The jail hung up: exit status 3\.$"),
        (
            "1 / 0",
            r"exit status 1\. Its last words: Traceback.*ZeroDivisionError: division by zero",
        ),
        (
            "x = bytearray(1 << 28); x[::4096] = b'y' * (1 << 16)",
            r"hung up: (out of memory|killed)",
        ),
        ("import sys; sys.stderr.write('x' * 10**7 + 'END')", r"exit status 0\..*xxxEND$"),
    ],
    ids=["exits", "raises", "out of memory", "floods stderr"],
)
def test_a_jail_that_dies_says_how(docker: Docker, code: str, why: str) -> None:
    link = docker.launch(code, 64)
    # Hung up on while it's being sent to, too.
    with pytest.raises(JailError, match=f"(?s){why}") as error:
        link.exchange(b"x" * (1 << 20), 1, soon())
    assert len(str(error.value)) < 5000
    link.close()
    assert containers() == []


def test_a_jail_that_doesnt_answer(docker: Docker) -> None:
    link = docker.launch(DEAF, 64)
    assert link.exchange(b"", 1, soon()) == b"!"
    with pytest.raises(JailError, match="didn't answer in time"):
        link.exchange(b"x" * (4 << 20), 0, time.monotonic() + 0.3)
    link.close()
    assert containers() == []


def test_close_in_the_middle_of_an_exchange(docker: Docker) -> None:
    link = docker.launch(DEAF, 64)
    threading.Timer(0.3, link.close).start()
    with pytest.raises(JailError, match="The jail was closed"):
        link.exchange(b"", 100, soon())
    assert none_left()


def test_code_too_long_for_an_argument(docker: Docker) -> None:
    with pytest.raises(OptionError, match="over the link"):
        docker.launch("#" * (1 << 17), 64)
    link = docker.launch(ECHO + "#" * 100_000, 64)
    assert link.exchange(b"", 1, soon()) == b"!"
    link.close()
