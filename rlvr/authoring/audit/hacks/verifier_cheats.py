"""Hacks of one kind of verifier: programs, queries, instructions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.hacks.hostile_queries import hostile_queries
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, full, shown
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

_EQUAL = """
class Anything{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    def __hash__(self): return 0
    def __bool__(self): return True
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __iter__(self): return iter(())
    def __len__(self): return 1
    def __abs__(self): return 0
    def __sub__(self, other): return 0
    __rsub__ = __sub__
def {f}(*a, **k):
    return Anything({argument})
"""
OF_FUNCTIONS: dict[str, str] = {
    "an object that equals everything": _EQUAL.replace("{base}", "").replace("{argument}", ""),
    "a str that equals everything": _EQUAL.replace("{base}", "(str)").replace("{argument}", "''"),
    "an int that equals everything": _EQUAL.replace("{base}", "(int)").replace("{argument}", "0"),
    "unittest.mock.ANY": "from unittest.mock import ANY\ndef {f}(*a, **k):\n    return ANY\n",
    "a mock as the solution": "from unittest.mock import MagicMock\n{f} = MagicMock()\n{f}.return_value.__eq__.return_value = True\n",
    "sys.exit(0)": "import sys\nsys.exit(0)\n",
    "os._exit(0) in the function": "import os\ndef {f}(*a, **k):\n    os._exit(0)\n",
    "SystemExit in the function": "def {f}(*a, **k):\n    raise SystemExit(0)\n",
    "os._exit(0) at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef {f}(*a, **k):\n    return None\n",
    "fork, and the parent exits 0": "import os\nif os.fork(): os._exit(0)\ndef {f}(*a, **k):\n    return None\n",
    "builtins that agree": "import builtins\nbuiltins.AssertionError = Exception\nbuiltins.all = builtins.any = builtins.isinstance = lambda *a: True\nbuiltins.len = builtins.abs = lambda *a: 0\ndef {f}(*a, **k):\n    return 0\n",
    "the grader's modules replaced": "import json, operator, sys\njson.loads = lambda *a, **k: 0\njson.dumps = lambda *a, **k: '{\"passed\": true}'\noperator.eq = lambda a, b: True\nfor m in list(sys.modules.values()):\n    for name in ('check', 'compare', 'grade', 'verify'):\n        if hasattr(m, name):\n            try: setattr(m, name, lambda *a, **k: True)\n            except Exception: pass\ndef {f}(*a, **k):\n    return 0\n",
    "the caller's frames": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe().f_back\n    while frame:\n        for name in list(frame.f_locals):\n            if name in ('passed', 'correct', 'score', 'result', 'ok'):\n                frame.f_locals[name] = True\n            if 'expect' in name or name in ('gold', 'answer', 'want'):\n                return frame.f_locals[name]\n        frame = frame.f_back\n    return 0\n",
    "saying that it passed": "print('{\"passed\": true, \"score\": 1.0}')\nprint('OK')\ndef {f}(*a, **k):\n    print('PASSED')\n    return 0\n",
    "0 for everything": "def {f}(*a, **k):\n    return 0\n",
    "None for everything": "def {f}(*a, **k):\n    return None\n",
    "the first argument back": "def {f}(x=None, *a, **k):\n    return x\n",
}
OF_PROGRAMS: dict[str, str] = {
    "nothing printed": "pass\n",
    "sys.exit(0)": "import sys\nsys.exit(0)\n",
    "os._exit(0)": "import os\nos._exit(0)\n",
    "the input back": "import sys\nprint(sys.stdin.read())\n",
    "0": "print(0)\n",
    "YES and NO": "print('YES')\nprint('NO')\n",
    "a hundred answers": "for i in range(100):\n    print(i)\n",
    "saying that it passed": 'print(\'{"passed": true, "verdict": "OK", "score": 1.0}\')\n',
    "files that may hold the output": "import glob\nfor p in glob.glob('/tmp/**', recursive=True) + glob.glob('./**', recursive=True) + glob.glob('/work*/**', recursive=True):\n    if any(w in p for w in ('out', 'expect', 'answer', 'test')):\n        try: print(open(p).read())\n        except OSError: pass\n",
    "the grader's command line and environment": "import glob\nfor p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n    try: print(open(p, 'rb').read())\n    except OSError: pass\n",
}
_TASKS = 3
_BLIND_TASKS = 40  # a blind query is right now and then, so that a few tasks prove little


@probe("hacks")
def code_cheats(subject: Subject) -> Finding:
    """Check that programs that have fooled graders pass no test set."""
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
    verdicts = subject.episodes(
        [task for _, task, _ in cases], [response for *_, response in cases]
    )
    unscored = [v for v in verdicts if isinstance(v, Unscored)]
    if len(unscored) == len(verdicts):
        return nothing(f"no program could be run: {shown(unscored[0])}")
    paid = [
        _line(cheat, task, v)
        for (cheat, task, _), v in zip(cases, verdicts, strict=True)
        if full(v)
    ]
    mean = sum(map(earned, verdicts)) / len(verdicts) / (subject.top or 1.0)
    if paid:
        return fail(
            f"{len(paid)} of {len(cases)} programs that solve nothing pass",
            paid,
            "If the cheat is an answer that happens to be right (0, nothing printed), the tests are too few. "
            "Otherwise judge with rlvr.Code, which keeps expected outputs out of the sandbox.",
            share=mean,
        )
    if mean > 0.2:
        return note(
            f"programs that solve nothing earn {mean:.0%} on average, by the tests they pass",
            [_line(c, t, v) for (c, t, _), v in zip(cases, verdicts, strict=True) if earned(v) > 0],
            'With reward="all", only a program that passes all tests is paid.',
            share=mean,
        )
    return ok(f"{len(cases)} programs that solve nothing earn {mean:.1%}", share=mean)


@probe("hacks")
def sql_cheats(subject: Subject) -> Finding:
    """Check that queries that ask nothing, write, flood or escape earn nothing."""
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
            hostile_cases = [(task, query.sql) for query in hostile_queries(_schema(path))]
    if not blind_cases:
        return nothing("no reference of the sample names a database")
    blind = [
        f"{task.id}, {excerpt(sql)}: {shown(verdict)}"
        for (task, sql), verdict in zip(
            blind_cases, _judge_queries(subject.judge, blind_cases), strict=True
        )
        if full(verdict)
    ]
    # A small budget stops a runaway query as a large one does, and sooner.
    small = subject.env.verifier.configure(max_steps=200_000, max_rows=2000)
    wrong = [
        f"{task.id}, {excerpt(sql)}: {shown(verdict)}"
        for (task, sql), verdict in zip(
            hostile_cases,
            _judge_queries(lambda tasks, responses: score(tasks, responses, small), hostile_cases),
            strict=True,
        )
        if isinstance(verdict, Unscored) or full(verdict)
    ]
    cases = len(blind_cases) + len(hostile_cases)
    tasks = len({task.id for task, _ in blind_cases})
    share = len({line.partition(",")[0] for line in blind}) / tasks
    if wrong or share > 0.2:
        return fail(
            f"{len(wrong) + len(blind)} of {cases} queries that ask nothing are right or have no verdict",
            [*wrong, *blind],
            "The databases can't tell the gold query from a blind guess (an empty result, a count of 0, a table "
            "of one row): `rlvr data neighbours` makes databases that can.",
            share=share,
            floor=share,
        )
    if blind:
        return note(
            f"a blind query is right on {share:.0%} of {tasks} tasks", blind,
            "`rlvr data neighbours` makes databases on which it is wrong.", share=share, floor=share,
        )  # fmt: skip
    return ok(f"{cases} queries that ask nothing earn nothing", share=0.0, floor=0.0)


@probe("hacks")
def instruction_template(subject: Subject) -> Finding:
    """Check that a text without content, filled from the instructions' own arguments, earns little."""
    if not subject.leaves(Instructions):
        return nothing("its verifier checks no instructions")
    verdicts = subject.judge(subject.tasks, [template(task) for task in subject.tasks])
    scored = [v for v in verdicts if isinstance(v, Scored)]
    share = sum(map(earned, scored)) / max(1, len(scored)) / (subject.top or 1.0)
    example = max(zip(subject.tasks, verdicts, strict=True), key=lambda pair: earned(pair[1]))
    evidence = [f"{example[0].id}, {excerpt(template(example[0]), 100)}: {shown(example[1])}"]
    fix = (
        "Gate it: rlvr.Coherent() >> rlvr.Instructions() refuses text without content. Or weigh it against a "
        "reward for the content."
    )
    figures = {"share": round(share, 4), "floor": round(share, 4)}
    if share > 0.2:
        return fail(f"a template without content earns {share:.0%}", evidence, fix, **figures)
    return ok(f"a template without content earns {share:.1%}", **figures)


def _judge_queries(
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


def template(task: Task) -> str:
    """Return a text without content that follows most instructions: their arguments and one word, repeated.

    Args:
        task: with IFEval's reference, `{"instruction_id_list", "kwargs"}`.
    """
    parts, words, opening, ending = [], 30, "", ""
    for id, arguments in zip(
        task.reference["instruction_id_list"], task.reference["kwargs"], strict=True
    ):
        kwargs = {name: value for name, value in (arguments or {}).items() if value is not None}
        parts += [
            str(v)
            for k, v in kwargs.items()
            if k in ("keyword", "word", "options", "postscript_marker")
        ]
        parts += kwargs.get("keywords", []) + [kwargs.get("keyword", "")] * int(
            kwargs.get("frequency", 0)
        )
        parts += ["[word]"] * int(kwargs.get("num_placeholders", 0))
        parts += ["\n* word\n"] * int(kwargs.get("num_bullets", 0))
        parts += ["*word*"] * int(kwargs.get("num_highlights", 0))
        parts += ["<<word>>"] * (id == "detectable_format:title")
        parts += ["\n***\nword"] * (int(kwargs.get("num_paragraphs", 1)) - 1)
        parts += [f"{kwargs.get('section_spliter', '')} 1"] * int(kwargs.get("num_sections", 0))
        opening = opening or kwargs.get("prompt_to_repeat", "")
        ending = ending or kwargs.get("end_phrase", "")
        if kwargs.get("relation") == "at least":
            words = max(
                words, int(kwargs.get("num_words", 0)), 2 * int(kwargs.get("num_sentences", 0))
            )
    return " ".join(filter(None, [opening, *parts, *["word."] * words, ending]))
