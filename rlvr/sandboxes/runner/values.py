"""Values as JSON, both ways: what may cross between a solution and its tests.

Plain data is rebuilt on the other side as what Python itself has: None, bool, int, float, complex,
str, bytes, bytearray, list, tuple, dict, set, frozenset, range, deque, and the standard library's
Fraction, Decimal, date, time, datetime and timedelta. A subclass of one of these arrives as the plain
type, whatever it overrides (a named tuple as a named tuple made anew). An object of a class that both
sides have from the prelude is rebuilt from its attributes, without those that its class defines; a member of
such an enum is that member. All else stays where it is, and a handle to it crosses.
"""

from __future__ import annotations

import base64
import collections
import importlib
import sys
import types
from collections.abc import Iterable
from typing import Any

MOST_DEPTH = 400
_SMALL = 1 << 63


_REAL: Any = complex.real.__get__
_IMAGINARY: Any = complex.imag.__get__


_SLOT = types.MemberDescriptorType
_OF_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not one of the interpreter's own


class Unreadable(Exception):
    """What came isn't a value."""


class Coder:
    """Encodes this side's values and decodes the other side's.

    Args:
        keep: puts an object into this side's table; returns its encoding as a handle.
        find: what a handle stands for here.
        classes: by name, those that both sides have.
    """

    def __init__(self, keep: Any, find: Any, classes: dict[str, Any]) -> None:
        self._keep = keep
        self._find = find
        self._classes = classes
        self._encoders: dict[type, Any] = {}  # by type: looking one up takes longer than using it
        self._named_tuples: dict[tuple[str, ...], Any] = {}

    # Type's own methods are called throughout (`list.__iter__(value)`): a subclass may override them.

    def encode(self, value: Any, depth: int = 0) -> Any:
        """JSON for a value. Raises ValueError where it's nested too deeply (or in a circle)."""
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else {"int": hex(value)}
        if depth > MOST_DEPTH:
            raise ValueError("a value is nested more than %d deep, or in a circle" % MOST_DEPTH)
        if kind is list:
            return [self.encode(one, depth + 1) for one in value]
        return self._by_class(value, kind, depth + 1)

    def _by_class(self, value: Any, kind: type, depth: int) -> Any:
        def several(items: Iterable[Any]) -> list[Any]:
            return [self.encode(one, depth) for one in items]

        if kind not in self._encoders:
            self._encoders[kind] = _encoder_of(kind)
        encoder = self._encoders[kind]
        if self._classes.get(kind.__name__) is kind:
            if _is_enum(kind):
                return {"member": [kind.__name__, *several((value._name_, value._value_))]}
            state = state_of(value)
            of_object = [kind.__name__, list(zip(state, several(state.values())))]
            if encoder is _tuple:
                of_object.append({"tuple": several(tuple.__iter__(value))})
            elif encoder is not None:  # its class is made from a plain type
                of_object.append(encoder(value, several))
            return {"object": of_object}
        if encoder is not None:
            return encoder(value, several)
        numpy = _from_numpy(value, kind)
        if numpy is not None:
            return self.encode(numpy[0], depth)
        return self._keep(value)

    def decode(self, data: Any) -> Any:
        """The value of such JSON. Raises `Unreadable`."""
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        if isinstance(data, list):
            return [self.decode(one) for one in data]
        if not isinstance(data, dict) or len(data) != 1:
            raise Unreadable("no value")
        ((tag, inside),) = data.items()
        if tag == "handle":
            return self._find(inside)
        try:
            if tag == "object":
                return self._rebuilt(*inside)
            if tag == "member":
                return self._member(*inside)
            if tag == "named":
                return self._named(*inside)
            return _REBUILT[tag](inside, self.decode)
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable("no %s: %s" % (tag, error)) from None

    def _rebuilt(self, name: str, state: Any, *plain: Any) -> Any:
        kind = self._classes[name]
        made = _made_from(kind, self.decode(plain[0])) if plain else object.__new__(kind)
        set_state(made, {str(key): self.decode(value) for key, value in state})
        return made

    def _member(self, name: str, member: Any, value: Any) -> Any:
        kind = self._classes[name]
        if not _is_enum(kind):
            raise Unreadable("no enum")
        if member in kind.__members__:
            return kind.__members__[member]
        return kind(self.decode(value))  # of several flags

    def _named(self, name: str, fields: Any, items: Any) -> Any:
        values = [self.decode(one) for one in items]
        if any(hasattr(tuple, field) for field in fields):
            return tuple(values)  # it would have its own `count` or `index`
        key = (name, *fields)
        if key not in self._named_tuples:
            self._named_tuples[key] = collections.namedtuple(name, fields)
        return self._named_tuples[key](*values)


def state_of(value: Any) -> dict[str, Any]:
    """The attributes of an object, by name, wherever it keeps them."""
    found = {}
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = "_%s%s" % (kind.__name__.lstrip("_"), name)
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    found.update(getattr(value, "__dict__", {}))
    return {str(name): one for name, one in found.items()}


def set_state(value: Any, state: dict[str, Any]) -> None:
    """Give an object attributes that the other side says it has, but none that would hide what its class defines.

    Its methods and properties are the author's, and what the other side sends in their place isn't.
    """
    for name, one in state.items():
        if not _is_defined(type(value), name):
            object.__setattr__(value, name, one)


def _is_defined(kind: type, name: str) -> bool:
    """Say if a class defines the attribute's behaviour (a method, a property), and not only a slot or a default for it."""
    if name.startswith("__") and name.endswith("__"):
        return True
    for base in kind.__mro__:
        if name in vars(base):
            found = vars(base)[name]
            if type(found) is _SLOT or name in vars(base).get("__annotations__", ()):
                return False
            return callable(found) or hasattr(type(found), "__get__")
    return False


