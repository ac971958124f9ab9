"""The solution's side: run its source as a module, then do what its tests ask.

Everything here may be tampered with by the solution, which shares the process. That buys it nothing:
all it can do is to answer something else, and answers are judged elsewhere.
"""

from __future__ import annotations

import copy
import importlib
import operator
import os
import sys
import types
from typing import Any

from . import python
from .awaiting import complete
from .classes import by_name, class_about, error_class, specials, text_of
from .files import keep_only
from .peer import Gone, Peer, Stays
from .surroundings import OfSolution
from .values import ATOMS, CONTAINERS, KINDS, base_of, is_enum

NAME = "solution"
_OF_NAMED_TUPLES = frozenset(
    "__doc__ __slots__ _fields _field_defaults __new__ _make _replace __replace__ __repr__ _asdict __getnewargs__ "  # noqa: SIM905
    "__match_args__ __module__ __annotations__ __orig_bases__ __static_attributes__ __firstlineno__".split()
)


def serve(channel: int, sources: list[tuple[str, bytes]]) -> None:
    """Load the sources (a prelude may come first), then serve calls until the tests hang up. Never returns."""
    keep_only([channel])
    python.set_up()
    answer(channel, sources)
    _flush()
    os._exit(0)


def answer(channel: int, sources: list[tuple[str, bytes]]) -> None:
    """Do the same in a process that is set up for it, and return."""
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    side = _Side(channel, module)
    peer = side.peer
    try:
        peer.tell(side.load(sources))
        while True:
            # The question isn't kept in a variable: what it held would count as held by the solution.
            peer.serve(_asked(peer.receive()))
    except Gone:
        peer.hang_up()


def _asked(message: dict[str, Any]) -> dict[str, Any]:
    if "ask" not in message:
        raise Gone("no question")
    return message


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass  # a stream of the solution's, or closed


