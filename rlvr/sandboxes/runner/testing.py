"""The tests' side: run the tests, with the solution's functions as proxies.

No code of the solution's runs here, and what it answers is plain data made anew. Handles to its objects
can be called, read and iterated; they never say that they equal anything but themselves, and no
operator hands them a value that they could learn from.
"""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import json
import mmap
import os
import sys
import traceback
import types

from . import python
from .files import keep_only, read
from .peer import Gone, Peer, described, local_class, local_error
from .solution import own_classes
from .values import Unreadable

# The first byte of the report: where the tests were when they ended.
PREPARING, WAITING, TESTING, DONE = b"P", b"W", b"T", b"D"
_ALIASES = {"np": "numpy", "pd": "pandas", "nx": "networkx"}
_MOST_SAID = 2000


class _Broken(Exception):
    """The tests themselves can't be run."""


def judge(channel: int, report: int, tests: int) -> None:
    """Run the tests that the file `tests` has, write what came of them to `report`. Never returns."""
    message = json.loads(read(tests))
    keep_only([channel, report])
    python.set_up()
    notes = _Report(report)
    try:
        _Session(channel, message, notes).run()
    except _Broken as error:
        notes.add({"broken": str(error)[:_MOST_SAID]})
    except Gone as error:
        notes.add({"gone": str(error)[:_MOST_SAID]})
    notes.state(DONE)
    os._exit(0)


class _Report:
    """A file that the broker reads afterwards, whatever becomes of this process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = 16
        os.ftruncate(fd, 16)
        self._head = mmap.mmap(fd, 16)  # so that a note costs no system call
        self.state(PREPARING)

    def state(self, what: bytes) -> None:
        self._head[0:1] = what

    def answered(self) -> None:
        """The solution has answered something: from now on, it may be what the tests choke on."""
        self._head[1:2] = b"A"

    def add(self, entry: dict) -> None:
        line = json.dumps(entry).encode() + b"\n"
        self._end += os.pwrite(self._fd, line, self._end)


class _Session:
    def __init__(self, channel: int, message: dict, notes: _Report) -> None:
        self._message = message
        self._notes = notes
        self._errors: dict = {}
        self._classes: dict = {}
        self._offered: set[str] = set()
        self._over = False
        self._peer = peer = Peer(channel, {"call": self._called, "next": self._next}, self._classes)
        peer.make_handle = lambda number, about: make_handle(self, number, about, self._errors)
        peer.make_error = lambda name, bases, text: local_error(name, bases, text, self._errors)
        peer.foreign_number = lambda value: value._number if type(value) is Handle else None

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
        if not self._loaded():
            return
        self._bind(namespace, entry, [*codes, *statements])
        for code in statements:
            self._try(lambda: exec(code, namespace))  # noqa: B023  (called at once)
            if self._over:
                return
        if check:
            self._try(lambda: namespace["check"](self._candidate(namespace, entry)))

    # ---------------------------------------------------------------- the tests' own code

    def _compiled(self, source: str, what: str):
        try:
            return compile(source, "<%s>" % what, "exec", dont_inherit=True)
        except Exception as error:
            raise _Broken("%s doesn't compile: %s" % (what, error)) from None

    def _execute(self, source: str, what: str, namespace: dict):
        code = self._compiled(source, what)
        try:
            exec(code, namespace)
        except BaseException as error:
            raise _Broken(
                "%s raised %s"
                % (what, "".join(traceback.format_exception_only(type(error), error)).strip())
            ) from None
        return code

    def _try(self, test) -> None:
        self._notes.state(TESTING)
        try:
            test()
            entry = {"passed": True}
        except Gone as error:
            entry = {"passed": False, "gone": str(error)}
            self._over = True
        except BaseException as error:
            if isinstance(error, ImportError) and error.name:
                # Of the interpreter's own making (what crosses over has no name): a module the tests want.
                raise _Broken("a test raised %s: %s" % (type(error).__name__, error)) from None
            entry = {"passed": False, "error": _said(error)}
            self._over = self._message["stop"]
        self._notes.add(entry)

    # ---------------------------------------------------------------- the solution

    def _loaded(self) -> bool:
        self._notes.state(WAITING)
        reply = self._peer.receive()
        self._notes.state(TESTING)
        if "compile_error" in reply:
            self._notes.add({"compile_error": str(reply["compile_error"])[:_MOST_SAID]})
            return False
        if "raised" in reply:
            name, _, text = reply["raised"]
            self._notes.add({"load_error": ("%s: %s" % (name, text))[:_MOST_SAID]})
            return False
        names = reply.get("names")
        self._offered = set(map(str, names)) if isinstance(names, list) else set()
        return True

    def _bind(self, namespace: dict, entry: str, codes: list[types.CodeType]) -> None:
        """Give the tests what they name and don't have themselves."""
        free = _names(codes) - set(namespace)
        wanted = {name for name in free if not hasattr(builtins, name)}
        if entry:
            wanted.add(entry)
        elif not wanted:
            wanted = _called_in_all(self._message["asserts"])
        # It says what it has, and is asked for that alone: what else the tests name is their own affair.
        reply = self.ask("names", sorted(wanted & self._offered))
        try:
            found = dict(json.loads(reply))
        except (TypeError, ValueError):
            raise Gone("no names") from None
        for name in wanted.difference(found, [entry]).intersection(sys.stdlib_module_names):
            found[name] = {"module": name}
        for name, one in found.items():
            if name not in wanted:
                continue
            if "module" in one:
                self._import(name, one["module"], namespace)
            else:
                try:
                    namespace[name] = self._peer.coder.decode(one["value"])
                except (Unreadable, KeyError) as error:
                    raise Gone("no value: %s" % error) from None

    def _import(self, name: str, module: str, namespace: dict) -> None:
        """A module that the solution imported and the tests use: our own, and only under its own name."""
        if module != _ALIASES.get(name, name):
            return
        try:
            namespace[name] = importlib.import_module(module)
        except ImportError:
            pass  # the tests will say what they lack

    def _candidate(self, namespace: dict, entry: str):
        if entry not in namespace:
            raise NameError("the solution defines no %s" % entry, name=entry)
        return namespace[entry]

    def ask(self, operation: str, *arguments):
        """Ask the solution; while it works, it's what the tests wait for."""
        return self._peer.settle(self.exchange(operation, arguments))

    def exchange(self, operation: str, arguments) -> dict:
        """The same; the reply as it came."""
        self._notes.state(WAITING)
        reply = self._peer.exchange(operation, arguments)
        self._notes.state(TESTING)
        self._notes.answered()
        return reply

    def call(self, target, arguments: tuple, named: dict):
        """Call a function of the solution's; lists and the like that it changed are changed here too."""
        reply = self.exchange("call", (target, list(arguments), named))
        if "arguments" in reply:
            try:
                positional, keywords = self._peer.coder.decode(reply["arguments"])
                for ours, theirs in zip(arguments, positional):
                    _bring_up_to_date(ours, theirs)
                for name, ours in named.items():
                    _bring_up_to_date(ours, keywords[name])
            except (Unreadable, TypeError, ValueError, KeyError, RecursionError) as error:
                raise Gone("no arguments: %s" % error) from None
        return self._peer.settle(reply)

    def _called(self, arguments, message) -> dict:
        """The solution calls a function that a test handed over."""
        function, positional = arguments
        if not callable(function):
            raise TypeError("not a function")
        return {"value": self._peer.coder.encode(function(*positional))}

    def _next(self, arguments, message) -> dict:
        """The solution takes the next item of an iterator that a test handed over."""
        (iterator,) = arguments
        if not isinstance(iterator, collections.abc.Iterator):
            raise TypeError("not an iterator")
        try:
            return {"value": {"tuple": [self._peer.coder.encode(next(iterator))]}}
        except StopIteration:
            return {"value": None}


