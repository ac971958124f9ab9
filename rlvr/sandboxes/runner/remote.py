"""The solution as its tests reach it: asked over the channel, and never to be believed."""

from __future__ import annotations

import collections.abc
from typing import Any

from .arguments import bring_up_to_date
from .handles import handle_or_class, number_of
from .peer import Gone, Peer, local_error
from .report import TESTING, WAITING, Report
from .solution import own_classes, own_errors
from .values import Unreadable


class Broken(Exception):
    """The tests themselves can't be run."""


class Remote:
    """The solution at the other end of a channel.

    Attributes:
        gone: why it can't be asked any more; None while it can.
        classes: those that both sides have, by name.
        own: attributes that no object of the solution's has for the tests: they're of plain data.
    """

    def __init__(self, channel: int, notes: Report) -> None:
        self.gone: str | None = None
        self.own: frozenset[str] = frozenset()
        self.classes: dict[str, Any] = {}
        self._notes = notes
        self._errors: dict[str, Any] = {}
        self.peer = peer = Peer(channel, {"call": self._called, "next": self._next}, self.classes)
        peer.make_handle = lambda number, about: handle_or_class(self, number, about, self._errors)
        peer.make_error = lambda name, bases, text: local_error(name, bases, text, self._errors)
        peer.foreign_number = number_of

    def share(self, namespace: dict[str, Any]) -> None:
        """Take note of the classes and exceptions in a prelude's namespace, which the solution has as well."""
        self.classes.update(own_classes(namespace, "tests"))
        self._errors.update(own_errors(namespace, "tests"))

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Ask the solution; while it works, it's what the tests wait for. Raises `Gone`, or what it raised."""
        return self._settled(self._exchange(operation, arguments))

    def call(self, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the solution's; lists and the like that it changed are changed here too."""
        reply = self._exchange("call", (target, list(arguments), named))
        if "arguments" in reply:
            try:
                positional, keywords = self.peer.coder.decode(reply["arguments"])
                for ours, theirs in zip(arguments, positional):
                    bring_up_to_date(ours, theirs, self.classes)
                for name, ours in named.items():
                    bring_up_to_date(ours, keywords[name], self.classes)
            except (Unreadable, TypeError, ValueError, KeyError, RecursionError) as error:
                self.gone = "no arguments: %s" % error
                raise Gone(self.gone) from None
        return self._settled(reply)

    def _exchange(self, operation: str, arguments: Any) -> dict[str, Any]:
        """The reply as it came."""
        if self.gone is not None:
            raise Gone(self.gone)
        try:
            question = self.peer.question(operation, arguments)
        except (ValueError, RecursionError, MemoryError) as error:
            if self._notes.is_answered:
                raise  # what is too large or too deep may have come from the solution
            raise Broken("a test's arguments can't be handed over: %s" % error) from None
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

    # ---------------------------------------------------------------- what it may ask in turn

    def _called(self, arguments: Any, message: Any) -> dict[str, Any]:
        """The solution calls a function that a test handed over."""
        function, positional = arguments
        if not callable(function):
            raise TypeError("not a function")
        return {"value": self.peer.coder.encode(function(*positional))}

    def _next(self, arguments: Any, message: Any) -> dict[str, Any]:
        """The solution takes the next item of an iterator that a test handed over."""
        (iterator,) = arguments
        if not isinstance(iterator, collections.abc.Iterator):
            raise TypeError("not an iterator")
        try:
            return {"value": {"tuple": [self.peer.coder.encode(next(iterator))]}}
        except StopIteration:
            return {"value": None}
