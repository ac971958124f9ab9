"""The image that Docker's jails are made of: from a registry, or from this machine's package archive."""

from __future__ import annotations

import io
import json
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes.debootstrap import bootstrapped
from rlvr.sandboxes.docker import IMAGE, Docker
from rlvr.sandboxes.docker_client import client, explanation, package
from rlvr.sandboxes.languages import language_of

BASE = "python:3.12-slim"
# Debian's packages for each language; Python is there in any case.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "python": (),
    "bash": ("bash",),
    "c": ("gcc", "libc6-dev"),
    "cpp": ("g++", "libc6-dev"),
    "go": ("golang-go",),
    "java": ("default-jdk-headless",),
    "javascript": ("nodejs",),
    "rust": ("rustc",),
}
SILENCE_S = 900.0  # a compiler's package may take minutes to install, and says nothing meanwhile
CHECK_S = 60.0
# What the image's Python says of itself, which shows that a jail can be made of it.
VERSION = "import platform; print(platform.python_version(), end=';', flush=True)"


def build(
    image: str = IMAGE,
    from_host: bool = False,
    languages: Sequence[str] = ("python",),
    base: str = BASE,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Build an image for `Docker`, replacing one of that name, and run Python in it.

    Args:
        image: its name.
        from_host: make it of Debian packages from this machine's apt sources, without any registry.
            Needs root and debootstrap, and takes about 40 s (with compilers, minutes).
        languages: those whose compilers or interpreters it gets; Python is always there.
        base: the Debian-based image with Python that it's made from; not with `from_host`.
        say: gets the progress, line by line.

    Returns:
        The version of its Python.

    Raises `SandboxError` and `OptionError`, which say what to do, and `MissingExtraError`.
    """
    names = [language_of(each).name for each in languages]
    for name in names:
        if name not in PACKAGES:
            raise OptionError(f"No packages are known for {name}: build an image of your own.")
    packages = list(dict.fromkeys(each for name in names for each in PACKAGES[name]))
    labels = {"rlvr.languages": ",".join(dict.fromkeys(["python", *names]))}
    with client(5.0) as api:  # before half a minute's work, not after
        api.ping()
    try:
        if from_host:
            _from_host(image, packages, labels, say)
        else:
            _from_registry(image, packages, base, labels, say)
    except package().errors.APIError as error:
        raise SandboxError(f"Docker can't build the image: {explanation(error)}") from error
    return _check(image)


def _from_registry(
    image: str,
    packages: Sequence[str],
    base: str,
    labels: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    file = _dockerfile(packages, base).encode()
    labels = {**labels, "rlvr.built-from": base}
    with client(SILENCE_S) as api:
        steps = api.build(
            fileobj=io.BytesIO(file), tag=image, rm=True, forcerm=True, labels=labels, decode=True
        )
        for step in steps:
            if "error" in step:
                raise SandboxError(
                    f"The image can't be built from {base}: {step['error'].strip()}\n"
                    f"Where no registry can be reached: rlvr sandbox build --from-host"
                )
            for line in filter(None, step.get("stream", "").splitlines()):
                say(line)


def _dockerfile(packages: Sequence[str], base: str) -> str:
    lines = [f"FROM {base}"]
    if packages:
        lines.append(
            f"RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
            f"--no-install-recommends {' '.join(packages)} && rm -rf /var/lib/apt/lists/*"
        )
    return "\n".join([*lines, "RUN mkdir -p /box", "USER root", ""])


def _from_host(
    image: str, packages: Sequence[str], labels: Mapping[str, str], say: Callable[[str], None]
) -> None:
    repository, tag = package().utils.parse_repository_tag(image)
    with bootstrapped(packages, say) as (root, source):
        parts = urllib.parse.urlsplit(source.uri)
        # A mirror's address may hold a password.
        mirror = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        labels = {**labels, "rlvr.built-from": f"{source.suite} {mirror}"}
        changes = [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
        say("importing it into Docker")
        with client(SILENCE_S) as api:
            answer = api.import_image_from_stream(
                _archived(root), repository, tag or "latest", changes
            )
    for line in answer.splitlines():
        if error := json.loads(line).get("error"):
            raise SandboxError(f"Docker can't import the image: {error}")


def _archived(root: Path) -> Iterator[bytes]:
    """The folder as a tar archive, piece by piece."""
    command = ["tar", "--numeric-owner", "-C", str(root), "-c", "."]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 20):
            yield piece
    if process.returncode != 0:
        raise SandboxError(f"tar failed on {root} with exit status {process.returncode}.")


def _check(image: str) -> str:
    """The version of the image's Python, as a jail says it. Raises `SandboxError` where none does."""
    link = Docker(image).launch(VERSION, memory_mb=128)
    try:
        deadline = time.monotonic() + CHECK_S
        said = b""
        while not said.endswith(b";"):
            said += link.exchange(b"", 1, deadline)
    except SandboxError as error:
        raise SandboxError(
            f"The image {image!r} is built, but no jail runs in it: {error}"
        ) from error
    finally:
        link.close()
    return said[:-1].decode("ascii", "replace")
