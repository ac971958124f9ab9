"""Building the image, on a real daemon; debootstrap is played by a script, as the real one takes long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from docker_daemon import small_system

from rlvr.cli import command
from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes import Needs, Sandbox
from rlvr.sandboxes.docker import Docker, debootstrap
from rlvr.sandboxes.docker.client import client
from rlvr.sandboxes.docker.image import BROWSER, _dockerfile, build, is_current
from rlvr.sandboxes.interpreter import base_python, interpreter

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap is for root")
Play = Callable[[str], Path]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Puts a script in debootstrap's place; at the end, nothing is left in the temporary folder."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def play(script: str) -> Path:
        path = programs / "debootstrap"
        # The last arguments are the suite, the folder and the mirror.
        start = '#!/bin/bash\nset -e\necho "$@" >"$0.called"\nroot="${@: -2:1}"\nmkdir -p "$root"\n'
        path.write_text(start + script)
        path.chmod(0o755)
        return temporary

    yield play
    assert list(temporary.iterdir()) == []


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No set of packages is built for the machine's other jails."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "sets"))


@pytest.fixture
def image(docker: Docker) -> Iterator[str]:
    """A name for an image, which is removed."""
    name = f"rlvr-test-{os.getpid()}:v1"
    yield name
    with client(300) as api:  # of many files
        if any(name in (each["RepoTags"] or ()) for each in api.images()):
            api.remove_image(name, force=True)


@pytest.mark.sweep
@as_root
def test_from_host(docker: Docker, image: str, play: Play, tmp_path: Path) -> None:
    system = small_system(docker, tmp_path / "system.tar")
    play(
        f'tar -C "$root" -xf {system}\nmkdir -p "$root/usr/share/doc/thing" "$root/var/log"\n'
        'echo host >"$root/etc/hostname"\necho I: Base system installed\n'
    )
    lines: list[str] = []
    before = os.umask(0o077)  # a strict one mustn't lock out the programs in the jail
    try:
        version = build(image, from_host=True, languages=["c", "sh"], say=lines.append)
        assert version == interpreter(base_python()).version
    finally:
        os.umask(before)
    assert "I: Base system installed" in lines
    called = (tmp_path / "bin/debootstrap.called").read_text()
    assert "--variant=minbase" in called
    assert "python3-minimal,libpython3-stdlib,gcc,libc6-dev,bash " in called
    with client(10) as api:
        labels = api.inspect_image(image)["Config"]["Labels"]
    assert labels["rlvr.languages"] == "python,c,bash"
    assert "://" in labels["rlvr.built-from"]
    assert labels["rlvr.packages"].startswith("numpy==")
    assert is_current(image)
    look = "import os; print(*os.listdir('/usr/share/doc'), oct(os.stat('/').st_mode), flush=True)"
    link = Docker(image).launch(look, 64)
    assert link.exchange(b"", 8, time.monotonic() + 20) == b"0o40755\n"
    link.close()
    with Sandbox(Docker(image), jails=1) as sandbox:
        sandbox.require(Needs.of(["python"], ["numpy"]))


@as_root
def test_an_archive_that_lacks_a_language(docker: Docker, play: Play) -> None:
    """By default what's there is taken, and what isn't is named; what was asked for has to be there."""
    absent = "E: Couldn't find these debs: golang-go"
    play(f'[[ $* != *golang* ]] || {{ echo "{absent}"; exit 1; }}; exit 3')
    lines: list[str] = []
    with pytest.raises(SandboxError, match="exit status 3"):
        build("rlvr-never-built", from_host=True, say=lines.append)
    assert any("no golang-go: the image is made without go." in line for line in lines)
    with pytest.raises(SandboxError, match="has no golang-go"):
        build("rlvr-never-built", from_host=True, languages=["go"])


@as_root
def test_debootstrap_fails(docker: Docker, play: Play) -> None:
    play('mkdir -p "$root/debootstrap"; echo E: no such mirror; exit 7')
    with pytest.raises(SandboxError, match=r"(?s)exit status 7.*E: no such mirror"):
        build("rlvr-never-built", from_host=True)


@pytest.mark.sweep
@as_root
def test_an_image_whose_python_doesnt_run(docker: Docker, image: str, play: Play) -> None:
    play('mkdir "$root/usr"')
    with pytest.raises(SandboxError, match="python3"):
        build(image, from_host=True)


@as_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(docker: Docker, play: Play, number: int) -> None:
    temporary = play("echo started\nsleep 600 & wait\n")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rlvr",
            "sandbox",
            "build",
            "--from-host",
            "--packages",
            "",
            "--image",
            "rlvr-no",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert any(line == "started\n" for line in process.stdout)
    assert len(list(temporary.iterdir())) == 1
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert list(temporary.iterdir()) == []


def test_from_a_base(docker: Docker, image: str) -> None:
    lines: list[str] = []
    assert build(image, base=docker.image, say=lines.append).startswith("3.")
    assert lines[0].endswith(f" : FROM {docker.image}")
    with client(10) as api:
        labels = api.inspect_image(image)["Config"]["Labels"]
    assert labels["rlvr.built-from"] == docker.image


def test_from_a_base_that_isnt_to_be_had(docker: Docker) -> None:
    with pytest.raises(SandboxError, match="--from-host"):
        build("rlvr-never-built", base="localhost:1/nowhere")


def test_the_languages_and_packages_of_a_base() -> None:
    assert "apt-get" not in _dockerfile([], "python:3.12-slim", {})
    assert "pip install" not in _dockerfile([], "python:3.12-slim", {})
    assert "chromium" not in _dockerfile(["cpp"], "python:3.12-slim", {})
    assert " ".join(BROWSER) in _dockerfile([], "python:3.12-slim", {}, BROWSER)
    file = _dockerfile(["cpp", "rust"], "python:3.12-slim", {"numpy": "2.1.0"})
    assert "install -y --no-install-recommends g++ libc6-dev rustc &&" in file
    assert "pip install --no-cache-dir numpy==2.1.0\n" in file


def test_an_unknown_language() -> None:
    with pytest.raises(OptionError, match="Did you mean 'python'"):
        build(languages=["pyhton"])


def test_not_root(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root: run it with sudo"):
        build(from_host=True)


@as_root
def test_no_debootstrap(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debootstrap, "_path", lambda: "/nowhere")
    with pytest.raises(SandboxError, match="apt-get install debootstrap"):
        build(from_host=True)


def test_no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxError, match="No Docker daemon"):
        build(from_host=True)


def test_the_command_line(docker: Docker, image: str) -> None:
    arguments = ["sandbox", "build", "--packages", "", "--base", docker.image, "--image", image]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert f"{image}: Python 3." in done.output
    assert f"bubblewrap: Python {interpreter(base_python()).version}, packages: none" in done.output
    done = CliRunner().invoke(command, [*arguments, "--from-host"])
    assert "--base has no use" in done.output
    done = CliRunner().invoke(command, ["sandbox", "reap"])
    assert done.output.endswith(" removed\n")