def own_classes(namespace: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the classes and exceptions that a module's source defined, by name."""
    return {
        kind.__name__: kind
        for kind in namespace.values()
        if isinstance(kind, type) and kind.__module__ == name
    }


class _Side:
    """The requests that tests may make of the objects here: the methods without an underscore that `_operations` lists."""

    def __init__(self, channel: int, module: types.ModuleType) -> None:
        self._module = module
        self._others: dict[int, int] = {}
        self.peer = peer = Peer(channel, self._operations(), 1)
        peer.describe = self._description
        peer.make_handle = self._foreign
        peer.foreign_number = self._number_of
        peer.heap.imports_numpy = True
        peer.heap.stays = peer.has_kept
        peer.heap.define = self._define
        peer.heap.imported = _imported
        surroundings = OfSolution(_flush, peer)
        peer.news, peer.hear = surroundings.news, surroundings.hear

    def load(self, sources: list[tuple[str, bytes]]) -> dict[str, Any]:
        """Run the sources in one namespace, the last of them the solution itself; say what came of it."""
        namespace, heap = self._module.__dict__, self.peer.heap
        for name, source in sources:
            code = python.compile_source(source, name)
            if isinstance(code, str):
                return {"compile_error": code}
            try:
                exec(code, namespace)
            except BaseException as error:
                return {"load_error": [type(error).__name__, text_of(error)]}
            for kind in own_classes(namespace, NAME).values():
                # A class of the prelude's that the solution writes anew is that class, for objects that come.
                is_first = name is not sources[-1][0]
                if is_first or (
                    kind.__name__ in heap.classes and not is_enum(heap.classes[kind.__name__])
                ):
                    heap.add_class(kind.__name__, kind)
        _flush()
        return {"names": [name for name in namespace if type(name) is str]}

    # ---------------------------------------------------------------- objects that stay here

    def _description(self, value: Any) -> dict[str, Any]:
        inline = self.peer.heap.inline
        if not isinstance(value, type):
            return {"type": inline(type(value))}
        about = class_about(value, inline)
        if about["error"]:
            return about
        own = vars(value)
        return {
            **about,
            "doc": own["__doc__"] if type(own.get("__doc__")) is str else None,
            "special": specials(value),
            "methods": [name for name, part in own.items() if type(part) is types.FunctionType],
            "plain": base_of(value) is not None,
        }

    def _operations(self) -> dict[str, Any]:
        simple = {
            "set": setattr, "delete": delattr, "dir": dir, "item": operator.getitem, "in": operator.contains, "len": len,
            "str": str, "repr": repr, "format": format, "bool": bool, "int": int, "index": operator.index, "float": float,
            "complex": complex, "bytes": bytes, "length_hint": operator.length_hint, "fspath": os.fspath, "hash": hash,
            "copy": copy.copy, "deepcopy": copy.deepcopy, "iter": iter, "reversed": reversed, "await": complete, "plain": self._plain,
            "special": lambda value, name, *operands: getattr(type(value), name)(value, *operands),
            "await special": lambda value, name, *operands: complete(getattr(type(value), name)(value, *operands)),
            "close": lambda generator: generator.close(),
        }  # fmt: skip
        own = {
            "names": self._names, "call": _call, "get": _get, "next": lambda it: _step(it, next, it),
            "send": lambda it, value: _step(it, it.send, value), "throw": lambda it, error: _step(it, it.throw, error),
            "await next": _next_later, "code": _code, "leave": _leave, "derive": self._derive,
        }  # fmt: skip
        return {**simple, **own}

    def _plain(self, value: Any) -> Any:
        """Return the plain data that an object is made of."""
        base = base_of(type(value))
        if base in ATOMS:
            return self.peer.heap.value(ATOMS[base](value))
        kind = KINDS[CONTAINERS[base]]  # type: ignore[index]
        content = kind.write(value, lambda part: part)
        return kind.fill(
            None if kind.make is None else kind.make(content), content, lambda part: part
        )

    def _names(self, wanted: Any) -> Any:
        namespace = self._module.__dict__
        return {name: namespace[name] for name in wanted if name in namespace}

    def _derive(self, name: str, bases: Any, members: Any) -> Any:
        """Make a class that a test derives from one of the solution's; its methods are run there."""
        namespace: dict[str, Any] = {"__module__": "tests"}
        for key, (form, value) in members.items():
            if form == "property":
                namespace[key] = property(value)
            elif form == "value":
                namespace[key] = value
            else:
                function = _function(value)
                kinds = {"staticmethod": staticmethod, "classmethod": classmethod}
                namespace[key] = kinds[form](function) if form in kinds else function
        return type(name, tuple(bases), namespace)

    # ---------------------------------------------------------------- objects of the tests'

    def _number_of(self, value: Any) -> int | None:
        if isinstance(value, _Foreign):
            return value._rlvr_number
        return self._others.get(id(value))

    def _foreign(self, number: int, about: Any) -> Any:
        """Make what stands here for an object that stays with the tests."""
        if about.get("error"):
            kind = error_class(about, [self.peer.heap.value(base) for base in about["bases"]])
            self._others[id(kind)] = number
            return kind
        stand_in = _FORMS.get(about["form"], _Foreign)(self.peer, number)
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            if name in about:
                stand_in.__dict__[name] = about[name]
        if about["form"] == "coroutine":
            coroutine = _coroutine(self.peer, stand_in)
            self._others[id(coroutine)] = number
            return coroutine
        return stand_in

    def _define(self, definition: Any) -> None:
        """Make a class of the tests': its objects' attributes are here, and its methods are run there."""
        name, bases, plain, members = definition
        heap, peer = self.peer.heap, self.peer
        if isinstance(bases, str):  # an enum
            pairs = [(member, heap.value(value)) for member, value in members]
            make = getattr(importlib.import_module("enum"), bases)
            heap.add_class(name, make(name.rstrip("'"), pairs, module="tests"))
            return
        real = [heap.value(base) for base in bases]
        if plain and not real:
            real = [by_name(*plain)]
        namespace: dict[str, Any] = {"__module__": "tests", "__qualname__": name}
        for member, form in members.items():
            namespace[member] = _member(peer, name, member, form)
        if "__eq__" in members and "__hash__" not in members:
            namespace["__hash__"] = None
        heap.add_class(name, type(name.rstrip("'"), tuple(real), namespace))


def _imported(module: str, name: str) -> Any:
    """Return a module that a test handed over, or a function of it."""
    value: Any = importlib.import_module(module)
    for part in name.split(".") if name else ():
        value = getattr(value, part)
    return value


# ---------------------------------------------------------------- operations


def _call(function: Any, count: int, *parts: Any) -> Any:
    """Call a function with so many arguments by place, and then names and values."""
    if count == len(parts):
        result = function(*parts)
    else:
        result = function(*parts[:count], **dict(zip(parts[count::2], parts[count + 1 :: 2])))
    is_made = isinstance(function, type) or isinstance(getattr(function, "__self__", None), type)
    return _object(result) if is_made else result


def _get(value: Any, name: str) -> Any:
    result = getattr(value, name)
    return _object(result) if isinstance(value, type) and is_enum(value) else result


def _object(value: Any) -> Any:
    """Have an object stay here that has methods of its own, though its class is made from a type of plain data."""
    kind = type(value)
    if kind.__module__ != NAME or base_of(kind) is None:
        return value
    if hasattr(kind, "_fields"):
        own = {name for base in kind.__mro__[: kind.__mro__.index(tuple)] for name in vars(base)}
        if own <= _OF_NAMED_TUPLES | set(kind._fields):
            return value
    return Stays(value)


def _step(iterator: Any, function: Any, *arguments: Any) -> Any:
    try:
        return (function(*arguments),)
    except StopIteration as stop:
        return (None, stop.value) if type(iterator) is types.GeneratorType else None


def _code(function: Any) -> Any:
    """Return what `inspect` wants to know of a function."""
    code = function.__code__
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    return counts, code.co_varnames, code.co_flags


def _next_later(iterator: Any) -> Any:
    try:
        return (complete(type(iterator).__anext__(iterator)),)
    except StopAsyncIteration:
        return None


def _leave(manager: Any, name: str, error: Any) -> Any:
    details = (None, None, None) if error is None else (type(error), error, error.__traceback__)
    result = getattr(type(manager), name)(manager, *details)
    return bool(complete(result) if name == "__aexit__" else result)


# ---------------------------------------------------------------- what stands here for objects of the tests'


class _Foreign:
    """An object that stays with the tests."""

    def __init__(self, peer: Peer, number: int) -> None:
        self._rlvr_peer = peer
        self._rlvr_number = number


class _Function(_Foreign):
    def __call__(self, *arguments: Any, **named: Any) -> Any:
        parts = [part for pair in named.items() for part in pair]
        return self._rlvr_peer.ask("call", self, len(arguments), *arguments, *parts)


class _Iterator(_Foreign):
    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        following = self._rlvr_peer.ask("next", self)
        if following is None:
            raise StopIteration
        return following[0]


class _File(_Foreign):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self._rlvr_peer.ask("file", self, name, arguments)

    def __iter__(self) -> Any:
        return iter(self.readline, "")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


_FORMS: dict[str, Any] = {"function": _Function, "iterator": _Iterator, "file": _File}


async def _coroutine(peer: Peer, foreign: Any) -> Any:
    return peer.ask("await", foreign)


def _function(foreign: Any) -> Any:
    """Make a function of a foreign one, so that it's bound to objects as methods are."""

    def method(*arguments: Any, **named: Any) -> Any:
        return foreign(*arguments, **named)

    return method


def _member(peer: Peer, kind: str, member: str, form: str) -> Any:
    """Make what stands in a class for a member that stays with the tests."""

    def ask(self: Any, *arguments: Any, **named: Any) -> Any:
        return peer.ask("member", kind, member, self, arguments, named)

    if form == "method":
        return ask
    if form in ("static", "class"):
        return staticmethod(lambda *arguments, **named: ask(None, *arguments, **named))
    return _Attribute(ask, form == "property")


class _Attribute:
    """An attribute of a class of the tests': a property, or a value that objects may have one of their own instead."""

    def __init__(self, ask: Any, is_property: bool) -> None:
        self._ask = ask
        self._is_property = is_property
        if is_property:
            self.__class__ = _Property

    def __get__(self, value: Any, kind: Any) -> Any:
        return self if value is None and self._is_property else self._ask(value)


class _Property(_Attribute):
    def __set__(self, value: Any, new: Any) -> None:
        raise AttributeError("can't set attribute")
