"""Format `sft`: the responses that earned enough, to fine-tune on (rejection sampling).

As in STaR (Zelikman et al. 2022, arXiv 2203.14465) and RFT (Yuan et al. 2023, arXiv 2308.01825). By
default one response a task: with all of them, what the model can do already would make up most
of the data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.evaluation.exports.about import source_of
from rlvr.evaluation.exports.chosen import TOLERANCE, Candidate, Candidates, TaskKey
from rlvr.evaluation.exports.exported import Exported
from rlvr.evaluation.exports.measured import records_of
from rlvr.evaluation.exports.tables import Columns, write_table
from rlvr.runs.reading import Lines

COLUMNS: Columns = {
    "messages": "messages",
    "reward": "double",
    "env": "string",
    "part": "string",  # empty outside of suites
    "task": "string",
    "model": "string",  # the model or script that answered
    "run": "string",  # the run's folder, without those above it
    "step": "int64",  # of training; null elsewhere
}


def export_sft(
    run: Path,
    out: Path,
    step: int | None = None,
    *,
    threshold: float = 1.0,
    per_task: int = 1,
    truncated: bool = False,
    seed: int = 0,
) -> Exported:
    """Write conversations of `run` to `out`: as Parquet if its name ends in `.parquet`, otherwise as JSONL.

    Args:
        threshold: The least reward.
        per_task: The most responses per task. They are drawn at random, which keeps the lengths of right responses
            as the model wrote them.
        truncated: Include truncated responses.
        seed: Seed of the draw. Each task's draw is independent of the rest of the run.
    """
    if not math.isfinite(threshold):
        raise OptionError(f"A threshold is a finite number, not {threshold}.")
    if per_task < 1:
        raise OptionError(f"per_task is at least 1, not {per_task}.")
    chosen = Candidates.of(records_of(run, step))

    source = source_of(run)

    def rows() -> Iterator[dict[str, Any]]:
        with Lines(run) as lines:
            for key, candidates in chosen.tasks.items():
                good = [
                    candidate
                    for candidate in candidates
                    if candidate.reward >= threshold - TOLERANCE
                    and (truncated or not candidate.truncated)
                ]
                good.sort(key=lambda candidate: _draw(seed, key, candidate))
                for candidate in good[:per_task]:
                    record = lines[candidate.offset]
                    yield {
                        "messages": record.rollout.messages,
                        "reward": candidate.reward,
                        "env": record.rollout.env,
                        "part": record.rollout.part or "",
                        "task": record.rollout.task.id,
                        **source,
                        "step": record.step,
                    }

    count = write_table(out, rows(), COLUMNS)
    return Exported([out], f"{count} conversations from {len(chosen.tasks)} tasks", chosen.notes())


def _draw(seed: int, key: TaskKey, candidate: Candidate) -> bytes:
    """Return a key that orders the candidates of a task at random, independently of the run's other tasks."""
    text = repr((seed, key, candidate.digest))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
