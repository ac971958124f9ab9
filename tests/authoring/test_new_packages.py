"""Every package that `rlvr new` writes: installed by pip, listed, formatted, and clean by its own test."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlvr.authoring.scaffold import KINDS, VERIFIERS, Plan, write_package
from rlvr.core.errors import OptionError
from tests.tiers import Sample

pytest.importorskip("hatchling")

SENSELESS = {("tools", "code"), ("tools", "instructions")}
GENERATED = [(k, v) for k in KINDS for v in VERIFIERS if (k, v) not in SENSELESS]
OF_ROWS = ("custom", "json", "math", "code", "instructions", "judge")
NAMES = [f"new_{k.replace('-', '_')}_{v}" for k, v in GENERATED] + [f"rows_{v}" for v in OF_ROWS]
INSTALLED = 5  # of them in the gate: pip builds each


def rows(verifier: str) -> list[dict[str, Any]]:
    """Data that the audit finds nothing wrong with."""
    if verifier == "code":
        return [
            {
                "prompt": f"Write a Python function `add(x)` that adds {k} to x.",
                "reference": {
                    "asserts": [f"assert add({n}) == {n + k}" for n in (1, 20, 300)],
                    "entry_point": "add",
                    "solution": f"def add(x):\n    return x + {k}",
                },
            }
            for k in range(2, 42)
        ]
    if verifier == "instructions":
        words = ("lantern", "meadow", "copper", "harbor", "ribbon", "pepper", "thunder", "velvet")
        pairs = [(a, b) for a in words for b in words if a < b]
        return [
            {
                "prompt": f"Tell of a {a} and a {b}, in exactly {2 + n % 5} points that begin with *.",
                "instruction_id_list": [
                    "keywords:existence",
                    "detectable_format:number_bullet_lists",
                ],
                "kwargs": [{"keywords": [a, b]}, {"num_bullets": 2 + n % 5}],
            }
            for n, (a, b) in enumerate(pairs)
        ]
    if verifier == "json":
        return [
            {"prompt": f"Invoice {n}: {n} lamps at {n + 3}.", "reference": {"total": n * (n + 3)}}
            for n in range(20, 60)
        ]
    if verifier == "math":
        return [{"problem": f"What is {n} · 7 + 1?", "answer": n * 7 + 1} for n in range(50)]
    names = [
        f"{a}{b}" for a in ("Ana", "Bo", "Chi", "Dom", "Eli") for b in ("ra", "ko", "lu", "ni")
    ]
    return [
        {"question": f"Who sits next to {a}, if {b} sits on chair {i} and {a} on chair {i + 1}?",
         "gold": b if verifier == "custom" else f"{b} sits next to {a}."}
        for i, (a, b) in enumerate(zip(names, names[1:] + names[:1], strict=True))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def installed(sample: Sample) -> list[str]:
    return sample(NAMES, INSTALLED)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, installed: list[str]) -> Path:
    """A folder with all of them, and `site`, into which pip has installed some."""
    folder = tmp_path_factory.mktemp("new")
    for (kind, verifier), name in zip(GENERATED, NAMES, strict=False):
        write_package(Plan(name, kind, verifier), folder / name)
    for verifier in OF_ROWS:
        data = folder / f"{verifier}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows(verifier)))
        kind = "custom" if verifier == "json" else verifier
        plan = Plan(f"rows_{verifier}", "single-turn", kind, from_rows=True)
        write_package(plan, folder / plan.name, data)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--no-index", "--target", folder / "site", *(folder / name for name in installed)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def run(packages: Path, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Python, where they're installed."""
    paths = [str(packages / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=packages,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"} | environ,
    )


def test_list_shows_them_all_with_what_they_are(packages: Path, installed: list[str]) -> None:
    done = run(packages, "-m", "rlvr", "list")
    lines = [line.split() for line in done.stdout.splitlines()]
    shown = {line[0]: line[2] for line in lines if len(line) > 2}
    assert {name: shown.get(name) for name in installed} == {
        name: f"rlvr-{name.replace('_', '-')}" for name in installed
    }


def test_they_are_formatted_and_free_of_lint(packages: Path) -> None:
    folders = [packages / name for name in NAMES]
    for command in (["format", "--check"], ["check"]):
        done = run(packages, "-m", "ruff", *command, "--no-cache", *folders)
        assert done.returncode == 0, done.stdout


def test_nothing_is_left_to_be_filled_in(packages: Path) -> None:
    for name in NAMES:
        for path in (packages / name).rglob("*"):
            if path.is_file() and path.suffix not in (".sqlite", ".pyc"):
                text = path.read_text().replace("__file__", "").replace("__init__", "")
                assert "__" not in text, path


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("name", NAMES)
def test_its_own_test_passes(packages: Path, name: str) -> None:
    tests = packages / name / "tests"
    done = run(
        packages, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tests, tests,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",  # importing Hypothesis takes seconds
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(("kind", "verifier"), sorted(SENSELESS))
def test_what_makes_no_sense_is_refused_with_what_to_take(kind: str, verifier: str) -> None:
    with pytest.raises(OptionError, match=r"don't go together: .*use --kind multi-turn"):
        Plan("nonsense", kind, verifier)


def test_packages_import_faces_alone(packages: Path) -> None:
    faces = {"rlvr", "rlvr.authoring", "rlvr.testing"}
    for name in NAMES:
        for path in (packages / name).rglob("*.py"):
            tree = ast.parse(path.read_text())
            modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            modules |= {
                a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
            }
            assert {m for m in modules if m and m.startswith("rlvr")} - faces - {
                f"rlvr_{name}"
            } == set(), path
