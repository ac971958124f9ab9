"""The provenance of a run: the state of the code, and versions of packages."""

from __future__ import annotations

import subprocess
from importlib import metadata
from typing import Any

_PACKAGES = (
    "rlvr", "gymnasium", "numpy", "sympy", "sqlglot", "httpx", "torch", "transformers", "trl", "vllm",
)  # fmt: skip


def git_state() -> dict[str, Any] | None:
    """Return the commit of the current directory, and whether tracked files differ from it.

    None if there is no git, no repository, or no commit yet. Untracked files don't count: the
    runs themselves are some.
    """
    commit = _git("rev-parse", "--verify", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}


def _git(*arguments: str) -> str | None:
    # Without optional locks: it must not get in the way of a git command that runs beside it.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of those packages that matter and are installed."""
    installed = {}
    for package in _PACKAGES:
        try:
            version = metadata.version(package)
        except Exception:  # it isn't there, or its metadata are malformed
            continue
        if isinstance(version, str):
            installed[package] = version
    return installed
