"""Hacks of one kind of verifier: programs, queries, instructions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, full, shown
from rlvr.authoring.code_cheats import OF_FUNCTIONS, OF_PROGRAMS
from rlvr.authoring.hostile_queries import hostile_queries
from rlvr.authoring.instruction_template import template
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Unscored, Verdict
from rlvr.scoring import score
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference as CodeReference
from rlvr.verifiers.fences import fenced
from rlvr.verifiers.instructions import Instructions
from rlvr.verifiers.sql import Sql
from rlvr.verifiers.sql.database import opened
from rlvr.verifiers.sql.reference import SqlReference
from rlvr.verifiers.sql.schema import Schema, quoted, read_schema

_TASKS = 3
_BLIND_TASKS = 40  # a blind query is right now and then: in few tasks that says little


@probe("hacks")
def code_cheats(subject: Subject) -> Finding:
    """Programs that were seen to fool graders pass no test set."""
    verifiers = subject.leaves(Code)
    if not verifiers:
        return nothing("its verifier runs no programs")
    cases: list[tuple[str, Task, str]] = []
    for task in subject.tasks[:_TASKS]:
        try:
            reference = CodeReference.of(task.reference, verifiers[0].language)
        except CannotScore:
            continue
        name = reference.entry_point or reference.sought
        if reference.language != "python":
            continue
        sources = OF_FUNCTIONS if name else OF_PROGRAMS
        for cheat, source in sources.items():
            cases.append((cheat, task, fenced(source.replace("{f}", name), "python")))
    if not cases:
        return nothing("no task of the sample asks for Python")
    verdicts = subject.episodes([task for _, task, _ in cases], [said for *_, said in cases])
    unscored = [v for v in verdicts if isinstance(v, Unscored)]
    if len(unscored) == len(verdicts):
        return nothing(f"no program could be run: {shown(unscored[0])}")
    passed = [
        _line(cheat, task, v)
        for (cheat, task, _), v in zip(cases, verdicts, strict=True)
        if full(v)
    ]
    mean = sum(map(earned, verdicts)) / len(verdicts) / (subject.top or 1.0)
    if passed:
        return fail(
            f"{len(passed)} of {len(cases)} programs that solve nothing pass",
            passed,
            "Where the cheat is an answer that happens to be right (0, nothing printed), the tests are "
            "too few; else judge with rlvr.Code, which keeps expected outputs out of the sandbox.",
            share=mean,
        )
    if mean > 0.2:
        return note(
            f"programs that solve nothing earn {mean:.0%} on average, by the tests they pass",
            [_line(c, t, v) for (c, t, _), v in zip(cases, verdicts, strict=True) if earned(v) > 0],
            'reward="all" pays for nothing less than all tests.',
            share=mean,
        )
    return ok(f"{len(cases)} programs that solve nothing earn {mean:.1%}", share=mean)


@probe("hacks")
def sql_cheats(subject: Subject) -> Finding:
    """Queries that ask nothing, write, flood or get out earn nothing."""
    if not subject.leaves(Sql):
        return nothing("its verifier runs no queries")
    blind_cases: list[tuple[Task, str]] = []
    hostile_cases: list[tuple[Task, str]] = []
    for task in subject.tasks[:_BLIND_TASKS]:
        try:
            path = SqlReference.of(task.reference).databases[0]
        except CannotScore:
            continue
        blind_cases += [(task, query) for query in _blind(path)]
        if not hostile_cases:
            hostile_cases = [(task, one.sql) for one in hostile_queries(_schema(path))]
    if not blind_cases:
        return nothing("no reference of the sample names a database")
    blind = [
        f"{task.id}, {excerpt(sql)}: {shown(verdict)}"
        for (task, sql), verdict in zip(
            blind_cases, _asked(subject.judge, blind_cases), strict=True
        )
        if full(verdict)
    ]
    # What runs away is stopped by a small budget as by a large one, and sooner.
    small = subject.env.verifier.configure(max_steps=200_000, max_rows=2000)
    wrong = [
        f"{task.id}, {excerpt(sql)}: {shown(verdict)}"
        for (task, sql), verdict in zip(
            hostile_cases,
            _asked(lambda tasks, said: score(tasks, said, small), hostile_cases),
            strict=True,
        )
        if isinstance(verdict, Unscored) or full(verdict)
    ]
    cases = len(blind_cases) + len(hostile_cases)
    tasks = len({task.id for task, _ in blind_cases})
    share = len({line.partition(",")[0] for line in blind}) / tasks
    if wrong or share > 0.2:
        return fail(
            f"{len(wrong) + len(blind)} of {cases} queries that ask nothing are right, or have no verdict",
            [*wrong, *blind],
            "The databases don't tell the gold from a blind guess (an empty result, a count of 0, a table "
            "of one row): `rlvr data neighbours` makes databases that do.",
            share=share,
            floor=share,
        )
    if blind:
        return note(
            f"a blind query is right on {share:.0%} of {tasks} tasks", blind,
            "`rlvr data neighbours` makes databases on which it shows.", share=share, floor=share,
        )  # fmt: skip
    return ok(f"{cases} queries that ask nothing earn nothing", share=0.0, floor=0.0)


@probe("hacks")
def instruction_template(subject: Subject) -> Finding:
    """A template filled from the instructions' own arguments, which says nothing, earns little."""
    if not subject.leaves(Instructions):
        return nothing("its verifier checks no instructions")
    verdicts = subject.judge(subject.tasks, [template(task) for task in subject.tasks])
    scored = [v for v in verdicts if isinstance(v, Scored)]
    share = sum(map(earned, scored)) / max(1, len(scored)) / (subject.top or 1.0)
    example = max(zip(subject.tasks, verdicts, strict=True), key=lambda pair: earned(pair[1]))
    evidence = [f"{example[0].id}, {excerpt(template(example[0]), 100)}: {shown(example[1])}"]
    mend = (
        "Gate it: rlvr.Coherent() >> rlvr.Instructions() refuses text without content; or weigh it "
        "against a reward for what's said."
    )
    figures = {"share": round(share, 4), "floor": round(share, 4)}
    if share > 0.2:
        return fail(f"a template without content earns {share:.0%}", evidence, mend, **figures)
    return ok(f"a template without content earns {share:.1%}", **figures)


def _asked(
    judge: Callable[[list[Task], list[str]], list[Verdict]], cases: list[tuple[Task, str]]
) -> list[Verdict]:
    return judge([task for task, _ in cases], [fenced(sql, "sql") for _, sql in cases])


def _line(cheat: str, task: Task, verdict: Verdict) -> str:
    return f"{task.id}, {cheat}: {shown(verdict)}"


def _blind(path: str) -> Iterator[str]:
    schema = _schema(path)
    yield from (
        "SELECT 1",
        "SELECT 0",
        "SELECT 42",
        "SELECT NULL",
        "SELECT NULL WHERE 0",
        "SELECT ''",
    )
    for table in schema.tables[:6]:
        name = quoted(table.name)
        yield f"SELECT * FROM {name}"
        yield f"SELECT count(*) FROM {name}"
        yield f"SELECT * FROM {name} LIMIT 1"


def _schema(path: str) -> Schema:
    with contextlib.closing(opened(path)) as connection:
        return read_schema(connection)
