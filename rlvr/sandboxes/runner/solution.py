"""The solution's side: run its source as a module, then do what its tests ask.

Everything here may be tampered with by the solution, which shares the process. That buys it nothing:
all it can do is to answer something else, and answers are judged elsewhere.
"""

from __future__ import annotations

import json
import operator
import os
import sys
import types
from typing import Any

from . import python
from .files import keep_only
from .peer import Gone, Peer, described, local_error

NAME = "solution"
_MUTABLE = (list, dict, set, bytearray, tuple)  # a tuple may hold others


def serve(channel: int, sources: list[tuple[str, bytes]]) -> None:
    """Load the sources (a prelude may come first), then serve calls until the tests hang up. Never returns."""
    keep_only([channel])
    python.set_up()
    answer(channel, sources)
    _flush()
    os._exit(0)


def answer(channel: int, sources: list[tuple[str, bytes]]) -> None:
    """The same, in a process that is set up for it, and returning."""
    known: dict[str, Any] = {}
    classes: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    peer = Peer(channel, operations, classes)
    peer.make_handle = lambda number, about: _Foreign(peer, number)
    peer.make_error = lambda name, bases, text: local_error(name, bases, text, known)
    peer.foreign_number = lambda value: value.number if type(value) is _Foreign else None
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    operations.update(_operations(peer, module, classes))
    # Once the tests have what they asked for, they may be over, and nobody waits for what's unwritten.
    peer.before_reply = _flush
    try:
        peer.send(_load(sources, module, classes))
        while True:
            asked = peer.receive()
            if "ask" not in asked:
                raise Gone("no question")
            peer.serve(asked)
    except Gone:
        peer.hang_up()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass  # a stream of the solution's, or closed


def _load(
    sources: list[tuple[str, bytes]], module: types.ModuleType, classes: dict[str, Any]
) -> dict[str, Any]:
    """Run the sources in one namespace, the last of them the solution itself."""
    for name, source in sources:
        code = python.compile_source(source, name)
        if isinstance(code, str):
            return {"compile_error": code}
        try:
            exec(code, module.__dict__)
        except BaseException as error:
            return {"raised": described(error)}
        if name is not sources[-1][0]:
            classes.update(own_classes(module.__dict__, module.__name__))
    return {"names": [name for name in module.__dict__ if type(name) is str]}


def own_classes(namespace: dict[str, Any], name: str) -> dict[str, Any]:
    """The classes that a module's source defined, by name; exceptions cross in another way."""
    return {
        one.__name__: one
        for one in namespace.values()
        if isinstance(one, type) and one.__module__ == name and not issubclass(one, BaseException)
    }


def own_errors(namespace: dict[str, Any], name: str) -> dict[str, Any]:
    """The exceptions that a module's source defined, by name."""
    return {
        one.__name__: one
        for one in namespace.values()
        if isinstance(one, type) and one.__module__ == name and issubclass(one, Exception)
    }


class _Foreign:
    """A function or an iterator that the tests handed over."""

    def __init__(self, peer: Peer, number: int) -> None:
        self._peer = peer
        self.number = number

    def __call__(self, *arguments: Any) -> Any:
        return self._peer.ask("call", self, list(arguments))

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        found = self._peer.ask("next", self)
        if found is None:
            raise StopIteration
        return found[0]


def _operations(peer: Peer, module: types.ModuleType, classes: dict[str, Any]) -> dict[str, Any]:
    """What the tests may ask of objects here. Each takes its arguments and returns a reply."""

    def value(result: Any) -> dict[str, Any]:
        return {"value": peer.coder.encode(result)}

    def names(arguments: Any, message: Any) -> dict[str, Any]:
        (wanted,) = arguments
        found = {}
        for name in wanted:
            if name in module.__dict__:
                found[name] = peer.coder.encode(module.__dict__[name])
        return {"value": json.dumps(found)}

    def call(arguments: Any, message: Any) -> dict[str, Any]:
        target, positional, named = arguments
        reply = value(target(*positional, **named))
        # Tests may look at what became of the lists they handed over.
        mutable = (*_MUTABLE, *classes.values())
        if any(type(one) in mutable for one in (*positional, *named.values())):
            try:
                now = peer.coder.encode([positional, named])
            except (ValueError, RecursionError):
                return reply  # in a circle, now: the tests keep what they had
            if now != message["with"][1:]:
                reply["arguments"] = now
        return reply

    def following(arguments: Any, message: Any) -> dict[str, Any]:
        try:
            return {"value": {"tuple": [peer.coder.encode(next(arguments[0]))]}}
        except StopIteration:
            return {"value": None}

    simple = {
        "get": getattr,
        "set": setattr,
        "item": operator.getitem,
        "len": len,
        "str": str,
        "repr": repr,
        "bool": bool,
        "int": operator.index,
        "float": float,
        "iter": iter,
        "instance": isinstance,
    }

    def plain(function: Any) -> Any:
        return lambda arguments, message: value(function(*arguments))

    operations = {name: plain(function) for name, function in simple.items()}
    return {**operations, "names": names, "call": call, "next": following}
