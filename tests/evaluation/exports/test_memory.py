"""100,000 rollouts: their texts are never in memory together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rlvr.evaluation.exports import FORMATS
from tests.evaluation.exports.runs import rollout, write

ROLLOUTS, K = 100_000, 4
MOST = 180 << 20  # bytes beyond what the imports take; the texts alone are more

MEASURE = """
import resource, sys
import numpy, pyarrow.parquet, rlvr.runs.report
from rlvr.evaluation.exports import export
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
done = export(sys.argv[1], sys.argv[2], sys.argv[3])
print(peak() - before, done.summary, sep="|")
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write(tmp_path_factory.mktemp("large") / "run", [])
    line = rollout("TASK", 7, 0.5, "STAMP" + "x" * 1500).to_json()
    template = json.dumps(line).replace('"sample": 7', '"sample": SAMPLE')
    with (run / "rollouts.jsonl").open("w") as file:
        for i in range(ROLLOUTS):
            line = template.replace("TASK", f"t{i % (ROLLOUTS // K)}").replace("STAMP", f"r{i}")
            line = line.replace("SAMPLE", str(i // (ROLLOUTS // K)))
            # Of a task's four, in different places of the file: right, half right twice, wrong.
            reward = (1.0, 0.5, 0.5, 0.0)[i // (ROLLOUTS // K)]
            file.write(line.replace('"reward": 0.5', f'"reward": {reward}') + "\n")
    assert (run / "rollouts.jsonl").stat().st_size > MOST
    return run


@pytest.mark.sweep
@pytest.mark.parametrize("to", list(FORMATS))
def test_memory_is_flat(large: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / ("out.parquet" if to == "parquet" else "out")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(large), to, str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, summary = done.stdout.strip().split("|")
    assert summary == {
        "inspect": "100000 samples in 1 logs",
        "lm-eval": "results of 1 tasks",
        "preferences": "25000 pairs from 25000 tasks",
        "sft": "25000 conversations from 25000 tasks",
    }.get(to, "100000 rollouts")
    assert int(grown) < MOST, f"{int(grown) >> 20} MB"
