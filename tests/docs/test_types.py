"""The pages' Python examples type-check as a user's script would: mypy, strict but for untyped definitions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.fences import ROOT, in_languages
from tests.docs.given import GIVEN

# Examples leave their own functions untyped; calls of rlvr are checked all the same.
_FLAGS = (
    "--strict",
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--allow-subclassing-any",
    "--allow-redefinition",
)


@pytest.mark.sweep
def test_examples_type_check(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for page, blocks in in_languages("python").items():
        given = [name for name in GIVEN.get(page, ()) if name != "rlvr"]
        lines = ["from typing import Any", "import rlvr", *(f"{name}: Any" for name in given)]
        name = page.removesuffix(".md").replace("/", "_").replace("-", "_").lower()
        code = "\n".join([*lines, *(block.text for block in blocks)])
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", *_FLAGS),
            *(
                "--config-file",
                str(ROOT / "pyproject.toml"),
                "--cache-dir",
                str(tmp_path / "cache"),
            ),
            *map(str, sorted(tmp_path.glob("*.py"))),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
