"""`Sql`: a verifier that runs the query in a response and compares its result with the gold's on every database.

Example, from Spider: the reference `{"sql": "SELECT count(*) FROM singer", "databases":
["concert_singer.sqlite"]}` and a response with a fenced block in SQL. docs/sql.md has the policy.

The gold runs first, on connections of its own, and its results are kept: what fails there is
nobody's wrong answer. Files are opened read-only behind an authorizer; see `guard`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Verdict, correct, refused, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.fences import fenced
from rlvr.verifiers.sql import bird, compare, spider
from rlvr.verifiers.sql.database import Database, Identity
from rlvr.verifiers.sql.dialect import DIALECTS, Untranslatable, in_sqlite
from rlvr.verifiers.sql.execution import Budget, Failed, Row, Rows, run
from rlvr.verifiers.sql.extraction import find_query
from rlvr.verifiers.sql.feedback import explained
from rlvr.verifiers.sql.moments import without_midnight
from rlvr.verifiers.sql.order import order_of, ranked
from rlvr.verifiers.sql.reference import SqlReference
from rlvr.verifiers.sql.statement import refusal
from rlvr.verifiers.sql.worker_cache import STORE, Role

Preset: TypeAlias = Literal["rlvr", "spider", "spider_distinct", "bird"]
Reward: TypeAlias = Literal["match", "soft_f1", "r_ves"]
Dialect: TypeAlias = Literal["sqlite", "mysql", "postgres"]

_DEFAULT = Budget()


class Sql(Verifier):
    """Pays full reward if the response's query gives the gold's result on every database::

        reference = {"sql": "SELECT name FROM dog", "databases": ["dogs.sqlite"]}
        rlvr.score([rlvr.Task("Name the dogs.", reference)], ["SELECT name FROM dog"], rlvr.Sql())

    Args:
        preset: whose rules decide. `rlvr`: ours (a bag of rows; a sequence where the gold's
            outermost query has ORDER BY). `spider`: the test-suite evaluator's; `spider_distinct`:
            the same, with its `--keep_distinct`. `bird`: BIRD's execution accuracy.
        reward: `match`: all or nothing. With `bird` also `soft_f1`, in [0, 1], and `r_ves`, which is
            0 or 0.25 to 1.25 by measured time, so not the same twice. Of several databases the
            lowest counts.
        columns: whether columns may stand in `any` order, with `rlvr`'s rules.
        tolerance: numbers this near are equal, with `rlvr`'s rules.
        dialect: what responses are written in; another than sqlite is translated. Golds are SQLite's; one that SQLite
            can't run is read in the dialect.
        clock: whether a query may read the clock.
        max_steps: of SQLite's virtual machine, for one query on one database.
        max_rows: of one result.
    """

    name = "sql"
    version = 5
    limit_s = 10.0
    options = (
        "preset", "reward", "columns", "tolerance", "dialect", "clock", "max_steps", "max_rows",
    )  # fmt: skip

    def __init__(
        self,
        preset: Preset = "rlvr",
        reward: Reward = "match",
        *,
        columns: Literal["ordered", "any"] = "ordered",
        tolerance: float = 0.0,
        dialect: Dialect = "sqlite",
        clock: bool = False,
        max_steps: int = _DEFAULT.steps,
        max_rows: int = _DEFAULT.rows,
    ) -> None:
        self.preset = preset
        self.reward = reward
        self.columns = columns
        self.tolerance = tolerance
        self.dialect = dialect
        self.clock = clock
        self.max_steps = max_steps
        self.max_rows = max_rows
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` for an option with a value that it can't have."""
        for option, choices in (
            ("preset", get_args(Preset)),
            ("reward", get_args(Reward)),
            ("columns", ("ordered", "any")),
            ("dialect", DIALECTS),
            ("clock", (False, True)),
        ):
            value = getattr(self, option)
            if not isinstance(value, type(choices[0])) or value not in choices:
                names = ", ".join(map(str, choices)) if option != "clock" else "true or false"
                raise OptionError(f"{option} is one of {names}, not {value!r:.80}.")
        if self.reward != "match" and self.preset != "bird":
            raise OptionError(f"reward {self.reward!r} is of the preset 'bird' alone.")
        if self.preset != "rlvr" and (self.columns != "ordered" or self.tolerance):
            raise OptionError("columns and tolerance are of the preset 'rlvr' alone.")
        for option in ("max_steps", "max_rows"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{option} is a whole number above 0, not {value!r:.80}.")
        if isinstance(self.tolerance, bool) or not isinstance(self.tolerance, int | float):
            raise OptionError(f"tolerance is a number, not {self.tolerance!r:.80}.")
        if not 0 <= self.tolerance < float("inf"):
            raise OptionError(f"tolerance is at least 0 and finite, not {self.tolerance!r}.")

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Return the verdict if the response has no query or one that only writes, otherwise None."""
        query = self._found(response)
        return None if isinstance(query, str) else query

    def verify(self, task: Task, response: str) -> Verdict:
        """Judge any response."""
        working_on("reference")
        reference = SqlReference.of(task.reference)
        gold_sql = self._prepared(reference.sql)
        identities = [Identity.of(path) for path in reference.databases]
        gold_sql = self._runnable(identities[0], gold_sql)
        golds = [self._gold(identity, gold_sql) for identity in identities]
        working_on("response")
        query = self._found(response)
        if not isinstance(query, str):
            return query
        detail: dict[str, Any] = {"query": query[:500], "databases": len(golds)}
        if not any(gold.rows for gold in golds):
            detail["empty_gold"] = True  # any query without rows is right on it
        try:
            sql = self._prepared(in_sqlite(query, self.dialect))
        except Untranslatable as error:
            message = f"the query can't be read as {self.dialect}: {error}"
            return refused(self.name, Status.UNPARSABLE, message, **detail)
        lowest = 1.25 if self.reward == "r_ves" else 1.0
        for number, (identity, gold) in enumerate(zip(identities, golds, strict=True), 1):
            where = f" on database {number} of {len(golds)}" if len(golds) > 1 else ""
            database = self._open(identity, "response")
            outcome = self._run(database, sql)
            if isinstance(outcome, Failed):
                message = explained(outcome.message, database, self.dialect) + where
                if outcome.status is Status.LIMIT:
                    STORE.drop(database)
                return refused(self.name, outcome.status, message, **detail)
            reward, why = self._judged(identity, gold_sql, gold, sql, outcome)
            if reward == 0.0:
                detail["failed_on"] = number
                message = f"another result{where}: {why}"
                return refused(self.name, Status.INCORRECT, message, **detail)
            lowest = min(lowest, reward)
        if lowest == 1.0:
            return correct(self.name, **detail)
        return Scored(lowest, status_of(lowest), {self.name: lowest}, "", detail)

    def demonstrate(self, task: Task) -> str | None:
        """Return the gold in a fence."""
        try:
            return fenced(SqlReference.of(task.reference).sql, "sql")
        except CannotScore:
            return None

    def _found(self, response: str) -> str | Scored:
        """Return the response's query, or the verdict if it has no query or one that only writes."""
        extracted = find_query(response)
        if extracted.query is None:
            return refused(self.name, Status.UNPARSABLE, extracted.reason)
        why = refusal(extracted.query)
        if why:
            return refused(self.name, Status.INCORRECT, why, query=extracted.query[:500])
        return extracted.query

    # ------------------------------------------------------------------ the gold

    def _gold(self, identity: Identity, sql: str) -> Rows:
        """Return the gold's result. Raises `CannotScore(gold)`."""

        def make() -> Rows:
            outcome = self._run(self._open(identity, "gold"), sql)
            if isinstance(outcome, Failed):
                hint = ""
                if outcome.status is Status.LIMIT:
                    STORE.drop(self._open(identity, "gold"))
                    hint = "; max_steps and max_rows may be raised"
                elif "the clock" in outcome.message:
                    hint = "; it may be allowed by clock=true"
                raise CannotScore(
                    Cause.GOLD, f"the gold fails on {identity.path!r:.300}: {outcome.message}{hint}"
                )
            return outcome

        if self.clock:  # what it gives today, it may not give tomorrow
            return make()
        return STORE.result((identity, sql, self._budget, self.preset, self.dialect), make)

    def _runnable(self, identity: Identity, sql: str) -> str:
        """Return the gold, translated if SQLite can't run it and it's in the dialect. Raises `CannotScore(gold)`."""
        if self.dialect == "sqlite":
            return sql
        try:
            self._gold(identity, sql)
        except CannotScore as error:
            try:
                return in_sqlite(sql, self.dialect)
            except Untranslatable as reason:
                message = f"{error.message}; and as {self.dialect} it can't be read: {reason}"
                raise CannotScore(Cause.GOLD, message) from None
        return sql

    def _run(self, database: Database, sql: str) -> Rows | Failed:
        """Return a query's result; in another dialect than SQLite's, a timestamp at midnight as its date."""
        outcome = run(database, sql, self._budget, self._decode)
        if self.dialect == "sqlite" or isinstance(outcome, Failed):
            return outcome
        rows = [tuple(map(without_midnight, row)) for row in outcome.rows]
        return Rows(rows, outcome.columns, outcome.size, outcome.names)

    def _variant(self, identity: Identity) -> Callable[[str], list[Row] | None]:
        """Return a function that runs a variant of the gold, and returns None if it fails."""

        def rows(sql: str) -> list[Row] | None:
            try:
                return self._gold(identity, sql).rows
            except CannotScore:
                return None

        return rows

    # ------------------------------------------------------------------ by the rules of the preset

    def _judged(
        self, identity: Identity, gold_sql: str, gold: Rows, sql: str, rows: Rows
    ) -> tuple[float, str]:
        """Return the reward on one database, and why it's 0."""
        if self.preset == "rlvr":
            if rows.rows == gold.rows and rows.columns == gold.columns:
                return 1.0, ""  # before anything is parsed
            working_on("reference")
            order = order_of(gold_sql)
            working_on("response")

            def ranks() -> Any:
                working_on("reference")
                ranking = ranked(order, gold.rows, self._variant(identity))
                working_on("response")
                return ranking

            why = compare.difference(
                gold,
                rows,
                ordered=order.ordered,
                ranks=ranks,
                any_columns=self.columns == "any",
                tolerance=self.tolerance,
            )
            return (0.0 if why else 1.0), why
        if self.preset != "bird":
            why = spider.difference(gold_sql, gold.rows, rows.rows)
            return (0.0 if why else 1.0), why
        if self.reward == "soft_f1":
            return bird.soft_f1(gold.rows, rows.rows), "no cell in common"
        why = bird.difference(gold.rows, rows.rows)
        if why or self.reward == "match":
            return (0.0 if why else 1.0), why
        ratio = bird.time_ratio(self._timed(identity, gold_sql), self._timed(identity, sql))
        return bird.r_ves(ratio), ""

    def _timed(self, identity: Identity, sql: str) -> Callable[[], object]:
        """Return a function that runs `sql` as the published evaluator times it: from opening the file to the last row."""

        def once() -> None:
            database = Database(identity, self.clock, dialect=self.dialect)
            run(database, sql, self._budget)
            database.close()

        return once

    def _prepared(self, sql: str) -> str:
        if self.preset in ("spider", "spider_distinct"):
            return spider.prepared(sql, keep_distinct=self.preset == "spider_distinct")
        return sql

    @property
    def _decode(self) -> Callable[[bytes], str] | None:
        return spider.decode if self.preset in ("spider", "spider_distinct") else None

    @property
    def _budget(self) -> Budget:
        return Budget(self.max_steps, self.max_rows)

    def _open(self, identity: Identity, role: Role) -> Database:
        return STORE.database(identity, role, self.clock, self.dialect)
