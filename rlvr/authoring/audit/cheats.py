"""Hacks of one kind of verifier: programs, queries, instructions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, full, shown
from rlvr.authoring.code_cheats import OF_FUNCTIONS, OF_PROGRAMS
from rlvr.authoring.hostile_queries import hostile_queries
from rlvr.authoring.instruction_template import template
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Unscored, Verdict
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference as CodeReference
from rlvr.verifiers.fences import fenced
from rlvr.verifiers.instructions import Instructions
from rlvr.verifiers.sql import Sql
from rlvr.verifiers.sql.database import opened
from rlvr.verifiers.sql.reference import Reference as SqlReference
from rlvr.verifiers.sql.schema import Schema, quoted, read_schema

_TASKS = 3


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
    cases: list[tuple[str, Task, str]] = []
    for task in subject.tasks[: 3 * _TASKS]:
        try:
            paths = SqlReference.of(task.reference).databases
        except CannotScore:
            continue
        cases += [("blind", task, query) for query in _blind(paths[0])]
        if len({t.id for _, t, _ in cases}) <= 2:
            cases += [("hostile", task, one.sql) for one in hostile_queries(_schema(paths[0]))]
    if not cases:
        return nothing("no reference of the sample names a database")
    verdicts = subject.judge(
        [task for _, task, _ in cases], [fenced(sql, "sql") for *_, sql in cases]
    )
    wrong: list[str] = []
    blind: list[str] = []
    for (kind, task, sql), verdict in zip(cases, verdicts, strict=True):
        if isinstance(verdict, Unscored) and kind == "hostile":
            wrong.append(f"{task.id}, {excerpt(sql)}: {shown(verdict)}")
        elif full(verdict):
            (wrong if kind == "hostile" else blind).append(
                f"{task.id}, {excerpt(sql)}: {shown(verdict)}"
            )
    tasks = len({task.id for kind, task, _ in cases})
    share = len({line.partition(",")[0] for line in blind}) / tasks
    if wrong or share > 0.2:
        return fail(
            f"{len(wrong) + len(blind)} of {len(cases)} queries that ask nothing are right",
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
    return ok(f"{len(cases)} queries that ask nothing earn nothing", share=0.0, floor=0.0)


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
