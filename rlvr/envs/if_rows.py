"""Tasks of data sets in open-instruct's form: chat messages, and ids with kwargs in a string."""

from __future__ import annotations

import ast
import json
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row

HUB_ID = "allenai/IF_multi_constraints_upto5"


def rows_of(split: str, dataset: str | None, data: str | None) -> TaskSet:
    """Return the tasks, loaded when they're first needed."""
    source = DataSource(
        dataset or HUB_ID, None, {"train": "train"}, {}, ("messages", "ground_truth")
    )
    source.check_split(split)

    def load() -> list[Task]:
        return [_task(f"{split}-{i}", row) for i, row in enumerate(source.rows(split, data))]

    return TaskSet(load, "if_rlvr")


def _task(id: str, row: Row) -> Task:
    truth = _parsed(row["ground_truth"])
    truth = truth[0] if isinstance(truth, list) and truth else truth
    truth = _parsed(truth)
    if not isinstance(truth, dict) or "instruction_id" not in truth:
        raise DataError(f"The ground_truth of row {id} names no instruction_id: {truth!r:.100}")
    kwargs = [dict(values or {}) for values in truth.get("kwargs") or []]
    reference = {"instruction_id_list": list(truth["instruction_id"]), "kwargs": kwargs}
    prompt = [message for message in row["messages"] if message["role"] != "assistant"]
    return Task(prompt, reference, id, {"instructions": len(kwargs)})


def _parsed(value: Any) -> Any:
    """JSON, or Python's way to write it, as their files have both."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(f"A ground_truth can't be read: {value[:100]!r}") from error
