"""The kinds of values that cross between a solution and its tests, each as JSON and back.

Two classes of kinds. An atom (a number, a text, a date, a pattern, a class of Python's own) is written where it is
used. A container (a list, a dict, an object of a class that both sides have) is written once, in a table, and referred
to by its number, so that depth, shared parts and cycles cross as they are: see `heap.py`.

Each kind is read back as what Python itself has under that name, with the methods of the plain type: a subclass that
overrides `__eq__` or `__iter__` arrives as the plain type.
"""

from __future__ import annotations

import base64
import collections
import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

SMALL = 1 << 63  # an integer below it is written as a JSON number
OF_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not one of the interpreter's own
_AS_THEY_ARE = frozenset((type(None), bool, str, float))
_REAL: Any = complex.real.__get__
_IMAGINARY: Any = complex.imag.__get__


class UnreadableValue(Exception):
    """A message isn't a value."""


def base_of(kind: type) -> tuple[str, str] | None:
    """Return the plain type that a type is or is made from, as module and name; None if there is none."""
    for base in kind.__mro__:
        name = (base.__module__, base.__qualname__)
        # By name: a module that isn't imported needn't be for this, since then no value is of its types.
        if (name in ATOMS or name in CONTAINERS) and _is_the(base):
            return name
    return None


def _is_the(base: type) -> bool:
    """Say if a class is the one of its name, and doesn't merely call itself so."""
    return (
        base in _HIDDEN
        or getattr(sys.modules.get(base.__module__), base.__qualname__, None) is base
    )


def kind_of(module: str, name: str) -> Any:
    """Import a class of the standard library. Its name comes from a table here, never from a message."""
    return getattr(importlib.import_module(module), name)


# ---------------------------------------------------------------- atoms: (module, name) -> what is written


def write_int(value: Any) -> Any:
    """Write an integer: as a number, or in hexadecimal, whose digits take linear time."""
    number = int.__index__(value)
    return number if -SMALL < number < SMALL else ["int", hex(number)]


def _text(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _delta(value: Any) -> Any:
    return ["delta", value.days, value.seconds, value.microseconds]


def _zone(value: Any) -> Any:
    offset, *name = value.__getinitargs__()
    return ["timezone", _delta(offset), *name]


def _slice(value: Any) -> Any:
    parts = (value.start, value.stop, value.step)
    if all(part is None or type(part) is int for part in parts):
        return ["slice", *(part if part is None else write_int(part) for part in parts)]
    return None


def _pattern(value: Any) -> Any:
    if isinstance(value.pattern, str):
        return ["pattern", value.pattern, value.flags]
    return ["pattern", ["bytes", _text(value.pattern)], value.flags]


ATOMS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("builtins", "bool"): bool,
    ("builtins", "int"): write_int,
    ("builtins", "float"): float.__float__,
    ("builtins", "complex"): lambda value: ["complex", _REAL(value), _IMAGINARY(value)],
    ("builtins", "str"): lambda value: str.__getitem__(value, slice(None)),
    ("builtins", "bytes"): lambda value: ["bytes", _text(value)],
    ("builtins", "range"): lambda value: ["range", *map(write_int, (value.start, value.stop, value.step))],
    ("builtins", "slice"): _slice,
    ("builtins", "ellipsis"): lambda value: ["ellipsis"],
    ("builtins", "NotImplementedType"): lambda value: ["not implemented"],
    ("fractions", "Fraction"): lambda value: ["fraction", *map(write_int, (value.numerator, value.denominator))],
    ("decimal", "Decimal"): lambda value: ["decimal", str(value)],
    ("datetime", "datetime"): lambda value: ["datetime", value.isoformat()],
    ("datetime", "date"): lambda value: ["date", value.isoformat()],
    ("datetime", "time"): lambda value: ["time", value.isoformat()],
    ("datetime", "timedelta"): _delta,
    ("datetime", "timezone"): _zone,
    ("uuid", "UUID"): lambda value: ["uuid", value.hex],
    ("pathlib", "PurePath"): lambda value: ["path", str(value)],
    ("pathlib._local", "PurePath"): lambda value: ["path", str(value)],  # Python 3.13
    ("re", "Pattern"): _pattern,
    ("ipaddress", "IPv4Address"): lambda value: ["ipv4", str(value)],
    ("ipaddress", "IPv6Address"): lambda value: ["ipv6", str(value)],
}  # fmt: skip
# Types of Python's own that no module has under their name.
_HIDDEN: tuple[Any, ...] = (
    type(...),
    type(NotImplemented),
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)

