"""Write tasks as the Parquet file that verl's `RLHFDataset` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlvr.adapters.row import rows
from rlvr.core.environment import Environment
from rlvr.core.errors import MissingExtraError

AGENT = "rlvr"
"""The name of the agent loop in verl, from `recipes/verl/agent.yaml`."""


def write_parquet(
    envs: Environment | Sequence[Environment], path: str | Path, limit: int | None = None
) -> int:
    """Write the tasks of an environment, or of several as a mixture.

    The columns are `prompt` (messages), `data_source` (the environment's name, by which verl reports), `agent_name`,
    `ability`, `reward_model` (its `ground_truth` is a row of `rlvr.adapters.row`) and `extra_info` (`index`, `task_id`).

    Args:
        envs: Environments made with `rlvr.make`, since verl's processes make them again.
        path: The file to write; its folder is created.
        limit: Use the first so many tasks of each. Required if one has more than 100,000.

    Returns:
        The number of rows.
    """
    task_rows = rows(envs, limit)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Writing Parquet needs the package 'pyarrow': pip install 'rlvr[verl]'."
        ) from error
    table: list[dict[str, Any]] = [
        {
            "prompt": [dict(message) for message in task.prompt],
            "data_source": env.name,
            "agent_name": AGENT,
            "ability": env.name,
            "reward_model": {"style": "rule", "ground_truth": text},
            "extra_info": {"index": index, "task_id": task.id},
        }
        for index, (env, task, text) in enumerate(task_rows)
    ]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), str(path))
    return len(table)
