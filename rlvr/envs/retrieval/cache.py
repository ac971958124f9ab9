"""Indexes on the disk: built once per corpus, under a lock, and opened read-only by every process.

They are in `RLVR_CACHE/indexes`, by default `~/.cache/rlvr/indexes`, in a folder named by the corpus' content. A folder
appears whole or not at all, so nobody reads half an index, and a killed build leaves nothing that counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rlvr.core.errors import DataError
from rlvr.envs.retrieval.corpus import (
    Corpus,
    Passage,
    digest_of_file,
    digest_of_passages,
    read_passages,
)
from rlvr.envs.retrieval.index import PassageIndex

_FORMAT = 2  # raise it if words, amounts or files change


def folder_of_indexes() -> Path:
    """Return the folder in which indexes are kept."""
    root = os.environ.get("RLVR_CACHE")
    if root:
        return Path(root) / "indexes"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "rlvr" / "indexes"


def indexed(corpus: Corpus) -> Path:
    """Build a corpus' index unless it is there, and return its folder. Raises `DataError` if the corpus can't be used.

    A file that changes gets another index; passages are known by their content.
    """
    if isinstance(corpus, str | os.PathLike):
        path = Path(corpus).absolute()
        read: Callable[[], Sequence[Passage]] = functools.partial(_all_of, path)
        digest = _digest_of(path)
    else:
        passages = _all_of(corpus)
        digest = digest_of_passages(passages)
        read = lambda: passages  # noqa: E731
    folder = folder_of_indexes() / f"v{_FORMAT}-{digest}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_process(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _build(read(), folder)
    except OSError as error:
        raise DataError(
            f"The index of a corpus can't be written to {str(folder.parent)!r}: {error.strerror}. Set RLVR_CACHE to "
            f"a folder with room."
        ) from error
    return folder


@functools.lru_cache(maxsize=64)
def opened(folder: Path) -> PassageIndex:
    """Open the index in a folder, once per process. Raises `DataError` if it can't be read."""
    try:
        return PassageIndex.open(folder)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"The index {str(folder)!r} can't be read ({error}). Remove that folder, and it is built again."
        ) from error


def _all_of(corpus: Corpus) -> list[Passage]:
    return list(read_passages(corpus))


def _build(passages: Sequence[Passage], folder: Path) -> None:
    index = PassageIndex.of(passages)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        index.write(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    # Parts that killed builds have left: this process has the lock.
    for left in folder.parent.glob(f"{folder.name}.*.part"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _only_process(path: Path) -> Iterator[None]:
    """Hold a lock that other processes and threads wait for. The system frees it if this process dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest_of(path: Path) -> str:
    """Return the digest of a file's content, read again only if the file is another."""
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(
            f"There's no corpus {str(path)!r} ({error.strerror}): it is a JSONL or Parquet file of passages."
        ) from None
    return _digest_of_state(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@functools.lru_cache(maxsize=256)
def _digest_of_state(path: Path, *state: int) -> str:
    return digest_of_file(path)
