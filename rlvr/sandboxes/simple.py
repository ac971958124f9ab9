"""Recognize tests of functions that can leave nothing behind, whatever a solution answers.

Nearly all of HumanEval's and MBPP's: assertions about what calls return. They need no process of their
own (a quarter of the time that a solution takes). What isn't plainly of that kind gets one.
"""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterator

from rlvr.sandboxes.asked import asked_of
from rlvr.sandboxes.base import FunctionTests
from rlvr.sandboxes.scopes import parsed

# Modules whose import does nothing, and whose functions change nothing.
_MODULES = frozenset({"math", "typing"})
_BUILTINS = frozenset(
    "abs all any bin bool bytes callable chr complex dict divmod enumerate filter float frozenset hash hex "  # noqa: SIM905
    "int isinstance iter len list map max min next oct ord pow range repr reversed round set slice sorted "
    "str sum tuple type zip True False None AssertionError Exception IndexError KeyError TypeError ValueError "
    "ZeroDivisionError".split()
)
_LEADS_ELSEWHERE = ("format", "format_map", "mro")  # "{0.__class__}".format(…)
_NODES = (
    ast.Module, ast.Expr, ast.Assert, ast.Assign, ast.AugAssign, ast.FunctionDef, ast.arguments, ast.arg,
    ast.Return, ast.For, ast.If, ast.Pass, ast.Import, ast.ImportFrom, ast.alias, ast.Constant, ast.Name,
    ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice, ast.Call, ast.keyword, ast.Starred,
    ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.List, ast.Tuple, ast.Dict, ast.Set,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Lambda,
    ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


@functools.lru_cache(maxsize=4096)
def is_simple(tests: FunctionTests) -> bool:
    """Return whether they can share a process with those of other solutions.

    Every step they can take is on a list: no import but of harmless modules, no name that leads to the
    interpreter, no attribute that starts with an underscore, nothing assigned but their own names.
    """
    sources = (tests.prelude, tests.setup, tests.check, *tests.asserts)
    try:
        trees = [parsed(source) for source in sources if source]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # what is to be said of them will be said elsewhere
    asked = asked_of(tests)
    imported = {module for module, _ in asked.imports.values()}
    return (
        imported <= _MODULES
        and not asked.modules
        and all(_is_harmless(node) for tree in trees for node in ast.walk(tree))
        and all(name in _BUILTINS or not _is_builtin(name) for name in _read(trees))
    )


def _is_harmless(node: ast.AST) -> bool:
    if not isinstance(node, _NODES):
        return False
    if isinstance(node, ast.Attribute):
        hidden = node.attr.startswith("_") or node.attr in _LEADS_ELSEWHERE
        return isinstance(node.ctx, ast.Load) and not hidden
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Import):
        return all(name.name in _MODULES for name in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in _MODULES and all(name.name != "*" for name in node.names)
    if isinstance(node, ast.FunctionDef):
        return not node.decorator_list
    if isinstance(node, ast.Name):
        return not node.id.startswith("__")
    return True


def _read(trees: list[ast.Module]) -> Iterator[str]:
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                yield node.id


def _is_builtin(name: str) -> bool:
    return hasattr(builtins, name)
