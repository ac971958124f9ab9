"""Read Python sources: parse them from any thread, and give each local variable a name of its own."""

from __future__ import annotations

import ast
import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_SIGN = "\u00b7"  # may be in an identifier, and is in none that people write
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_numbers = itertools.count()
# CPython 3.11 counts the depth of its tree for all threads together, and raises SystemError if two parse at once.
_one_at_a_time = threading.Lock()
_ATTEMPTS = 5  # other code may parse meanwhile


def parsed(source: str) -> ast.Module:
    """Return the tree of a Python source. From any thread. Raises what `ast.parse` raises for a bad source."""
    tree: ast.Module = _parsed(source, "exec")
    return tree


def parsed_expression(source: str) -> ast.Expression:
    """Return the tree of a Python expression, as `parsed` does."""
    tree: ast.Expression = _parsed(source, "eval")
    return tree


def _parsed(source: str, mode: str) -> Any:
    with _one_at_a_time:
        for _ in range(_ATTEMPTS):
            try:
                return ast.parse(source, mode=mode)
            except SystemError:
                continue
        return ast.parse(source, mode=mode)


def with_local_names(tree: ast.Module, own: set[str]) -> ast.Module:
    """Rename the tree's local variables, in place; of its module's names only its `own`."""
    names = _new(own)
    for node in tree.body:
        _rename(node, names)
    return tree


def plain_name(name: str) -> str:
    """Return a variable's name as the source has it."""
    return name.partition(_SIGN)[0]


def _rename(node: ast.AST, names: dict[str, str]) -> None:
    """Rename in a node; `names` are those of the scopes around it, each with its new one."""
    if isinstance(node, ast.Name):
        node.id = names.get(node.id, node.id)
    elif isinstance(node, _FUNCTIONS):
        if not isinstance(node, ast.Lambda):
            node.name = names.get(node.name, node.name)
            for outside in (*node.decorator_list, *([node.returns] if node.returns else [])):
                _rename(outside, names)
        signature = node.args
        for default in (*signature.defaults, *signature.kw_defaults):
            if default is not None:
                _rename(default, names)
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        parameters = [
            *signature.posonlyargs,
            *signature.args,
            *signature.kwonlyargs,
            signature.vararg,
            signature.kwarg,
        ]
        declared = {
            n for part in own_parts(body) if isinstance(part, ast.Global) for n in part.names
        }
        outer = {
            n for part in own_parts(body) if isinstance(part, ast.Nonlocal) for n in part.names
        }
        local = {parameter.arg for parameter in parameters if parameter} | (
            _stored(body) - declared - outer
        )
        inside = {name: new for name, new in names.items() if name not in declared}
        inside |= _new(local)
        for parameter in parameters:
            if parameter:
                parameter.arg = inside[parameter.arg]
        for part in body:
            _rename(part, inside)
    elif isinstance(node, _COMPREHENSIONS):
        inside = names | _new(_stored([generator.target for generator in node.generators]))
        for child in ast.iter_child_nodes(node):
            _rename(child, inside)
    else:
        if isinstance(node, ast.ClassDef):
            node.name = names.get(node.name, node.name)
        for child in ast.iter_child_nodes(node):
            _rename(child, names)


def _new(names: Iterable[str]) -> dict[str, str]:
    number = next(_numbers)
    return {name: f"{name}{_SIGN}{number}" for name in names}


def own_parts(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Return the nodes of a scope, without those of the scopes in it."""
    for node in body:
        yield node
        if not isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            yield from own_parts(ast.iter_child_nodes(node))


def _stored(body: Iterable[ast.AST]) -> set[str]:
    """Return the names that a scope gives a value."""
    names: set[str] = set()
    for node in own_parts(body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names
