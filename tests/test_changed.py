"""`make test-changed` selects the tests that a change can affect, and few others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.changed import LAZY, READERS, SWEEPS, Graph, changed_files, select
from tools.imports import ROOT

TESTS = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/test_*.py")}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph(extra=["rlvr/verifiers/sql/new.py"])


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(
    ("changed", "affected", "unaffected"),
    [
        ("verifiers/sql/number_matching.py", "verifiers/sql/ envs/test_sql_envs cli/test_score_sql", "verifiers/code/ sandboxes/ scoring/"),
        ("verifiers/sql/new.py", "verifiers/sql/ envs/test_sql_envs", "verifiers/code/ sandboxes/ scoring/"),
        ("verifiers/math/reader.py", "verifiers/math/ envs/test_gsm8k envs/puzzles/", "verifiers/sql/ sandboxes/test_p sandboxes/test_d"),
        ("sandboxes/pool.py", "sandboxes/ verifiers/code/ envs/test_humaneval", "verifiers/sql/ policies/"),
        ("sandboxes/runner/cells.py", "sandboxes/test_functions verifiers/code/", "verifiers/sql/ policies/"),
        ("runs/report.py", "evaluation/test_evaluat cli/test_eval", "verifiers/ sandboxes/ scoring/"),
        ("envs/fixtures/sql.jsonl", "envs/test_fixtures envs/test_sql_envs", "docs/ recipes/"),
        ("core/verdict.py", "core/test_verdict verifiers/ scoring/test_ envs/ training/test_train", "docs/ recipes/"),
    ],
)  # fmt: skip
def test_a_change_selects_its_users(graph: Graph, changed: str, affected: str, unaffected: str) -> None:  # fmt: skip
    selected = set(select([f"rlvr/{changed}"], graph))
    assert "tests/test_layers.py" in selected
    for prefix in affected.split():
        assert {path for path in TESTS if path.startswith(f"tests/{prefix}")} <= selected
    assert [path for p in unaffected.split() for path in selected if path.startswith(f"tests/{p}")] == []  # fmt: skip


def test_other_files_select_their_readers_or_every_test(graph: Graph) -> None:
    for path in ("setup.cfg", "tools/new", "pyproject.toml", "Makefile", "tests/conftest.py"):
        assert set(select([path], graph)) == TESTS
    assert select(["CHANGELOG.md", "LICENSE"], graph) == {}
    assert "tests/docs/test_python_blocks.py" in select(["docs/sql.md"], graph)
    assert "tests/authoring/test_difficulty.py" in select(["docs/data.md"], graph)
    assert "tests/recipes/test_recipes.py" in select(["recipes/code_grpo.py"], graph)
    assert "tests/docs/test_pages.py" in select(["tests/docs/fences.py"], graph)
    patterns = {*SWEEPS, *(row[1] for row in READERS)}
    assert LAZY.keys() <= graph.paths
    assert all(any(Path(test).match(pattern) for test in TESTS) for pattern in patterns)


def test_the_graph_has_all_that_a_test_loads(graph: Graph) -> None:
    """Compare with the modules that tests without fixtures load in a fresh process."""
    script = """import inspect, sys, tests.envs.test_prompt as tests
for name, test in list(vars(tests).items()):
    if name.startswith("test_") and not inspect.signature(test).parameters:
        test()
print(*sys.modules)"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    loaded = [name.replace(".", "/") for name in done.stdout.split() if name.startswith("rlvr.")]
    paths = {p for name in loaded for p in (f"{name}.py", f"{name}/__init__.py")} & graph.paths
    assert len(paths) > 20
    assert [path for path in paths if "tests/envs/test_prompt.py" not in graph.chains(path)] == []


def test_changes_are_committed_staged_unstaged_deleted_and_untracked(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    for name in ("staged", "unstaged", "deleted", "kept"):
        (tmp_path / name).write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (tmp_path / "committed").write_text("1")
    (tmp_path / "staged").write_text("2")
    git("add", "committed")
    git("commit", "-q", "-m", "second")
    git("add", "staged")
    (tmp_path / "unstaged").write_text("2")
    (tmp_path / "deleted").unlink()
    (tmp_path / "a name with spaces é").write_text("1")
    now = ["a name with spaces é", "deleted", "staged", "unstaged"]
    assert changed_files(tmp_path) == now
    assert changed_files(tmp_path, "HEAD~1") == sorted([*now, "committed"])
