"""Files that go into a cell and come out of it."""

from __future__ import annotations

import os
import stat


def copy_in(path: str, fd: int, mode: int) -> None:
    """Write a file with the content of a descriptor. The content doesn't pass through this process's memory."""
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(target, mode)
        send(target, fd, os.fstat(fd).st_size)
    finally:
        os.close(target)


def copy_out(path: str, copy: int, most: int, links: bool = False) -> str:
    """Copy a plain file of the program's into a descriptor; or say why not.

    Opens nothing that could make it wait or lead it elsewhere.

    Args:
        path: the file.
        copy: the descriptor.
        most: bytes.
        links: True if it may have more than one name, as for a reader that has the program's rights.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        return os.strerror(error.errno or 0)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            return "not a plain file"
        if about.st_nlink != 1 and not links:
            return "it has more than one name"
        if about.st_size > most:
            return "larger than its limit"
        send(copy, fd, about.st_size)
        return ""
    finally:
        os.close(fd)


def read(fd: int, most: int = 1 << 40) -> bytes:
    """Return a file's content from its start, `most` bytes of it at most."""
    wanted = min(os.fstat(fd).st_size, most)
    data = os.pread(fd, wanted, 0)
    while len(data) < wanted and (more := os.pread(fd, wanted - len(data), len(data))):
        data += more
    return data


def keep_only(fds: list[int]) -> None:
    """Close every descriptor but the standard ones and these."""
    first = 3
    for fd in sorted(fds):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 1 << 20)


def send(target: int, source: int, size: int) -> None:
    """Copy a file's first bytes to another within the kernel."""
    done = 0
    while done < size:
        sent = os.sendfile(target, source, done, size - done)
        if not sent:
            break
        done += sent
