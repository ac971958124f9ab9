"""Probes of right answers in equal forms and in forms that just miss, by the kind of verifier."""

from __future__ import annotations

import itertools
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import sqlglot

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, apart, earned, excerpt, full, shown
from rlvr.authoring.audit.truth.math_rewrites import perturbations, rewritings
from rlvr.authoring.audit.truth.near_misses import near_json, near_texts
from rlvr.core.task import Task
from rlvr.core.thinking import after_thinking
from rlvr.core.verdict import Scored
from rlvr.verifiers.code import Code
from rlvr.verifiers.fences import fenced, fenced_blocks
from rlvr.verifiers.math import Math
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.numbers import read_number
from rlvr.verifiers.math.question import asked
from rlvr.verifiers.math.restated import restates
from rlvr.verifiers.sql import Sql

Case: TypeAlias = tuple[str, bool, Task, str]
_NEARLY = 0.5  # of the full reward, for answers that just miss
_TASKS = 12
_LATEX = re.compile(r"\\(?:d?frac|sqrt|pi|left|cdot)")
# What `simplified=True` refuses by its own definition.
_UNSIMPLE = {"doubled and halved", "7 added and taken off", "as a decimal", "as a fraction"}
_BOXED = re.compile(r"\\boxed\{(.+)\}", re.DOTALL)


@probe("truth")
def equal_forms(subject: Subject) -> Finding:
    """Check that a right answer stays right in other forms of the same value."""
    return _forms(
        subject,
        kept_answers,
        lambda verdict: not full(verdict),
        "refused",
        "A reward that depends on the spelling of a value teaches the spelling: compare values "
        "(rlvr.Math()), or ask for one form in the prompt.",
    )


@probe("truth")
def changed_answers_lose(subject: Subject) -> Finding:
    """Check that a right answer that is changed a little is wrong."""
    finding = _forms(
        subject,
        changed_answers,
        full,
        "paid in full",
        "Compare the whole answer: no `in`, no prefix, no set of letters, no tolerance wider than "
        "the task's.",
    )
    mean = finding.figures.get("mean", 0.0)
    if mean > _NEARLY:
        return note(
            f"right answers that are changed a little earn {mean:.0%} of the full reward on average",
            fix="If a near miss earns nearly everything, little is left to learn: pay less for it.",
            mean=mean,
        )
    return finding


def kept_answers(subject: Subject) -> Iterator[Case]:
    """Yield right answers in other forms."""
    math = subject.leaves(Math)
    for task, response in subject.solved[:_TASKS]:
        before, gold, after = _framed(task, response)
        if math and gold is not None:
            from rlvr.verifiers.math.symbolic import Stages  # SymPy takes 0.2 s to import

            strict, leaf = any(verifier.simplified for verifier in math), Stages()
            for name, text in rewritings(gold):
                # The task may ask for one form and not for another.
                if not (strict and name in _UNSIMPLE) and not restates(
                    asked(task), gold, text, leaf
                ):
                    yield name, True, task, f"{before}{text}{after}"
        elif subject.leaves(Sql):
            yield from ((n, True, task, fenced(q, "sql")) for n, q in _same_query(_block(response)))
        elif subject.leaves(Code) and "```python" in response:
            source = _block(response)
            yield "with a comment", True, task, fenced(f"# solved\n{source}\n", "python")
            yield "with another import", True, task, fenced(f"import sys\n{source}", "python")
        elif gold is not None and (_LATEX.search(gold) or read_number(clean(gold)) is not None):
            certain = bool(_LATEX.search(gold))  # a value in LaTeX has many spellings
            for name, text in rewritings(gold):
                if name in ("\\dfrac", "\\left and \\right", "between dollars"):
                    yield name, certain, task, f"{before}{text}{after}"
                elif name in ("as a decimal", "thousands separators", "Unicode minus"):
                    yield name, False, task, f"{before}{text}{after}"


