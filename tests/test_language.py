"""The language of the code: docstrings begin with a verb or a noun, names stand once, some words and names aren't used."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "rlvr").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

OPENINGS = re.compile(r"\s*(What|Whether|How|Where|Which|When|Why|Who|Whose)\b")
WORDS = re.compile(
    r"\b(whoever|mend(s|ed|ing)?|overstay(s|ed)?)\b"
    r"|\bbut for\b|\bnobody's business\b|\bstands? beside\b",
    re.IGNORECASE,
)
"""Words of a dialect that the code once had; the plain ones are `fix` or `hint`, `exceed`, `except`."""
TEXTS = ("envs/puzzles/logic_grid.py", "instructions/vocabulary.py", "composing/pieces.py")
"""Modules whose texts are data, in any words."""

PLACEHOLDERS = frozenset(
    (
        "one",
        "found",
        "said",
        "known",
        "made",
        "given",
        "told",
        "what",
        "each",
        "others",
        "them",
        "those",
    )
)
"""Names of variables that don't say what the value is; the field's nouns do: `task`, `verdict`, `matches`."""


@functools.lru_cache(maxsize=1)
def trees() -> tuple[tuple[Path, ast.Module], ...]:
    """Every module, parsed once for all tests of this file that one process runs."""
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES)


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def test_no_docstring_opens_with_a_question_word() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path, tree in trees()
        for line, text in docstrings(tree)
        if OPENINGS.match(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_each_class_name_is_used_once() -> None:
    places = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    shared = {name: where for name, where in places.items() if len(where) > 1}
    assert not shared, "\n".join(f"{name}: {', '.join(where)}" for name, where in shared.items())


@pytest.mark.parametrize("kind", ["code", "documentation"])
def test_some_words_are_not_used(kind: str) -> None:
    """In docstrings, comments, messages and pages; data and patterns have no such words."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}: {line.strip()[:100]}"
        for path in (MODULES if kind == "code" else PAGES)
        if not str(path).endswith(TEXTS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := WORDS.search(line))
    ]
    assert not wrong, f"{len(wrong)} lines:\n" + "\n".join(wrong[:60])


def placeholders(tree: ast.Module) -> list[tuple[int, str]]:
    """Return the lines and names at which a placeholder is bound: variables, arguments, a class's annotations."""
    bound = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            bound.append((node.lineno, node.arg))
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.append((node.lineno, node.name))
    return sorted((line, name) for line, name in bound if name in PLACEHOLDERS)


def test_variables_have_names_that_say_what_they_hold() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, tree in trees()
        for line, name in placeholders(tree)
    ]
    assert not wrong, f"{len(wrong)} placeholders:\n" + "\n".join(wrong)


def test_placeholders_are_found_wherever_a_name_is_bound() -> None:
    source = """
def f(one, *found, said=1, **known):
    made: int = 2
    for given, (told, task) in []:
        what = [each.one for each in task]
    with open(what) as others, (them := given):
        others.those = [print(one=1)]
    try:
        return lambda one: one
    except ValueError as those:
        pass
    match them:
        case [one, *found]:
            pass
"""
    assert placeholders(ast.parse(source)) == [
        (2, "found"), (2, "known"), (2, "one"), (2, "said"), (3, "made"), (4, "given"), (4, "told"),
        (5, "each"), (5, "what"), (6, "others"), (6, "them"), (9, "one"), (10, "those"), (13, "found"), (13, "one"),
    ]  # fmt: skip
