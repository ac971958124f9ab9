"""A small Debian in a folder, made of this machine's own package archive by debootstrap."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rlvr.core.errors import SandboxError
from rlvr.sandboxes.docker.apt_sources import Archive, archive

# What no program in a jail needs, and apt itself wouldn't miss.
TRIMMED = (
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*",
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    # debootstrap copies these from the host, and they must not leave it
    "etc/hostname",
    "etc/resolv.conf",
)
PYTHON = ("python3-minimal", "libpython3-stdlib")
_ABSENT = "Couldn't find these debs:"


class MissingPackagesError(SandboxError):
    """The archive has no packages of some names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"This machine's archive (apt's sources) has no {', '.join(names)}.")


@contextlib.contextmanager
def bootstrapped(
    packages: Sequence[str], say: Callable[[str], None]
) -> Iterator[tuple[Path, Archive]]:
    """Return a folder with a root file system that holds Python and `packages`; removed at the end.

    Takes about half a minute and 250 MB (more with compilers) in the folder for temporary files.

    Args:
        say: gets each line of debootstrap's progress.

    Raises `SandboxError` where it can't be made; the message says what to do.
    """
    if os.geteuid() != 0:
        raise SandboxError("debootstrap needs root: run it with sudo, or leave out --from-host.")
    if shutil.which("debootstrap", path=_path()) is None:
        raise SandboxError("debootstrap isn't installed: apt-get install debootstrap")
    source = archive()
    parent = Path(tempfile.mkdtemp(prefix="rlvr-image-"))
    try:
        root = parent / "root"
        _debootstrap(root, source, packages, say)
        _trim(root)
        (root / "box").mkdir(exist_ok=True)
        yield root, source
    finally:
        _remove(parent)


def _debootstrap(
    root: Path, source: Archive, packages: Sequence[str], say: Callable[[str], None]
) -> None:
    include = ",".join(dict.fromkeys((*PYTHON, *packages)))
    components = ",".join(source.components)
    command = ["debootstrap", "--variant=minbase", f"--include={include}"]
    command += [f"--components={components}"]
    command += [f"--keyring={source.keyring}"] if source.keyring else []
    command += [source.suite, str(root), source.uri]
    say(f"debootstrap makes {source.suite}, which takes half a minute or more")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that it can be ended with all it started
        umask=0o022,  # programs in the jail aren't root, and have to get at it
        env={**os.environ, "PATH": _path(), "LC_ALL": "C.UTF-8"},
    )
    last: deque[str] = deque(maxlen=8)
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").rstrip()
                last.append(line)
                say(line)
        status = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status != 0:
        absent = [line.partition(_ABSENT)[2].split() for line in last if _ABSENT in line]
        if absent:
            raise MissingPackagesError([name for names in absent for name in names])
        raise SandboxError(
            f"debootstrap failed with exit status {status}. Its last words:\n  "
            + "\n  ".join([*last, *_log_end(root)])
        )


def _log_end(root: Path, lines: int = 8) -> list[str]:
    """Return the end of the log that debootstrap leaves where installing a package failed."""
    try:
        text = (root / "debootstrap/debootstrap.log").read_text("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def _trim(root: Path) -> None:
    for pattern in TRIMMED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remove(parent: Path) -> None:
    """Remove the folder, and first unmount what a debootstrap that was killed left mounted in it."""
    for point in reversed(_mounted_in(parent)):
        subprocess.run(["umount", "--lazy", point], check=False, env={"PATH": _path()})
    if left := _mounted_in(parent):  # it may be the host's own /dev
        raise SandboxError(f"Something is still mounted in {parent}: umount {' '.join(left)}")
    shutil.rmtree(parent)


def _mounted_in(folder: Path) -> list[str]:
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        points = [line.split(" ")[1] for line in mounts]
    return [point for point in points if point.startswith(f"{folder}/")]


def _path() -> str:
    """PATH with the folders of root's own programs, which sudo and cron may leave out."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
