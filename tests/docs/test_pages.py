"""The documentation's pages: no block escapes these tests, and what stands twice is the same twice."""

from __future__ import annotations

import importlib
import re
import types
from pathlib import Path

import pytest

import rlvr
from rlvr.cli import COMMANDS
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
def test_figures_are_those_of_the_figures_page(name: str) -> None:
    figures = (ROOT / "docs/figures.md").read_text(encoding="utf-8").splitlines()
    _, _, section = (
        (ROOT / f"docs/{name}.md").read_text(encoding="utf-8").partition("\n## Measured\n")
    )
    rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("| ")]
    assert len(rows) > 2
    for row in rows:
        assert row in figures


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
        found = getattr(rlvr, name)
        if isinstance(found, types.ModuleType):
            assert any(f"{one}.".startswith(f"rlvr.{name}.") for one in named), name
            continue
        home = getattr(found, "__module__", "")
        assert named & {f"rlvr.{name}", home, f"{home}.{name}"}, name


def test_no_name_in_the_reference_is_a_modules_by_accident() -> None:
    """`rlvr.score` is a function and `rlvr.scoring.score` a module: the site would show the module."""
    pytest.importorskip("trl")  # some of the modules import it
    for page in (ROOT / "docs/reference").glob("*.md"):
        for dotted in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            *path, name = dotted.split(".")
            parent = importlib.import_module("rlvr")
            for part in path[1:]:
                found = getattr(parent, part, None)
                parent = found or importlib.import_module(f"{parent.__name__}.{part}")
            home = getattr(parent, "__path__", None)
            is_module = home and any((Path(one) / f"{name}.py").exists() for one in home)
            assert not (is_module and callable(getattr(parent, name, None))), dotted


def test_extras_that_are_named_are_there() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES:
        for extras in re.findall(r"'?rlvr\[([\w,-]+)\]", page.read_text(encoding="utf-8")):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", project, re.MULTILINE), f"{page}: {extra}"


def test_the_site_has_the_readmes_table_of_environments() -> None:
    tables = [
        [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if "-v0`" in line]
        for page in ("README.md", "docs/environments.md")
    ]
    assert tables[0] == tables[1] != []


def test_every_command_is_on_the_page_of_commands() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"| `rlvr {command}" in page, command


def test_the_orders_in_a_database_take_at_most_45_lines() -> None:
    blocks = [
        fence for fence in fences(ROOT / "docs/episode_state.md") if fence.language == "python"
    ]
    assert "sqlite3" in blocks[0].text
    assert len(blocks[0].text.strip().splitlines()) <= 45