def _said(error: BaseException) -> str:
    name, _, text = described(error)
    return ("%s: %s" % (name, text) if text else name)[:_MOST_SAID]


def _bring_up_to_date(ours, theirs) -> None:
    """Give a mutable argument the content that it has after the call, keeping its identity."""
    if type(ours) is not type(theirs):
        return
    if isinstance(ours, list):
        for i, (one, other) in enumerate(zip(ours, theirs)):
            if type(one) is type(other) and isinstance(one, (list, dict, set, bytearray)):
                _bring_up_to_date(one, other)
            else:
                ours[i] = other
        del ours[len(theirs) :]
        ours.extend(theirs[len(ours) :])
    elif isinstance(ours, dict):
        for key in [key for key in ours if key not in theirs]:
            del ours[key]
        for key, other in theirs.items():
            if (
                key in ours
                and type(ours[key]) is type(other)
                and isinstance(other, (list, dict, set))
            ):
                _bring_up_to_date(ours[key], other)
            else:
                ours[key] = other
    elif isinstance(ours, set):
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, bytearray):
        ours[:] = theirs


def _names(codes: list[types.CodeType]) -> set[str]:
    """The names that code uses (of attributes, too: it takes far less time than to parse it)."""
    found: set[str] = set()
    for code in codes:
        found.update(code.co_names)
        found |= _names([one for one in code.co_consts if isinstance(one, types.CodeType)])
    return found


def _called_in_all(asserts: list[str]) -> set[str]:
    """Where a solution is named like a built-in function (`sum`): what every assert calls, the innermost."""
    import ast

    counted: list[list[str]] = []
    for source in asserts:
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        counted.append(calls)
    common = set.intersection(*map(set, counted)) if counted else set()
    innermost = [name for name in reversed(counted[0]) if name in common] if counted else []
    return set(innermost[:1])


def make_handle(session: _Session, number: int, about: dict, errors: dict):
    """What stands here for an object of the solution's."""
    if "error" in about:  # `except` and `pytest.raises` need a class
        return local_class(str(about.get("class")), list(about["error"]), errors)
    return Handle(session, number, about)


class Handle:
    """An object that stays with the solution."""

    __slots__ = ("_about", "_number", "_session")

    def __init__(self, session: _Session, number: int, about: dict) -> None:
        self._session = session
        self._number = number
        self._about = about

    def __call__(self, *arguments, **named):
        return self._session.call(self, arguments, named)

    def __getattr__(self, name: str):
        if name.startswith("__") and name.endswith("__") and name not in ("__name__", "__doc__"):
            raise AttributeError(name)
        return self._session.ask("get", self, name)

    def __getitem__(self, key):
        return self._session.ask("item", self, key)

    def __len__(self):
        return self._session.ask("len", self)

    def __iter__(self):
        iterator = self._session.ask("iter", self)
        if not isinstance(iterator, Handle):
            return iter(iterator)
        return _each(self._session, iterator)

    def __next__(self):
        return next(_each(self._session, self))

    def __contains__(self, value) -> bool:
        return any(one is value or one == value for one in self)

    def __str__(self) -> str:
        return self._session.ask("str", self)

    __repr__ = __str__

    def __bool__(self) -> bool:
        return self._session.ask("bool", self)

    def __int__(self):
        return self._session.ask("int", self)

    def __float__(self):
        return self._session.ask("float", self)

    def __instancecheck__(self, value) -> bool:
        return isinstance(value, Handle) and self._session.ask("instance", value, self)


def _each(session: _Session, iterator: Handle):
    while True:
        found = session.ask("next", iterator)
        if found is None:
            return
        yield found[0]
