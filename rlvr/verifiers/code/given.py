"""The code that a prompt gives away: HumanEval's bare form.

A HumanEval prompt is the head of a module: imports, sometimes helper functions (`poly` in
HumanEval/32, `encode_cyclic` in 38, `encode_shift` in 50), and the function to be completed, with
its docstring. The tests call the helpers too, so these are the author's and not the solution's.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias, TypeGuard

from rlvr.core.task import Message
from rlvr.sandboxes.scopes import parsed
from rlvr.verifiers.fences import fenced_blocks

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LONGEST = 200_000  # characters; longer ones are no heads of modules


def given_code(prompt: Sequence[Message], entry_point: str) -> str | None:
    """Return the Python code in a prompt that defines `entry_point`, or None where there's none.

    Of the last message that has such code and isn't a model's: the whole message where it is
    Python, else its last fenced block that is.
    """
    asked = [m["content"] for m in reversed(prompt) if m["role"] != "assistant"]
    return next(filter(None, (_in_text(text, entry_point) for text in asked)), None)


@lru_cache(maxsize=2048)
def prelude_of(code: str, entry_point: str) -> str:
    """Return what such code gives away: imports, other functions and classes, constants.

    Not what it does with the function, as examples of its use: there is none yet.
    """
    module = _parsed(code)
    assert module is not None  # `given_code` has read it
    lines = code.split("\n")
    kept: list[str] = []
    for node in module.body:
        if isinstance(node, _KEPT) and not _defines(node, entry_point):
            decorators: list[ast.expr] = getattr(node, "decorator_list", [])
            first = min(part.lineno for part in (node, *decorators))
            kept += lines[first - 1 : node.end_lineno]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not _mentions(node, entry_point):
            kept += lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(kept)


@lru_cache(maxsize=2048)
def _in_text(text: str, entry_point: str) -> str | None:
    blocks = [block.text for block in fenced_blocks(text) if block.language in ("", "python", "py")]
    for code in (text, *reversed(blocks)):
        module = _parsed(code) if entry_point in code else None
        if module is not None and any(_defines(node, entry_point) for node in module.body):
            return code
    return None


def _parsed(code: str) -> ast.Module | None:
    """Return the author's code, never a model's; a head that ends before a body gets one."""
    if len(code) > _LONGEST:
        return None
    for whole in (code, code.rstrip() + "\n    pass\n"):
        try:
            return parsed(whole)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _defines(node: ast.stmt, name: str) -> TypeGuard[_Definition]:
    return isinstance(node, _Definition) and node.name == name


def _mentions(node: ast.stmt, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))
