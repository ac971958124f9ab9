"""What all tests share: the data sets on disk, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

if "RLVR_DATA" in os.environ:  # before any worker is started
    os.environ.setdefault("NLTK_DATA", str(Path(os.environ["RLVR_DATA"]).resolve() / "nltk_data"))

# In CI, whatever a test needs is there: what can't be imported hides a missing part.
_IN_CI = os.environ.get("CI") == "true"

# Each is given to one of the processes that run tests side by side: the longest ones first.
_LONG = ("test_new_packages", "test_ppo_learning", "test_recipes", "test_train", "test_quickstart",
         "test_ppo", "test_ppo_keeps", "test_function_faults", "test_kl_runs", "test_broken", "test_built_in",
         "test_openai_policy", "test_function_cheats", "test_score_process")  # fmt: skip

CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))  # the rest stays as it was


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    report = yield
    if _IN_CI and report.skipped and "could not import" in str(report.longrepr):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder `RLVR_DATA`. Its tests are skipped without it, except in CI, where it has to be."""
    folder = os.environ.get("RLVR_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = f"RLVR_DATA names no folder of data sets (it's {folder!r})"
    if _IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def rlvr_cli(tmp_path: Path) -> CommandLine:
    """`python -m rlvr …` in a fresh process, in a folder of its own."""

    def run(
        *arguments: str | Path,
        input: str | bytes = "",
        environ: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "rlvr", *map(str, arguments)],
            input=input if isinstance(input, bytes) else input.encode(),
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"} | (environ or {}),
            timeout=240,
            **options,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run
