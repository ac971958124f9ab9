"""The entry points of installed packages, read distribution by distribution."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlvr.core.gymnasium_ids import warn

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

_TARGET = re.compile(r"[\w.]+\s*:\s*[\w.]+\s*(?:\[.*\])?")


def entry_points(group: str) -> Iterator[tuple[EntryPoint, str]]:
    """Yield the entry points of a group, each with its distribution's name.

    Distributions are read one by one: a malformed one causes a warning and is left out, and the others are read.
    """
    # Not at the top: with its e-mail parser it costs an eighth of `import gymnasium`.
    import importlib.metadata

    names = set()
    for distribution in importlib.metadata.distributions():
        path = getattr(distribution, "_path", None)
        try:
            if isinstance(path, os.PathLike):
                with_group = _mentions(os.path.join(path, "entry_points.txt"), group)
            else:  # in a zip file, say
                with_group = group in (distribution.read_text("entry_points.txt") or "")
        except Exception:
            continue
        if not with_group:
            continue
        try:
            name = distribution.metadata["Name"]
            if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name, re.ASCII):
                raise ValueError("its metadata have no name")
            points = [point for point in distribution.entry_points if point.group == group]
            for point in points:
                if not _TARGET.fullmatch(point.value):
                    raise ValueError(f"{point.value!r} is no 'module:factory'")
        except Exception as error:
            _leave_out(distribution, error)
            continue
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if normal not in names:  # the first on the path is the one that's imported
            names.add(normal)
            yield from ((point, name) for point in points)


def any_installed(group: str) -> bool:
    """Tell whether any distribution on `sys.path` mentions the group, from the files alone."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except (OSError, ValueError, TypeError):
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) and _mentions(
                os.path.join(folder, name, "entry_points.txt"), group
            ):
                return True
    return False


def _leave_out(distribution: Distribution, error: Exception) -> None:
    where = getattr(distribution, "_path", "an unknown place")
    warn(f"The package in {str(where)!r} is left out, as its entry points can't be read: {error}")


def _mentions(path: str, group: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            return False
        with open(path, "rb") as points:
            return group.encode() in points.read()
    except (OSError, ValueError):
        return False
