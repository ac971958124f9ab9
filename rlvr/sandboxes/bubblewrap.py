"""Jails by bubblewrap: no daemon and no privilege needed, only user namespaces and `bwrap`.

The jail sees the machine's programs and libraries read-only (`/usr` and what belongs to it, and this
Python), empty folders for its own files, four devices, and no network. As root, programs get user ids
of their own, as in Docker; as an ordinary user they share the jail's one id, and what keeps them from
the runner are namespaces, capabilities and the filter.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rlvr.core.errors import SandboxError
from rlvr.sandboxes.groups import JailGroup, delegated
from rlvr.sandboxes.jail import Jail
from rlvr.sandboxes.languages import LANGUAGES
from rlvr.sandboxes.link import PYTHON_FLAGS
from rlvr.sandboxes.pipes import PipeLink

_INSTALL = (
    "Install it: `apt-get install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora)."
)
# What the runner needs to build cells; programs lose all of it.
_CAPABILITIES = (
    "CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
    "CAP_FOWNER", "CAP_MKNOD", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE",
)  # fmt: skip
# No zero: mapped shared, it would be memory that no limit sees; see `runner/filter.py`.
_DEVICES = ("null", "full", "random", "urandom")
_ETC = ("alternatives", "ld.so.cache", "localtime")


class Bubblewrap:
    """A `Backend` that starts `bwrap`.

    Args:
        python: the interpreter of the jail; by default the one that runs this, without its
            virtual environment.
    """

    name = "bubblewrap"

    def __init__(self, python: str | None = None) -> None:
        self._python = python or _base_python()

    def why_not(self) -> str | None:
        """Why no jail can be made on this machine; None where one can."""
        if not sys.platform.startswith("linux"):
            return "bubblewrap needs Linux."
        if shutil.which("bwrap") is None:
            return f"bubblewrap isn't installed. {_INSTALL}"
        return _trial(self._python)

    def launch(self, code: str, memory_mb: int) -> PipeLink:
        """Start a jail. Its memory is limited as a whole if this process may make control groups."""
        group = JailGroup(memory_mb) if os.geteuid() == 0 else None
        folders = group.folders if group else {}
        prefix = group.enter() if group and folders else delegated()
        command = [*_command(self._python, folders), self._python, *PYTHON_FLAGS, "-c", code]
        try:
            return PipeLink(command, prefix, group.close if group else None)
        except OSError as error:
            raise SandboxError(f"bubblewrap can't be started: {error}. {_INSTALL}") from None


def _command(python: str, groups: Mapping[str, Path]) -> list[str]:
    """bwrap's command line up to the program."""
    found = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts"]
    found += ["--unshare-cgroup-try", "--hostname", "jail", "--as-pid-1", "--new-session"]
    if os.geteuid() == 0:
        found += ["--cap-drop", "ALL"]
        for capability in _CAPABILITIES:
            found += ["--cap-add", capability]
    else:
        found += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-add", "ALL"]
    folders = ["/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            found += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            folders.append(str(path))
    extra = [root for root in (_root_of(python), *map(_toolchain, _tools())) if root is not None]
    folders += [str(root) for root in dict.fromkeys(extra)]
    # Folders that bwrap makes on the way to another are closed to programs, so each is made by name.
    on_the_way = {str(parent) for folder in folders for parent in Path(folder).parents} - {"/"}
    for folder in sorted({*on_the_way, "/etc"}):
        found += ["--perms", "0755", "--dir", folder]
    for folder in folders:
        found += ["--ro-bind", folder, folder]
    etc = [*_ETC, *(each.name for each in Path("/etc").glob("java-*"))]
    for name in etc:
        found += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    found += ["--proc", "/proc", "--tmpfs", "/dev"]
    for device in _DEVICES:
        found += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for link in ("fd", "stdin", "stdout", "stderr"):
        number = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}[link]
        found += ["--symlink", f"/proc/self/fd{number}", f"/dev/{link}"]
    found += ["--dir", "/dev/shm", "--remount-ro", "/dev"]
    for folder in ("/box", "/tmp", "/sys"):
        found += ["--dir", folder]
    for place, path in groups.items():
        found += ["--bind", str(path), f"/sys/fs/cgroup/{place}".rstrip("/")]
    found += ["--remount-ro", "/", "--chdir", "/", "--clearenv"]
    own = [f"{root}/bin" for root in dict.fromkeys(extra)]
    commands = ":".join([*own, "/usr/local/bin", "/usr/bin", "/bin"])
    for name, value in _environment(commands).items():
        found += ["--setenv", name, value]
    return found


def _environment(path: str) -> dict[str, str]:
    # Sets are ordered alike in every jail: a program that depends on it is judged alike, too.
    return {"PATH": path, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def _tools() -> list[str]:
    return sorted({tool for language in LANGUAGES.values() for tool in language.tools})


def _base_python() -> str:
    """The interpreter below any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _root_of(program: str) -> Path | None:
    """The folder that a program and its libraries are in; None where that's `/usr`, or too much to show."""
    path = Path(program).resolve()
    root = path.parent.parent
    home = Path.home().resolve()
    if (
        path.parent.name != "bin"
        or Path("/usr") in (root, *root.parents)
        or root in (home, *home.parents)
    ):
        return None
    return root


def _toolchain(tool: str) -> Path | None:
    """Where a compiler or runtime is that isn't in `/usr`."""
    path = shutil.which(tool)
    if path is None:
        return None
    if tool == "rustc":  # often a switch between toolchains; this asks it for the one in use
        asked = subprocess.run(
            [path, "--print", "sysroot"], capture_output=True, text=True, timeout=20
        )
        path = f"{asked.stdout.strip()}/bin/rustc" if asked.returncode == 0 else path
    return _root_of(path)


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