def changed_answers(subject: Subject) -> Iterator[Case]:
    """Yield right answers with a small change."""
    rng = random.Random(7)
    math = subject.leaves(Math)
    tolerant = any(leaf.tolerance or leaf.rounded or leaf.rename for leaf in math)
    for task, response in subject.solved[:_TASKS]:
        before, gold, after = _framed(task, response)
        if math and gold is not None:
            if isinstance(task.reference, str):  # with alternatives, another one may be right
                for name, text in perturbations(gold, rng):
                    yield name, not tolerant, task, f"{before}{text}{after}"
        elif subject.leaves(Sql):
            # BIRD's rules compare sets, so a repeated row is no other answer there.
            bags = all(leaf.preset == "rlvr" for leaf in subject.leaves(Sql))
            for name, query in _other_query(_block(response)):
                yield name, bags or name != "its rows twice", task, fenced(query, "sql")
        elif subject.leaves(Code) and "```python" in response:
            for name, source in _other_program(_block(response)):
                yield name, True, task, fenced(source, "python")
        elif gold is not None and 0 < len(gold) <= 2000:
            for name, certain, text in near_texts(gold, task, rng):
                yield name, certain, task, f"{before}{text}{after}"
        else:
            for name, certain, text in near_json(after_thinking(response), task.text):
                yield name, certain, task, f"{before}{text}{after}"


def _framed(task: Task, response: str) -> tuple[str, str | None, str]:
    """Return the text before the answer in a right response, the answer (None if it is unknown), and the text after it."""
    thought, answer = apart(response)
    box = _BOXED.fullmatch(answer.strip())
    if box is not None:
        return f"{thought}\\boxed{{", box[1], "}"
    reference = str(task.reference).strip()
    if reference and isinstance(task.reference, str | int | float) and answer.count(reference) == 1:
        before, _, after = answer.partition(reference)
        return thought + before, reference, after
    return thought, None, ""


def _block(response: str) -> str:
    blocks = fenced_blocks(response)
    return blocks[-1].text if blocks else response


def _same_query(sql: str) -> Iterator[tuple[str, str]]:
    bare = sql.strip().rstrip(";")
    yield "with a semicolon", f"{bare};"
    yield "with a comment", f"-- the query\n{bare}"
    try:
        yield (
            "laid out otherwise",
            sqlglot.parse_one(bare, read="sqlite").sql("sqlite", pretty=True),
        )
    except sqlglot.errors.SqlglotError:
        return


def _other_query(sql: str) -> Iterator[tuple[str, str]]:
    bare = sql.strip().rstrip(";")
    yield "its rows twice", f"SELECT * FROM ({bare}) UNION ALL SELECT * FROM ({bare})"
    yield "a column more", f"SELECT *, 7919 FROM ({bare})"
    yield "text around each value's query", f"SELECT 'it is', * FROM ({bare})"


def _other_program(source: str) -> Iterator[tuple[str, str]]:
    yield "half of it", source[: len(source) // 2]
    if "return " in source:
        yield "another thing returned", re.sub(r"\breturn\b[^\n]*", "return (7919, None)", source)
    if "print(" in source:
        yield "a line printed more", f"print(7919)\n{source}"


def _forms(
    subject: Subject,
    make: Callable[[Subject], Iterator[tuple[str, bool, Task, str]]],
    is_wrong: Callable[[Any], bool],
    consequence: str,
    fix: str,
) -> Finding:
    """Judge the variants of right answers that `make` yields."""
    cases = list(itertools.islice(make(subject), 400))
    if not cases:
        if not subject.solved:
            return subject.lacks_right_answer()
        return nothing("nothing is known of the forms of its answers")
    verdicts = subject.judge([task for *_, task, _ in cases], [text for *_, text in cases])
    wrong: dict[str, list[str]] = defaultdict(list)
    judged: dict[str, int] = defaultdict(int)
    certain = {name: sure for name, sure, *_ in cases}
    for (name, _, task, text), verdict in zip(cases, verdicts, strict=True):
        if isinstance(verdict, Scored):
            judged[name] += 1
            if is_wrong(verdict):
                wrong[name].append(f"{name}, {task.id} {excerpt(text)}: {shown(verdict)}")
    total, bad = sum(judged.values()), sum(map(len, wrong.values()))
    evidence = list(itertools.chain.from_iterable(lines[:2] for lines in wrong.values()))
    # One variant of a kind may be right by chance or by the task; a third of a kind is the verifier's fault.
    failed = [n for n in wrong if certain[n] and len(wrong[n]) > max(1, 0.3 * judged[n])]
    if failed:
        return fail(
            f"{consequence} though they shouldn't be: {', '.join(failed)} ({bad} of {total})",
            evidence,
            fix,
        )
    if wrong:
        return note(f"{bad} of {total} are {consequence}: {', '.join(wrong)}", evidence, fix)
    mean = sum(map(earned, verdicts)) / len(verdicts) / (subject.top or 1.0)
    return ok(f"{total} forms of {len(judged)} kinds: none is {consequence}", mean=round(mean, 4))
