"""A run whose process is killed again and again has every rollout exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlvr.runs.run import about, read_rollouts
from tests.stub_server import Stub

K = 4  # samples per task


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(("kills", "tasks"), [(2, 150), (20, 1500)])
def test_killed_again_and_again(tmp_path: Path, kills: int, tasks: int) -> None:
    path, rng = tmp_path / "run", random.Random(7)
    file = path / "rollouts.jsonl"
    with Stub(latency_s=0.03) as stub:
        command = [sys.executable, "-m", "rlvr", "eval", "arithmetic", "--model", "adder"]
        command += ["--base-url", stub.url, "--limit", str(tasks), "-k", str(K), "--run", str(path)]
        command += ["--env", "operators=+", "--env", "prompt={compact}=", "--concurrency", "4"]
        command += ["--temperature", "0.5"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        killed = 0
        while killed < kills:
            again = ["--resume"] if (path / "run.json").exists() else []
            before = file.stat().st_size if file.exists() else 0
            process = subprocess.Popen([*command, *again], **quiet)
            while process.poll() is None and (not file.exists() or file.stat().st_size <= before):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.25))
            if process.poll() is not None:
                break  # so fast a machine that it's done
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert killed >= kills // 2
    assert "reward 1.0000" in done.stdout
    rows = [(row["task"], row["sample"]) for row in read_rollouts(path)]
    assert len(rows) == len(set(rows)) == tasks * K
    assert "finished" in about(path)
