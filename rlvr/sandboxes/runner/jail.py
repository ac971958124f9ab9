"""The file systems that all cells of a jail share, made once when it starts: its own devices, an empty `/sys`, overlays.

A file that two programs can open is a file that they can talk by: its times, its locks, its watches. What is made
here is the jail's alone, and closed to writing, so it tells each program the same.
"""

from __future__ import annotations

import os
import stat

from . import kernel

# No zero: mapped shared, it would be memory that no limit sees; see `filter`.
_DEVICES = {"null": (1, 3), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
# Kinds of file systems that each jail has its own of.
OWN = ("tmpfs", "proc", "sysfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay")
_FLAGS = kernel.NOSUID | kernel.NODEV
# Docker puts these into a container.
_FROM_THE_HOST = ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname")
_WORKSHOP = "/tmp"  # where each cell will have a folder of its own
APART = "/run/apart"  # folders of files that are shown alone; see `bubblewrap`
_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}


def last_pid() -> int:
    """Open the file that sets the last pid of whatever namespace its writer is in; -1 if the kernel has none."""
    place = _WORKSHOP
    try:
        kernel.mount("proc", place, kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    except OSError:
        return -1
    try:
        return os.open(place + "/sys/kernel/ns_last_pid", os.O_WRONLY)
    except OSError:
        return -1
    finally:
        kernel.unmount(place)


def furnish(files: bool = True) -> str:
    """Replace all that this jail shares with others by what is its own.

    Args:
        files: False if each cell makes file systems of its own; then those of the machine stay.

    Returns:
        Why files of the machine stay shared, or "".
    """
    for place in _FROM_THE_HOST:
        _unmount_all(place)
    if os.path.isdir("/sys"):
        _unmount_all("/sys")
        options = "size=4k,nr_inodes=1,mode=755"
        kernel.mount("tmpfs", "/sys", kernel.NOSUID | kernel.NODEV | kernel.RDONLY, options)
    try:
        _make_devices()
    except PermissionError:
        # An ordinary user may make no devices. Those of the machine stay, closed to changes of their times.
        for name in ("", *_DEVICES):
            path = "/dev/" + name
            if os.path.ismount(path):
                close_to_writing(path)
    why = ""
    if not files:
        return why
    try:
        _keep_files_apart()
    except OSError as error:
        why = str(error)
    _unmount_all(APART)
    if any(place.startswith(APART + "/") for place, _ in mounts()):
        raise RuntimeError("folders that programs must not see can't be unmounted")
    return why


def _make_devices() -> None:
    make_devices(_WORKSHOP)
    try:
        _unmount_all("/dev")
        kernel.move(_WORKSHOP, "/dev")
    except BaseException:
        kernel.unmount(_WORKSHOP)
        raise
    close_to_writing("/dev")


def make_devices(place: str, shared: bool = False) -> None:
    """Mount a folder of devices at a place.

    Args:
        place: the folder.
        shared: True if its devices are to be those of `/dev`, since an ordinary user may make none.

    Raises `PermissionError` for an ordinary user, with nothing mounted, unless they are shared.
    """
    kernel.mount("tmpfs", place, kernel.NOSUID | kernel.NOEXEC, "size=4k,nr_inodes=64,mode=755")
    try:
        for name, (major, minor) in _DEVICES.items():
            path = os.path.join(place, name)
            if shared:
                os.close(os.open(path, os.O_CREAT, 0o666))
                kernel.mount("/dev/" + name, path, kernel.BIND)
                close_to_writing(path)
                continue
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            os.chmod(path, 0o666)
        # PermissionError if it is no device here
        os.close(os.open(os.path.join(place, "null"), os.O_RDWR))
        for name, number in _LINKS.items():
            os.symlink("/proc/self/fd" + number, os.path.join(place, name))
        os.mkdir(os.path.join(place, "shm"))
    except BaseException:
        kernel.unmount(place)
        raise


def _unmount_all(place: str) -> None:
    """Detach what is mounted at a place and below: what is merely covered still stands in the list of mounts."""
    for mounted, _ in reversed(mounts()):
        if mounted == place or mounted.startswith(place + "/"):
            try:
                kernel.unmount(mounted)
            except OSError:
                pass  # gone with another, or locked by the jail's parent


def close_to_writing(mounted: str) -> None:
    """Make a mount read-only."""
    # One that an ordinary user mounts from outside keeps the flags it has there.
    flags = os.statvfs(mounted).f_flag & (kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    kernel.mount("", mounted, kernel.REMOUNT | kernel.BIND | kernel.RDONLY | flags)


def _keep_files_apart() -> None:
    """Lay a file system of this jail's over each that it shares with others. Raises OSError.

    What two jails can open has locks, watches and hints that both can see. Through an overlay these are the jail's own,
    and `preadv2` doesn't tell what is in the page cache.
    """
    kinds = dict(mounts())
    shared = [place for place, kind in kinds.items() if kind not in OWN]
    # Bubblewrap covers a file by the machine's null device.
    covered = [
        place for place, kind in kinds.items() if kind == "devtmpfs" and "/dev/" not in place
    ]
    kernel.mount("tmpfs", _WORKSHOP, _FLAGS, "size=64m,nr_inodes=4096,mode=700")
    try:
        for place in filter(os.path.isdir, shared):
            _overlay(place)
        source_of = sources()
        folders = {source_of[place]: place for place in shared if place.startswith(APART + "/")}
        for place in shared:
            if not os.path.isdir(place):
                _bind_own(place, folders)
        for place in covered:
            kernel.mount("/dev/null", place, kernel.BIND)
            close_to_writing(place)
    finally:
        kernel.unmount(_WORKSHOP)


def _overlay(place: str) -> None:
    if any(mark in place for mark in ":,\\"):
        raise OSError("no overlay for the name " + place)
    # What is mounted below would be covered, so it's put aside meanwhile.
    inner = [other for other, _ in mounts() if other.startswith(place + "/")]
    inner = [point for point in inner if not any(point.startswith(other + "/") for other in inner)]
    aside = []
    for point in dict.fromkeys(inner):
        kept = _place_for(point)
        kernel.move(point, kept)
        aside.append((kept, point))
    try:
        # Without a layer for changes it needs two for reading.
        options = "lowerdir=%s:%s" % (place, _empty())
        kernel.mount("overlay", place, _FLAGS | kernel.RDONLY, options)
    finally:
        for kept, point in aside:
            kernel.move(kept, point)


def _bind_own(place: str, folders: dict[str, str]) -> None:
    """Put a file of this jail's own in place of a shared one: out of an overlay over its folder, or a copy."""
    source = sources()[place]
    folder = folders.get(os.path.dirname(source))
    if folder is not None:
        own = os.path.join(folder, os.path.basename(source))
    else:
        own = _place_for(place)
        with open(place, "rb") as old, open(own, "wb") as new:
            while data := old.read(1 << 20):
                new.write(data)
        os.chmod(own, os.stat(place).st_mode & 0o755)
    kernel.mount(own, place, kernel.BIND)
    close_to_writing(place)


def _place_for(mounted: str) -> str:
    path = os.path.join(_WORKSHOP, str(len(os.listdir(_WORKSHOP))))
    if os.path.isdir(mounted):
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT, 0o600))
    return path


def _empty() -> str:
    path = os.path.join(_WORKSHOP, "empty")
    os.makedirs(path, exist_ok=True)
    return path


def sources() -> dict[str, str]:
    """Return where in its own file system lies what is mounted at a place, by place; of several the first."""
    places: dict[str, str] = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            source, place = line.split()[3:5]
            places.setdefault(place.encode().decode("unicode_escape"), source)
    return places


def mounts() -> list[tuple[str, str]]:
    """Return the places where file systems are mounted, and their kinds, in order."""
    mounted = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            place = before.split()[4]
            mounted.append((place.encode().decode("unicode_escape"), after.split()[0]))
    return mounted


def packages(folders: list[str]) -> dict[str, str]:
    """Return the versions of the packages in some folders by name, according to the names of their metadata.

    Not by `importlib.metadata`: every fork would carry it.
    """
    versions = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, _, kind = name.rpartition(".")
            if kind in ("dist-info", "egg-info") and "-" in stem:
                parts = stem.split("-")
                versions[parts[0].lower().replace("_", "-").replace(".", "-")] = parts[1]
    return versions
