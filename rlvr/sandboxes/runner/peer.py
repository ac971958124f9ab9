"""Calls between a solution and its tests, over a socket that joins their cells.

Both sides speak the same way: a request (`ask`) is answered by a reply, and while one waits it serves
what the other asks in turn, as when a test hands over a function. What a side may be asked is its own
list of operations. A length (u32), then JSON.
"""

from __future__ import annotations

import builtins
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from .values import Coder, Unreadable

_LENGTH = struct.Struct("<I")
MOST_BYTES = 1 << 26
_MOST_NESTED = 50
_MOST_KEY = 200  # characters
# Made once: the functions of the module `json` make an encoder for each call.
_dumps = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_loads = json.JSONDecoder().decode


class Gone(Exception):
    """The other side hung up, or said something that is no message."""


class Peer:
    """One side.

    Args:
        channel: the socket's descriptor.
        operations: name to function of decoded arguments: what the other side may ask for.
        classes: those that both sides have, by name.

    Attributes:
        make_handle: what stands here for an object of the other side's, by its number and what it is.
        make_error: an exception like one raised there, by name, built-in bases and text.
        foreign_number: the number of the other side's object that a value stands for here, if it does.
        before_reply: called before each reply is sent.
    """

    def __init__(self, channel: int, operations: dict[str, Any], classes: dict[str, Any]) -> None:
        self._socket = socket.socket(fileno=channel)
        self._operations = operations
        self._kept: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._foreign: dict[int, object] = {}
        self.coder = Coder(self._keep, self._found, classes)
        self.make_handle: Callable[[int, dict[str, Any]], object] = lambda number, about: None
        self.make_error: Callable[[str, list[str], str], Any] = _plain_error
        self.foreign_number: Callable[[Any], int | None] = lambda value: None
        self.before_reply: Callable[[], None] = lambda: None
        self.received = 0  # bytes
        self._nested = 0
        self._data = bytearray()

    def hang_up(self) -> None:
        """Close the channel."""
        self._socket.close()

    # A handle is [number, owner's?, what it is]; each side calls its own objects "mine".

    def _keep(self, value: Any) -> Any:
        theirs = self.foreign_number(value)
        if theirs is not None:
            return {"handle": [theirs, False, {}]}
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._kept)
            self._kept.append(value)
        return {"handle": [number, True, describe(value)]}

    def _found(self, inside: Any) -> Any:
        try:
            number, senders, about = inside
            if not senders:
                return self._kept[number]
            if number not in self._foreign:
                self._foreign[number] = self.make_handle(int(number), dict(about))
            return self._foreign[number]
        except Exception as error:
            raise Unreadable("no handle: %r" % error) from None

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Have the other side do something; returns its value or raises what it raised. Raises `Gone`."""
        return self.settle(self.exchange(self.question(operation, arguments)))

    def question(self, operation: str, arguments: Any) -> bytes:
        """A request as it's sent. Raises ValueError where the arguments are too large or nested too deeply."""
        message = {"ask": operation, "with": self.coder.encode(list(arguments))}
        data = _dumps(message).encode("ascii")
        if len(data) > MOST_BYTES:
            raise ValueError("the arguments are too large to be handed over")
        return data

    def exchange(self, question: bytes) -> dict[str, Any]:
        """The reply as it came. Raises `Gone`."""
        self._send(question)
        while True:
            message = self.receive()
            if "ask" not in message:
                return message
            self.serve(message)

    def settle(self, reply: dict[str, Any]) -> Any:
        """The value in a reply, or what it says was raised."""
        if "raised" in reply:
            raise self._error(reply["raised"])
        try:
            return self.coder.decode(reply.get("value"))
        except (Unreadable, RecursionError) as error:
            raise Gone("no value: %s" % error) from None

    def serve(self, message: dict[str, Any]) -> None:
        """Do what the other side asks and reply."""
        self._nested += 1
        try:
            if self._nested > _MOST_NESTED:
                raise RecursionError("calls back and forth are nested too deeply")
            operation = self._operations[message["ask"]]
            reply = operation(self.coder.decode(message["with"]), message)
        except Gone:
            raise
        except BaseException as error:
            reply = {"raised": described(error)}
        finally:
            self._nested -= 1
        self.send(reply)

    def send(self, reply: dict[str, Any]) -> None:
        """Send a reply; that it can't be sent, where it can't."""
        self.before_reply()
        try:
            data = _dumps(reply).encode("ascii")
            if len(data) > MOST_BYTES:
                raise ValueError("too large to be handed over")
        except (ValueError, RecursionError) as error:
            data = _dumps({"raised": described(error)}).encode("ascii")
        self._send(data)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise Gone(str(error)) from None

    def receive(self) -> dict[str, Any]:
        """The next message. Raises `Gone` where there's none, or what came is none."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > MOST_BYTES:
            raise Gone("a message of %d bytes" % length)
        try:
            message = _loads(self._exactly(length).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Gone("no message: %s" % error) from None
        if not _is_message(message):
            raise Gone("no message")
        found: dict[str, Any] = message
        return found

    def _exactly(self, wanted: int) -> bytes:
        while len(self._data) < wanted:
            try:
                got = self._socket.recv(max(wanted - len(self._data), 1 << 16))
            except OSError as error:
                raise Gone(str(error)) from None
            if not got:
                raise Gone("it ended")
            self._data += got
            self.received += len(got)
        data = bytes(self._data[:wanted])
        del self._data[:wanted]
        return data

    def _error(self, said: Any) -> Any:
        """An exception like the one that was raised there: of the built-in type, or of one named alike."""
        name, bases, text = said
        return self.make_error(name, bases, text)


def _plain_error(name: str, bases: list[str], text: str) -> RuntimeError:
    return RuntimeError("%s: %s" % (name, text))


def _is_message(message: Any) -> bool:
    """Whether it has the shape of one; what is in it is looked at where it's used."""
    if not isinstance(message, dict):
        return False
    if "ask" in message:
        return isinstance(message["ask"], str) and isinstance(message.get("with"), list)
    if "raised" in message:
        said = message["raised"]
        if not isinstance(said, list) or len(said) != 3 or not isinstance(said[1], list):
            return False
        return all(isinstance(text, str) for text in (said[0], *said[1], said[2]))
    return True


