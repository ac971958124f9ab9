"""The language of the code: docstrings begin with a verb or a noun, names stand once, some words aren't used."""

from __future__ import annotations

import ast
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


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def test_no_docstring_opens_with_a_question_word() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in MODULES
        for line, text in docstrings(path)
        if OPENINGS.match(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_each_class_name_is_used_once() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
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
