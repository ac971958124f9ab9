"""Make a jail's machine what it is in every other jail: the same devices, and nothing that tells of the host.

Bubblewrap lays a jail out so from the start. Docker has its own idea of `/dev` and puts files of the host's into `/etc`.
"""

from __future__ import annotations

import os

from . import kernel

DEVICES = ("null", "full", "random", "urandom")
"""No zero: mapped shared, it would be memory that no limit sees. No terminals."""

_FROM_THE_HOST = ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname")
_BELOW_DEV = ("/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm")
_FLAGS = kernel.NOSUID | kernel.NOEXEC
_OPTIONS = "size=64k,nr_inodes=32,mode=755"


def make_alike() -> None:
    """Lay out `/dev` anew, unless it's as it should be, and let go of files that aren't the image's."""
    if not os.path.exists("/dev/zero"):
        return
    for place in (*_FROM_THE_HOST, *_BELOW_DEV):
        try:
            kernel.unmount(place)
        except OSError:
            pass  # not mounted, or not there
    held = [(name, os.open("/dev/" + name, os.O_PATH)) for name in DEVICES]
    kernel.mount("tmpfs", "/dev", _FLAGS, _OPTIONS)
    for name, fd in held:
        place = "/dev/" + name
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o666))
        kernel.mount("/proc/self/fd/%d" % fd, place, kernel.BIND)
        os.close(fd)
    os.symlink("/proc/self/fd", "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink("/proc/self/fd/%d" % number, "/dev/" + name)
    os.mkdir("/dev/shm")  # each cell has one of its own there
    kernel.mount("tmpfs", "/dev", kernel.REMOUNT | kernel.RDONLY | _FLAGS, _OPTIONS)


def packages(folders: list[str]) -> dict[str, str]:
    """Return versions by name of what is installed in some folders, as their metadata is named.

    Not by `importlib.metadata`: every fork would carry it.
    """
    found = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, _, kind = name.rpartition(".")
            if kind in ("dist-info", "egg-info") and "-" in stem:
                parts = stem.split("-")
                found[parts[0].lower().replace("_", "-").replace(".", "-")] = parts[1]
    return found
