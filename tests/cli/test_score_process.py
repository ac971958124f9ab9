"""`rlvr score` as a process: exit statuses, streams, what it says of mistakes, memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py
LINE = json.dumps({"id": 1, "reference": "4", "response": "\\boxed{4}"}) + "\n"
SYMBOLIC = json.dumps({"id": 2, "reference": "x+1", "response": "\\boxed{1+x}"}) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(LINE * 3)
    return path


def test_the_exit_status_says_whether_all_were_scored(
    rlvr_cli: CommandLine, file: Path, tmp_path: Path
) -> None:
    assert rlvr_cli("score", "math", file).returncode == 0
    (tmp_path / "bad.jsonl").write_text(LINE + "{\n" + LINE)
    assert rlvr_cli("score", "math", tmp_path / "bad.jsonl").returncode == 3
    (tmp_path / "empty.jsonl").write_text("")
    done = rlvr_cli("score", "math", tmp_path / "empty.jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 scored, 0 unscored" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["math"], "Missing argument 'FILE'"),
        ([], "Missing argument 'ENV'"),
        (["math", "nowhere.jsonl"], "nowhere.jsonl"),
        (["math", "."], "Is a directory"),
        (["maths", "in.jsonl"], "Did you mean 'math'"),
        (["gms8k", "in.jsonl"], "Did you mean 'gsm8k'"),
        (["math", "in.jsonl", "--option", "mode"], "--option takes NAME=VALUE, not 'mode'"),
        (["math", "in.jsonl", "--option", "speed=1"], "no option 'speed'"),
        (["math", "in.jsonl", "--limit-s", "0"], "--limit-s"),
        (["math", "in.jsonl", "-o", "no/such/folder/out.jsonl"], "no/such/folder/out.jsonl"),
        (["math", "in.jsonl", "-o", "."], "Is a directory"),
        (["math", "in.jsonl", "-o", "/dev/full"], "No space left on device"),
        (["math", "in.jsonl", "-o", "in.jsonl"], "'in.jsonl' is the file to be judged"),
        (["math", "in.jsonl", "--loud"], "No such option"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(
    rlvr_cli: CommandLine, file: Path, arguments: list[str], says: str
) -> None:
    done = rlvr_cli("score", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert file.read_text() == LINE * 3  # nothing is lost


def test_an_unknown_verb_is_a_line_and_status_2(rlvr_cli: CommandLine) -> None:
    done = rlvr_cli("scroe")
    assert done.returncode == 2
    assert "There's no command 'scroe'. Did you mean 'score'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", [0, 2, 4])
def test_debug_shows_the_traceback_wherever_it_stands(
    rlvr_cli: CommandLine, file: Path, place: int
) -> None:
    arguments = ["score", "maths", str(file)]
    arguments.insert(place, "--debug")
    done = rlvr_cli(*arguments)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert "Did you mean 'math'" in done.stderr.splitlines()[-1]


def test_standard_input_and_output(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    done = rlvr_cli("score", "math", "-", input=LINE + SYMBOLIC)
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 2]
    done = rlvr_cli("score", "math", "-", "-o", "-", input=LINE.rstrip("\n"))
    assert [json.loads(line)["reward"] for line in done.stdout.splitlines()] == [1.0]


def test_an_output_file_gets_the_lines_and_standard_output_nothing(
    rlvr_cli: CommandLine, file: Path, tmp_path: Path
) -> None:
    done = rlvr_cli("score", "math", file, "-o", "out.jsonl")
    assert done.stdout == ""
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3
    (tmp_path / "empty.jsonl").write_text("")
    rlvr_cli("score", "math", tmp_path / "empty.jsonl", "-o", "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_a_full_disk_behind_standard_output_is_a_line(file: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rlvr", "score", "math", str(file)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "rlvr: No space left on device\n"


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_text(LINE * 30_000)
    command = f"{sys.executable} -m rlvr score math {many} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert json.loads(done.stdout)["reward"] == 1.0
    assert done.stderr == ""


def test_verdicts_come_while_lines_still_do() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "rlvr", "score", "math", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        process.stdin.write(
            LINE.encode() * 300
        )  # more than its buffers take, less than a pipe does
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["reward"] == 1.0
        process.stdin.close()
        assert len(process.stdout.readlines()) == 299


def test_an_interrupt_ends_it_quietly(tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_text((LINE + SYMBOLIC) * 5_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "rlvr", "score", "math", str(many)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        process.stdout.read(1)  # it's at work, and can't end: nobody reads on
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 130


@pytest.mark.sweep
def test_memory_stays_flat(tmp_path: Path) -> None:
    few, many = peak_kb(tmp_path, 3_000), peak_kb(tmp_path, 300_000)
    # 297,000 more lines of input alone are 30 MB, as Python objects far more.
    assert many - few < 20_000


def peak_kb(folder: Path, count: int) -> int:
    """The greatest resident size of `rlvr score` and its workers, each by itself, on so many lines."""
    path = folder / f"{count}.jsonl"
    row = {"prompt": "How many?", "reference": "4", "response": "It is \\boxed{4}."}
    with path.open("w") as lines:
        lines.writelines(json.dumps({"id": i, **row}) + "\n" for i in range(count))
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'rlvr', 'score', 'math', *sys.argv[1:]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    out = folder / f"{count}.out"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), "-o", str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.read_bytes().count(b"\n") == count
    return int(done.stdout)
