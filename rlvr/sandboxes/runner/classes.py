"""Classes and exceptions that cross: by name where both sides have them, and otherwise by what is known of them."""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import io
import sys
import types
from typing import Any

# Modules whose classes either side may name to the other: making an object of these does nothing else.
_MODULES = (
    "collections", "collections.abc", "datetime", "decimal", "enum", "fractions", "ipaddress", "numbers", "pathlib", "uuid",
)  # fmt: skip
_NOT_NAMED = (type, super, property, classmethod, staticmethod)
# Types that no module has under their own name.
HIDDEN = {
    kind.__name__: kind
    for kind in vars(types).values()
    if isinstance(kind, type)
    and kind.__module__ == "builtins"
    and not hasattr(builtins, kind.__name__)
}
_ITERABLES: Any = ([], (), "", {}, {}.values(), {}.items(), set(), range(1), reversed([]))
for _iterable in _ITERABLES:
    HIDDEN.setdefault(type(iter(_iterable)).__name__, type(iter(_iterable)))
# What an object can be asked by Python's own syntax and functions.
SPECIAL = frozenset(
    "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or radd rsub rmul rmatmul rtruediv "  # noqa: SIM905
    "rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod ipow "
    "ilshift irshift iand ixor ior neg pos abs invert round trunc floor ceil lt le gt ge eq ne hash contains len iter "
    "next reversed getitem setitem delitem call bool int float complex index enter exit aenter aexit await aiter anext "
    "format length_hint fspath bytes".split()
)
_MOST_TEXT = 2000  # characters of an exception's text
_MOST_CAUSES = 4


def specials(kind: type) -> list[str]:
    """Return the names of special methods that a class gives its objects, without their underscores."""
    methods: dict[str, Any] = {}
    for base in kind.__mro__:
        if base is not object:
            for name, method in vars(base).items():
                # Not `getattr`: a class is called and compared by its own class's methods.
                methods.setdefault(name, method)
    return sorted(n for n in SPECIAL if methods.get("__%s__" % n) is not None)


def written(kind: type) -> Any:
    """Return a class of Python's as JSON; None if it's none that may be named."""
    module, name = kind.__module__, kind.__qualname__
    try:
        return ["class", module, name] if by_name(module, name) is kind else None
    except (LookupError, TypeError):
        return None


def by_name(module: str, name: str) -> Any:
    """Return the class of Python's that has a name. Raises LookupError if there is none that may be named."""
    if module == "builtins":
        kind = HIDDEN.get(name) or getattr(builtins, name, None)
    elif module in _MODULES:
        kind = getattr(importlib.import_module(module), name, None)
    else:
        kind = None
    if not isinstance(kind, type) or kind in _NOT_NAMED:
        raise LookupError("no class %s.%s" % (module, name))
    return kind


def python_bases(about: dict[str, Any], bases: list[Any]) -> list[type]:
    """Return the classes of Python's that the other side's class is or is made from, if they are imported here."""
    module = str(about.get("module", ""))
    same = None
    if module.partition(".")[0] in sys.stdlib_module_names:
        same = getattr(sys.modules.get(module), str(about["name"]), None)
    return [kind for kind in (same, *bases) if isinstance(kind, type) and "_is" not in vars(kind)]


# ---------------------------------------------------------------- exceptions

# Raised inside a test's `for` or `all(…)`, these would end it as though all were done.
WOULD_END_A_LOOP = (StopIteration, StopAsyncIteration, GeneratorExit)
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on


def text_of(error: BaseException) -> str:
    """Return an exception's text, whatever it does when it's asked for it."""
    try:
        text = str(error)
        return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT]
    except BaseException:
        return ""


def parts_of(error: BaseException, alone: bool = False) -> list[Any]:
    """Return the parts of an exception that are sent: class, arguments, attributes, text and cause.

    Args:
        alone: Leave out the values that it holds, which can't be sent.
    """
    args: Any = () if alone else tuple(error.args)
    if isinstance(error, OSError) and not alone:
        args = error.__reduce__()[1]  # with the file's name
    state = (
        {}
        if alone
        else {str(name): value for name, value in vars(error).items() if name != "__notes__"}
    )
    cause = None if alone else error.__cause__
    for _ in range(_MOST_CAUSES):  # a chain may be long, or a circle
        cause = cause and cause.__cause__
    text = text_of(error)
    if len(text) == _MOST_TEXT or (len(args) == 1 and args[0] is text):
        args = (text,)  # cut: no solution can have its tests read megabytes of messages
    sent_text = (
        None if len(args) == 1 and args[0] is text else text
    )  # most have their text as their one argument
    return [type(error), list(args), state, sent_text, None if cause or alone else error.__cause__]


