"""The tests' side: run the tests, with the solution's functions as proxies.

No code of the solution's runs here, and what it answers is plain data made anew, or a handle. Whatever it
sends, it's a test that fails by it: what can't be made sense of must never look like a fault of ours, nor like
tests that can't be run, for then there would be no reward where there should be none.
"""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import json
import os
import socket
import sys
import time
import traceback
import types
from typing import Any

from . import python
from .arguments import bring_up_to_date
from .files import keep_only, read
from .handles import handle_or_class, number_of
from .names import called_in_all, names_in
from .peer import Gone, Peer, described, local_error
from .report import DONE, TESTING, WAITING, Report
from .solution import own_classes
from .values import Unreadable

CALM, UPSET = b"+", b"-"  # whether the process that judges many may go on
_ALIASES = {"np": "numpy", "pd": "pandas", "nx": "networkx"}
# How much a solution may take of its tests' own time and memory before what they do is no longer theirs
# alone: seconds (the tests have one more than the solution) and bytes.
_MOST_WAITED_S, _MOST_RECEIVED = 1.0, 1 << 16


class _Broken(Exception):
    """The tests themselves can't be run."""


def judge(channel: int, report: int, tests: int) -> None:
    """Run the tests that the file `tests` has, write what came of them to `report`. Never returns."""
    message = json.loads(read(tests))
    keep_only([channel, report])
    python.set_up()
    judged(channel, message, report)
    os._exit(0)


def judge_many(control: int) -> None:
    """Run tests one after the other, for as long as nothing unusual happens. Never returns.

    For tests that only compare what calls return: what they could leave behind is a process that something
    odd has happened to, and this one ends then.
    """
    keep_only([control])
    python.set_up()
    broker = socket.socket(fileno=control)
    usual = True
    while usual:
        data, fds, _, _ = socket.recv_fds(broker, 1, 3)
        if not data:
            break
        channel, report, tests = fds
        usual = judged(channel, json.loads(read(tests)), report)
        os.close(report)
        os.close(tests)
        broker.send(CALM if usual else UPSET)
    os._exit(0)


def judged(channel: int, message: dict[str, Any], report: int) -> bool:
    """Run tests and report; returns whether all they did was to pass or to fail."""
    notes = Report(report)
    session = _Session(channel, message, notes)
    try:
        session.run()
        usual = session.usual
    except _Broken as error:
        notes.add("broken", str(error))
        usual = False
    except Gone as error:
        notes.add("gone", str(error))
        usual = False
    except BaseException as error:
        # Until it has answered, nothing can be the solution's doing; from then on everything may be.
        notes.add("broken" if notes.is_preparing else "gone", type(error).__name__)
        usual = False
    notes.state(DONE)
    notes.close()
    session.hang_up()
    return usual


