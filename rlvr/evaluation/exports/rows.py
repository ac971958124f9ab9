"""Formats `jsonl` and `parquet`: every rollout as a flat row with typed columns.

The columns are these, in this order, in every row of every run. What has no type of its own (a
reference, metadata, what a verifier noted) is JSON in a text column. A number that isn't there is
null, a text is empty: readers of JSONL take a column's type from its first rows, and a column in
which those are all null has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlvr.core.verdict import Scored
from rlvr.evaluation.exports.exported import Exported
from rlvr.evaluation.exports.measured import records_of
from rlvr.evaluation.exports.tables import Columns, write_table
from rlvr.runs.reading import Record
from rlvr.runs.rollouts import answer_of, text_of

COLUMNS: Columns = {
    "env": "string",
    "part": "string",  # "dev", "unseen"; empty outside of suites
    "task": "string",  # unique within env and part
    "sample": "int64",  # from 0
    "step": "int64",  # of training; null elsewhere
    "prompt": "messages",
    "completion": "messages",  # from the first response on, the environment's turns among them
    "response": "string",  # the last response
    "turns": "int64",  # responses; 0 where the policy gave none
    "scored": "bool",
    "reward": "double",  # null where unscored
    "status": "string",  # as in a verdict, or "unscored"
    "cause": "string",  # of an unscored one; empty elsewhere
    "feedback": "string",  # the verifier's, or why there's no verdict
    "components": "components",  # none where unscored
    "answer": "string",  # what extraction found; empty where the verifier doesn't say
    "reference": "string",  # text as it is, anything else as JSON
    "stop": "string",  # "stop", "length", "turns", "error"
    "truncated": "bool",  # stopped by "length" or "turns"
    "prompt_tokens": "int64",  # of the last prompt; null where unknown
    "completion_tokens": "int64",  # of all responses; null where unknown
    "generate_seconds": "double",
    "verify_seconds": "double",
    "metadata": "string",  # the task's, a JSON object
    "detail": "string",  # the verdict's, a JSON object
    "labels": "string",  # other fields of the run's line, a JSON object
    "token_ids": "lists of int64",  # of each response; null where the policy didn't say
    "logprobs": "lists of double",
}


def export_rows(run: Path, out: Path, step: int | None = None) -> Exported:
    """Write the rollouts of `run` to `out`: Parquet where it's named so, else JSONL."""
    count = write_table(out, map(row_of, records_of(run, step)), COLUMNS)
    return Exported([out], f"{count} rollouts")


def row_of(record: Record) -> dict[str, Any]:
    """Return a rollout with every one of `COLUMNS`."""
    rollout, verdict = record.rollout, record.rollout.verdict
    assert verdict is not None
    scored = verdict if isinstance(verdict, Scored) else None
    completion = record.completion
    components = scored.components if scored else {}
    return {
        "env": rollout.env,
        "part": rollout.part or "",
        "task": rollout.task.id,
        "sample": rollout.sample,
        "step": record.step,
        "prompt": record.prompt,
        "completion": completion,
        "response": record.response or "",
        "turns": sum(message["role"] == "assistant" for message in completion),
        "scored": scored is not None,
        "reward": scored.reward if scored else None,
        "status": str(scored.status) if scored else "unscored",
        "cause": "" if isinstance(verdict, Scored) else str(verdict.cause),
        "feedback": verdict.feedback if isinstance(verdict, Scored) else verdict.message,
        "components": [{"name": name, "value": value} for name, value in components.items()],
        "answer": answer_of(verdict) or "",
        "reference": text_of(rollout.task.reference),
        "stop": rollout.stop,
        "truncated": record.truncated,
        "prompt_tokens": rollout.prompt_tokens,
        "completion_tokens": rollout.completion_tokens,
        "generate_seconds": float(rollout.generate_s),
        "verify_seconds": float(rollout.verify_s),
        "metadata": text_of(rollout.task.metadata),
        "detail": text_of(verdict.detail),
        "labels": text_of(record.labels),
        "token_ids": rollout.token_ids,
        "logprobs": rollout.logprobs,
    }