def _made_from(kind: Any, value: Any) -> Any:
    """An object of a class that is made from a plain type, with the plain value."""
    if not issubclass(kind, type(value)):
        raise Unreadable("no %s" % kind.__name__)
    # The class's own `__new__`, `__init__`, `extend` and so on aren't called.
    base = next(one for one in kind.__mro__ if not one.__flags__ & _OF_PYTHON)
    if isinstance(value, (list, set, bytearray, collections.deque)):
        made = base.__new__(kind)
        base.__init__(made, value)
        return made
    if isinstance(value, dict):
        made = base.__new__(kind)
        for key, one in value.items():
            base.__setitem__(made, key, one)
        return made
    return base.__new__(kind) if base is object else base.__new__(kind, value)


def _is_enum(kind: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(kind, enum.Enum)


def _from_numpy(value: Any, kind: type) -> Any:
    """NumPy's numbers and arrays are plain data too: as a tuple of one, None where it's neither."""
    if kind.__module__.partition(".")[0] != "numpy":
        return None
    if hasattr(value, "tolist") and kind.__name__ != "matrix":
        return (value.tolist(),)
    return None


def _int(value: Any, several: Any) -> Any:
    number = int.__index__(value) if type(value) is not int else value
    return number if -_SMALL < number < _SMALL else {"int": hex(number)}


def _dict(value: Any, several: Any) -> Any:
    return {"dict": [several(pair) for pair in dict.items(value)]}


def _tuple(value: Any, several: Any) -> Any:
    names = getattr(type(value), "_fields", None)
    items = several(tuple.__iter__(value))
    if type(value) is not tuple and isinstance(names, tuple) and len(names) == len(items):
        return {"named": [type(value).__name__, list(names), items]}
    return {"tuple": items}


def _delta(value: Any, several: Any) -> Any:
    return {"delta": [value.days, value.seconds, value.microseconds]}


def _encoder_of(kind: type) -> Any:
    """What encodes values of a type as the plain type that it is or is made from; None where it's none."""
    for base in kind.__mro__:
        # By name: what isn't imported needn't be for this, and then no value is of it.
        encoder = _PLAIN.get((base.__module__, base.__qualname__))
        if encoder is not None and _is_the(base):
            return encoder
    return None


def _is_the(base: type) -> bool:
    """Whether it's the class of that name, and not one that calls itself so."""
    return getattr(importlib.import_module(base.__module__), base.__qualname__, None) is base


_PLAIN: dict[tuple[str, str], Any] = {
    ("builtins", "bool"): lambda value, several: bool(value),
    ("builtins", "int"): _int,
    ("builtins", "float"): lambda value, several: float.__float__(value),
    ("builtins", "complex"): lambda value, several: {"complex": [_REAL(value), _IMAGINARY(value)]},
    ("builtins", "str"): lambda value, several: str.__getitem__(value, slice(None)),
    ("builtins", "bytes"): lambda value, several: {"bytes": _text(value)},
    ("builtins", "bytearray"): lambda value, several: {"bytearray": _text(value)},
    ("builtins", "list"): lambda value, several: several(list.__iter__(value)),
    ("builtins", "tuple"): _tuple,
    ("builtins", "dict"): _dict,
    ("builtins", "set"): lambda value, several: {"set": several(set.__iter__(value))},
    ("builtins", "frozenset"): lambda value, several: {"frozenset": several(frozenset.__iter__(value))},
    ("builtins", "range"): lambda value, several: {"range": several((value.start, value.stop, value.step))},
    ("collections", "deque"): lambda value, several: {"deque": several(collections.deque.__iter__(value))},
    ("fractions", "Fraction"): lambda value, several: {"fraction": several((value.numerator, value.denominator))},
    ("decimal", "Decimal"): lambda value, several: {"decimal": str(value)},
    ("datetime", "datetime"): lambda value, several: {"datetime": value.isoformat()},
    ("datetime", "date"): lambda value, several: {"date": value.isoformat()},
    ("datetime", "time"): lambda value, several: {"time": value.isoformat()},
    ("datetime", "timedelta"): _delta,
}  # fmt: skip


def _text(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


_REBUILT: dict[str, Any] = {
    "int": lambda inside, decode: int(inside, 16),
    "complex": lambda inside, decode: complex(float(inside[0]), float(inside[1])),
    "bytes": lambda inside, decode: base64.b64decode(inside),
    "bytearray": lambda inside, decode: bytearray(base64.b64decode(inside)),
    "tuple": lambda inside, decode: tuple(map(decode, inside)),
    "dict": lambda inside, decode: {decode(key): decode(value) for key, value in inside},
    "set": lambda inside, decode: set(map(decode, inside)),
    "frozenset": lambda inside, decode: frozenset(map(decode, inside)),
    "range": lambda inside, decode: range(*map(decode, inside)),
    "deque": lambda inside, decode: collections.deque(map(decode, inside)),
    "fraction": lambda inside, decode: _kind("fractions", "Fraction")(*map(decode, inside)),
    "decimal": lambda inside, decode: _kind("decimal", "Decimal")(str(inside)),
    "datetime": lambda inside, decode: _kind("datetime", "datetime").fromisoformat(inside),
    "date": lambda inside, decode: _kind("datetime", "date").fromisoformat(inside),
    "time": lambda inside, decode: _kind("datetime", "time").fromisoformat(inside),
    "delta": lambda inside, decode: _kind("datetime", "timedelta")(*map(decode, inside)),
}


def _kind(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
