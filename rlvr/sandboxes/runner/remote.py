"""The solution as its tests reach it: asked over the channel, and never to be believed."""

from __future__ import annotations

import _thread
import collections.abc
import contextvars
import io
import types
from typing import Any

from .awaiting import complete
from .classes import (
    WOULD_END_A_LOOP,
    by_import,
    class_about,
    enum_base,
    error_class,
    object_about,
    specials,
    text_of,
)
from .handles import RemoteType, handle, is_handle, mirror
from .peer import Gone, Peer
from .report import TESTING, WAITING, TestReport
from .solution import own_classes
from .surroundings import OfTests
from .values import base_of, is_enum

# What a solution may do with a file of the tests'.
_OF_FILES = frozenset(
    "read readline readlines write writelines seek tell truncate flush close readable writable seekable".split()  # noqa: SIM905
)


_asking: contextvars.ContextVar[bool] = contextvars.ContextVar("asking", default=False)


# What stands for objects of Python's own classes, functions above all. Made once, since to make a class takes long.
_OF_PYTHON: dict[Any, Any] = {}


class Broken(Exception):
    """The tests themselves can't be run."""


class Remote:
    """The solution at the other end of a channel.

    Args:
        carried: what the tests use besides calls, as `rlvr.sandboxes.carried` read it off their source.

    Attributes:
        gone: why it can't be asked any more; None while it can.
        own: attributes that no object of the solution's has for the tests: they're of plain data.
    """

    def __init__(self, channel: int, notes: TestReport, carried: dict[str, Any]) -> None:
        self.gone: str | None = None
        self.own: frozenset[str] = frozenset()
        self._notes = notes
        self._carried = carried
        self._others: dict[int, int] = {}  # number by id, for what stands here and is no handle
        self._members: dict[
            str, dict[str, str]
        ] = {}  # of the tests' classes: what the solution may ask for
        self._lock = _thread.allocate_lock()  # not `threading`, with which every fork takes longer
        operations = {
            "call": self._called,
            "next": self._next,
            "await": complete,
            "member": self._member,
            "file": self._file,
        }
        self.peer = peer = Peer(channel, operations, 0)
        peer.make_handle = self._handle
        peer.foreign_number = self._number_of
        peer.describe = self._description
        peer.by_name = by_import
        peer.heap.share = self._share
        peer.heap.stays = lambda value: self._number_of(value) is not None
        surroundings = OfTests(peer, carried["surroundings"])
        peer.news, peer.hear = surroundings.news, surroundings.hear

    def share(self, namespace: dict[str, Any]) -> None:
        """Note the classes and exceptions in a prelude's namespace, which the solution has as well."""
        for name, kind in own_classes(namespace, "tests").items():
            self.peer.heap.add_class(name, kind)

    # ---------------------------------------------------------------- asking

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Ask the solution; while it works, it's what the tests wait for. Raises `Gone`, or what it raised."""
        if _asking.get():  # in a call of the solution's, or in a thread that does the work of one
            return self._settled(self._exchange(operation, arguments))
        with self._lock:  # threads of a test take turns
            token = _asking.set(True)
            try:
                return self._settled(self._exchange(operation, arguments))
            finally:
                _asking.reset(token)

    def call(self, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function or a class of the solution's."""
        # One after the other: a list of them would be an object that both sides have to keep count of.
        parts = [part for pair in named.items() for part in pair] if named else ()
        return self.ask("call", target, len(arguments), *arguments, *parts)

    def iterate(self, value: Any) -> Any:
        """Return an iterator of an object's."""
        iterator = self.ask("iter", value)
        if not is_handle(iterator):
            return iter(iterator)
        return iterator if hasattr(type(iterator), "__next__") else _each(self, iterator)

    def certify(self, value: Any, *kinds: Any) -> Any:
        """Note that the tests made an object by calling its class, or of such objects of one of these classes."""
        if is_handle(value) and (not kinds or type(value) in kinds):
            remote, number, _ = value._of
            object.__setattr__(value, "_of", (remote, number, True))
        return value

    def copied(self, value: Any, how: str) -> Any:
        """Return a copy of an object, which is as much the tests' making as the object is."""
        duplicate = self.ask(how, value)
        return self.certify(duplicate, type(value)) if value._of[2] else duplicate

    def is_object(self, kind: Any) -> bool:
        """Say if the tests use what only objects of a class have."""
        return any(base.__name__ in self._carried["objects"] for base in kind.__mro__)

    def may_swallow(self, error: Any) -> bool:
        """Say if a `with` of the solution's may end an exception: not one that says that a test failed."""
        return not self._carried["asserts_within"] and not isinstance(error, AssertionError)

    def derive(self, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
        """Have the solution make a class that a test derives from one of its own."""
        own = {
            k: v
            for k, v in namespace.items()
            if k not in ("__module__", "__qualname__", "__classcell__")
        }
        kinds: dict[str, tuple[str, Any]] = {}
        for key, value in own.items():
            if isinstance(value, (staticmethod, classmethod)):
                kinds[key] = (type(value).__name__, value.__func__)
            elif isinstance(value, property):
                kinds[key] = ("property", value.fget)
            elif isinstance(value, types.FunctionType):
                kinds[key] = ("method", value)
            else:
                kinds[key] = ("value", value)
        return self.ask("derive", name, list(bases), kinds)

    def derived(
        self, name: str, bases: tuple[Any, ...], namespace: dict[str, Any], remote_class: Any
    ) -> Any:
        """Return the class of the tests' that stands for such a class."""
        if type(remote_class) is not RemoteType:
            raise Gone("no class")
        number = vars(remote_class)["_is"][1]
        members = {**namespace, "_is": (self, number), "__slots__": ()}
        return self.peer.stand_for(number, type.__new__(RemoteType, name, bases, members))

    def _exchange(self, operation: str, arguments: Any) -> dict[str, Any]:
        """Return the reply as it came."""
        if self.gone is not None:
            raise Gone(self.gone)
        try:
            question = self.peer.question(operation, arguments)
        except (ValueError, RecursionError, MemoryError) as error:
            if self._notes.is_answered:
                raise  # what is too large may have come from the solution
            raise Broken("a test's arguments can't be handed over: %s" % error) from None
        del arguments
        self._notes.state(WAITING)
        try:
            reply = self.peer.exchange(question)
        except BaseException as error:
            self.gone = str(error) if isinstance(error, Gone) else type(error).__name__
            raise Gone(self.gone) from None
        self._notes.state(TESTING)
        self._notes.answered()
        return reply

    def _settled(self, reply: dict[str, Any]) -> Any:
        try:
            return self.peer.settle(reply)
        except Gone as error:
            self.gone = str(error)
            raise
        except WOULD_END_A_LOOP as error:
            if type(error) is StopIteration and self._carried["stop_iteration"]:
                raise
            name = type(error).__name__
            raise RuntimeError("%s: %s" % (name, text_of(error))) from None

    # ---------------------------------------------------------------- what stands here for objects there

    def _handle(self, number: int, about: Any) -> Any:
        value = self.peer.heap.value
        if "name" in about:
            bases = [value(base) for base in about["bases"]]
            if about.get("error"):
                stand_in = error_class(about, bases)
                self._others[id(stand_in)] = number
                return stand_in
            return mirror(self, number, about, bases)
        kind = value(about["type"])
        if kind is types.GeneratorType:
            stand_in = _generator(self, handle(self._of_python(kind), self, number))
        elif kind is types.CoroutineType:
            stand_in = _coroutine(self, handle(self._of_python(kind), self, number))
        elif kind is types.AsyncGeneratorType:
            stand_in = _later(self, handle(self._of_python(kind), self, number))
        else:
            return handle(kind if type(kind) is RemoteType else self._of_python(kind), self, number)
        self._others[id(stand_in)] = number
        return stand_in

    def _of_python(self, kind: Any) -> Any:
        """Return what stands for a class of Python's (functions, iterators) whose objects stay with the solution."""
        if kind not in _OF_PYTHON:
            special = [name for name in specials(kind) if name not in ("eq", "ne", "hash")]
            about = {"name": kind.__name__, "module": kind.__module__, "special": special}
            _OF_PYTHON[kind] = mirror(None, -1, about, [], kind)
        return _OF_PYTHON[kind]

    def _number_of(self, value: Any) -> int | None:
        """Return the number by which the solution knows an object; None if it isn't one of the solution's."""
        if is_handle(value):
            return value._of[1]  # type: ignore[no-any-return]
        if type(value) is RemoteType:
            return vars(value)["_is"][1] if "_is" in vars(value) else None
        return self._others.get(id(value))

    def is_data(self, value: Any) -> bool:
        """Say if a value is data rather than an object that stays with the solution."""
        return self._number_of(value) is None

    # ---------------------------------------------------------------- what it may ask in turn

    def _description(self, value: Any) -> dict[str, Any]:
        """Say what the solution should know of an object of the tests' that it gets: see `solution._foreign`."""
        if isinstance(value, type) and issubclass(value, BaseException):
            return class_about(value, self.peer.heap.inline)
        return object_about(value)

    def _called(self, function: Any, count: int, *parts: Any) -> Any:
        """Serve the solution's call of a function that a test handed over."""
        if not callable(function):
            raise TypeError("not a function")
        return function(*parts[:count], **dict(zip(parts[count::2], parts[count + 1 :: 2])))

    def _next(self, iterator: Any) -> Any:
        """Serve the next item of an iterator that a test handed over."""
        if not isinstance(iterator, collections.abc.Iterator):
            raise TypeError("not an iterator")
        try:
            return (next(iterator),)
        except StopIteration:
            return None

    def _file(self, file: Any, name: str, arguments: Any) -> Any:
        """Serve the solution's use of a file that a test opened."""
        if not isinstance(file, io.IOBase) or name not in _OF_FILES:
            raise AttributeError(name)
        return getattr(file, name)(*arguments)

    # Of a class that the tests define, the solution has the attributes of its objects, and asks for its methods.

    def _share(self, kind: Any) -> bool:
        if (
            kind.__module__ != "tests"
            or type(kind) is RemoteType
            or issubclass(kind, BaseException)
        ):
            return False
        if hasattr(kind, "_fields") and issubclass(kind, tuple):
            return False
        name = kind.__name__
        while name in self.peer.heap.classes:
            name += "'"
        bases = []
        if is_enum(kind):
            pairs = [
                [name, self.peer.heap.inline(member.value)]
                for name, member in kind.__members__.items()
            ]
            self.peer.heap.definitions.append([name, enum_base(kind), None, pairs])
            self.peer.heap.add_class(name, kind)
            return True
        for base in kind.__bases__:
            if base in self.peer.heap.names or self._share(base):
                bases.append(["shared", self.peer.heap.names[base]])
        plain = base_of(kind)
        members: dict[str, str] = {}
        for key, value in vars(kind).items():
            if key in (
                "__dict__",
                "__weakref__",
                "__slots__",
                "__module__",
                "__doc__",
                "__qualname__",
            ):
                continue
            form = "value"
            if isinstance(value, types.FunctionType):
                form = "method"
            elif isinstance(value, (staticmethod, classmethod)):
                form = "static" if isinstance(value, staticmethod) else "class"
            elif isinstance(value, property):
                form = "property"
            elif isinstance(value, (types.MemberDescriptorType, type)) or (
                key.startswith("__") and not callable(value)
            ):
                continue
            members[key] = form
        self._members[name] = members
        heap = self.peer.heap
        heap.add_class(name, kind)
        heap.definitions.append([name, bases, list(plain or ()), members])
        return True

    def _member(self, name: str, member: str, value: Any, positional: Any, named: Any) -> Any:
        """Serve the solution's use of a member of a class of the tests'."""
        form = self._members[name][member]
        kind = self.peer.heap.classes[name]
        if form == "method":
            return vars(kind)[member](value, *positional, **named)
        if form in ("static", "class"):
            return getattr(kind, member)(*positional, **named)
        if form == "property":
            return vars(kind)[member].fget(value)
        return vars(kind)[member]


def _each(remote: Remote, iterator: Any) -> Any:
    while True:
        following = remote.ask("next", iterator)
        if following is None:
            return
        yield following[0]


def _generator(remote: Remote, stays: Any) -> Any:
    """Return a generator that goes on as the solution's does."""
    step: tuple[Any, ...] = ("next", stays)
    while True:
        following = remote.ask(*step)
        if len(following) == 2:
            return following[1]
        try:
            sent = yield following[0]
            step = ("next", stays) if sent is None else ("send", stays, sent)
        except GeneratorExit:
            remote.ask("close", stays)
            raise
        except BaseException as error:
            step = ("throw", stays, error)


async def _coroutine(remote: Remote, stays: Any) -> Any:
    """Return a coroutine whose work the solution does when it's awaited."""
    return remote.ask("await", stays)


async def _later(remote: Remote, stays: Any) -> Any:
    """Return an asynchronous generator that goes on as the solution's does."""
    while True:
        following = remote.ask("await next", stays)
        if following is None:
            return
        yield following[0]
