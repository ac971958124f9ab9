"""Proxies, on the tests' side, for objects that stay with the solution.

Its class has the name, the bases and the special methods of the solution's class, so that `isinstance`, `with`, `await`,
`v[0] = 1` and `v + w` are what they are in one process. What a method answers is the solution's word: a value like any other,
which the tests compare.

But an object must not decide if it is right. An operator hands the object on the other side to the solution, and a
comparison is the verdict itself: where tests expect a number, an answer with `__sub__` or `__eq__` of its own could be
right for any number. So operators are asked of objects that the tests made by calling a class (`V(1) + V(2)`), and a value of
the tests' own is handed to them if the tests use what only objects of that class have. Nothing else is equal to anything but
itself, or takes part in arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .classes import python_bases

_NO_DATA = "%s is asked of plain data, and this is none"
# Special attributes that are data about an object, and say nothing else.
_ABOUT = frozenset(
    "__name__ __qualname__ __doc__ __module__ __annotations__ __defaults__ __kwdefaults__ __dict__ __wrapped__ "  # noqa: SIM905
    "__members__ __slots__ __match_args__ __dataclass_fields__ __version__ __author__ __all__ __fields__".split()
)


class RemoteType(type):
    """The class of classes that stand for the solution's."""

    def __new__(mcs, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
        """Make a class; one that a test derives from the solution's is made there as well."""
        remote = next((vars(base)["_is"][0] for base in bases if "_is" in vars(base)), None)
        if remote is None or "_is" in namespace:
            return type.__new__(mcs, name, bases, namespace)
        derived = remote.derive(name, bases, namespace)
        return remote.derived(name, bases, namespace, derived)

    def __init__(cls, *arguments: Any) -> None:
        pass

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        remote = vars(cls)["_is"][0]
        return remote.certify(remote.call(cls, arguments, named))

    def __getattr__(cls, name: str) -> Any:
        if "_is" not in vars(cls) or (name.startswith("__") and name not in _ABOUT):
            raise AttributeError(name)
        return vars(cls)["_is"][0].ask("get", cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        vars(cls)["_is"][0].ask("set", cls, name, value)

    def __delattr__(cls, name: str) -> None:
        vars(cls)["_is"][0].ask("delete", cls, name)

    def __dir__(cls) -> Any:
        return vars(cls)["_is"][0].ask("dir", cls)

    # Of enums, and of classes with `__class_getitem__`.
    def __iter__(cls) -> Any:
        return vars(cls)["_is"][0].iterate(cls)

    def __len__(cls) -> Any:
        return vars(cls)["_is"][0].ask("len", cls)

    def __bool__(cls) -> bool:
        return True

    def __getitem__(cls, key: Any) -> Any:
        return vars(cls)["_is"][0].ask("item", cls, key)

    def __contains__(cls, value: Any) -> bool:
        return bool(vars(cls)["_is"][0].ask("in", cls, value))

    def __repr__(cls) -> str:
        return (
            str(vars(cls)["_is"][0].ask("repr", cls)) if "_is" in vars(cls) else type.__repr__(cls)
        )


class Handle(metaclass=RemoteType):
    """An object of the solution's.

    Attributes:
        _of: who asks the solution, the number by which the solution knows it, and whether the tests made it by calling a
            class.
    """

    __slots__ = ("_of",)

    def __getattr__(self, name: str) -> Any:
        remote = self._of[0]
        if name == "__code__":
            return _code(remote.ask("code", self))
        if name.startswith("__") and name.endswith("__") and name not in _ABOUT:
            raise AttributeError(name)
        if name in remote.own:
            raise AttributeError(_NO_DATA % name)
        return remote.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._of[0].ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._of[0].ask("delete", self, name)

    def __dir__(self) -> Any:
        return self._of[0].ask("dir", self)

    def __str__(self) -> str:
        return str(self._of[0].ask("str", self))

    def __repr__(self) -> str:
        return str(self._of[0].ask("repr", self))

    def __copy__(self) -> Any:
        return self._of[0].copied(self, "copy")

    def __deepcopy__(self, memo: Any) -> Any:
        return self._of[0].copied(self, "deepcopy")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of the solution's can't be pickled: it stays with the solution")

    def __format__(self, spec: str) -> str:
        return str(self._of[0].ask("format", self, spec))


def is_handle(value: Any) -> bool:
    """Say if a value stands for an object of the solution's that is no class."""
    return type(type(value)) is RemoteType


def handle(kind: Any, remote: Any, number: int) -> Any:
    """Make the handle of an object of a class."""
    instance = object.__new__(kind)
    object.__setattr__(instance, "_of", (remote, number, False))
    return instance


def mirror(
    remote: Any, number: int, about: dict[str, Any], bases: list[Any], python: Any = None
) -> Any:
    """Make the class that stands for one of the solution's.

    Args:
        number: by which the solution knows it; -1 for a class of Python's own.
        about: `name`, `module`, the `special` methods, and if its objects hold `plain` data.
        python: that class of Python's, which the objects say that they are of.
    """
    namespace = {
        "__slots__": (),
        "__module__": str(about.get("module", "")),
        "_is": (remote, number),
        "__doc__": about.get("doc"),
    }
    for name in map(str, about.get("methods", ())):
        # Never one of the names by which Python, or this module, works: they'd answer in the place of what is below.
        if name == "__init__" or not name.startswith("_"):
            namespace[name] = _Method(name)
    specials = set(map(str, about["special"]))
    for name in specials & set(_SPECIAL):
        namespace["__%s__" % name] = _SPECIAL[name]
    if "len" in specials:
        namespace["__bool__"] = _SPECIAL["bool"]
    if python is not None:
        namespace["__class__"] = property(lambda self: python)
        for name in ("__doc__", "__module__"):  # a class has its own, which would hide the object's
            namespace[name] = property(_getter(name))
    if about.get("plain"):
        namespace.update(_OF_PLAIN)
    namespace["_python"] = tuple(python_bases(about, bases))
    bases = [base for base in bases if type(base) is RemoteType and "_is" in vars(base)]
    try:
        return RemoteType(str(about["name"]), (*bases, *(() if bases else (Handle,))), namespace)
    except TypeError:  # bases that Python would order in another way
        return RemoteType(str(about["name"]), (Handle,), namespace)


def is_instance(value: Any, kinds: Any) -> bool:
    """Return what `isinstance` returns where the solution's classes have the bases of Python's that they have there."""
    return isinstance(value, kinds) or _has_base(type(value), kinds)


def is_subclass(kind: Any, kinds: Any) -> bool:
    """Return what `issubclass` returns, likewise."""
    return issubclass(kind, kinds) or _has_base(kind, kinds)


def _has_base(kind: Any, kinds: Any) -> bool:
    return type(kind) is RemoteType and any(
        issubclass(base, kinds)
        for ancestor in kind.__mro__
        for base in vars(ancestor).get("_python", ())
    )


class _Method:
    """A method of the solution's class, for objects of classes that a test derives from it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, value: Any, kind: Any) -> Any:
        owner = next(base for base in kind.__mro__ if vars(base).get(self._name) is self)
        remote = vars(owner)["_is"][0]
        if value is None or any(
            self._name in vars(base) for base in kind.__mro__[: kind.__mro__.index(owner)]
        ):
            function = remote.ask(
                "get", owner, self._name
            )  # `super().method()` in a class of the tests
            return function if value is None else _bound(function, value)
        return Handle.__getattr__(value, self._name)


def _getter(name: str) -> Callable[[Any], Any]:
    return lambda self: self._of[0].ask("get", self, name)


def _bound(function: Any, value: Any) -> Callable[..., Any]:
    return lambda *arguments, **named: function(value, *arguments, **named)


# ---------------------------------------------------------------- special methods


def _may_be_asked(value: Any, other: Any, name: str) -> bool:
    """Say if an operator may be asked of the solution: see this module's text."""
    remote, _, is_certified = value._of
    if is_handle(other):
        if is_certified and other._of[2]:
            return True
        related = isinstance(value, type(other)) or isinstance(other, type(value))
        return (is_certified or other._of[2]) and related
    return is_certified and name not in ("eq", "ne") and remote.is_object(type(value))


def _operator(name: str) -> Any:
    special = "__%s__" % name

    def operate(self: Any, *operands: Any) -> Any:
        remote = self._of[0]
        if (
            self._of[2]
            if not operands or name == "round"
            else all(_may_be_asked(self, other, name) for other in operands)
        ):
            result = remote.ask("special", self, special, *operands)
            return remote.certify(result, type(self), *map(type, operands))
        if _is_plain(type(self)):
            return _plainly(self, special, operands)
        return NotImplemented if operands else _refused(name)

    operate.__name__ = special
    return operate


def _refused(name: str) -> Any:
    raise TypeError("%s: an object isn't asked, since numbers are expected here" % name)


def _plainly(value: Any, special: str, operands: tuple[Any, ...]) -> Any:
    """Apply a special method to the plain data of an object."""
    method = getattr(plain_of(value), special, None)
    return NotImplemented if method is None else method(*map(plain_of, operands))


def _is_plain(kind: Any) -> bool:
    return any("_plain" in vars(base) for base in kind.__mro__)


def plain_of(value: Any) -> Any:
    """Return the plain data that an object holds, if its class is made from a type of plain data."""
    if is_handle(value) and _is_plain(type(value)):
        return value._of[0].ask("plain", value)
    return value


def _number(name: str) -> Any:
    return lambda self: self._of[0].ask(name, self)


def _call(self: Any, *arguments: Any, **named: Any) -> Any:
    return self._of[0].call(self, arguments, named)


def _length(self: Any) -> Any:
    if "len()" in self._of[0].own:
        raise TypeError(_NO_DATA % "a length")
    return self._of[0].ask("len", self)


def _item(self: Any, key: Any) -> Any:
    if "[]" in self._of[0].own:
        raise TypeError(_NO_DATA % "an item")
    return self._of[0].ask("item", self, key)


def _following(self: Any) -> Any:
    following = self._of[0].ask("next", self)
    if following is None:
        raise StopIteration
    return following[0]


def _contains(self: Any, value: Any) -> bool:
    if self._of[2]:
        return bool(self._of[0].ask("in", self, value))
    return any(item is value or item == value for item in self)


def _hash(self: Any) -> int:
    return int(self._of[0].ask("hash", self)) if self._of[2] else object.__hash__(self)


def _leave(self: Any, kind: Any, error: Any, traceback: Any) -> bool:
    remote = self._of[0]
    is_left = remote.ask("leave", self, "__exit__", error)
    return bool(is_left) and remote.may_swallow(error)


async def _leave_later(self: Any, kind: Any, error: Any, traceback: Any) -> bool:
    remote = self._of[0]
    is_left = remote.ask("leave", self, "__aexit__", error)
    return bool(is_left) and remote.may_swallow(error)


def _awaited(self: Any) -> Any:
    return self._of[0].ask("await", self)
    yield


async def _enter_later(self: Any) -> Any:
    return self._of[0].ask("await special", self, "__aenter__")


async def _following_later(self: Any) -> Any:
    following = self._of[0].ask("await next", self)
    if following is None:
        raise StopAsyncIteration
    return following[0]


_SPECIAL: dict[str, Any] = {
    **{name: _operator(name) for name in ["add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and", "xor", "or", "radd", "rsub", "rmul", "rmatmul", "rtruediv", "rfloordiv", "rmod", "rdivmod", "rpow", "rlshift", "rrshift", "rand", "rxor", "ror", "iadd", "isub", "imul", "imatmul", "itruediv", "ifloordiv", "imod", "ipow", "ilshift", "irshift", "iand", "ixor", "ior", "neg", "pos", "abs", "invert", "round", "trunc", "floor", "ceil", "lt", "le", "gt", "ge", "eq", "ne"]},
    **{name: _number(name) for name in ("bool", "int", "float", "complex", "index", "length_hint", "fspath", "bytes")},
    "call": _call,
    "len": _length,
    "getitem": _item,
    "setitem": lambda self, key, value: self._of[0].ask("special", self, "__setitem__", key, value),
    "delitem": lambda self, key: self._of[0].ask("special", self, "__delitem__", key),
    "iter": lambda self: self._of[0].iterate(self),
    "reversed": lambda self: self._of[0].ask("reversed", self),
    "next": _following,
    "contains": _contains,
    "hash": _hash,
    "enter": lambda self: self._of[0].ask("special", self, "__enter__"),
    "exit": _leave,
    "aenter": _enter_later,
    "aexit": _leave_later,
    "await": _awaited,
    "aiter": lambda self: self._of[0].ask("special", self, "__aiter__"),
    "anext": _following_later,
}  # fmt: skip


def _of_plain(name: str) -> Any:
    special = "__%s__" % name
    return lambda self, *operands: _plainly(self, special, operands)


# Of a class that is made from a type of plain data, comparisons are those of the data.
_OF_PLAIN: dict[str, Any] = {
    "_plain": True,
    **{"__%s__" % name: _of_plain(name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "hash")},
}


# ---------------------------------------------------------------- signatures

_FLAGS = 0x2AF  # arguments of any number, generators, coroutines: `inspect.CO_…`, which takes long to import


def _code(signature: Any) -> Any:
    """Return code with a function's signature and nothing else, for `inspect` to look at."""
    counts, names, flags = signature
    return (lambda: None).__code__.replace(
        co_argcount=int(counts[0]),
        co_posonlyargcount=int(counts[1]),
        co_kwonlyargcount=int(counts[2]),
        co_nlocals=len(names),
        co_varnames=tuple(map(str, names)),
        co_flags=int(flags) & _FLAGS,
    )
