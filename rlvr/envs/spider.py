"""Spider: questions over databases of many domains (Yu et al., arXiv:1809.08887), `xlangai/spider`.

One of them::

    How many singers do we have?
    SELECT count(*) FROM singer            (in the database concert_singer)

The Hub has the questions. The databases come from https://yale-lily.github.io/spider: name their
folder with `databases`, flat or as published (`concert_singer/concert_singer.sqlite`).
"""

from __future__ import annotations

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource
from rlvr.envs.fixtures import sql_fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.sql import PROMPT, tasks_of
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.sql import Sql
from rlvr.verifiers.sql.verifier import Preset

SOURCE = DataSource(
    hub_id="xlangai/spider",
    config=None,
    splits={"train": "train", "dev": "validation"},
    files={"train": "sql/queries.jsonl", "dev": "sql/spider_dev.jsonl"},
    columns=("question",),
)


@environment("spider", gym_name="Spider")
def make(
    split: str = "train",
    data: str | None = None,
    databases: str | None = None,
    preset: Preset = "rlvr",
    rows: int = 3,
    characters: int = 8000,
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make Spider's questions, which are answered by a query.

    Args:
        split: train (7000 questions on the Hub) or dev (1034).
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        databases: the folder of the databases; by default `sql/databases` of `RLVR_DATA`.
        preset: whose rules decide; `spider` for figures that compare with published ones.
        rows: of each table that the prompt shows.
        characters: that the schema may take in the prompt.
        prompt: may use {schema}, {question} and {hint}.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)

    def load() -> list[Task]:
        return list(tasks_of(SOURCE, split, data, databases, template, rows, characters))

    fixtures = sql_fixtures_of("spider", preset == "rlvr")
    return SingleTurn(TaskSet(load, "spider"), Sql(preset), fixtures=fixtures)
