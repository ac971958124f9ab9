"""NumPy's arrays as they cross: [type of their items, shape, item, item, …]."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .values import UnreadableValue, items


class Array(list):  # type: ignore[type-arg]
    """An array of NumPy's, for tests that don't use NumPy: a list, and the array itself if it's asked for more.

    Tests that were written for solutions without NumPy compare answers with lists, and a list this is.
    """

    __slots__ = ("content",)

    content: list[Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._array(), name)

    def __getitem__(self, at: Any) -> Any:
        return list.__getitem__(self, at) if isinstance(at, (int, slice)) else self._array()[at]

    def _array(self) -> Any:
        kind, shape = self.content[0], self.content[1]
        return importlib.import_module("numpy").array(list(self), dtype=kind).reshape(shape)


def is_plain_array(value: Any) -> bool:
    """Say if an array is of numbers, texts, times or objects, and has a dimension."""
    return value.dtype.kind in "biufcSUmMO" and value.ndim > 0


def write_array(value: Any, inline: Any) -> Any:
    """Write an array, or a list that stands for one."""
    if type(value) is Array:
        flat: Any = list(value)
        for _ in value.content[1][1:]:
            flat = [item for row in flat for item in row]
        return [*value.content, *items(flat, inline)]
    times = value.dtype.kind in "mM"
    flat = (value.ravel().view("i8") if times else value.ravel()).tolist()
    return [value.dtype.str, list(value.shape), *items(flat, inline)]


def empty_array(content: Any, imports: bool) -> Any:
    """Make an array; a list where NumPy isn't used, or isn't there."""
    kind, shape = str(content[0]), tuple(map(int, content[1]))
    numpy = sys.modules.get("numpy")
    if imports and numpy is None:
        try:
            numpy = importlib.import_module("numpy")
        except ImportError:
            pass
    if numpy is None:
        array = Array()
        array.content = [kind, list(shape)]
        return array
    if numpy.dtype(kind).kind not in "biufcSUmMO" or len(content) - 2 != numpy.prod(
        shape, dtype=object
    ):
        raise UnreadableValue("no array")
    return numpy.empty(shape, kind)


def fill_array(array: Any, content: Any, read: Any) -> None:
    """Give an array its items."""
    flat = [read(item) for item in content[2:]]
    if type(array) is not Array:
        if array.dtype.kind in "mM":
            array.view("i8").reshape(-1)[:] = flat
        else:
            for i, item in enumerate(flat) if array.dtype.kind == "O" else ():
                array.reshape(-1)[i] = item
            if array.dtype.kind != "O":
                array.reshape(-1)[:] = flat
        return
    rows: list[Any] = flat
    for size in array.content[1][:0:-1]:
        rows = [rows[i : i + size] for i in range(0, len(rows), size)] if size else []
    list.__setitem__(array, slice(None), rows)
