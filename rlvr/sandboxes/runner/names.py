"""Which names tests use, and so which of the solution's they want."""

from __future__ import annotations

import types


def names_in(codes: list[types.CodeType]) -> set[str]:
    """The names that code uses (of attributes, too: it takes far less time than to parse it)."""
    found: set[str] = set()
    for code in codes:
        found.update(code.co_names)
        found |= names_in([one for one in code.co_consts if isinstance(one, types.CodeType)])
    return found


def called_in_all(asserts: list[str]) -> set[str]:
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
