"""Files of a run on a disk that fills up, and on one that lost power."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core import files, secrets
from rlvr.core.errors import DataError, DataWarning
from rlvr.core.files import Appender, dumped, read_lines, replacing, write_json
from rlvr.evaluation.compare import compare_runs
from rlvr.evaluation.exports import export
from rlvr.evaluation.viewer.view import write_view
from rlvr.runs.run import Run, read_metrics, read_rollouts


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a disk with little room: the write that crosses it is a short one, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def rows(path: Path) -> list[Any]:
    return [line.row for line in read_lines(path)]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    lines = Appender(path)
    lines.write({"row": 0, "text": "x" * 900})
    with no_file_beyond(1500):
        for i in range(2):
            with pytest.raises(OSError, match=r"taken back.*lines.jsonl") as raised:
                lines.write({"row": f"lost {i}", "text": "x" * 900})
            assert raised.value.errno == errno.EFBIG
        lines.write({"row": 1})  # a shorter one fits
    lines.write({"row": 2, "text": "x" * 900})
    lines.close()
    assert [row["row"] for row in rows(path)] == [0, 1, 2]
    assert path.read_bytes().count(b"\n") == 3


def test_a_write_in_pieces_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(files.os, "write", lambda fd, data: whole(fd, bytes(data)[:7]))
    lines = Appender(tmp_path / "lines.jsonl")
    for i in range(3):
        lines.write({"row": i, "text": "é" * 30})
    assert [row["row"] for row in rows(tmp_path / "lines.jsonl")] == [0, 1, 2]


def test_a_line_that_cannot_be_taken_back_at_once_is_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = os.ftruncate
    lines = Appender(tmp_path / "lines.jsonl")
    lines.write({"row": 0})

    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files.os, "ftruncate", fails)
    with no_file_beyond(20), pytest.raises(OSError, match="File too large"):
        lines.write({"row": "lost"})
    with pytest.raises(OSError, match="Input/output error"):
        lines.write({"row": "not behind half a line"})
    monkeypatch.setattr(files.os, "ftruncate", cut)
    lines.write({"row": 1})
    assert [row["row"] for row in rows(tmp_path / "lines.jsonl")] == [0, 1]


def test_an_interrupt_within_a_line_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write

    def interrupted(fd: int, data: Any) -> int:
        whole(fd, bytes(data)[:5])
        raise KeyboardInterrupt

    lines = Appender(tmp_path / "lines.jsonl")
    monkeypatch.setattr(files.os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lines.write({"row": "lost"})
    monkeypatch.setattr(files.os, "write", whole)
    lines.write({"row": 1})
    assert [row["row"] for row in rows(tmp_path / "lines.jsonl")] == [1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_without_any_room_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        Appender(tmp_path / "lines.jsonl").write({})
    assert raised.value.errno == errno.ENOSPC


def test_an_evaluation_on_a_full_disk_ends_clearly_and_goes_on_later(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "rlvr", "eval", "arithmetic", "--policy", "oracle"]
    command += ["--limit", "30", "--run", str(run)]
    limited = (
        "import resource, runpy, sys;"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (7000, 7000));"
        "sys.argv = sys.argv[1:]; runpy.run_module('rlvr', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *command[2:]], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "File too large; the line that didn't fit was taken back" in done.stderr
    assert f"to go on: rlvr eval --run {run} --resume" in done.stderr
    whole = list(read_rollouts(run))
    assert 0 < len(whole) < 30
    with Run.resume(run) as opened:
        report = rlvr.evaluate("arithmetic", "oracle", limit=30, run=opened, resume=True)
    assert (report.rollouts, report.mean.value) == (30, 1.0)
    tasks = [row["task"] for row in read_rollouts(run)]
    assert len(set(tasks)) == len(tasks) == 30


def torn_run(path: Path, damage: str) -> int:
    """A run of 6 rollouts, damaged as an older version or a power cut did it; how many are whole."""
    with Run.create(path, "eval", {"environment": "arithmetic", "policy": "oracle"}) as run:
        rlvr.evaluate("arithmetic", "oracle", limit=6, run=run)
        run.finish({})
    file = path / "rollouts.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    half = lines[2][: len(lines[2]) // 2]
    lines[2] = {
        "glued": half,  # what a short write left, the next line right behind it
        "cut": half + b"\n",
        "NULs": bytes(len(lines[2])),  # never written, and the next line there
        "NULs at its end": half + bytes(100) + b"\n",
        "a few bytes": b'{"ta',
        "no UTF-8": half + b"\xff\n",
        "first": lines[2],
    }[damage]
    if damage == "first":
        lines[0] = lines[0][:50]
    file.write_bytes(b"".join(lines))
    return 5


@pytest.mark.parametrize(
    "damage", ["glued", "cut", "NULs", "NULs at its end", "a few bytes", "no UTF-8", "first"]
)
def test_a_run_with_a_torn_line_is_read_resumed_and_exported(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "run"
    whole = torn_run(path, damage)
    warned = pytest.warns(DataWarning, match=r"1 line of .*rollouts.jsonl' can't be read")
    with warned:
        assert len(list(read_rollouts(path))) == whole
    with warned:
        assert len(list(export(path, "jsonl", tmp_path / "out.jsonl").paths)) == 1
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == whole
    with warned:
        export(path, "sft", tmp_path / "sft.jsonl")  # which reads chosen lines by their offsets
    assert (tmp_path / "sft.jsonl").read_bytes().count(b"\n") == whole
    with warned:
        (compared,) = compare_runs(path, path)
    assert compared.parts[0].paired.tasks == whole
    view = write_view([path], tmp_path / "view.html")
    assert view.rollouts == whole
    assert "1 line of" in " ".join(view.warnings)
    with Run.resume(path) as run, warned:
        report = rlvr.evaluate("arithmetic", "oracle", limit=6, run=run, resume=True)
    assert report.rollouts == 6
    with warned:
        tasks = [row["task"] for row in read_rollouts(path)]
    assert len(set(tasks)) == len(tasks) == 6


def test_a_response_cannot_look_like_a_row_behind_a_torn_one(tmp_path: Path) -> None:
    with Appender(tmp_path / "x").path.open("wb") as file:
        forged = '{"task": "forged"}'
        file.write(json.dumps({"task": "a", "text": forged}).encode() + b"\n")
        file.write(json.dumps({"task": "b", "text": forged}).encode()[:-4] + b"\n")
        file.write(json.dumps({"task": "c", "text": forged}).encode()[:40])
        file.write(json.dumps({"task": "d", "text": forged}).encode() + b"\n")
    with pytest.warns(DataWarning, match=r"2 lines .* \(2, 3\)"):
        assert [row["task"] for row in rows(tmp_path / "x")] == ["a", "d"]


def test_what_was_never_a_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rollouts.jsonl").write_bytes(b'{"a": 1}\nprecious\n')
    with pytest.raises(DataError, match=r"Line 2 of .* can't be read as a rollout"):
        rows(tmp_path / "rollouts.jsonl")
    assert rows(tmp_path / "absent") == []
    (tmp_path / "metrics.jsonl").write_bytes(b'{"seconds": 1}\n{"sec\n{"seconds": 2}\n{"seco')
    with pytest.warns(DataWarning, match="1 line"):
        assert read_metrics(tmp_path) == [{"seconds": 1}, {"seconds": 2}]


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"old": 1})
    with no_file_beyond(100), pytest.raises(OSError, match=r"File too large: '.*/run\.json'"):
        write_json(path, {"new": "x" * 1000})

    def breaks_off() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        breaks_off()
    assert json.loads(path.read_text()) == {"old": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_a_link_or_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_json(tmp_path / "link", 1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "1\n"
    code = "from rlvr.core.files import write_json; write_json('/dev/stdout', [1], None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[1]\n"


def test_no_nan_and_no_secret_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", {})
    secrets.protect('sk-"quoted"\\é-1')
    value = {
        "nan": float("nan"),
        "deep": [{"inf": (float("-inf"), 1.5)}],
        'key sk-"quoted"\\é-1': ['Bearer sk-"quoted"\\é-1', json.dumps('sk-"quoted"\\é-1')],
    }
    text = dumped(value)
    assert "quoted" not in text
    assert json.loads(text) == {
        "nan": None,
        "deep": [{"inf": [None, 1.5]}],
        "key [secret]": ["Bearer [secret]", '"[secret]"'],
    }