class _Session:
    def __init__(self, channel: int, message: dict[str, Any], notes: Report) -> None:
        self._message = message
        self._notes = notes
        self._errors: dict[str, Any] = {}
        self._classes: dict[str, Any] = {}
        self._offered: set[str] = set()
        self._over = False
        self.usual = True  # nothing was raised but AssertionErrors
        self._gone: str | None = None
        self._peer = peer = Peer(channel, {"call": self._called, "next": self._next}, self._classes)
        peer.make_handle = lambda number, about: handle_or_class(self, number, about, self._errors)
        peer.make_error = lambda name, bases, text: local_error(name, bases, text, self._errors)
        peer.foreign_number = number_of

    def hang_up(self) -> None:
        """Let go of the solution."""
        self._peer.hang_up()

    def run(self) -> None:
        """Everything, in order."""
        tests = types.ModuleType("tests")
        sys.modules["tests"] = tests
        namespace = tests.__dict__
        codes = []
        for what in ("prelude", "setup"):
            if self._message[what]:
                codes.append(self._execute(self._message[what], what, namespace))
            if what == "prelude":
                self._classes.update(own_classes(namespace, "tests"))
        check, entry = self._message["check"], self._message["entry_point"]
        statements = [
            self._compiled(test, "test %d" % i)
            for i, test in enumerate(self._message["asserts"], 1)
        ]
        if check:
            codes.append(self._execute(check, "check", namespace))
            if not callable(namespace.get("check")):
                raise _Broken("the test code defines no check(candidate)")
        if not self._loaded(namespace, entry, [*codes, *statements]):
            return
        for code in statements:
            self._try(lambda: exec(code, namespace))  # noqa: B023  (called at once)
            if self._over:
                return
        if check:
            self._try(lambda: namespace["check"](self._candidate(namespace, entry)))

    # ---------------------------------------------------------------- the tests' own code

    def _compiled(self, source: str, what: str) -> types.CodeType:
        try:
            return compile(source, "<%s>" % what, "exec", dont_inherit=True)
        except Exception as error:
            raise _Broken("%s doesn't compile: %s" % (what, error)) from None

    def _execute(self, source: str, what: str, namespace: dict[str, Any]) -> types.CodeType:
        code = self._compiled(source, what)
        try:
            exec(code, namespace)
        except BaseException as error:
            raise _Broken(
                "%s raised %s"
                % (what, "".join(traceback.format_exception_only(type(error), error)).strip())
            ) from None
        return code

    def _try(self, test: Any) -> None:
        self._notes.state(TESTING)
        wrong = None
        try:
            test()
        except BaseException as error:
            wrong = error
            self.usual = self.usual and type(error) is AssertionError
        # Also where the test itself caught it: a solution that isn't there any more has passed nothing.
        if self._gone is not None:
            self._over = True
            self._notes.add("gone", self._gone, passed=False)
        elif wrong is None:
            self._notes.add("error", "", passed=True)
        elif isinstance(wrong, _Broken):
            raise wrong
        elif isinstance(wrong, ImportError) and wrong.name:
            # Of the interpreter's own making (what crosses over has no name): a module the tests want.
            raise _Broken("a test raised %s: %s" % (type(wrong).__name__, wrong)) from None
        else:
            self._over = self._message["stop"]
            self._notes.add("error", _said(wrong), passed=False)

    # ---------------------------------------------------------------- the solution

    def _loaded(self, namespace: dict[str, Any], entry: str, codes: list[types.CodeType]) -> bool:
        """Whether the solution is there to be called; then the tests have what they name of it."""
        self._notes.state(WAITING)
        began = time.monotonic()
        reply = self._peer.receive()
        if "compile_error" in reply:
            self._notes.add("compile_error", _text(reply["compile_error"]))
            return False
        if "raised" in reply:
            name, _, text = reply["raised"]
            self._notes.add("load_error", "%s: %s" % (name, text))
            return False
        names = reply.get("names")
        if isinstance(names, list):
            self._offered = {name for name in names if isinstance(name, str)}
        plain = self._bind(namespace, entry, codes)
        waited = time.monotonic() - began
        if plain or waited > _MOST_WAITED_S or self._peer.received > _MOST_RECEIVED:
            self._notes.answered()
        return True

    def _bind(self, namespace: dict[str, Any], entry: str, codes: list[types.CodeType]) -> bool:
        """Give the tests what they name and don't have themselves; returns whether any of it is data."""
        free = names_in(codes) - set(namespace)
        wanted = {name for name in free if not hasattr(builtins, name)}
        if entry:
            wanted.add(entry)
        elif any(hasattr(builtins, name) for name in self._offered):
            called = called_in_all(self._message["asserts"])
            if not called & wanted:
                wanted |= called
        # It says what it has, and is asked for that alone: what else the tests name is their own affair.
        reply = self._peer.ask("names", sorted(wanted & self._offered))
        found = _found(reply, wanted)
        for name in wanted.difference(found, [entry]) & set(_standard_library()):
            found[name] = {"module": name}
        plain = False
        for name, one in found.items():
            if "module" in one:
                self._import(name, one["module"], namespace)
                continue
            try:
                namespace[name] = self._peer.coder.decode(one["value"])
            except (Unreadable, KeyError, RecursionError) as error:
                raise Gone("no value: %s" % error) from None
            plain |= number_of(namespace[name]) is None
        return plain

    def _import(self, name: str, module: object, namespace: dict[str, Any]) -> None:
        """A module that the solution imported and the tests use: our own, and only under its own name."""
        if module != _ALIASES.get(name, name):
            return
        try:
            namespace[name] = importlib.import_module(module)
        except Exception:
            pass  # the tests will say what they lack

    def _candidate(self, namespace: dict[str, Any], entry: str) -> Any:
        if entry not in namespace:
            raise NameError("the solution defines no %s" % entry)
        return namespace[entry]

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Ask the solution; while it works, it's what the tests wait for."""
        return self._settled(self.exchange(operation, arguments))

    def exchange(self, operation: str, arguments: Any) -> dict[str, Any]:
        """The same; the reply as it came."""
        if self._gone is not None:
            raise Gone(self._gone)
        try:
            question = self._peer.question(operation, arguments)
        except (ValueError, RecursionError, MemoryError) as error:
            if self._notes.is_answered:
                raise  # what is too large or too deep may have come from the solution
            raise _Broken("a test's arguments can't be handed over: %s" % error) from None
        self._notes.state(WAITING)
        try:
            reply = self._peer.exchange(question)
        except BaseException as error:
            self._gone = str(error) if isinstance(error, Gone) else type(error).__name__
            raise Gone(self._gone) from None
        self._notes.state(TESTING)
        self._notes.answered()
        return reply

    def call(self, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the solution's; lists and the like that it changed are changed here too."""
        reply = self.exchange("call", (target, list(arguments), named))
        if "arguments" in reply:
            try:
                positional, keywords = self._peer.coder.decode(reply["arguments"])
                for ours, theirs in zip(arguments, positional):
                    bring_up_to_date(ours, theirs, self._classes)
                for name, ours in named.items():
                    bring_up_to_date(ours, keywords[name], self._classes)
            except (Unreadable, TypeError, ValueError, KeyError, RecursionError) as error:
                self._gone = "no arguments: %s" % error
                raise Gone(self._gone) from None
        return self._settled(reply)

    def _settled(self, reply: dict[str, Any]) -> Any:
        try:
            return self._peer.settle(reply)
        except Gone as error:
            self._gone = str(error)
            raise

    def _called(self, arguments: Any, message: Any) -> dict[str, Any]:
        """The solution calls a function that a test handed over."""
        function, positional = arguments
        if not callable(function):
            raise TypeError("not a function")
        return {"value": self._peer.coder.encode(function(*positional))}

    def _next(self, arguments: Any, message: Any) -> dict[str, Any]:
        """The solution takes the next item of an iterator that a test handed over."""
        (iterator,) = arguments
        if not isinstance(iterator, collections.abc.Iterator):
            raise TypeError("not an iterator")
        try:
            return {"value": {"tuple": [self._peer.coder.encode(next(iterator))]}}
        except StopIteration:
            return {"value": None}


def _found(reply: object, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """What the solution says of the names it was asked for."""
    try:
        found = json.loads(_text(reply))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Gone("no names")
    return {name: one for name, one in found.items() if name in wanted and isinstance(one, dict)}


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise Gone("no text")
    return said


def _said(error: BaseException) -> str:
    name, _, text = described(error)
    return "%s: %s" % (name, text) if text else name


def _standard_library() -> frozenset[str]:
    return getattr(sys, "stdlib_module_names", frozenset())  # from Python 3.10 on
