"""Files that go into a workspace and come out of it, handled with the model's rights while all else stands still.

A path may lead anywhere that the model has put a link to, so a fork of pid 1 becomes the model's user first: it reaches what
the model reaches, and nothing more.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator
from typing import Any

from . import kernel, supervise
from .files import copy_out, send

_LENGTH = struct.Struct("<I")
_MIB = 1 << 20


def act(
    message: dict[str, Any], fds: list[int], content: int, uid: int | None, folder: str
) -> dict[str, Any]:
    """Write, read or list files; what is read goes to `content`: an index as JSON behind its length, then the bytes."""
    pid = os.fork()
    if pid == 0:
        try:
            _become(uid)
            os.chdir(folder)
            _answer(content, *_ACTIONS[message["do"]](message, fds))
            os._exit(0)
        except Exception as error:  # the model's files may be the reason, whatever it is
            reason = _reason(error) if isinstance(error, OSError) else repr(error)[:500]
            _answer(content, {"error": reason}, [])
            os._exit(0)
        finally:
            os._exit(supervise.FAULT)
    while True:
        ended, status = os.waitpid(pid, 0)
        if ended == pid:
            break
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        return {"trouble": "files couldn't be handled: %d" % code}
    return {}


def place_input(data: bytes, uid: int | None) -> str:
    """Put a command's standard input into a file that the model's user may read; returns its path."""
    path = "/tmp/.stdin-" + os.urandom(6).hex()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        if uid is not None:
            os.fchown(fd, uid, uid)
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
    finally:
        os.close(fd)
    return path


def remove(path: str) -> None:
    """Remove such a file."""
    try:
        os.unlink(path)
    except OSError:
        pass  # the model was first


def _become(uid: int | None) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.drop_capabilities()


def _answer(content: int, index: dict[str, Any], sources: list[int]) -> None:
    head = json.dumps(index).encode()
    data = memoryview(_LENGTH.pack(len(head)) + head)
    while data:
        data = data[os.write(content, data) :]
    for fd in sources:
        send(content, fd, os.fstat(fd).st_size)


def _write(message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
    for (path, executable), fd in zip(message["files"], fds):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY
        target = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(target).st_mode):
                return {"error": "%s: not a plain file" % path}, []
            size = os.fstat(fd).st_size
            done = 0
            while done < size:
                done += os.sendfile(target, fd, done, size - done)
            if executable:
                os.fchmod(target, 0o755)
        except OSError as error:
            error.filename = path
            raise
        finally:
            os.close(target)
    return {}, []


def _read(message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
    return _collected(iter(message["paths"]), message)


def _archive(message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
    def paths() -> Iterator[str]:
        for top in message["paths"]:
            if not os.path.isdir(top) or os.path.islink(top):
                yield top
            else:
                yield from (path for path, about in _below(top) if stat.S_ISREG(about.st_mode))

    return _collected(paths(), message)


def _below(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all that is in a folder and below, in order. Not by `os.walk`, which recurses as deep as the model's folders."""
    folders = [top]
    while folders:
        folder = folders.pop(0)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue  # closed to the model's user by itself, or its path is too long
        for name in names:
            path = os.path.normpath(os.path.join(folder, name))
            try:
                about = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISDIR(about.st_mode):
                folders.append(path)
            yield path, about


def _collected(paths: Iterator[str], message: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    files: list[list[Any]] = []
    copies: list[int] = []
    left, cut = int(message["most_mb"] * _MIB), False
    for path in paths:
        if len(files) >= message["most_files"]:
            cut = True
            break
        copy = os.memfd_create("copy")
        why = copy_out(path, copy, left, links=True)
        if why:
            cut = cut or why == "larger than its limit"
            os.close(copy)
            continue
        size = os.fstat(copy).st_size
        left -= size
        # One descriptor for each file would be too many.
        if copies:
            os.sendfile(copies[0], copy, 0, size) if size else 0
            os.close(copy)
        else:
            os.lseek(copy, 0, os.SEEK_END)
            copies.append(copy)
        files.append([path, size])
    return {"files": files, "cut": cut}, copies


def _list(message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
    entries: list[list[Any]] = []
    top = message["path"]
    cut = False
    if not os.path.isdir(top):
        about = os.lstat(top)
        return {"entries": [_entry(top, about)], "cut": False}, []
    for path, about in _below(top):
        if len(entries) >= message["most_files"]:
            cut = True
            break
        entries.append(_entry(path, about))
    return {"entries": entries, "cut": cut}, []


def _entry(path: str, about: os.stat_result) -> list[Any]:
    """Return a file's path, size, kind, mode, and the target if it's a link."""
    kind = _kind(about.st_mode)
    target = os.readlink(path) if kind == "link" else ""
    return [path, about.st_size, kind, stat.S_IMODE(about.st_mode), target]


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _reason(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return "%s: %s" % (error.filename, reason) if error.filename else reason


_ACTIONS = {"write": _write, "read": _read, "archive": _archive, "list": _list}
