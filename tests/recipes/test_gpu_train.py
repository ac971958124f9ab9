"""The GPU's benchmark in its small size: it runs, and its figures add up."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")
ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu_train.py"), *arguments],
        capture_output=True, text=True, timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip


@pytest.mark.sweep
def test_tiny_reports_where_a_step_goes_and_the_lift() -> None:
    done = run("--tiny", "--warmup-steps", "30", "--steps", "3")
    assert done.returncode == 0, done.stderr[-3000:]
    lines = dict(re.split(r" {2,}", line, maxsplit=1) for line in done.stdout.splitlines())
    shares = [float(lines[f"share of {part}"][:-1]) for part in ("generation", "scoring", "update")]
    assert all(share > 0 for share in shares)
    assert sum(shares) == pytest.approx(100, abs=0.02)
    assert lines["GRPO"].startswith("3 steps of 128 completions")
    assert float(lines["tokens a second, generating"]) > float(lines["tokens a second, whole step"])
    assert re.match(r"0\.\d{3} → 0\.\d{3} \(± 0\.\d{3}\)", lines["held-out accuracy"])


def test_without_a_gpu_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_train.py"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("gpu_train").main()
    assert ended.value.code == 2
    assert "--tiny" in capsys.readouterr().err
