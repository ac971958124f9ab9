"""Calls between a solution and its tests, over a socket that joins their cells.

Both sides speak the same way: a request (`ask`) is answered by a reply, and while one waits it serves
what the other asks in turn, as when a test hands over a function. What a side may be asked is its own
list of operations. A length (u32), then JSON.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from .classes import parts_of
from .heap import Heap
from .report import HUNG_UP
from .values import UnreadableValue

_LENGTH = struct.Struct("<I")
MOST_BYTES = 1 << 26
_MOST_NESTED = 50
# Made once: the functions of the module `json` make an encoder for each call.
_dumps = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_loads = json.JSONDecoder().decode


class Gone(Exception):
    """The other side hung up, or sent something that is no message."""


class Stays:
    """An object that stays on this side although its class is made from a type of plain data."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Peer:
    """One side.

    Args:
        channel: the socket's descriptor.
        operations: name to function: what the other side may ask for.
        first: 0 for the tests, 1 for the solution: which numbers it gives to objects.

    Attributes:
        heap: the objects that both sides have, and those that stay on one.
        describe: what the other side should know of an object that stays here.
        by_name: writes an object that the other side imports; None for all others.
        make_handle: what stands here for an object of the other side's, by its number and that description.
        foreign_number: the number of the other side's object that a value stands for here, if it does.
        news: what a message should say besides; {} for nothing.
        hear: called with what a message says besides.
    """

    def __init__(self, channel: int, operations: dict[str, Any], first: int) -> None:
        self._socket = socket.socket(fileno=channel)
        self._operations = operations
        self._kept: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._foreign: dict[int, object] = {}
        self.heap = Heap(self.keep, self._find, first)
        self.describe: Callable[[Any], Any] = lambda value: {}
        self.by_name: Callable[[Any], Any] = lambda value: None
        self.make_handle: Callable[[int, Any], object] = lambda number, about: None
        self.foreign_number: Callable[[Any], int | None] = lambda value: None
        self.news: Callable[[], dict[str, Any]] = dict
        self.hear: Callable[[dict[str, Any]], None] = lambda message: None
        self.received = 0  # bytes
        self._nested = 0
        self._data = bytearray()

    def hang_up(self) -> None:
        """Close the channel."""
        self._socket.close()

    # Each side calls its own objects "mine". They're described when they cross for the first time.

    def keep(self, value: Any) -> Any:
        """Write an object that stays on its side."""
        theirs = self.foreign_number(value)
        if theirs is not None:
            return ["yours", theirs]
        if type(value) is Stays:
            value = value.value
        number = self._numbers.get(id(value))
        if number is not None:
            return ["mine", number]
        named = self.by_name(value)
        if named is not None:
            return named
        about = self.describe(value)
        number = self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)
        return ["mine", number, about]

    def _find(self, whose: str, number: Any, *about: Any) -> Any:
        try:
            if whose == "yours":
                if number < 0:
                    raise IndexError
                return self._kept[number]
            if about:
                self._foreign[number] = self.make_handle(int(number), about[0])
            return self._foreign[number]
        except Exception as error:
            raise UnreadableValue("no handle: %r" % error) from None

    def stand_for(self, number: int, value: Any) -> Any:
        """Have a value stand here for an object of the other side's, from now on."""
        self._foreign[number] = value
        return value

    def has_kept(self, value: Any) -> bool:
        """Say if an object has crossed as one that stays here."""
        return id(value) in self._numbers

    def _take_back(self, kept: int) -> None:
        """Forget what was noted for a message that can't be sent."""
        self.heap.take_back()
        for value in self._kept[kept:]:
            del self._numbers[id(value)]
        del self._kept[kept:]

    # ---------------------------------------------------------------- asking

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Have the other side do something; returns its value or raises what it raised. Raises `Gone`."""
        return self.settle(self.exchange(self.question(operation, arguments)))

    def question(self, operation: str, arguments: Any) -> bytes:
        """Write a request. Raises ValueError if the arguments are too large."""
        return self._message({"ask": operation}, "with", arguments)

    def _message(self, start: dict[str, Any], name: str, values: Any) -> bytes:
        """Write values into a message; of "with" there are several."""
        kept = len(self._kept)
        news = self.news()
        try:
            inlines, about = self.heap.write(list(values))
            content = inlines if name == "with" else inlines[0]
            data = _dumps({**start, name: content, **about, **news}).encode("ascii")
            if len(data) > MOST_BYTES:
                raise ValueError("too large to be handed over")
            return data
        except BaseException:
            self._take_back(kept)
            raise

    def exchange(self, question: bytes) -> dict[str, Any]:
        """Send a request and return the reply as it came. Raises `Gone`."""
        self._send(question)
        while True:
            message = self.receive()
            if "ask" not in message:
                return message
            self.serve(message)

    def settle(self, reply: dict[str, Any]) -> Any:
        """Return the value in a reply, or raise what it says was raised."""
        try:
            self.heap.read(reply)
            self.hear(reply)
            if "raised" not in reply:
                return self.heap.value(reply.get("value"))
            error = self.heap.value(reply["raised"])
        except (UnreadableValue, RecursionError) as unreadable:
            raise Gone("no value: %s" % unreadable) from None
        raise error if isinstance(error, BaseException) else Gone("no error")

    # ---------------------------------------------------------------- answering

    def serve(self, message: dict[str, Any]) -> None:
        """Do what the other side asks and reply."""
        self._nested += 1
        result, error = None, None
        try:
            if self._nested > _MOST_NESTED:
                raise RecursionError("calls back and forth are nested too deeply")
            operation = self._operations[message["ask"]]
            self.heap.read(message)
            self.hear(message)
            result = operation(*map(self.heap.value, message["with"]))
        except Gone:
            raise
        except BaseException as raised:
            error = raised
        finally:
            self._nested -= 1
        del message
        self.reply(result, error)

    def reply(self, result: Any, error: BaseException | None = None) -> None:
        """Send a value, or what was raised instead; that it can't be sent, if it can't."""
        if error is None:
            try:
                data = self._message({}, "value", [result])
            except BaseException as unsent:
                error = unsent
        if error is not None:
            try:
                data = self._message({}, "raised", [error])
            except BaseException:
                # What it holds can't be sent, or says something else each time.
                kind, _, _, text, _ = parts_of(error, alone=True)
                data = self._message({}, "raised", [RuntimeError("%s: %s" % (kind.__name__, text))])
        self._send(data)

    # ---------------------------------------------------------------- the socket

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message that holds no values."""
        self._send(_dumps(message).encode("ascii"))

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise Gone(str(error)) from None

    def receive(self) -> dict[str, Any]:
        """Return the next message. Raises `Gone` if there is none, or something else came."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > MOST_BYTES:
            raise Gone("a message of %d bytes" % length)
        try:
            message = _loads(self._exactly(length).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Gone("no message: %s" % error) from None
        if not isinstance(message, dict):
            raise Gone("no message")
        if "ask" in message and not (
            isinstance(message["ask"], str) and isinstance(message.get("with"), list)
        ):
            raise Gone("no message")
        return message

    def _exactly(self, wanted: int) -> bytes:
        while len(self._data) < wanted:
            try:
                got = self._socket.recv(max(wanted - len(self._data), 1 << 16))
            except OSError as error:
                raise Gone(str(error)) from None
            if not got:
                raise Gone(HUNG_UP)
            self._data += got
            self.received += len(got)
        data = bytes(self._data[:wanted])
        del self._data[:wanted]
        return data