def describe(value: Any) -> dict[str, Any]:
    """What the other side should know of an object that stays here."""
    kind = type(value)
    about = {"type": str(kind.__name__), "callable": callable(value)}
    if isinstance(value, type):
        about["class"] = str(value.__name__)
        if issubclass(value, BaseException):
            about["error"] = builtin_names(value)
    return about


def described(error: BaseException) -> list[Any]:
    """An exception as [type's name, names of its built-in bases, text]."""
    try:
        text = str(error)[:2000]
    except BaseException:
        text = ""
    return [type(error).__name__, builtin_names(type(error)), text]


def builtin_names(kind: type) -> list[str]:
    """The built-in exceptions among a class and its bases, the nearest first."""
    return [
        base.__name__
        for base in kind.__mro__
        if issubclass(base, BaseException) and getattr(builtins, base.__name__, None) is base
    ]


def local_error(name: str, bases: list[str], text: str, known: dict[str, Any]) -> Any:
    """An exception to raise here for one raised there. `known` keeps the classes made, by name."""
    own = getattr(builtins, name, None)
    if name in _WOULD_END_A_LOOP:
        return RuntimeError("%s: %s" % (name, text))
    if isinstance(own, type) and issubclass(own, Exception) and bases[:1] == [name]:
        return _made(own, text)
    return _made(local_class(name, bases, known), text)


# Raised inside a test's `for` or `all(…)`, these would end it as though all were done.
_WOULD_END_A_LOOP = ("StopIteration", "StopAsyncIteration", "GeneratorExit")


def local_class(name: str, bases: list[str], known: dict[str, Any]) -> Any:
    """An exception class of that name here, below the nearest built-in one it's below there."""
    if name not in known:
        near = (getattr(builtins, base, None) for base in bases)
        base = next(
            (one for one in near if isinstance(one, type) and issubclass(one, Exception)), Exception
        )
        if base.__name__ in _WOULD_END_A_LOOP:
            base = RuntimeError
        known[name] = type(name, (base,), {})
    return known[name]


def _made(kind: Any, text: str) -> Any:
    if issubclass(kind, KeyError):  # its text is how its key is written
        import ast

        try:
            return kind(ast.literal_eval(text[:_MOST_KEY]))
        except Exception:
            pass
    try:
        return kind(text)
    except TypeError:  # UnicodeDecodeError and its like want more arguments
        if issubclass(kind, _GROUP):
            return kind(text, [Exception("which it held")])
        made = kind.__new__(kind)
        made.args = (text,)
        return made


_GROUP = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on
