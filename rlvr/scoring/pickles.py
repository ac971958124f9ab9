"""The pickles of verifiers, which workers keep, and the parts of a verifier that may change behind its pickle.

A function from a script or a notebook is pickled with the globals that it uses, and a list is pickled with its items.
Pickling again shows every change, and costs a hundred times what a trivial verification does. Where the parts that
may change are all in sight and can't change in place, comparing them by identity does the same.
"""

from __future__ import annotations

import enum
import io
import itertools
import math
import operator
import os
import pickle
import re
import sys
import threading
import time
import types
from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle

from rlvr.core.verifier import Verifier

_ATOMS = (str, bytes, int, float, complex, bool, type(None), re.Pattern)
_CONTAINERS = (list, dict, set, bytearray)
_BY_VALUE = (b"_make_function", b"_make_skeleton_class")  # in a pickle that holds an author's code
_MISSING = object()
_SHARE = 20  # outside of a batch, pickling again takes at most a twentieth of the time


def new_batch() -> None:
    """Compare each verifier with its pickle again before it judges, since its globals may have changed."""
    global _batch
    _batch = next(_batches)


_batches = itertools.count(1)
_batch = 0


@dataclass(slots=True)
class Pickled:
    """A verifier's pickle.

    Attributes:
        key: the number under which workers keep it.
        state: the verifier's attributes at that time.
        watched: what may change it; None if that can only be seen by pickling again.
        cost_s: seconds that pickling took.
        compared: the time of the last comparison with the verifier.
        batch: the batch of that comparison.
        expected_s: seconds that a verification is expected to take; infinite until one was measured.
    """

    verifier: Verifier
    key: int
    blob: bytes
    state: dict[str, Any]
    watched: Watched | None
    cost_s: float
    compared: float
    batch: int
    expected_s: float = math.inf

    def is_due(self) -> bool:
        """Tell whether globals or containers may have changed since the last comparison."""
        if self.watched is not None:
            return self.watched.has_changed()
        since = time.monotonic() - self.compared
        return self.batch != _batch or since > _SHARE * self.cost_s

    def took(self, seconds: float) -> None:
        """Learn from a verification: at once that they are slow, by and by that they are quick."""
        quicker = self.expected_s if self.expected_s < math.inf else seconds
        self.expected_s = max(seconds, 0.8 * quicker + 0.2 * seconds)


class Packer:
    """Pickles verifiers and numbers them, so that workers keep them between jobs.

    A function is pickled with the globals that it uses. If one of them changes, in place or not, the pickle
    does, and the workers get the new one.
    """

    _kept = 256

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Pickled] = {}
        self._keys = 0

    def pack(self, verifier: Verifier) -> Pickled:
        """Pickle a verifier, or return its pickle if nothing has changed. Raises whatever pickling raises."""
        verifier.before_sending()
        previous = self._known.get(id(verifier))
        if previous is None or not _same(previous.state, vars(verifier)) or previous.is_due():
            previous = self._pickled(verifier, previous)
        return previous

    def _pickled(self, verifier: Verifier, previous: Pickled | None) -> Pickled:
        begun = time.monotonic()
        state = dict(vars(verifier))
        # The path goes along: it may have grown since the workers were forked.
        path = [entry for entry in map(os.fspath, sys.path) if os.path.isabs(entry)]
        blob = pickle.dumps((path, _dumped(verifier)), protocol=5)
        now = time.monotonic()
        with self._lock:
            if previous is not None and previous.blob == blob:
                key, expected_s = previous.key, previous.expected_s
            else:
                self._keys += 1
                key, expected_s = self._keys, math.inf
            if previous is None and len(self._known) >= self._kept:
                self._known.pop(next(iter(self._known)))
            pickled = Pickled(
                verifier,
                key,
                blob,
                state,
                watched(verifier, blob),
                now - begun,
                now,
                _batch,
                expected_s,
            )
            self._known[id(verifier)] = pickled
        return pickled


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, for verifiers from `__main__` or a notebook; code keeps the name of its file.

    cloudpickle 3.1.3 calls each file `<dynamic-code>`, and an author's exception would name that.
    """

    dispatch_table = ChainMap(
        {types.CodeType: lambda code: _code_with_file(code)}, cloudpickle.Pickler.dispatch_table
    )


def _code_with_file(code: types.CodeType) -> tuple[Any, tuple[Any, ...]]:
    make, arguments = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return make, tuple(
        code.co_filename if argument == "<dynamic-code>" else argument for argument in arguments
    )


def _dumped(verifier: Verifier) -> bytes:
    with io.BytesIO() as file:
        _Pickler(file, protocol=cloudpickle.DEFAULT_PROTOCOL).dump(verifier)
        return file.getvalue()


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Tell whether no attribute was set in between: `part.name = …` must reach the workers too."""
    return before.keys() == now.keys() and all(map(operator.is_, before.values(), now.values()))


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
    attribute: Any = module
    for name in getattr(part, "__qualname__", "").split("."):
        attribute = getattr(attribute, name, _MISSING)
    return attribute is part
