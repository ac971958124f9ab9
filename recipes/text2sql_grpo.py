"""Text-to-SQL by GRPO: a model learns to answer Spider's questions with correct queries.

    python recipes/text2sql_grpo.py --databases spider/database                  # one GPU
    accelerate launch --num_processes 8 recipes/text2sql_grpo.py --databases …   # several
    python recipes/text2sql_grpo.py --smoke                                      # on the CPU, without a network

Trains on Spider's 7,000 training questions (`xlangai/spider` on the Hub; Yu et al., arXiv:1809.08887)
and measures 256 of its 1,034 development questions. The databases aren't on the Hub: get them from
https://yale-lily.github.io/spider and name their folder. The reward is 1 if the query returns the rows of
the gold query, on read-only connections with limits (docs/sql.md), otherwise 0. All settings are our own.

A wrong query that is right on one database by chance is rewarded, too: `rlvr data neighbours` makes databases
that expose such queries, and `--data` takes the file that it writes.

Hardware (an estimate): one GPU with 80 GB for the default model of 1.5 billion parameters with
vLLM; on 24 GB `--lora 32 --vllm none`. It needs `pip install 'rlvr[train,vllm]'`.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import rlvr
from rlvr.training.config import Source


def config(
    model: str,
    databases: str,
    data: str | None = None,
    held_out: str | None = None,
    **changes: Any,
) -> rlvr.TrainConfig:
    """Return the run's configuration, with `changes` to its fields.

    `databases` is the folder of the databases; `data` and `held_out` are local files instead of the Hub.
    """
    settings: dict[str, Any] = {
        "trainer": "grpo",
        "steps": 300,
        "batch": 256,  # 32 questions, 8 queries each
        "group": 8,
        "micro_batch": 8,
        "max_tokens": 512,
        "learning_rate": 1e-6,
        "warmup_steps": 10,
        "measure_every": 20,
    }
    options = {"databases": databases}
    return rlvr.TrainConfig(
        model,
        environments=Source("spider", split="train", data=data, options=options),
        held_out=Source("spider", split="dev", data=held_out, options=options, limit=256),
        **settings | changes,
    )


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--databases", help="the folder of Spider's databases")
    parser.add_argument("--data", help="a file of questions instead of Spider's for training")
    parser.add_argument("--model", default="Qwen/Qwen2.5-Coder-1.5B-Instruct")
    parser.add_argument("--run", help="the run's folder (default: runs/train-TIME)")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--vllm", choices=["none", "colocate", "server"], default="colocate")
    parser.add_argument("--base-url", help="address of the vLLM server")
    parser.add_argument("--lora", type=int, help="rank of adapters (default: train all weights)")
    parser.add_argument("--resume", action="store_true", help="resume the run in --run")
    parser.add_argument("--smoke", action="store_true", help="a small run on the CPU")
    a = parser.parse_args()
    if a.smoke:
        run_smoke()
        return
    if a.databases is None:
        parser.error("name the folder of Spider's databases with --databases")
    run_config = config(
        a.model, a.databases, a.data, steps=a.steps, vllm=a.vllm, base_url=a.base_url, lora=a.lora
    )
    outcome = rlvr.train(run_config, a.run, resume=a.resume)
    print(f"{outcome.step} steps: rlvr view {outcome.run}")


QUESTIONS = [
    {"question": question, "query": query, "db_id": "harbour"}
    for question, query in (
        ("How many boats are there?", "SELECT count(*) FROM boat"),
        ("What is the longest boat called?", "SELECT name FROM boat ORDER BY length DESC LIMIT 1"),
        ("Which boats are under 9 metres?", "SELECT name FROM boat WHERE length < 9"),
    )
]
"""Data of the smoke run."""


def run_smoke() -> None:
    """Run the recipe, small and on the CPU, on a new database."""
    from _smoke import smoke

    with tempfile.TemporaryDirectory(prefix="rlvr-harbour-") as folder:
        database = sqlite3.connect(Path(folder, "harbour.sqlite"))
        database.execute("CREATE TABLE boat (name TEXT, length REAL)")
        boats = [("Petrel", 7.5), ("Heron", 8.2), ("Gannet", 12.0)]
        database.executemany("INSERT INTO boat VALUES (?, ?)", boats)
        database.commit()
        database.close()
        files = {"data": QUESTIONS, "held_out": QUESTIONS}
        smoke(partial(config, databases=folder), answers, files)


def answers(task: rlvr.Task) -> Sequence[str]:
    """Return the answers that the smoke run's model has memorised: the gold query and a wrong one."""
    return [f"```sql\n{task.reference['sql']}\n```", "```sql\nSELECT length FROM boat\n```"]


if __name__ == "__main__":
    main()
