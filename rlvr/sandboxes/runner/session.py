"""One solution's tests, from their setup to the last of them."""

from __future__ import annotations

import sys
import time
import traceback
import types
from typing import Any

from .binding import Missing, bind, is_built_in, text
from .classes import text_of
from .handles import is_instance, is_subclass
from .remote import Broken, Remote
from .report import TESTING, WAITING, TestReport

# How much a solution may take of its tests' own time and memory before what they do is no longer theirs
# alone: seconds (the tests have one more than the solution) and bytes.
_MOST_WAITED_S, _MOST_RECEIVED = 1.0, 1 << 16


class Session:
    """Runs the tests in a message, with the solution at the other end of a channel.

    Attributes:
        usual: whether nothing was raised so far but AssertionErrors.
    """

    def __init__(self, channel: int, message: dict[str, Any], notes: TestReport) -> None:
        self.usual = True
        self._message = message
        self._notes = notes
        self._over = False
        self._remote = Remote(channel, notes, message["carried"])

    def hang_up(self) -> None:
        """Let go of the solution."""
        self._remote.peer.hang_up()

    def run(self) -> None:
        """Run all the tests, in order. Raises `Broken`, and `Gone` if the solution doesn't answer."""
        tests = types.ModuleType("tests")
        sys.modules["tests"] = tests
        namespace = tests.__dict__
        namespace.update(isinstance=is_instance, issubclass=is_subclass)
        for name in ("prelude", "setup"):
            if self._message[name]:
                _execute(self._message[name], name, namespace)
            if name == "prelude":
                self._remote.share(namespace)
        check, entry = self._message["check"], self._message["entry_point"]
        statements = [
            _compiled(test, "test %d" % i) for i, test in enumerate(self._message["asserts"], 1)
        ]
        if check:
            _execute(check, "check", namespace)
            if not callable(namespace.get("check")):
                raise Broken("the test code defines no check(candidate)")
        asked = self._message["asked"]
        if asked["refused"]:
            raise Broken(asked["refused"])
        self._remote.own = frozenset(asked["own"])
        if not self._is_loaded(namespace, entry, asked):
            return
        for code in statements:
            self._try(lambda: exec(code, namespace))  # noqa: B023  (called at once)
            if self._over:
                return
        if check:
            candidate = namespace.get(entry, namespace)
            if is_built_in(entry):  # in `check` that name is Python's
                namespace.pop(entry, None)
            self._try(lambda: namespace["check"](_checked(candidate, namespace, entry)))

    def _is_loaded(self, namespace: dict[str, Any], entry: str, asked: dict[str, Any]) -> bool:
        """Tell whether the solution can be called; then the tests have the names that they use of it."""
        self._notes.state(WAITING)
        began = time.monotonic()
        peer = self._remote.peer
        reply = peer.receive()
        if "compile_error" in reply:
            self._notes.add("compile_error", text(reply["compile_error"]))
            return False
        if "load_error" in reply:
            name, message = reply["load_error"]
            self._notes.add("load_error", "%s: %s" % (text(name), text(message)))
            return False
        names = reply.get("names")
        offered = (
            {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
        )
        try:
            plain = bind(namespace, asked, entry, offered, self._remote)
        except Missing as error:
            raise Broken(str(error)) from None
        waited = time.monotonic() - began
        if plain or waited > _MOST_WAITED_S or peer.received > _MOST_RECEIVED:
            self._notes.answered()
        return True

    def _try(self, test: Any) -> None:
        self._notes.state(TESTING)
        wrong = None
        try:
            test()
        except BaseException as error:
            wrong = error
            self.usual = self.usual and type(error) is AssertionError
        # Also where the test itself caught it: a solution that isn't there any more has passed nothing.
        if self._remote.gone is not None:
            self._over = True
            self._notes.add("gone", self._remote.gone, passed=False)
        elif wrong is None:
            self._notes.add("error", "", passed=True)
        elif isinstance(wrong, Broken):
            raise wrong
        elif isinstance(wrong, ImportError) and wrong.name:
            # Of the interpreter's own making (what crosses over has no name): a module the tests want.
            raise Broken("a test raised %s: %s" % (type(wrong).__name__, wrong)) from None
        else:
            self._over = self._message["stop"]
            self._notes.add("error", _said(wrong), passed=False)


def _compiled(source: str, label: str) -> types.CodeType:
    try:
        return compile(source, "<%s>" % label, "exec", dont_inherit=True)
    except Exception as error:
        raise Broken("%s doesn't compile: %s" % (label, error)) from None


def _execute(source: str, label: str, namespace: dict[str, Any]) -> None:
    code = _compiled(source, label)
    try:
        exec(code, namespace)
    except BaseException as error:
        message = "".join(traceback.format_exception_only(type(error), error)).strip()
        raise Broken("%s raised %s" % (label, message)) from None


def _checked(candidate: Any, missing: Any, entry: str) -> Any:
    if candidate is missing:
        raise NameError("the solution defines no %s" % entry)
    return candidate


def _said(error: BaseException) -> str:
    name, message = type(error).__name__, text_of(error)
    return "%s: %s" % (name, message) if message else name
