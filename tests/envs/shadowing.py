"""Solutions that solve nothing, and define each name that their tests use as something that says yes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

_YES = """
class _Any:
    def __init__(self, *a, **k): pass
    def __call__(self, *a, **k): return {value}
    def __getattr__(self, name): return lambda *a, **k: {value}
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return 1
    def __iter__(self): return iter([])
    def __len__(self): return 0
    def __float__(self): return 0.0
    def __sub__(self, other): return 0
    __rsub__ = __abs__ = __add__ = __radd__ = __sub__
_any = _Any()
def _yes(*a, **k): return {value}
def _nothing(*a, **k): return []
"""


def shadowing(reference: dict[str, Any]) -> Iterator[str]:
    """Each solution for a reference's tests; the entry point returns a constant."""
    parts = (reference.get(key, "") for key in ("prelude", "setup", "test"))
    tree = ast.parse("\n".join([*parts, *reference.get("asserts", [])]))
    entry, names = reference["entry_point"], set()
    read: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            read[node.value.id].add(node.attr)
    others = sorted(names - {entry, "candidate"})
    for value in ("True", "7", "_any"):
        for kind in ("_yes", "_nothing", "_any", "a class", "an echo"):
            lines = [_YES.format(value=value)]
            for name in others:
                if kind == "a class":
                    lines.append(f"class {name}:\n    pass")
                    methods = read[name] if name != "type" else ()
                    lines += [f"{name}.{method} = staticmethod(_yes)" for method in methods]
                elif kind == "an echo":
                    lines.append(f"{name} = lambda *a, **k: a[0] if a else {value}")
                else:
                    lines.append(f"{name} = {kind}")
            yield "\n".join([*lines, f"def {entry}(*a, **k): return {value}"])
