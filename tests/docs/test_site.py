"""The site builds without a warning, says what it should, and asks nobody else for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.fences import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="?((?:https?:)?//[^"> ]+)'
    )
    for page in site.rglob("*.html"):
        assert not loads.findall(page.read_text(encoding="utf-8")), page


def test_the_reference_has_signatures_and_arguments(site: Path) -> None:
    page = (site / "reference/scoring.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert "deadline_s" in text
    assert "seconds for the whole call" in text
    assert 'id="rlvr.scoring.score.score"' in page


def test_code_in_docstrings_is_shown_as_code(site: Path) -> None:
    for page in (site / "reference").glob("*.html"):
        text = re.sub(r"<code.*?</code>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert "::" not in re.sub(r"<[^>]+>", "", text), page


def test_a_broken_anchor_would_end_the_build(tmp_path: Path) -> None:
    """The settings of `validation` are what makes the build strict."""
    pytest.importorskip("mkdocs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# A\n\n[b](other.md#nowhere)\n", encoding="utf-8")
    (tmp_path / "docs/other.md").write_text("# B\n", encoding="utf-8")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (validation,) = re.findall(r"^validation:\n(?: .*\n)+", settings, re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(
        f"site_name: x\nstrict: true\n{validation}", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "does not contain an anchor '#nowhere'" in done.stderr