READERS: dict[str, Callable[..., Any]] = {
    "int": lambda digits: int(digits, 16),
    "tuple": tuple,
    "frozenset": frozenset,
    "complex": lambda real, imaginary: complex(float(real), float(imaginary)),
    "bytes": base64.b64decode,
    "range": range,
    "slice": slice,
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "fraction": lambda *parts: kind_of("fractions", "Fraction")(*parts),
    "decimal": lambda text: kind_of("decimal", "Decimal")(str(text)),
    "datetime": lambda text: kind_of("datetime", "datetime").fromisoformat(text),
    "date": lambda text: kind_of("datetime", "date").fromisoformat(text),
    "time": lambda text: kind_of("datetime", "time").fromisoformat(text),
    "delta": lambda *parts: kind_of("datetime", "timedelta")(*parts),
    "timezone": lambda *parts: kind_of("datetime", "timezone")(*parts),
    "uuid": lambda text: kind_of("uuid", "UUID")(text),
    "path": lambda text: kind_of("pathlib", "Path")(text),
    "pattern": lambda pattern, flags: kind_of("re", "compile")(pattern, flags),
    "ipv4": lambda text: kind_of("ipaddress", "IPv4Address")(text),
    "ipv6": lambda text: kind_of("ipaddress", "IPv6Address")(text),
}


# ---------------------------------------------------------------- containers


class Container:
    """A kind of container.

    Args:
        write: its content as JSON, given the object and a function that writes each part.
        make: an empty one, given what `write` wrote; None for kinds that can't change, which `fill` makes.
        fill: gives an object (None for kinds that can't change) its content, given a function that reads each part.
            Returns the object.
    """

    def __init__(self, write: Any, make: Any, fill: Any) -> None:
        self.write, self.make, self.fill = write, make, fill


def items(values: Any, inline: Any) -> list[Any]:
    """Write several values."""
    kinds = set(map(type, values))
    if kinds <= _AS_THEY_ARE:
        return list(values)
    if kinds == {int} and min(values) > -SMALL and max(values) < SMALL:
        return list(values)
    return [inline(value) for value in values]


def _pairs(iterable: Any, inline: Any) -> list[Any]:
    return [inline(part) for pair in iterable for part in pair]


def _sorted(iterable: Any, inline: Any) -> list[Any]:
    """Write the items of a set in an order that both sides have, so that one can see if the other changed it."""
    return sorted(map(inline, iterable), key=lambda item: (type(item).__name__, repr(item)))


def _fill_list(target: Any, data: Any, read: Any) -> Any:
    list.__setitem__(target, slice(None), [read(item) for item in data])
    return target


def _fill_dict(target: Any, data: Any, read: Any) -> Any:
    pairs = [read(item) for item in data]
    # The base type's own methods: a class of the prelude's may override them.
    base = collections.OrderedDict if isinstance(target, collections.OrderedDict) else dict
    base.clear(target)
    for key, value in zip(pairs[::2], pairs[1::2]):
        base.__setitem__(target, key, value)
    return target


def _fill_set(target: Any, data: Any, read: Any) -> Any:
    content = [read(item) for item in data]
    set.clear(target)
    set.update(target, content)
    return target


def _fill_deque(target: Any, data: Any, read: Any) -> Any:
    content = [read(item) for item in data[1:]]
    collections.deque.clear(target)
    collections.deque.extend(target, content)
    return target


def _fill_bytes(target: Any, data: Any, read: Any) -> Any:
    bytearray.__setitem__(target, slice(None), base64.b64decode(data))
    return target


def _fill_default(target: Any, data: Any, read: Any) -> Any:
    target.default_factory = read(data[0])
    return _fill_dict(target, data[1:], read)


def _fill_namespace(target: Any, data: Any, read: Any) -> Any:
    target.__dict__.clear()
    target.__dict__.update(zip(data[::2], map(read, data[1::2])))
    return target


def _write_file(value: Any, inline: Any) -> Any:
    if value.closed:
        return None
    content = value.getvalue()
    return [content if isinstance(content, str) else _text(content), value.tell()]


