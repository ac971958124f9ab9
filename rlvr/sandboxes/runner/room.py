"""The file systems of a workspace: a root of its own, in which nothing is shared with another workspace of the jail.

Workspaces live at the same time, so what two of them could open would be a wire between them: its locks, its watches, its
times. So each has a root of its own, an overlay over the jail's, with an overlay over everything that is mounted there.
"""

from __future__ import annotations

import os

from . import jail, kernel

_FLAGS = kernel.NOSUID | kernel.NODEV
_STORE = "/tmp"  # of the jail; nothing of it is left in the new root
_OWN_PLACES = ("/proc", "/sys", "/dev", "/tmp", "/box", jail.APART)
SCRATCH = ("/tmp", "/dev/shm")


def build(folders: list[str], size_mb: int, inodes: int, uid: int | None) -> None:
    """Make this process's root, in a mount namespace of its own.

    Args:
        folders: those that belong to the model's user.
        size_mb: of all files that may be written, in MiB.
        inodes: how many files and folders there may be.
        uid: the model's user; None if there is one user alone.
    """
    kernel.mount("", "/", kernel.REC | kernel.PRIVATE)
    options = "size=%dm,nr_inodes=%d,mode=755" % (size_mb, inodes + 512)
    kernel.mount("tmpfs", _STORE, _FLAGS, options)
    for name in ("upper", "work", "root", "empty", "apart", "files"):
        os.mkdir(_in_store(name))
    root = _in_store("root")
    layers = "lowerdir=/,upperdir=%s,workdir=%s" % (_in_store("upper"), _in_store("work"))
    kernel.mount("overlay", root, _FLAGS, layers)
    _devices(root)
    _overlays(root)
    _users(root, folders[0], uid)
    for folder in folders:
        os.makedirs(root + folder, exist_ok=True)
        _bind(root, folder, 0o755, uid)
    for folder in SCRATCH:
        _bind(root, folder, 0o1777, None)
    # Where this user has one id alone, it's the model's too, and can't tell the two apart.
    group = "" if uid is None else ",gid=%d" % os.getgid()
    proc = "hidepid=2,subset=pid" + group
    kernel.mount("proc", root + "/proc", _FLAGS | kernel.NOEXEC, proc)
    kernel.mount("", root, kernel.REMOUNT | kernel.BIND | kernel.RDONLY | _FLAGS)
    kernel.change_root(root)


def _in_store(name: str) -> str:
    return os.path.join(_STORE, name)


def _devices(root: str) -> None:
    place = root + "/dev"
    try:
        jail.make_devices(place)
    except PermissionError:
        jail.make_devices(place, shared=True)
    jail.close_to_writing(place)


def _overlays(root: str) -> None:
    """Lay a file system of this workspace's over each that is mounted in the jail."""
    kinds = dict(jail.mounts())
    sources = jail.sources()
    apart: dict[str, str] = {}
    for place in kinds:
        if place.startswith(jail.APART + "/"):
            own = _in_store("apart/" + os.path.basename(place))
            os.mkdir(own)
            _overlay(place, own)
            apart[sources[place]] = own
    for place, kind in kinds.items():
        if place == "/" or any(place == own or place.startswith(own + "/") for own in _OWN_PLACES):
            continue
        if os.path.isdir(place):
            _overlay(place, root + place)
        elif kind == "devtmpfs":  # covered by the null device
            kernel.mount(root + "/dev/null", root + place, kernel.BIND)
            jail.close_to_writing(root + place)
        else:
            folder = apart.get(os.path.dirname(sources[place]))
            if folder is None:
                own = _copied(place)
            else:
                own = os.path.join(folder, os.path.basename(sources[place]))
            kernel.mount(own, root + place, kernel.BIND)
            jail.close_to_writing(root + place)


def _overlay(place: str, target: str) -> None:
    if any(mark in place for mark in ":,\\"):
        raise OSError("no overlay for the name " + place)
    # Without a layer for changes it needs two for reading.
    layers = "lowerdir=%s:%s" % (place, _in_store("empty"))
    kernel.mount("overlay", target, _FLAGS | kernel.RDONLY, layers)


def _copied(place: str) -> str:
    own = _in_store("files/" + os.urandom(6).hex())
    with open(place, "rb") as old, open(own, "wb") as new:
        while data := old.read(1 << 20):
            new.write(data)
    os.chmod(own, os.stat(place).st_mode & 0o755)
    return own


def _bind(root: str, folder: str, mode: int, uid: int | None) -> None:
    """Put a writable folder in its place. All are in one file system, so that its size bounds them together."""
    own = _in_store("files/" + os.urandom(6).hex())
    os.mkdir(own)
    os.chmod(own, mode)
    if uid is not None:
        os.chown(own, uid, uid)
    kernel.mount(own, root + folder, kernel.BIND)


def _users(root: str, home: str, uid: int | None) -> None:
    """Give the model's user a name: many programs look it up."""
    own = os.getuid() if uid is None else uid
    files = {
        "passwd": "root:x:0:0:root:/root:/bin/bash\nagent:x:%d:%d::%s:/bin/bash\n"
        % (own, own, home),
        "group": "root:x:0:\nagent:x:%d:\n" % own,
    }
    for name, text in files.items():
        path = "%s/etc/%s" % (root, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, text.encode())
        os.close(fd)
