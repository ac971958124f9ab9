"""What stands, beside the tests, for an object that stays with the solution.

A handle can be called, read and iterated. It never says that it equals anything but itself, and no operator
hands it a value that it could learn from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .peer import local_class

_NO_DATA = "%s is asked of plain data, and this is none"


class Handle:
    """An object of the solution's. `session` asks the solution, for `number`."""

    __slots__ = ("_number", "_session")

    def __init__(self, session: Any, number: int) -> None:
        self._session = session
        self._number = number

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._session.call(self, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in ("__name__", "__doc__"):
            raise AttributeError(name)
        if name in self._session.own:
            raise AttributeError(_NO_DATA % name)
        return self._session.ask("get", self, name)

    def __getitem__(self, key: Any) -> Any:
        if "[]" in self._session.own:
            raise TypeError(_NO_DATA % "an item")
        return self._session.ask("item", self, key)

    def __len__(self) -> Any:
        if "len()" in self._session.own:
            raise TypeError(_NO_DATA % "a length")
        return self._session.ask("len", self)

    def __iter__(self) -> Any:
        iterator = self._session.ask("iter", self)
        if not isinstance(iterator, Handle):
            return iter(iterator)
        return _each(self._session, iterator)

    def __next__(self) -> Any:
        return next(_each(self._session, self))

    def __contains__(self, value: Any) -> bool:
        return any(one is value or one == value for one in self)

    def __str__(self) -> str:
        return str(self._session.ask("str", self))

    __repr__ = __str__

    def __bool__(self) -> bool:
        return bool(self._session.ask("bool", self))

    def __int__(self) -> Any:
        return self._session.ask("int", self)

    def __float__(self) -> Any:
        return self._session.ask("float", self)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Handle) and self._session.ask("instance", value, self)


def number_of(value: Any) -> int | None:
    """The number by which the solution knows an object; None where it isn't one of the solution's."""
    return value._number if type(value) is Handle else None


def handle_or_class(
    session: Any, number: int, about: dict[str, Any], errors: dict[str, Any]
) -> Any:
    """What stands for an object of the solution's. `errors` keeps the exception classes made, by name."""
    if "error" in about:  # `except` and `pytest.raises` need a class
        return local_class(str(about.get("class")), list(about["error"]), errors)
    return Handle(session, number)


def _each(session: Any, iterator: Handle) -> Iterator[Any]:
    while True:
        found = session.ask("next", iterator)
        if found is None:
            return
        yield found[0]
