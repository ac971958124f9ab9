"""Questions over a database that the model may look at first: its queries' results come back.

A message with a query in a ```sql block is a look. The answer is a message with the query between
<answer> and </answer>; it's judged like any other, on all databases of the task. A look reads the
first of them alone.
"""

from __future__ import annotations

from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import CannotScore
from rlvr.core.registry import environment
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.thinking import after_thinking
from rlvr.core.verdict import Status, Unscored
from rlvr.envs.fixtures import sql_fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.spider import SOURCE
from rlvr.envs.sql import tasks_of
from rlvr.envs.turns import MultiTurn
from rlvr.scoring import score
from rlvr.verifiers.sql import Sql
from rlvr.verifiers.sql.extraction import find_query
from rlvr.verifiers.sql.result_text import Look
from rlvr.verifiers.sql.verifier import Preset

PROMPT = Prompt(
    "An SQLite database has these tables:\n\n{schema}\n\nQuestion: {question}\n{hint}\n"
    "You may run read-only queries before you answer: put one in a ```sql block, and its result "
    "comes back. When you are sure, answer with one SQLite query between <answer> and </answer>."
)
_HOW = (
    "Put a query in a ```sql block to see its result, or answer with one between <answer> and "
    "</answer>."
)


class AnsweredSql(Sql):
    """`Sql` whose own answer is marked as the answer."""

    def demonstrate(self, task: Task) -> str | None:
        """Return the reference query between the marks."""
        shown = super().demonstrate(task)
        return None if shown is None else f"<answer>\n{shown}\n</answer>"


class SqlExplore(MultiTurn):
    """Replies with the results of queries; see the module."""

    def __init__(
        self, tasks: TaskSet, verifier: Sql, max_turns: int, look: Look, **options: Any
    ) -> None:
        super().__init__(tasks, verifier, max_turns=max_turns, **options)
        self.look = look

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the result of the message's query, or None if the message is the answer.

        Raises `CannotScore` if the database can't be read.
        """
        message = messages[-1]["content"]
        if "</answer>" in after_thinking(message):
            return None
        extracted = find_query(message)
        if extracted.query is None:
            return f"There's no query: {extracted.reason}. {_HOW}"
        (seen,) = score([task], [extracted.query], self.look)
        if isinstance(seen, Unscored):
            raise CannotScore(seen.cause, seen.message)
        if seen.status is Status.CORRECT:
            return f"{seen.feedback}\n\n{_HOW}"
        return f"It didn't run: {seen.feedback}\n\n{_HOW}"


@environment("sql_explore", gym_name="SQLExplore")
def make(
    split: str = "train",
    data: str | None = None,
    databases: str | None = None,
    preset: Preset = "rlvr",
    max_turns: int = 6,
    shown_rows: int = 20,
    shown_characters: int = 2000,
    rows: int = 0,
    characters: int = 4000,
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make questions over a database that may be explored first (default: Spider's).

    Args:
        split: train or dev.
        data: a local file, or a folder laid out like `RLVR_DATA`; by default `RLVR_DATA`, then the Hub.
        databases: the folder of the databases; by default `sql/databases` of `RLVR_DATA`.
        preset: whose rules decide.
        max_turns: responses an episode may take; the last is judged as it stands.
        shown_rows: of a look's result, at most.
        shown_characters: of a look's result, at most.
        rows: of each table that the prompt shows.
        characters: that the schema may take in the prompt.
        prompt: may use {schema}, {question} and {hint}.
    """
    template = Prompt.of(prompt)
    SOURCE.check_split(split)

    def load() -> list[Task]:
        return list(tasks_of(SOURCE, split, data, databases, template, rows, characters))

    look = Look(shown_rows, shown_characters)
    tasks = TaskSet(load, "sql_explore")
    fixtures = sql_fixtures_of("sql_explore", preset == "rlvr" and max_turns > 1)
    return SqlExplore(tasks, AnsweredSql(preset), max_turns, look, fixtures=fixtures)