def _fill_file(target: Any, data: Any, read: Any) -> Any:
    if data is None:
        target.close()
        return target
    content = data[0] if hasattr(target, "newlines") else base64.b64decode(data[0])
    target.seek(0)
    target.truncate()
    target.write(content)
    target.seek(data[1])
    return target


def _write_array(value: Any, inline: Any) -> Any:
    return [value.typecode, _text(value.tobytes())]


def _fill_array(target: Any, data: Any, read: Any) -> Any:
    del target[:]
    target.frombytes(base64.b64decode(data[1]))
    return target


def _write_tuple(value: Any, inline: Any) -> Any:
    return items(tuple(tuple.__iter__(value)), inline)


def _views(view: str) -> Container:
    """Make the kind of a dict's keys, values or items: a view of a dict that has just these."""

    def fill(target: Any, data: Any, read: Any) -> Any:
        content = [read(item) for item in data]
        if view == "keys":
            return dict.fromkeys(content).keys()
        return dict(content).items() if view == "items" else dict(enumerate(content)).values()

    return Container(lambda value, inline: [inline(part) for part in value], None, fill)


CONTAINERS: dict[tuple[str, str], str] = {
    ("builtins", "list"): "list",
    ("builtins", "tuple"): "tuple",
    ("builtins", "dict"): "dict",
    ("builtins", "set"): "set",
    ("builtins", "frozenset"): "frozenset",
    ("builtins", "bytearray"): "bytearray",
    ("builtins", "dict_keys"): "keys",
    ("builtins", "dict_values"): "values",
    ("builtins", "dict_items"): "items",
    ("collections", "deque"): "deque",
    ("collections", "Counter"): "counter",
    ("collections", "OrderedDict"): "ordered",
    ("collections", "defaultdict"): "default",
    ("types", "SimpleNamespace"): "namespace",
    ("_io", "StringIO"): "text file",
    ("_io", "BytesIO"): "bytes file",
    ("array", "array"): "array",
}

KINDS: dict[str, Container] = {
    "list": Container(lambda v, inline: items(v if type(v) is list else list(list.__iter__(v)), inline), lambda data: [], _fill_list),
    "tuple": Container(_write_tuple, None, lambda target, data, read: tuple([read(item) for item in data])),
    "dict": Container(lambda v, inline: _pairs(dict.items(v), inline), lambda data: {}, _fill_dict),
    "set": Container(lambda v, inline: _sorted(set.__iter__(v), inline), lambda data: set(), _fill_set),
    "frozenset": Container(lambda v, inline: _sorted(frozenset.__iter__(v), inline), None, lambda target, data, read: frozenset([read(item) for item in data])),
    "bytearray": Container(lambda v, inline: _text(v), lambda data: bytearray(), _fill_bytes),
    "keys": _views("keys"),
    "values": _views("values"),
    "items": _views("items"),
    "deque": Container(lambda v, inline: [v.maxlen, *map(inline, collections.deque.__iter__(v))], lambda data: collections.deque(maxlen=data[0]), _fill_deque),
    "counter": Container(lambda v, inline: _pairs(dict.items(v), inline), lambda data: collections.Counter(), _fill_dict),
    "ordered": Container(lambda v, inline: _pairs(collections.OrderedDict.items(v), inline), lambda data: collections.OrderedDict(), _fill_dict),
    "default": Container(lambda v, inline: [inline(v.default_factory), *_pairs(dict.items(v), inline)], lambda data: collections.defaultdict(), _fill_default),
    "namespace": Container(lambda v, inline: [part for key, value in v.__dict__.items() for part in (str(key), inline(value))], lambda data: types.SimpleNamespace(), _fill_namespace),
    "text file": Container(_write_file, lambda data: kind_of("io", "StringIO")(), _fill_file),
    "bytes file": Container(_write_file, lambda data: kind_of("io", "BytesIO")(), _fill_file),
    "array": Container(_write_array, lambda data: kind_of("array", "array")(data[0]), _fill_array),
}  # fmt: skip


CONSTANT = frozenset(ATOMS) | {
    name for name, kind in CONTAINERS.items() if KINDS[kind].make is None
}


def is_enum(kind: type) -> bool:
    """Say if a class is an enum, without importing what nobody has."""
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(kind, enum.Enum)