def make_error(
    kind: Any, args: list[Any], state: dict[str, Any], text: Any, cause: Any
) -> BaseException:
    """Make an exception like one of the other side's. None of its class's own code is run."""
    text = args[0] if text is None else text
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return RuntimeError(text)
    try:
        # The interpreter's own classes take their attributes from the arguments.
        error = kind.__new__(kind, *args)
        python = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        python.__init__(error, *args)  # type: ignore[misc]
    except Exception:
        error = (
            kind(text, [Exception("which it held")])
            if issubclass(kind, _GROUP)
            else kind.__new__(kind)
        )
        error.args = (text,)
    for name, value in state.items():
        if not name.startswith("__"):
            vars(error)[str(name)] = value
    if isinstance(error, ImportError):
        error.name = None  # a name says that the tests' own import failed
    if isinstance(error, _Told):
        error._rlvr_text = text
    if isinstance(cause, BaseException):
        error.__cause__ = cause
    return error


class _Told(BaseException):
    """An exception of a class that only the other side has: its text is what the other side says."""

    _rlvr_text: str

    def __str__(self) -> str:
        return getattr(self, "_rlvr_text", BaseException.__str__(self))


def class_about(kind: type, inline: Any) -> dict[str, Any]:
    """Return what the other side should know of a class: name, module, bases, and if it's one of exceptions."""
    return {
        "name": str(kind.__name__),
        "module": str(kind.__module__),
        "bases": [inline(base) for base in kind.__bases__ if base is not object],
        "error": issubclass(kind, BaseException),
    }


def error_class(about: dict[str, Any], bases: list[Any]) -> Any:
    """Return the class that stands here for the other side's class of exceptions.

    That is the standard library's own, if it's imported here: the tests can only catch it if it is.
    """
    module, name = str(about["module"]), str(about["name"])
    if module.partition(".")[0] in sys.stdlib_module_names:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            return kind
    bases = [base for base in bases if isinstance(base, type) and issubclass(base, BaseException)]
    if not any(issubclass(base, _Told) for base in bases):
        bases.insert(0, _Told)
    if not any(issubclass(base, Exception) for base in bases) and len(bases) < 2:
        bases.append(Exception)
    return type(name, tuple(bases), {"__module__": module})


# ---------------------------------------------------------------- what tests hand over


def enum_base(kind: Any) -> Any:
    """Return the name of the class in `enum` that an enum is made from."""
    return next(base.__name__ for base in kind.__mro__ if base.__module__ == "enum")


def by_import(value: Any) -> Any:
    """Write a module or function of the standard library or NumPy's, which the solution imports; None for others."""
    if isinstance(value, types.ModuleType):
        module: Any = value.__name__
        name: Any = ""
    else:
        module, name = (
            getattr(value, "__module__", None) or "builtins",
            getattr(value, "__qualname__", None),
        )
        if getattr(value, "__objclass__", None) is not None:
            module = value.__objclass__.__module__
        if not isinstance(module, str) or not isinstance(name, str):
            return None
        resolved: Any = sys.modules.get(module)
        for part in name.split("."):
            resolved = getattr(resolved, part, None)
        if resolved is not value:
            return None
    top = module.partition(".")[0]
    return ["import", module, name] if top in sys.stdlib_module_names or top == "numpy" else None


def object_about(value: Any) -> dict[str, Any]:
    """Say what a solution should know of an object that stays with the tests."""
    about: dict[str, Any] = {}
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        text = getattr(value, name, None)
        if isinstance(text, str):
            about[name] = text
    if isinstance(value, io.IOBase):
        form = "file"
    elif isinstance(value, types.CoroutineType):
        form = "coroutine"
    elif isinstance(value, collections.abc.Iterator):
        form = "iterator"
    else:
        form = "function" if callable(value) else "object"
    return {**about, "form": form}
