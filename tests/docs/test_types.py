"""The pages' Python examples type-check as a user's script would, with their own functions untyped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.fences import ROOT, in_languages
from tests.docs.given import GIVEN

# Examples leave their own functions untyped; calls of rlvr are checked all the same.
_MYPY = (
    "--strict",
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--allow-subclassing-any",
    "--allow-redefinition",
)
_PYRIGHT_VERSION = "1.40.2"
_PYRIGHT = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a script per page."""
    folder = tmp_path_factory.mktemp("examples")
    for page, blocks in in_languages("python").items():
        given = [name for name in GIVEN.get(page, ()) if name != "rlvr"]
        lines = ["from typing import Any", "import rlvr", *(f"{name}: Any = ..." for name in given)]
        name = page.removesuffix(".md").replace("/", "_").replace("-", "_").lower()
        code = "\n".join([*lines, *(block.text for block in blocks)])
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return folder


def check(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sweep
def test_examples_type_check_by_mypy(examples: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    options = ("--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path))
    check("mypy", *_MYPY, *options, *map(str, sorted(examples.glob("*.py"))))


@pytest.mark.sweep
def test_examples_type_check_by_pyright(examples: Path) -> None:
    (examples / "pyrightconfig.json").write_text(json.dumps(_PYRIGHT), encoding="utf-8")
    command = [str(pyright()), "--project", str(examples), "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def pyright() -> Path:
    """The checker in an environment of its own, made once: it brings Node, which nothing else here needs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "rlvr" / f"pyright-{_PYRIGHT_VERSION}"
    program = folder / "bin" / "basedpyright"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        package = f"basedpyright=={_PYRIGHT_VERSION}"
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", package], check=True)
    return program
