"""The commits of a repository that change sources and tests together, and the files of a commit.

Only git's plumbing reads the repository, without its hooks, filters and external programs. Nothing of it is checked out
or run here.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rlvr.core.errors import DataError

_TEST = re.compile(r"test_\w+\.py|\w+_test\.py")
_GIT_S = 120.0
_MOST_MESSAGE = 4000  # characters
MOST_FILE_KB = 256
"""Larger files of a commit are left out of a task's repository."""


@dataclass(frozen=True, slots=True)
class MinedCommit:
    """A commit that changes sources and tests.

    Attributes:
        id: its hash.
        parent: its parent's.
        subject: the first line of its message.
        body: the rest.
        sources: the Python files that it changes or adds, except tests.
        removed: the Python files that it removes.
        tests: the files of tests that it changes or adds.
    """

    id: str
    parent: str
    subject: str
    body: str
    sources: tuple[str, ...]
    removed: tuple[str, ...]
    tests: tuple[str, ...]


class GitHistory:
    """A local repository that is only read.

    Raises `DataError` if the folder is none.
    """

    def __init__(self, repository: str | Path) -> None:
        self.path = Path(repository)
        self._git("rev-parse", "--git-dir")

    def commits(
        self,
        since: str | None = None,
        walk: int = 1000,
        only: Sequence[str] = (),
        most_tests: int = 8,
        most_sources: int = 40,
    ) -> Iterator[MinedCommit]:
        """Yield commits from the newest on that fix or add something, with their tests.

        Args:
            since: a date, as `git log` takes it.
            walk: the most commits to look at.
            only: paths; commits that change nothing there are left out.
            most_tests: the most files of tests in a commit.
            most_sources: the most other Python files in it.
        """
        asked = ["log", "--no-merges", "--format=%H %P", f"--max-count={walk}"]
        asked += [f"--since={since}"] if since else []
        for line in self._git(*asked, *(["--", *only] if only else [])).decode().splitlines():
            id, *parents = line.split()
            if len(parents) == 1 and (
                commit := self._read(id, parents[0], most_tests, most_sources)
            ):
                yield commit

    def _read(self, id: str, parent: str, most_tests: int, most_sources: int) -> MinedCommit | None:
        asked = (
            "diff-tree",
            "-r",
            "-z",
            "--no-commit-id",
            "--no-renames",
            "--name-status",
            parent,
            id,
        )
        fields = self._git(*asked).decode("utf-8", "replace").split("\0")
        sources: list[str] = []
        removed: list[str] = []
        tests: list[str] = []
        for status, path in zip(fields[::2], fields[1::2], strict=False):
            if is_test(path):
                if status not in ("A", "M") or not _TEST.fullmatch(PurePosixPath(path).name):
                    return None  # a test that is removed, or files that tests use
                tests.append(path)
            elif path.endswith(".py"):
                (removed if status == "D" else sources).append(path)
        if not 0 < len(tests) <= most_tests or not 0 < len(sources) <= most_sources:
            return None
        message = self._git("log", "-1", "--format=%B", id).decode("utf-8", "replace").strip()
        subject, _, body = message[:_MOST_MESSAGE].partition("\n")
        return MinedCommit(
            id, parent, subject.strip(), body.strip(), tuple(sources), tuple(removed), tuple(tests)
        )

    def files(self, commit: str) -> dict[str, bytes]:
        """Return the files of a commit by path, except links and large ones."""
        archive = self._git("archive", "--format=tar", commit)
        contents = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                if member.isfile() and member.size <= MOST_FILE_KB << 10:
                    content = members.extractfile(member)
                    assert content is not None
                    contents[member.name] = content.read()
        return contents

    def patch(self, commit: MinedCommit) -> str:
        """Return a commit's change of its sources, for `patch -p1`."""
        asked = (
            "diff-tree",
            "-p",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--no-color",
            commit.parent,
            commit.id,
        )
        return self._git(*asked, "--", *commit.sources, *commit.removed).decode("utf-8", "replace")

    def _git(self, *arguments: str) -> bytes:
        command = [
            "git",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "safe.directory=*",
            "-c",
            "core.attributesFile=/dev/null",
        ]
        command += ["--no-optional-locks", "-C", str(self.path), *arguments]
        environment = {
            **os.environ,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
        }
        try:
            done = subprocess.run(command, capture_output=True, timeout=_GIT_S, env=environment)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"git can't be run: {error}.") from None
        if done.returncode != 0:
            complaint = done.stderr.decode("utf-8", "replace").strip()
            raise DataError(f"git can't read {self.path}: {complaint:.300}")
        return done.stdout


def is_test(path: str) -> bool:
    """Return whether a file is a test, or is in a folder of tests."""
    parts = PurePosixPath(path).parts
    return _TEST.fullmatch(parts[-1]) is not None or bool({"tests", "test"} & set(parts[:-1]))
