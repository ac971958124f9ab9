"""What tests name and don't have themselves: the solution's functions and classes, and modules."""

from __future__ import annotations

import builtins
import importlib
import json
import sys
import types
from typing import Any

from .handles import number_of
from .names import called_in_all, names_in
from .peer import Gone, Peer
from .values import Unreadable

_ALIASES = {"np": "numpy", "pd": "pandas", "nx": "networkx"}
_MODULES = frozenset((
    "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools",
    "json", "math", "operator", "os", "random", "re", "statistics", "string", "sys", "time", "typing",
))  # fmt: skip
# From Python 3.10 on it's known which there are.
_STANDARD_LIBRARY: frozenset[str] = getattr(sys, "stdlib_module_names", _MODULES)


def bind(
    namespace: dict[str, Any],
    entry: str,
    asserts: list[str],
    codes: list[types.CodeType],
    offered: set[str],
    peer: Peer,
) -> bool:
    """Put them into the tests' namespace; returns whether any is data rather than an object that stays.

    Args:
        entry: the function that `check` gets; "" where there's none.
        asserts: the tests' sources, `codes` all of their code.
        offered: the names that the solution says it has. It's asked for those alone: what else the tests
            name is their own affair.
    """
    free = names_in(codes) - set(namespace)
    wanted = {name for name in free if not hasattr(builtins, name)}
    if entry:
        wanted.add(entry)
    elif any(hasattr(builtins, name) for name in offered):
        called = called_in_all(asserts)
        if not called & wanted:
            wanted |= called
    found = _found(peer.ask("names", sorted(wanted & offered)), wanted)
    for name in wanted.difference(found, [entry]) & _STANDARD_LIBRARY:
        found[name] = {"module": name}
    plain = False
    for name, one in found.items():
        if "module" in one:
            _import(name, one["module"], namespace)
            continue
        try:
            namespace[name] = peer.coder.decode(one["value"])
        except (Unreadable, KeyError, RecursionError) as error:
            raise Gone("no value: %s" % error) from None
        plain |= number_of(namespace[name]) is None
    return plain


def text(said: object) -> str:
    """What the solution said, where it's a text. Raises `Gone`."""
    if not isinstance(said, str):
        raise Gone("no text")
    return said


def _found(reply: object, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """What the solution says of the names it was asked for."""
    try:
        found = json.loads(text(reply))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Gone("no names")
    return {name: one for name, one in found.items() if name in wanted and isinstance(one, dict)}


def _import(name: str, module: object, namespace: dict[str, Any]) -> None:
    """A module that the solution imported and the tests use: our own, and only under its own name."""
    if module != _ALIASES.get(name, name):
        return
    try:
        namespace[name] = importlib.import_module(module)
    except Exception:
        pass  # the tests will say what they lack
