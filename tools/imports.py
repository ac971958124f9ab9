"""Readers of the import statements in rlvr's sources; they import nothing of rlvr."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "rlvr"


class Import(NamedTuple):
    """One imported name.

    Attributes:
        file: the importing file, relative to the root it was read under.
        line: the line of the statement, from 1.
        module: the dotted name of the imported module; `rlvr.scoring` for `from rlvr import scoring`.
        name: the name after `from … import`, or None.
        deferred: True if the statement is inside a function or for the type checker alone.
        typing: True if it is for the type checker alone.
    """

    file: str
    line: int
    module: str
    name: str | None
    deferred: bool
    typing: bool

    @property
    def package(self) -> str | None:
        """Return rlvr's imported package, `""` for the facade itself, None for other libraries."""
        root, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if root == "rlvr" else None


def imports_of(path: Path, root: Path = HOUSE) -> Iterator[Import]:
    """Yield the imports of a file in a copy of the package rlvr at `root`."""
    relative = path.relative_to(root)
    package = ("rlvr", *relative.parts[:-1])
    return imports_in(ast.parse(path.read_text(encoding="utf-8")), relative.as_posix(), package)


@functools.cache
def all_imports() -> list[Import]:
    """Return the imports of all modules of rlvr."""
    return [item for path in sorted(HOUSE.rglob("*.py")) for item in imports_of(path)]


def _is_type_checking(test: ast.expr) -> bool:
    names = (getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(test))
    return "TYPE_CHECKING" in names


def imports_in(tree: ast.AST, file: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Yield the imports of a parsed file that is in `package`, which relative imports start from."""

    def walk(node: ast.AST, deferred: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, None, deferred, typing)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                inner = module == "rlvr" and (HOUSE / alias.name / "__init__.py").exists()
                target = f"rlvr.{alias.name}" if inner else module
                yield Import(file, node.lineno, target, alias.name, deferred, typing)
        elif not isinstance(node, ast.expr):  # no expression holds a statement
            typing = typing or (isinstance(node, ast.If) and _is_type_checking(node.test))
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for child in ast.iter_child_nodes(node):
                yield from walk(child, deferred or function or typing, typing)

    return walk(tree, False, False)
