"""Objects of classes that both sides have: as their attributes and, of some, plain data besides."""

from __future__ import annotations

import types
from typing import Any

from .values import ATOMS, CONSTANT, CONTAINERS, KINDS, OF_PYTHON, UnreadableValue, base_of, is_enum

_SLOT = types.MemberDescriptorType


class Shape:
    """The properties of a class that both sides have, determined once.

    Attributes:
        slots: the attributes that its objects keep outside their dict.
        base: the plain type that it's made from, as module and name; None if there is none.
        is_mutable: whether its objects can change. One that is made from a number, a text or a tuple can't for us.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._is_defined: dict[str, bool] = {}
        self._python = next(base for base in kind.__mro__ if not base.__flags__ & OF_PYTHON)
        self.base = base_of(kind)
        self.is_mutable = self.base not in CONSTANT
        self.slots = []
        for base in kind.__mro__:
            slots = vars(base).get("__slots__", ())
            for name in [slots] if isinstance(slots, str) else slots:
                if name.startswith("__") and not name.endswith("__"):
                    name = "_%s%s" % (base.__name__.lstrip("_"), name)
                if name not in ("__dict__", "__weakref__"):
                    self.slots.append(name)

    def _state_of(self, value: Any) -> dict[str, Any]:
        """Return the attributes of an object, by name, wherever it keeps them."""
        state = {name: getattr(value, name) for name in self.slots if hasattr(value, name)}
        own = getattr(value, "__dict__", None)
        if own:
            state.update(own)
        return state

    def write(self, value: Any, inline: Any) -> list[Any]:
        """Write names and values of an object's attributes and, if its class is made from a plain type, the plain data."""
        state = self._state_of(value)
        content: list[Any] = [list(map(str, state)), [inline(part) for part in state.values()]]
        if self.base in CONTAINERS:
            name = CONTAINERS[self.base]
            content += [name, KINDS[name].write(value, inline)]
        elif self.base is not None:
            content += ["", ATOMS[self.base](value)]
        return content

    # What is read is [class, names, values] and then, as above, a kind and its content. No method of the class is
    # called, `__new__` and `__init__` included.

    def empty(self, content: Any) -> Any:
        """Make an object that is filled later; None if its content is needed to make it."""
        kind = self._kind
        if is_enum(kind):
            raise UnreadableValue("no object")
        if len(content) == 3:
            return object.__new__(kind)
        base, plain = content[3:]
        if base not in KINDS or KINDS[base].make is None:
            return None
        if not isinstance(KINDS[base].make(plain), self._python):
            raise UnreadableValue("no %s" % kind.__name__)
        return self._python.__new__(kind)

    def fill(self, instance: Any, content: Any, read: Any) -> None:
        """Give an object its attributes and its plain data."""
        if len(content) > 3 and content[3] in KINDS and KINDS[content[3]].make is not None:
            KINDS[content[3]].fill(instance, content[4], read)
        self._set_state(instance, dict(zip(map(str, content[1]), map(read, content[2]))))

    def constant(self, content: Any, read: Any) -> Any:
        """Make an object whose class is made from a type of data that can't change."""
        base, plain = content[3:]
        value = KINDS[base].fill(None, plain, read) if base else read(plain)
        if not issubclass(self._kind, type(value)) or type(value) is object:
            raise UnreadableValue("no %s" % self._kind.__name__)
        instance = self._python.__new__(self._kind, value)
        self.fill(instance, content, read)
        return instance

    def _set_state(self, value: Any, state: dict[str, Any]) -> None:
        """Give an object the attributes that the other side says it has, except those that its class defines.

        Its methods and properties are the author's, and what the other side sends in their place isn't.
        """
        own = getattr(value, "__dict__", None)
        if own:
            for name in [name for name in own if name not in state]:
                del own[name]
        defined = self._is_defined
        for name, part in state.items():
            if name not in defined:
                defined[name] = _is_defined(self._kind, name)
            if not defined[name]:
                object.__setattr__(value, name, part)


def _is_defined(kind: type, name: str) -> bool:
    """Say if a class defines the attribute's behaviour (a method, a property), and not only a slot or a default for it."""
    if name.startswith("__") and name.endswith("__"):
        return True
    for base in kind.__mro__:
        if name in vars(base):
            defined = vars(base)[name]
            if type(defined) is _SLOT or name in vars(base).get("__annotations__", ()):
                return False
            return callable(defined) or hasattr(type(defined), "__get__")
    return False
