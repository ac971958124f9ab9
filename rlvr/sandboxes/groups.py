"""A control group for a jail of bubblewrap's, made by root before the jail starts. Docker makes its containers' itself."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_FIRST_VERSION = ("cpuacct", "memory", "pids", "cpu")
_LEAF = "bwrap"
# Leaves the scope's own group, which then may have groups, and shows it to the jail.
_IN_SCOPE = f"""
own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
if mkdir "$own/{_LEAF}" && echo $$ >"$own/{_LEAF}/cgroup.procs"; then
    for name in memory pids cpu; do echo "+$name" >"$own/cgroup.subtree_control"; done
    bwrap=$1; shift
    set -- "$bwrap" --bind "$own" /sys/fs/cgroup "$@"
fi 2>/dev/null
exec "$@"
"""
_NAME = re.compile(r"rlvr-(\d+)-(\d+)-[0-9a-f]+")


class JailGroup:
    """The group of one jail, in each hierarchy that this process may add to.

    Args:
        memory_mb: of all that is in it together.

    Attributes:
        folders: where it is on this machine, by the place it has in the jail below `/sys/fs/cgroup`. Empty if this
            process may make no groups.
    """

    def __init__(self, memory_mb: int) -> None:
        self.folders: dict[str, Path] = {}
        name = f"rlvr-{os.getpid()}-{_started(os.getpid())}-{os.urandom(6).hex()}"
        for place, parent in _parents().items():
            _remove_those_of_the_dead(parent)
            folder = parent / name
            with contextlib.suppress(OSError):
                folder.mkdir()
                self.folders[place] = folder
                if not place:
                    # In version 2, a group that has groups holds no process itself.
                    (folder / _LEAF).mkdir()
                    _pass_on(folder)
                for file, limit in _limits(memory_mb).items():
                    if (folder / file).exists():
                        (folder / file).write_text(limit)

    def enter(self) -> list[str]:
        """Return the command prefix that starts a command in the group."""
        if not self.folders:
            return []
        files = [
            str(folder / ("" if place else _LEAF) / "cgroup.procs")
            for place, folder in self.folders.items()
        ]
        script = (
            'n=$1; shift; while [ $n -gt 0 ]; do echo $$ >"$1"; shift; n=$((n-1)); done; exec "$@"'
        )
        return ["/bin/sh", "-c", script, "sh", str(len(files)), *files]

    def close(self) -> None:
        """Remove it, after all of its processes have ended."""
        for folder in self.folders.values():
            _remove(folder)


def delegated(memory_mb: int) -> list[str]:
    """Return the command prefix that has systemd delegate a control group to bwrap; empty if systemd isn't in charge."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemd-run") is None:
        return []
    whose = [] if os.geteuid() == 0 else ["--user"]
    if whose and not os.environ.get("XDG_RUNTIME_DIR"):
        return []
    asked = ["systemd-run", *whose, "--scope", "--quiet", "--collect", "-p", "Delegate=yes"]
    return [*asked, "-p", f"MemoryMax={memory_mb}M", "--", "/bin/sh", "-c", _IN_SCOPE, "sh"]


def _pass_on(folder: Path) -> None:
    for name in ("memory", "pids", "cpu"):
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def _limits(memory_mb: int) -> dict[str, str]:
    most = str(memory_mb << 20)
    return {"memory.limit_in_bytes": most, "memory.max": most, "memory.swap.max": "0"}


def _parents() -> dict[str, Path]:
    """Return this process's own groups that it may make others in, by controller; "" for version 2."""
    parents: dict[str, Path] = {}
    own = dict(_own())
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split()[:3]
            root, mounted = before.split()[3:5]
            wanted = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
            for name in wanted:
                path = own.get(name)
                if path is None or (name and name not in _FIRST_VERSION):
                    continue
                if path == root or path.startswith(root.rstrip("/") + "/"):
                    parents[name] = Path(mounted) / os.path.relpath(path, root)
    # Where controllers are in version 1, version 2 has none of them.
    if any(parents):
        parents.pop("", None)
    return {
        name: path
        for name, path in parents.items()
        if os.access(path, os.W_OK) and _open_to_groups(name, path)
    }


def _own() -> Iterator[tuple[str, str]]:
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            yield from ((name, path) for name in names.split(","))


def _open_to_groups(name: str, path: Path) -> bool:
    """Say if groups in this one have controllers: always so in version 1, in version 2 if they are passed on."""
    return bool(name) or "memory" in (path / "cgroup.subtree_control").read_text().split()


def _remove_those_of_the_dead(parent: Path) -> None:
    for folder in parent.glob("rlvr-*"):
        owner = _NAME.fullmatch(folder.name)
        if owner and _started(int(owner[1])) != int(owner[2]):
            _remove(folder)


def _started(pid: int) -> int:
    """Return when a process began, in the kernel's ticks; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def _remove(folder: Path) -> None:
    """Remove a group and those in it. One that still has processes stays."""
    with contextlib.suppress(OSError):
        for inner in [entry for entry in folder.iterdir() if entry.is_dir()]:
            _remove(inner)
        folder.rmdir()
