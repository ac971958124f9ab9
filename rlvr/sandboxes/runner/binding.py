"""Give tests the names that they use and don't define: the solution's functions and classes, and modules."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

from .peer import Gone
from .remote import Remote


class Missing(Exception):
    """The tests use something that isn't there beside them."""


def bind(
    namespace: dict[str, Any], asked: dict[str, Any], entry: str, offered: set[str], remote: Remote
) -> bool:
    """Put them into the tests' namespace; returns whether any is data rather than an object that stays.

    Args:
        asked: which names are whose, as `rlvr.sandboxes.asked` read it off the tests' source. No answer
            of the solution's has a part in that.
        entry: the function that `check` gets; "" if there's none.
        offered: the names that the solution says it has. It's asked for those alone.

    Raises `Missing` if the tests can't be run, whatever the solution is.
    """
    for name, (module, part) in asked["imports"].items():
        if name not in namespace:
            namespace[name] = _imported(name, module, part)
    for name in asked["modules"]:
        if name not in namespace and _is_module(name):
            namespace[name] = _imported(name, name, "")
    wanted = {name for name in asked["names"] if name not in namespace or name == entry}
    for name in sorted(wanted.intersection(asked["judges"])):
        raise Missing(asked["judges"][name])
    values = remote.peer.ask("names", sorted(wanted & offered))
    if type(values) is not dict:
        raise Gone("no names")
    values = {name: value for name, value in values.items() if name in wanted}
    namespace.update(values)
    return any(map(remote.is_data, values.values()))


def text(value: object) -> str:
    """Return the solution's message if it is a text. Raises `Gone`."""
    if not isinstance(value, str):
        raise Gone("no text")
    return value


def is_built_in(name: str) -> bool:
    """Say if Python has a built-in of that name."""
    return hasattr(builtins, name)


def _imported(name: str, module: str, part: str) -> Any:
    try:
        imported = importlib.import_module(module)
        return getattr(imported, part) if part else imported
    except Exception as error:
        target = "%s of the module %s" % (part, module) if part else "the module %s" % module
        raise Missing(
            "they use %s, as %s, which can't be had: %s" % (target, name, error)
        ) from None


def _is_module(name: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(name) is not None
    except Exception:
        return False
