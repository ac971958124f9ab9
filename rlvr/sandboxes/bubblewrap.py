"""Jails by bubblewrap: no daemon and no privilege needed, only user namespaces and `bwrap`.

The jail sees, read-only, the machine's programs and libraries that `host_files` lists, a Python with the
packages that are declared, empty folders for its own files, four devices, and no network. As root, programs get user ids
of their own, as in Docker; as an ordinary user they share the jail's one id, and what keeps them from
the runner are namespaces, capabilities and the filter.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlvr.core.errors import SandboxError
from rlvr.sandboxes.groups import JailGroup, delegated
from rlvr.sandboxes.host_files import View, site, view
from rlvr.sandboxes.interpreter import base_python, interpreter
from rlvr.sandboxes.jail import Jail
from rlvr.sandboxes.link import ENVIRONMENT, PYTHON_FLAGS
from rlvr.sandboxes.packages import Packages, of_jails
from rlvr.sandboxes.pipes import PipeLink

_INSTALL = (
    "Install it: `apt-get install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora)."
)
# What the runner needs to build cells; programs lose all of it.
_CAPABILITIES = (
    "CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
    "CAP_FOWNER", "CAP_MKNOD", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_SYS_CHROOT",
)  # fmt: skip
# No zero: mapped shared, it would be memory that no limit sees; see `runner/filter.py`.
_DEVICES = ("null", "full", "random", "urandom")
_ETC = ("alternatives", "ld.so.cache")


class Bubblewrap:
    """A `Backend` that starts `bwrap`.

    Args:
        python: the interpreter of the jail; by default the one that runs this, without its
            virtual environment. Programs may import the packages that `rlvr.sandboxes.packages` names.
        also: further files and folders of this machine that its jails show, at their own places.
    """

    name = "bubblewrap"

    def __init__(self, python: str | None = None, also: Sequence[Path] = ()) -> None:
        self._python = python or base_python()
        self._also = tuple(also)

    @property
    def key(self) -> str:
        """Two with one key have the same in their jails."""
        return " ".join(["bubblewrap", self._python, *map(str, self._also)])

    def why_not(self) -> str | None:
        """Return the reason why no jail can be made on this machine; None if one can."""
        if not sys.platform.startswith("linux"):
            return "bubblewrap needs Linux."
        if shutil.which("bwrap") is None:
            return f"bubblewrap isn't installed. {_INSTALL}"
        return _trial(self._python)

    def launch(self, code: str, memory_mb: int) -> PipeLink:
        """Start a jail. Its memory is limited as a whole if this process may make control groups."""
        group = JailGroup(memory_mb) if os.geteuid() == 0 else None
        folders = group.folders if group else {}
        prefix = group.enter() if group and folders else delegated(memory_mb)
        command = [*_command(self._python, folders, self._also), *PYTHON_FLAGS, "-c", code]
        try:
            return PipeLink(command, prefix, group.close if group else None)
        except OSError as error:
            raise SandboxError(f"bubblewrap can't be started: {error}. {_INSTALL}") from None


@functools.lru_cache(maxsize=8)
def _machine(python: str) -> tuple[View, Path, Path]:
    """Return what jails show, their Python and its folder for packages. Looked up once."""
    settings = interpreter(python)
    return *view(settings), site(settings)


def _command(python: str, groups: Mapping[str, Path], also: Sequence[Path] = ()) -> list[str]:
    """bwrap's command line up to the interpreter's own arguments."""
    arguments = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts"]
    arguments += ["--hostname", "jail", "--as-pid-1", "--new-session"]
    # In version 2, a process may not be moved out of the group that is its namespace's root, as cells are.
    if groups and "" not in groups:
        arguments += ["--unshare-cgroup-try"]
    if os.geteuid() == 0:
        arguments += ["--cap-drop", "ALL"]
        for capability in _CAPABILITIES:
            arguments += ["--cap-add", capability]
    else:
        arguments += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-add", "ALL"]
    seen, program, packages = _machine(python)
    also = [
        path for path in also if not any(place in (path, *path.parents) for place in seen.shown)
    ]
    places = [*seen.shown, *seen.links, packages, *also]
    # Folders that bwrap makes on the way to another are closed to programs, so each is made by name.
    on_the_way = {str(parent) for place in places for parent in place.parents} - {"/"}
    for folder in sorted({*on_the_way, "/etc"}):
        if not any(place == Path(folder) or place in Path(folder).parents for place in seen.shown):
            arguments += ["--perms", "0755", "--dir", folder]
    for place, source in seen.shown.items():
        arguments += ["--ro-bind", str(source), str(place)]
    for path in also:
        arguments += ["--ro-bind", str(path), str(path)]
    files = [source.resolve() for source in seen.shown.values() if source.is_file()]
    # An overlay is of folders: that of a file lies beside until the jail has made its own of it.
    for i, parent in enumerate(dict.fromkeys(file.parent for file in files)):
        arguments += ["--ro-bind", str(parent), f"/run/apart/{i}"]
    for place, is_folder in seen.hidden.items():
        if place != packages:
            arguments += _covered(place, is_folder)
    arguments += _with_packages(packages, of_jails(interpreter(python)), seen)
    for place, target in seen.links.items():
        arguments += ["--symlink", target, str(place)]
    for name in (*_ETC, *(entry.name for entry in Path("/etc").glob("java-*"))):
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    # A program is judged alike in every time zone.
    arguments += ["--symlink", "/usr/share/zoneinfo/Etc/UTC", "/etc/localtime"]
    arguments += ["--proc", "/proc", "--tmpfs", "/dev"]
    for device in _DEVICES:
        arguments += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for link in ("fd", "stdin", "stdout", "stderr"):
        number = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}[link]
        arguments += ["--symlink", f"/proc/self/fd{number}", f"/dev/{link}"]
    arguments += ["--dir", "/dev/shm", "--remount-ro", "/dev"]
    for folder in ("/box", "/tmp", "/sys"):
        arguments += ["--dir", folder]
    for controller, path in groups.items():
        arguments += ["--bind", str(path), f"/sys/fs/cgroup/{controller}".rstrip("/")]
    arguments += ["--remount-ro", "/", "--chdir", "/", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    return [*arguments, str(program)]


def _covered(place: Path, is_folder: bool) -> list[str]:
    """Show an empty folder or file in place of what is there."""
    if not is_folder:
        return ["--ro-bind", "/dev/null", str(place)]
    return ["--tmpfs", str(place), "--remount-ro", str(place)]


def _with_packages(place: Path, packages: Packages, seen: View) -> list[str]:
    """Show packages in the folder where the jail's Python looks for them, and nothing else there."""
    if "" in packages.entries:
        return ["--ro-bind", str(packages.entries[""]), str(place)]
    arguments = []
    if any(shown in place.parents for shown in seen.shown):
        arguments += ["--tmpfs", str(place)]
    for name, source in packages.entries.items():
        arguments += ["--ro-bind", str(source), str(place / name)]
    for library in packages.libraries:
        if not any(shown == library or shown in library.parents for shown in seen.shown):
            arguments += ["--ro-bind", str(library), str(library)]
    return [*arguments, "--remount-ro", str(place)] if "--tmpfs" in arguments else arguments


@functools.cache
def _trial(python: str) -> str | None:
    """Start a jail as programs get it, once; returns why that fails."""
    try:
        Jail(Bubblewrap(python), 1024).close()
    except SandboxError as error:
        return (
            f"bubblewrap is installed but can't build a jail here: {error} Often user namespaces are "
            f"switched off: `sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu "
            f"`sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container, run it with "
            f"the capability SYS_ADMIN."
        )
    return None
