"""Write tasks as the JSONL file that OpenRLHF's `PromptDataset` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rlvr.adapters.row import rows
from rlvr.core.environment import Environment


def write_jsonl(
    envs: Environment | Sequence[Environment], path: str | Path, limit: int | None = None
) -> int:
    """Write the tasks of an environment, or of several as a mixture.

    A line has `input` (messages, for `--data.input_key input --data.apply_chat_template`), `label` (a row of
    `rlvr.adapters.row`, for `--data.label_key label`) and `datasource` (the environment's name, by which evaluation
    reports).

    Args:
        envs: Environments made with `rlvr.make`, since OpenRLHF's processes make them again.
        path: The file to write; its folder is created.
        limit: Use the first so many tasks of each. Required if one has more than 100,000.

    Returns:
        The number of lines.
    """
    task_rows = rows(envs, limit)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with Path(path).open("w", encoding="utf-8") as file:
        for env, task, text in task_rows:
            messages = [dict(message) for message in task.prompt]
            line = {"input": messages, "label": text, "datasource": env.name}
            file.write(json.dumps(line) + "\n")
            count += 1
    return count
