"""`rlvr view`: the file is where it's said, and a mistake is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rlvr.core.errors import OptionError
from rlvr.evaluation.viewer.view import FILTERS, write_view
from tests.evaluation.view_runs import mixed

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def test_it_writes_the_page_and_says_where(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    with (run / "rollouts.jsonl").open("a") as lines:
        lines.write("{torn")
    done = rlvr_cli("view", "run", "--no-open")
    assert (done.returncode, done.stdout) == (0, "run/report.html\n")
    assert (run / "report.html").stat().st_size > 10_000
    done = rlvr_cli("view", "run", "run", "-o", "deep/two.html", "--no-open")
    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["two.html"]


def test_without_a_browser_it_says_so(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    mixed(tmp_path / "run")
    none = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
    done = rlvr_cli("view", "run", environ=none)
    assert done.returncode == 0
    assert "found no browser here; open the file in yours" in done.stderr


def test_no_run_is_a_line_and_status_2(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    done = rlvr_cli("view", "nowhere")
    assert done.returncode == 2
    assert "There's no run in 'nowhere': no folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_filter_by_name(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    mixed(tmp_path / "run")
    assert rlvr_cli("view", "run", "--filter", "unscored", "--no-open").returncode == 0
    done = rlvr_cli("view", "run", "--filter", "unscord", "--no-open")
    assert done.returncode == 2
    for name in ("unscord", *FILTERS):
        assert f"'{name}'" in done.stderr
    with pytest.raises(OptionError, match="no filter 'right'; there are all, wrong"):
        write_view([tmp_path / "run"], show="right")


def test_a_folder_that_takes_no_file_is_told_by_the_page_s_own_name(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    mixed(tmp_path / "run")
    done = rlvr_cli("view", "run", "--no-open", "-o", "/proc/page.html")
    assert done.returncode != 0
    assert "/proc/page.html" in done.stderr
    assert "tmp" not in done.stderr
    assert "Traceback" not in done.stderr
