"""Format `preferences`: pairs of a better and a worse response to one task, for DPO and its kin.

The form is TRL's conversational one with an explicit prompt. Length must not be what tells a pair
apart, or it's what will be learned (Park et al. 2024, arXiv 2403.19159): among equally good
responses the shortest is chosen, and among equally bad ones the nearest to it in length is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.evaluation.exports.about import source_of
from rlvr.evaluation.exports.chosen import TOLERANCE, Candidate, Candidates
from rlvr.evaluation.exports.exported import Exported
from rlvr.evaluation.exports.measured import records_of
from rlvr.evaluation.exports.tables import Columns, write_table
from rlvr.runs.reading import Lines, Record

COLUMNS: Columns = {
    "prompt": "messages",
    "chosen": "messages",
    "rejected": "messages",
    "score_chosen": "double",
    "score_rejected": "double",
    "env": "string",
    "part": "string",  # empty outside of suites
    "task": "string",
    "model": "string",  # the model or script that answered
    "run": "string",  # the run's folder, without those above it
    "step": "int64",  # of training, of the chosen response; null elsewhere
    "step_rejected": "int64",
}


def export_preferences(
    run: Path,
    out: Path,
    step: int | None = None,
    *,
    margin: float = 0.0,
    pairs: str = "best",
    truncated: bool = False,
) -> Exported:
    """Write pairs of `run` to `out`: as Parquet if its name ends in `.parquet`, otherwise as JSONL.

    Args:
        margin: The least difference between the rewards of a pair; equal rewards never make a pair.
        pairs: `best` for the best and the worst response of each task, or `all` for every pair that the margin allows.
        truncated: Allow truncated responses to be chosen. They may always be rejected.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise OptionError(f"A margin is a number from 0, not {margin}.")
    if pairs not in ("best", "all"):
        raise OptionError(f"pairs is 'best' or 'all', not {pairs!r}.")
    chosen = Candidates.of(records_of(run, step))

    source = source_of(run)

    def rows() -> Iterator[dict[str, Any]]:
        with Lines(run) as lines:
            for candidates in chosen.tasks.values():
                for better, worse in pairs_of(candidates, margin, pairs, truncated):
                    row = _row(lines[better.offset], better, lines[worse.offset], worse)
                    yield {name: (row | source)[name] for name in COLUMNS}

    count = write_table(out, rows(), COLUMNS)
    return Exported([out], f"{count} pairs from {len(chosen.tasks)} tasks", chosen.notes())


def pairs_of(
    candidates: list[Candidate], margin: float = 0.0, pairs: str = "best", truncated: bool = False
) -> Iterator[tuple[Candidate, Candidate]]:
    """Return the pairs (better, worse) among the candidates of one task, the same whatever their order."""
    whole = [candidate for candidate in candidates if truncated or not candidate.truncated]
    ranked = sorted(
        whole, key=lambda candidate: (-candidate.reward, candidate.characters, candidate.digest)
    )
    for better in ranked if pairs == "all" else ranked[:1]:
        below = [candidate for candidate in candidates if _differ(better, candidate, margin)]
        below.sort(key=lambda candidate: _worst_first(candidate, better))
        for worse in below if pairs == "all" else below[:1]:
            yield better, worse


def _differ(better: Candidate, worse: Candidate, margin: float) -> bool:
    difference = better.reward - worse.reward
    return difference > TOLERANCE and difference >= margin - TOLERANCE


def _worst_first(candidate: Candidate, better: Candidate) -> tuple[float, int, bytes]:
    return candidate.reward, abs(candidate.characters - better.characters), candidate.digest


def _row(chosen: Record, better: Candidate, rejected: Record, worse: Candidate) -> dict[str, Any]:
    return {
        "prompt": chosen.prompt,
        "chosen": chosen.completion,
        "rejected": rejected.completion,
        "score_chosen": better.reward,
        "score_rejected": worse.reward,
        "env": chosen.rollout.env,
        "part": chosen.rollout.part or "",
        "task": chosen.rollout.task.id,
        "step": chosen.step,
        "step_rejected": rejected.step,
    }
