"""`rlvr data decontaminate` as a user runs it: files in, files out, hostile rows, a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.decontamination import problem

EVALS = [
    "A farmer has 17 sheep and all but 9 run away. How many sheep are left on the farm at night?",
    "What is 12 + 30?",
    "",
]


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_bytes(
        b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows)
    )
    return path


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    rows = [{"id": f"e{i}", "question": text} for i, text in enumerate(EVALS)]
    return jsonl(tmp_path / "eval.jsonl", rows)


def test_rows_keep_their_bytes_and_their_order(rlvr_cli, tmp_path: Path, evaluation: Path) -> None:
    clean = [
        b'{"prompt":"caf\\u00e9 is  spaced",   "n": 1.50}\r\n',
        b"  \n",
        b'{"prompt": "\xc3\xa9t\xc3\xa9"}\n',
        b'{"prompt": ""}\n',
        b'{"prompt": "half \\ud800 of a pair"}\n',
        json.dumps({"prompt": "long " * 200_000}).encode() + b"\n",
        b'{"prompt": "no line end"}',
    ]
    dirty = [
        {"prompt": EVALS[0]},
        {"prompt": "what is 12+30"},
        {"prompt": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."},
                    {"role": "user", "content": EVALS[1]}]},
    ]  # fmt: skip
    train = jsonl(
        tmp_path / "train.jsonl", [clean[0], dirty[0], *clean[1:3], dirty[1], dirty[2], *clean[3:]]
    )
    done = rlvr_cli("data", "decontaminate", train, evaluation.name, "--against", evaluation.name,
                    "-o", "clean.jsonl", "--matches", "matches.jsonl")  # fmt: skip
    assert done.returncode == 4, done.stderr  # both instances that ask something: more than 2%
    assert (tmp_path / "clean.jsonl").read_bytes() == b"".join(clean)
    matches = [json.loads(line) for line in (tmp_path / "matches.jsonl").read_text().splitlines()]
    assert [(m["line"], m["id"], m["method"]) for m in matches] == [
        (2, "e0", "exact"),
        (5, "e1", "normalised"),
        (6, "e1", "exact"),
    ]
    assert matches[1]["text"] == "what is 12+30"
    assert matches[1]["eval_text"] == EVALS[1]
    assert "9 rows: 3 match, 0 not judged, 6 clean" in done.stdout
    assert "1 instances of eval.jsonl have no words" in done.stdout
    assert not list(tmp_path.glob(".*part"))


def test_what_cannot_be_judged_is_reported_and_kept_out(
    rlvr_cli, tmp_path: Path, evaluation: Path
) -> None:
    rows = [b'{"prompt": "fine"}\n', b"[1]\n", b'{"text": "elsewhere"}\n', b'{"prompt": 5}\n',
            b'{"prompt": "\xff"}\n', b"[" * 100_000 + b"\n", b'{"prompt": "torn']  # fmt: skip
    train = jsonl(tmp_path / "train.jsonl", rows)
    done = rlvr_cli("data", "decontaminate", train, "--against", evaluation, "-o", "clean.jsonl",
                    "--matches", "matches.jsonl")  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert (tmp_path / "clean.jsonl").read_bytes() == rows[0]
    left = [json.loads(line) for line in (tmp_path / "matches.jsonl").read_text().splitlines()]
    assert [(one["line"], one["method"]) for one in left] == [(n, "unread") for n in range(2, 8)]
    assert left[-1]["text"] == '{"prompt": "torn'
    assert "row 3 of" in done.stderr
    assert "it has no prompt or question or problem or messages, but text" in done.stderr


def test_the_exit_status_is_0_below_the_share(rlvr_cli, tmp_path: Path) -> None:

    rng = random.Random(3)
    evals = [{"problem": problem(rng)} for _ in range(60)]
    jsonl(tmp_path / "eval.jsonl", evals)
    jsonl(tmp_path / "train.jsonl", [evals[0], {"problem": "Other."}])
    command = ["data", "decontaminate", "train.jsonl", "--against", "eval.jsonl"]
    done = rlvr_cli(*command)
    assert done.returncode == 0, done.stderr
    assert "1.67%" in done.stdout
    assert rlvr_cli(*command, "--whole", "0.01").returncode == 4


def test_environments_on_either_side(rlvr_cli, tmp_path: Path, data: Path) -> None:
    first = [
        json.loads(line) for line in (data / "math/gsm8k_test.jsonl").read_text().splitlines()
    ][:3]
    jsonl(tmp_path / "train.jsonl", first)
    done = rlvr_cli(
        "data", "decontaminate", "train.jsonl", "--against", "gsm8k:test", "--methods", "ngram,near"
    )
    assert done.returncode == 0, done.stderr
    assert "3 rows: 3 match" in done.stdout
    done = rlvr_cli(
        "data", "decontaminate", "gsm8k:test", "--against", "train.jsonl", "-o", "clean.jsonl"
    )
    assert done.returncode == 4, done.stderr
    kept = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines()]
    assert kept[0]["id"] == "test-3"
    assert len(kept) == 1316


def test_parquet_keeps_schema_and_values(rlvr_cli, tmp_path: Path, evaluation: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "prompt": [[{"role": "user", "content": text}] for text in ("One.", EVALS[0], "Two.")],
            "level": pa.array([1, 2, 3], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "train.parquet")
    done = rlvr_cli(
        "data", "decontaminate", "train.parquet", "--against", evaluation, "-o", "clean.parquet"
    )
    assert done.returncode == 4, done.stderr
    clean = pq.read_table(tmp_path / "clean.parquet")
    assert clean.schema.equals(table.schema)
    assert clean.to_pylist() == [table.to_pylist()[0], table.to_pylist()[2]]
    done = rlvr_cli(
        "data", "decontaminate", "train.parquet", "--against", evaluation, "-o", "clean.jsonl"
    )
    assert done.returncode == 2
    assert "are Parquet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train.jsonl"], "Missing option '--against'"),
        (["nowhere.jsonl", "--against", "eval.jsonl"], "There's no file 'nowhere.jsonl'"),
        (["no-such-env", "--against", "eval.jsonl"], "no-such-env"),
        (["train.jsonl", "--against", "eval.jsonl", "-o", "train.jsonl"], "would be overwritten"),
        (["train.jsonl", "--against", "eval.jsonl", "-o", "no/clean.jsonl"], "There's no folder"),
        (
            ["train.jsonl", "--against", "eval.jsonl", "-o", "a", "--matches", "a"],
            "need different files",
        ),
        (["train.jsonl", "--against", "eval.jsonl", "--methods", "exact,fuzzy"], "not fuzzy"),
        (["train.jsonl", "--against", "eval.jsonl", "--eval-column", "text"], "--eval-column"),
        (["train.jsonl", "--against", "torn.jsonl"], "Line 1 of the evaluation set"),
        (["train.jsonl", "--against", "empty.jsonl"], "has no rows"),
    ],
)
def test_bad_usage_is_one_line_and_leaves_nothing(
    rlvr_cli, tmp_path: Path, evaluation: Path, arguments: list[str], said: str
) -> None:
    jsonl(tmp_path / "train.jsonl", [{"prompt": "One."}])
    jsonl(tmp_path / "torn.jsonl", [b'{"prompt": '])
    (tmp_path / "empty.jsonl").touch()
    before = sorted(tmp_path.iterdir())
    done = rlvr_cli("data", "decontaminate", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_names_in_the_data_cannot_break_what_is_printed(
    rlvr_cli, tmp_path: Path, evaluation: Path
) -> None:
    hostile = "[/bold]\ud800\x1b[2J" + "x" * 100_000
    jsonl(tmp_path / "train.jsonl", [{hostile: 1}])
    jsonl(tmp_path / "[red]e.jsonl", [{"prompt": "One."}])
    done = rlvr_cli("data", "decontaminate", "train.jsonl", "--against", "[red]e.jsonl")
    assert done.returncode == 3, done.stderr
    assert "[red]e.jsonl" in done.stdout
    assert "[/bold]\\ud800\\x1b[2J" in done.stderr
    assert len(done.stderr) < 2000
    given = [{"prompt": str(i), "level": f"{hostile}{i % 2}"} for i in range(9)]
    jsonl(tmp_path / "all.jsonl", given)
    done = rlvr_cli("data", "split", "all.jsonl", "-o", "out", "--stratify", "level")
    assert done.returncode == 0, done.stderr
    assert "[/bold]\\ud800" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_kill_in_the_middle_leaves_no_half_output(
    tmp_path: Path, evaluation: Path, how: signal.Signals
) -> None:
    os.mkfifo(tmp_path / "train.jsonl")  # read for as long as we hold it open
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_ON_A_PIPE, "train.jsonl", str(evaluation)],
        cwd=tmp_path, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with (tmp_path / "train.jsonl").open("wb", buffering=0) as pipe:
        pipe.write(b'{"prompt": "One of many."}\n' * 2500)
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".clean.jsonl*part")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(tmp_path.glob(".clean.jsonl*part"))
        process.send_signal(how)
        process.wait(timeout=300)
    assert not (tmp_path / "clean.jsonl").exists()
    assert not (tmp_path / "matches.jsonl").exists()
    if how is signal.SIGINT:
        assert not list(tmp_path.glob(".*part"))


RUN_ON_A_PIPE = """
import sys
from pathlib import Path
from rlvr.authoring.decontamination import decontaminate
from rlvr.authoring.rows import RowSource
Path.is_file = lambda self: True  # a pipe isn't one, and is what can be held open
decontaminate(RowSource(sys.argv[1]), [sys.argv[2]], Path("clean.jsonl"), Path("matches.jsonl"))
"""

PEAK = """
import resource, sys
from pathlib import Path
from rlvr.authoring.decontamination import decontaminate
from rlvr.authoring.rows import RowSource
decontaminate(RowSource("train.jsonl"), ["eval.jsonl"], Path("clean.jsonl"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.sweep
def test_memory_does_not_grow_with_the_training_data(tmp_path: Path) -> None:

    rng = random.Random(0)
    jsonl(tmp_path / "eval.jsonl", [{"prompt": problem(rng)} for _ in range(100)])
    some = [json.dumps({"prompt": problem(rng)}).encode() + b"\n" for _ in range(2000)]
    peaks = []
    for times in (5, 50):
        with (tmp_path / "train.jsonl").open("wb") as out:
            for _ in range(times):
                out.writelines(some)
        done = subprocess.run(
            [sys.executable, "-c", PEAK], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 10, peaks  # MiB; the larger file alone has 20 MB more


def test_duplicates_are_left_out(rlvr_cli, tmp_path: Path) -> None:
    rows = [{"prompt": text} for text in ("What is 2 + 3?", "what is 2+3", "What is 2 - 3?")]
    jsonl(tmp_path / "in.jsonl", [*rows, {"x": 1}])
    done = rlvr_cli("data", "dedupe", "in.jsonl", "-o", "out.jsonl")
    assert done.returncode == 3, done.stderr
    assert "row 2 has the prompt of row 1" in done.stdout
    assert "4 rows: 1 duplicates, 1 not read, 2 kept, in out.jsonl" in done.stdout
    assert "row 4 of in.jsonl isn't kept" in done.stderr
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 2
    same = rlvr_cli("data", "dedupe", "in.jsonl", "-o", "in.jsonl")
    assert same.returncode == 2
    assert "would be overwritten" in same.stderr
