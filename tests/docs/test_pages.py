"""The documentation's pages: no block escapes these tests, and what stands twice is the same twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rlvr
from tests.docs.fences import ALL, PAGES, ROOT, fences, name_of

MEASURED = ("code", "instructions", "math", "sql")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_of_code_is_a_fence(page: Path) -> None:
    """As the site's own Markdown has it: indented blocks, which nothing runs, would be more."""
    markdown = pytest.importorskip("markdown")
    pytest.importorskip("pymdownx")
    text = page.read_text(encoding="utf-8")
    html = markdown.markdown(text, extensions=["tables", "pymdownx.superfences"])
    assert html.count("<pre") == len(list(fences(page)))


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_the_readmes(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    _, _, section = (
        (ROOT / f"docs/{name}.md").read_text(encoding="utf-8").partition("\n## Measured\n")
    )
    rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("| ")]
    assert len(rows) > 2
    for row in rows:
        assert row in readme


def test_the_authors_example_is_the_readmes() -> None:
    one, other = (
        next(f.text for f in ALL if f.page == page and "Anagrams" in f.text)
        for page in ("README.md", "docs/authors.md")
    )
    assert one == other


def test_every_public_name_is_in_the_reference() -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs/reference").glob("*.md"))
    named = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    for name in rlvr.__all__:
        module = any(one.startswith(f"rlvr.{name}.") for one in named)  # rlvr.trl and its like
        in_full = isinstance(getattr(rlvr, name), type) and any(
            one == getattr(rlvr, name).__module__ for one in named
        )
        assert f"rlvr.{name}" in named or module or in_full, name


def test_extras_that_are_named_are_there() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        for extras in re.findall(r"'?rlvr\[([\w,-]+)\]", page.read_text(encoding="utf-8")):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", project, re.MULTILINE), f"{page}: {extra}"
