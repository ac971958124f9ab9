"""Environments that a Python file registers, found by `FILE.py` or `FILE.py:name` without a package."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rlvr.core.errors import (
    BrokenEnvironmentError,
    MissingExtraError,
    UnknownEnvironmentError,
    nearest,
)
from rlvr.core.faults import described

if TYPE_CHECKING:
    from rlvr.core.registry import EnvironmentSpec


def find_in_file(path: Path, name: str | None, specs: Iterable[EnvironmentSpec]) -> EnvironmentSpec:
    """Import a file and return the spec of an environment that it registers.

    The file's folder comes last on `sys.path`, so that other processes can import it as well.

    Args:
        name: the environment's, or its function's; needed only if the file registers several.
        specs: a view of all registered environments, read after the import.

    Raises `UnknownEnvironmentError` if there's no such file or environment, `BrokenEnvironmentError` if the file
    can't be imported.
    """
    path = path.resolve()
    if not path.is_file():
        raise UnknownEnvironmentError(f"There's no file {str(path)!r}.")
    module = imported(path)
    own = [(spec, spec.target) for spec in specs if not isinstance(spec.target, str)]
    own = [(spec, factory) for spec, factory in own if factory.__module__ == module]
    if not own:
        raise UnknownEnvironmentError(
            f"{path.name} registers no environment: decorate the function that makes it with "
            f'@rlvr.environment("{_identifier(path.stem).lower()}").'
        )
    if name is None:
        if len(own) == 1:
            return own[0][0]
        choices = " or ".join(f"{path.name}:{spec.name}" for spec, _ in own)
        raise UnknownEnvironmentError(
            f"{path.name} registers {len(own)} environments: name {choices}."
        )
    for spec, factory in own:
        if name in (spec.name, factory.__name__):
            return spec
    names = [spec.name for spec, _ in own]
    raise UnknownEnvironmentError(
        f"{path.name} registers no environment {name!r}. {nearest(name, names)}"
    )


def imported(path: Path) -> str:
    """Import a file, if it isn't imported yet, and return the name of its module.

    Raises `UnknownEnvironmentError` if it can't be imported under its name, `BrokenEnvironmentError` if it raises.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and name != "__main__" and Path(file) == path:
            return name
    if not path.stem.isidentifier():
        raise UnknownEnvironmentError(
            f"{path.name} can't be imported under its name: rename it to {_identifier(path.stem)}.py."
        )
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    spec = None if path.stem in sys.modules else importlib.util.find_spec(path.stem)
    if spec is None or spec.origin != str(path):
        raise UnknownEnvironmentError(
            f"There's another module {path.stem!r} on Python's path: rename {path.name}."
        )
    try:
        importlib.import_module(path.stem)
    except (MissingExtraError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a SystemExit would look like success
        raise BrokenEnvironmentError(
            f"{path.name} can't be imported: {described(error)}."
        ) from error
    return path.stem


def _identifier(stem: str) -> str:
    return re.sub(r"\W", "_", stem)
