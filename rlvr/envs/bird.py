"""BIRD: questions over large databases, with hints (Li et al., arXiv:2305.03111).

By default the 500 of its mini-dev, `birdsql/bird_mini_dev` on the Hub. One of them::

    What is the ratio of customers who pay in EUR against customers who pay in CZK?
    (hint: ratio of customers … = count(Currency = 'EUR') / count(Currency = 'CZK'))
    SELECT CAST(SUM(IIF(Currency = 'EUR', 1, 0)) AS FLOAT) / … FROM customers

The databases come from https://bird-bench.github.io: name their folder with `databases`, flat or as
published.
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
from rlvr.verifiers.sql.verifier import Preset, Reward

SOURCE = DataSource(
    hub_id="birdsql/bird_mini_dev",
    config=None,
    splits={"mini_dev": "mini_dev_sqlite"},
    files={"mini_dev": "sql/bird_mini_dev.jsonl"},
    columns=("question",),
)
_STEPS = 2_000_000_000  # its tables have millions of rows
_SECONDS = 60.0


@environment("bird", gym_name="BIRD")
def make(
    split: str = "mini_dev",
    data: str | None = None,
    databases: str | None = None,
    preset: Preset = "bird",
    reward: Reward = "match",
    rows: int = 3,
    characters: int = 12_000,
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make BIRD's questions, which are answered by a query and judged by BIRD's rules.

    Args:
        split: mini_dev (500 questions).
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        databases: the folder of the databases; by default `sql/databases` of `RLVR_DATA`.
        preset: whose rules decide; `rlvr` for ours, which count repeated rows and order.
        reward: `match`, `soft_f1` or `r_ves`; the latter two with the preset bird alone.
        rows: of each table that the prompt shows.
        characters: that the schema may take in the prompt.
        prompt: may use {schema}, {question} and {hint}.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)
    verifier = Sql(preset, reward, clock=True, max_steps=_STEPS)
    verifier.limit_s = _SECONDS

    def load() -> list[Task]:
        return list(tasks_of(SOURCE, split, data, databases, template, rows, characters))

    fixtures = sql_fixtures_of("bird", (preset, reward) == ("bird", "match"))
    return SingleTurn(TaskSet(load, "bird"), verifier, fixtures=fixtures)
