"""The option `--without`: which skips for missing packages CI accepts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = {
    "test_whole.py": 'import pytest\npytest.importorskip("absent_a")\ndef test_nothing(): ...\n',
    "test_inside.py": 'import pytest\ndef test_b(): pytest.importorskip("absent_b.part")\n',
    "test_plain.py": 'import pytest\ndef test_skip(): pytest.skip("no network")\ndef test(): ...\n',
}


def run(folder: Path, *arguments: str, ci: str = "true") -> tuple[int, str]:
    """Return the exit status of pytest on the modules, and the last line of its output."""
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.missing",
    ]
    done = subprocess.run(
        [*command, "--rootdir", ".", "--continue-on-collection-errors", *arguments, "."],
        cwd=folder,
        env=os.environ
        | {"CI": ci, "PYTHONPATH": str(Path(__file__).parents[1])}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # importing Hypothesis takes seconds
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1]


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize(
    ("without", "outcome"),
    [
        ("", "1 failed, 1 passed, 1 skipped, 1 error"),
        ("absent_a", "1 failed, 1 passed, 2 skipped"),
        ("absent_b", "1 passed, 2 skipped, 1 error"),
        ("absent_a, absent_b", "1 passed, 3 skipped"),
        ("absent", "1 failed, 1 passed, 1 skipped, 1 error"),
    ],
)
def test_ci_accepts_skips_for_the_named_packages_only(
    tmp_path: Path, without: str, outcome: str
) -> None:
    status, last = run(tmp_path, "--without", without)
    assert last.partition(" in ")[0] == outcome
    assert (status == 0) == ("failed" not in outcome and "error" not in outcome)


def test_outside_ci_a_missing_package_is_a_skip(tmp_path: Path) -> None:
    status, last = run(tmp_path, ci="")
    assert (status, last.partition(" in ")[0]) == (0, "1 passed, 3 skipped")


def test_an_installed_package_cannot_be_named(tmp_path: Path) -> None:
    status, last = run(tmp_path, "--without", "numpy")
    assert status == 4
    assert last == "ERROR: --without names 'numpy', and it is installed."
