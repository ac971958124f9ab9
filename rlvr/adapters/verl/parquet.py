"""Tasks as the Parquet file that verl's `RLHFDataset` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlvr.adapters.carried import rows
from rlvr.core.environment import Environment
from rlvr.core.errors import MissingExtraError

AGENT = "rlvr"
"""The name under which `recipes/verl/agent.yaml` makes the agent loop known to verl."""


def write_parquet(
    envs: Environment | Sequence[Environment], path: str | Path, limit: int | None = None
) -> int:
    """Write the tasks of an environment, or of several as a mixture.

    The columns: `prompt` (messages), `data_source` (the environment's name: verl reports by it),
    `agent_name`, `ability`, `reward_model` (its `ground_truth` is what `rlvr.adapters.carried` says)
    and `extra_info` (`index`, `task_id`).

    Args:
        envs: made with `rlvr.make`, since verl's processes make them again.
        path: of the file; its folder is made.
        limit: the first so many tasks of each; needed where one has more than 100,000.

    Returns:
        How many rows there are.
    """
    carried = rows(envs, limit)
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
        for index, (env, task, text) in enumerate(carried)
    ]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), str(path))
    return len(table)
