"""The image that Docker's jails are made of: from a registry, or from this machine's package archive.

It has the Python version and the packages that bubblewrap's jails have on this machine, so that programs are judged
alike by both; made `from_host`, it has copies of them.
"""

from __future__ import annotations

import io
import json
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes import host_copies
from rlvr.sandboxes.docker import IMAGE, Docker
from rlvr.sandboxes.docker.client import client, explanation, package
from rlvr.sandboxes.docker.debootstrap import MissingPackagesError, bootstrapped
from rlvr.sandboxes.interpreter import base_python, interpreter
from rlvr.sandboxes.languages import LANGUAGES, language_of
from rlvr.sandboxes.packages import Packages, of_jails

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
BROWSER = ("chromium", "fonts-dejavu-core")
"""Debian's packages for the jails of browsers."""
BUILD = "2"
"""Labels images by what `build` puts into them; older ones lack something."""
SILENCE_S = 900.0  # a compiler's package may take minutes to install, and says nothing meanwhile
CHECK_S = 60.0
# What the image's Python says of itself, which shows that a jail can be made of it.
VERSION = "import platform; print(platform.python_version(), end=';', flush=True)"


def build(
    image: str = IMAGE,
    from_host: bool = False,
    languages: Sequence[str] | None = None,
    base: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    packages: Packages | None = None,
    browser: bool = False,
) -> str:
    """Build an image for `Docker`, replacing one of that name, and run Python in it.

    Args:
        image: Its name.
        from_host: Make it of Debian packages from this machine's apt sources, without any registry, and of
            this machine's Python. Needs root and debootstrap, and takes a minute or more.
        languages: The languages whose compilers or interpreters to install; Python is always installed. The default
            is all, except those that the machine's archive lacks, which `say` is told.
        base: The Debian-based image with Python to start from (default: python:X.Y-slim with this Python's version).
            Not with `from_host`.
        say: Called with each line of progress.
        packages: The packages that programs may import (default: those of bubblewrap's jails).
        browser: Install Chromium, which `rlvr.tools.Browser` needs.

    Returns:
        The version of the image's Python.

    Raises `SandboxError` and `OptionError`, which say what to do, and `MissingExtraError`.
    """
    names = list(dict.fromkeys(language_of(name).name for name in languages or LANGUAGES))
    for name in names:
        if name not in PACKAGES:
            raise OptionError(f"No packages are known for {name}: build an image of your own.")
    more = BROWSER if browser else ()
    python = interpreter(base_python())
    packages = packages or of_jails(python)
    with client(5.0) as api:  # before half a minute's work, not after
        api.ping()
    try:
        if from_host:
            try:
                _from_host(image, names, packages, say, more)
            except MissingPackagesError as error:
                left = [name for name in names if not set(PACKAGES[name]) & set(error.names)]
                if languages is not None or left == names or set(more) & set(error.names):
                    raise
                say(f"This machine's archive has no {', '.join(error.names)}: the image is made without "
                    f"{', '.join(name for name in names if name not in left)}.")  # fmt: skip
                _from_host(image, left, packages, say, more)
        else:
            base = base or f"python:{python.minor}-slim"
            _from_registry(image, names, packages, base, say, more)
    except package().errors.APIError as error:
        raise SandboxError(f"Docker can't build the image: {explanation(error)}") from error
    return _check(image)


def is_current(image: str = IMAGE) -> bool:
    """Return whether there's an image that has what `build` puts into one today. Raises `SandboxError`."""
    docker = package()
    with client(5.0) as api:
        try:
            labels = api.inspect_image(image)["Config"]["Labels"] or {}
        except docker.errors.APIError:
            return False
    return bool(labels.get("rlvr.build") == BUILD)


def _labels(names: Sequence[str], packages: Packages, built_from: str) -> dict[str, str]:
    listing = ",".join(f"{name}=={version}" for name, version in sorted(packages.versions.items()))
    return {
        "rlvr.build": BUILD,
        "rlvr.languages": ",".join(dict.fromkeys(["python", *names])),
        "rlvr.packages": listing,
        "rlvr.built-from": built_from,
    }


def _debian(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(package for name in names for package in PACKAGES[name]))


def _from_registry(
    image: str,
    names: Sequence[str],
    packages: Packages,
    base: str,
    say: Callable[[str], None],
    more: Sequence[str],
) -> None:
    file = _dockerfile(names, base, packages.versions, more).encode()
    labels = _labels(names, packages, base)
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


# Where a package of that version is there already, pip needn't be. What pip is made of, nobody declared.
_INSTALLED = (
    "import importlib.metadata as m; [exit(1) for n, v in {0!r}.items() if m.version(n) != v]"
)


_LAST = "RUN mkdir -p /box && ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime"


def _dockerfile(
    names: Sequence[str], base: str, versions: Mapping[str, str], more: Sequence[str] = ()
) -> str:
    lines = [f"FROM {base}"]
    if debian := _debian(names):
        tools = [tool for name in names for tool in LANGUAGES[name].tools]
        there = " && ".join(f"command -v {tool}" for tool in dict.fromkeys(tools))
        lines.append(
            f"RUN ({there}) > /dev/null || (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get "
            f"install -y --no-install-recommends {' '.join(debian)} && rm -rf /var/lib/apt/lists/*)"
        )
    if more:
        lines.append(
            f"RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
            f"--no-install-recommends {' '.join(more)} && rm -rf /var/lib/apt/lists/*"
        )
    if versions:
        wanted = " ".join(f"{name}=={version}" for name, version in sorted(versions.items()))
        lines.append(
            f'RUN python3 -c "{_INSTALLED.format(dict(versions))}" 2>/dev/null || '
            f"python3 -m pip install --no-cache-dir {wanted}"
        )
    lines.append("RUN python3 -m pip uninstall -y pip setuptools wheel 2>/dev/null || true")
    return "\n".join([*lines, _LAST, "USER root", ""])


def _from_host(
    image: str,
    names: Sequence[str],
    packages: Packages,
    say: Callable[[str], None],
    more: Sequence[str],
) -> None:
    repository, tag = package().utils.parse_repository_tag(image)
    copied = host_copies.toolchains(names)
    debian = [*_debian([name for name in names if name not in copied]), *more]
    with bootstrapped(debian, say) as (root, source):
        for name, tools in copied.items():
            say(f"copying this machine's {name}")
            host_copies.copy_toolchains(tools, root)
        packages = host_copies.copy_python(interpreter(base_python()), packages, root, say)
        parts = urllib.parse.urlsplit(source.uri)
        # A mirror's address may hold a password.
        mirror = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        labels = _labels(names, packages, f"{source.suite} {mirror}")
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
    """Return the folder as a tar archive, piece by piece."""
    command = ["tar", "--numeric-owner", "-C", str(root), "-c", "."]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 20):
            yield piece
    if process.returncode != 0:
        raise SandboxError(f"tar failed on {root} with exit status {process.returncode}.")


def _check(image: str) -> str:
    """Return the version of the image's Python, as a jail says it. Raises `SandboxError` where none does."""
    link = Docker(image).launch(VERSION, memory_mb=128)
    try:
        deadline = time.monotonic() + CHECK_S
        answer = b""
        while not answer.endswith(b";"):
            answer += link.exchange(b"", 1, deadline)
    except SandboxError as error:
        raise SandboxError(
            f"The image {image!r} is built, but no jail runs in it: {error}"
        ) from error
    finally:
        link.close()
    return answer[:-1].decode("ascii", "replace")
