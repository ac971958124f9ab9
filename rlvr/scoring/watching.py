"""The parts of a verifier that may change behind its pickle: an author's globals, and containers.

A function from a script or a notebook is pickled with the globals that it uses, and a list is pickled with its items.
Pickling again shows every change, and costs a hundred times what a trivial verification does. Where the parts that
may change are all in sight and can't change in place, comparing them by identity does the same.
"""

from __future__ import annotations

import enum
import re
import sys
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

_ATOMS = (str, bytes, int, float, complex, bool, type(None), re.Pattern)
_CONTAINERS = (list, dict, set, bytearray)
_BY_VALUE = (b"_make_function", b"_make_skeleton_class")  # in a pickle that holds an author's code
_MISSING = object()


class Watched:
    """Places that hold a part of a verifier, with the parts that were there."""

    def __init__(self) -> None:
        self._places: list[tuple[Callable[[], Any], Any]] = []

    def has_changed(self) -> bool:
        """Tell whether any place holds another object now."""
        for read, part in self._places:  # noqa: SIM110  (a generator takes twice as long)
            if read() is not part:
                return True
        return False

    def add(self, read: Callable[[], Any]) -> Any:
        """Watch the place that `read` reads. Returns the part that is there."""
        part = read()
        self._places.append((read, part))
        return part


class _UnseenError(Exception):
    """A part can change in a way that comparing identities doesn't show."""


def watched(verifier: Any, blob: bytes) -> Watched | None:
    """Return the places to watch, or None if only pickling again shows each change.

    The verifier's attributes themselves are compared elsewhere; here it's about the objects that they refer to.

    Args:
        blob: the verifier's pickle.
    """
    parts = list(vars(verifier).values())
    if not any(mark in blob for mark in _BY_VALUE):
        # Attributes of other classes are replaced, or their author sets an attribute of the verifier, too.
        return None if any(isinstance(part, _CONTAINERS) for part in parts) else Watched()
    if cloudpickle.list_registry_pickle_by_value() or not _is_by_reference(type(verifier)):
        return None
    places = Watched()
    try:
        for part in parts:
            _watch(part, places, set())
    except _UnseenError:
        return None
    return places


def _watch(part: Any, places: Watched, seen: set[int]) -> None:
    if type(part) in _ATOMS or part is _MISSING or id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, tuple | frozenset) and type(part) in (tuple, frozenset):
        for item in part:
            _watch(item, places, seen)
    elif isinstance(part, types.FunctionType):
        if not _is_by_reference(part):
            _watch_function(part, places, seen)
    elif isinstance(part, types.ModuleType):
        if sys.modules.get(part.__name__) is not part:
            raise _UnseenError
    elif isinstance(part, type | types.BuiltinFunctionType):
        if not _is_by_reference(part):
            raise _UnseenError
    elif not (isinstance(part, enum.Enum) and _is_by_reference(type(part))):
        raise _UnseenError


def _watch_function(function: types.FunctionType, places: Watched, seen: set[int]) -> None:
    for read in (
        lambda: function.__code__,
        lambda: function.__defaults__,
        lambda: function.__kwdefaults__,
    ):
        part = places.add(read)
        if isinstance(part, dict):
            raise _UnseenError
        if not isinstance(part, types.CodeType):
            _watch(part, places, seen)
    if function.__dict__:
        raise _UnseenError
    for cell in function.__closure__ or ():
        _watch(places.add(_cell_reader(cell)), places, seen)
    for name in _names(function.__code__):
        _watch(places.add(_global_reader(function, name)), places, seen)


def _names(code: types.CodeType) -> set[str]:
    """Return the global names that a function's code and the code inside it may use."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _global_reader(function: types.FunctionType, name: str) -> Callable[[], Any]:
    return lambda: function.__globals__.get(name, _MISSING)


def _cell_reader(cell: types.CellType) -> Callable[[], Any]:
    def read() -> Any:
        try:
            return cell.cell_contents
        except ValueError:  # empty so far
            return _MISSING

    return read


def _is_by_reference(part: Any) -> bool:
    """Tell whether pickles name the part's module instead of holding it, as cloudpickle decides."""
    module = sys.modules.get(getattr(part, "__module__", None) or "")
    if module is None or module.__name__ == "__main__":
        return False
    found: Any = module
    for name in getattr(part, "__qualname__", "").split("."):
        found = getattr(found, name, _MISSING)
    return found is part
