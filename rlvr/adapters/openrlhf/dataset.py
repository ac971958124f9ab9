"""Tasks as the JSONL file that OpenRLHF's `PromptDataset` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rlvr.adapters.carried import rows
from rlvr.core.environment import Environment


def write_jsonl(
    envs: Environment | Sequence[Environment], path: str | Path, limit: int | None = None
) -> int:
    """Write the tasks of an environment, or of several as a mixture.

    A line has `input` (messages, for `--data.input_key input --data.apply_chat_template`), `label`
    (`--data.label_key label`: what `rlvr.adapters.carried` says) and `datasource` (the
    environment's name: evaluation reports by it).

    Args:
        envs: made with `rlvr.make`, since OpenRLHF's processes make them again.
        path: of the file; its folder is made.
        limit: the first so many tasks of each; needed where one has more than 100,000.

    Returns:
        How many lines there are.
    """
    carried = rows(envs, limit)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with Path(path).open("w", encoding="utf-8") as file:
        for env, task, text in carried:
            messages = [dict(message) for message in task.prompt]
            line = {"input": messages, "label": text, "datasource": env.name}
            file.write(json.dumps(line) + "\n")
            count += 1
    return count
