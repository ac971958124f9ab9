"""Make environments that data of unknown origin name: a row of a trainer's file, somebody's `run.json`.

Data may choose among the environments that this machine's user has registered: those of rlvr, of installed
packages, and of the modules in `RLVR_ENVIRONMENTS`. Data can't make rlvr import a module, open a file outside of
the folders that the user names, or ask a server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, UnknownEnvironmentError
from rlvr.core.registry import NAMED, find, make
from rlvr.core.secrets import HIDDEN

FILES = "RLVR_ROW_FILES"
"""The environment variable that lists the folders whose files data may name."""

_OF_TASKS = frozenset({"data", "databases", "prompts"})
"""Options of built-in environments that locate the tasks; judging a given task doesn't open them."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def make_foreign(
    name: str, options: Mapping[str, Any], where: str, module: str = ""
) -> Environment:
    """Make an environment whose name and options come with data.

    Raises what `check_foreign` and `rlvr.make` raise.
    """
    check_foreign(name, options, where, module)
    return make(name, **options)


def check_foreign(name: str, options: Mapping[str, Any], where: str, module: str = "") -> None:
    """Raise `DataError` if data ask for more than data may.

    Args:
        where: the name of the data in messages, such as "This row".
        module: the module that older data name; never imported.
    """
    try:
        spec = find(name)
    except UnknownEnvironmentError as error:
        which = module if re.fullmatch(r"[\w.]+", module) else "MODULE"
        raise DataError(
            f"{where} is of an environment that isn't registered here. {error} Data name no code to import: "
            f"install its package, or set {NAMED}={which:.80} if you know that module and trust it."
        ) from None
    for option, value in options.items():
        if any(HIDDEN in text for text in _texts(value)):
            raise DataError(
                f"{where} doesn't hold the option {option!r}, which is a secret: give it again."
            )
        if spec.built_in and option in _OF_TASKS:
            continue
        for text in _texts(value):
            if _ADDRESS.fullmatch(text):
                raise DataError(
                    f"{where} gives the option {option!r} of {name!r} the address {text!r:.80}: data may "
                    f"name no server. Make an environment of your own with that option."
                )
            if _names_file(text) and not _allowed(text):
                raise DataError(
                    f"{where} gives the option {option!r} of {name!r} the file {text!r:.80}: data may "
                    f"name no file outside of RLVR_DATA and the folders in {FILES}."
                )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(key)
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)


def _names_file(text: str) -> bool:
    """Return whether a text names a file, or could. A bare word (`test`) doesn't, even if a folder has that name."""
    if not re.search(r"[/\\.~]", text) or "\0" in text or len(text) > 4096:
        return False
    path = os.path.expanduser(text)
    if os.path.lexists(path):
        return True
    parent = os.path.dirname(path)
    return bool(parent) and not re.search(r"\s", text) and os.path.isdir(parent)


def _allowed(text: str) -> bool:
    path = Path(os.path.realpath(os.path.expanduser(text)))
    folders = [os.environ.get("RLVR_DATA", ""), *os.environ.get(FILES, "").split(os.pathsep)]
    return any(path.is_relative_to(os.path.realpath(folder)) for folder in folders if folder)
