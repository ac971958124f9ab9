"""The subjects of fuzzing: every verifier class of rlvr with every option, every environment's verifier and replies.

They are found by inspection and not listed here: a new class, option, instruction or environment is fuzzed
automatically. `subjects` raises for a class that it can't make without arguments.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import rlvr
from rlvr.core import registry
from rlvr.core.compose import leaves
from rlvr.core.episode import ModelMessage
from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.core.families import families
from rlvr.core.tool_calls import MOST_CHARACTERS, calls_of, results_message
from rlvr.core.verifier import Verifier
from rlvr.envs.tools import read_call
from rlvr.verifiers.instructions import registry as instructions
from tools.fuzz.patterns import modules

NUMBERS = {float: (0.0, 1e-6, 0.01, 1e9), int: (1, 1000, 50_000)}
"""Values of options that may be any number."""

STEPS = 100_000
"""SQLite's steps per query, for verifiers with that option: by default a query may take seconds."""

REFERENCES: tuple[Any, ...] = (
    "42", "-7", "3.14", "0.5", "1/3", "\\frac{3}{4}", "50\\%", "\\pi", "2\\sqrt{2}", "x^2-49", "\\{1, 2\\}", "(1, 2)", "[0, 1)", "1, 2, 3", "x = 5",
    "x < 3", "(-\\infty, 1) \\cup (2, \\infty)", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "i", "3+4i", "\\infty", "10^{100}", "\\frac{1}{1000!}", "2:3",
    "12_5", "5 \\text{ cm}", "\\text{east}", "(C)", "\\emptyset", "\\sin x", "\\sum_{k=1}^n k", "\\max(1, 2)", "e^{i\\pi}", "\\binom{10}{3}", "f(x) = 2x", "x \\in \\mathbb{Z}",
    "\\pm 2", "0.1(6)", "1{,}234", "\\lfloor x \\rfloor", ["1", "one"], 3, 2.5,
)  # fmt: skip
"""References for `Math`, some of each kind."""

QUERIES = (
    "SELECT count(*) FROM singer", "SELECT name FROM singer ORDER BY age DESC LIMIT 2", "SELECT name, age / 3.0 FROM singer", "SELECT DISTINCT age FROM singer WHERE age > 99",
    "SELECT strftime('%Y', born) FROM singer", "SELECT printf('%.2f', age) FROM singer", "SELECT avg(age) FROM singer GROUP BY name ORDER BY 1",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A verifier and a task for it, or an environment that replies.

    Attributes:
        name: the name under which counts are printed.
        verifier: the verifier, with the options that were drawn.
        task: a task for it.
        known: texts that the generators mutate.
        judged: True if responses can be judged here, neither by a model nor by running programs.
        reply: returns an environment's reply to a message.
        options: the options that were drawn.
    """

    name: str
    verifier: Verifier
    task: rlvr.Task
    known: tuple[str, ...]
    judged: bool = True
    reply: Callable[[str], object] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def seen(self, text: str, verifier: Verifier | None = None) -> str | rlvr.Transcript:
        """Return what the verifier sees of a text: the text, or an episode that has it in each place."""
        if (verifier or self.verifier).sees != "transcript":
            return text
        part = text[:MOST_CHARACTERS]
        call = {"id": "a", "type": "function", "function": {"name": "search", "arguments": part}}
        messages = [
            *self.task.prompt,
            {"role": "assistant", "content": part},
            results_message([part]),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": part},
            {"role": "assistant", "content": text},
        ]
        outcome = {
            "text": text,
            "retrieved": [part[:100]],
        }  # as the outcomes of rlvr's toolboxes have it
        return rlvr.Transcript(messages, outcome, (), len(self.task.prompt))


def subjects(seed: int, members: bool = False) -> Iterator[Subject]:
    """Yield all subjects, each with a task and options drawn by `seed`; with `members` some members of families, too."""
    rng = random.Random(seed)
    for kind in verifier_classes():
        for verifier in _verifiers_of(kind):
            yield _with_options(
                rng, f"{kind.__name__}", verifier, _tasks_of(kind), options_of(kind)
            )
    for id, tasks in _instructions().items():
        yield _with_options(rng, f"instruction {id}", rlvr.Instructions(), tasks, {})
    for parts in _compositions():
        yield _with_options(rng, "composition", parts, _tasks_of(rlvr.Math), options_of(rlvr.Math))
    for name, env in _environments().items():
        tasks = [
            (fixture.task, fixture.texts[-1])
            for fixture in env.fixtures
            if isinstance(fixture.task, rlvr.Task)
        ]
        subject = _with_options(
            rng, f"env {name}", env.verifier, tasks, {"mode": ("boxed", "flexible", "whole")}
        )
        yield subject
        if env.is_interactive and subject.judged:
            yield _replying(subject, env, name)
    if members:
        yield from _members(rng)


def _with_options(
    rng: random.Random,
    name: str,
    verifier: Verifier,
    tasks: list[tuple[rlvr.Task, str]],
    options: dict[str, tuple[Any, ...]],
) -> Subject:
    task, response = rng.choice(tasks)
    options_set = {}
    for option, values in options.items():
        if rng.random() < 0.4:
            try:
                value = rng.choice(values)
                verifier = verifier.configure(**{option: value})
                options_set[option] = value
            except OptionError:  # not together with the others, or no option of these parts
                continue
    demonstration = (
        verifier.demonstrate(task) if not any(leaf.is_async for leaf in leaves(verifier)) else None
    )
    known = (response, demonstration or response, _text(task.reference), task.text[-1000:])
    judged = not any(leaf.is_async for leaf in leaves(verifier))
    return Subject(name, verifier, task, known, judged, None, options_set)


def _text(reference: Any) -> str:
    if isinstance(reference, dict):
        return str(
            next((value for value in reference.values() if isinstance(value, str)), reference)
        )
    return reference if isinstance(reference, str) else str(reference)


def _replying(subject: Subject, env: Any, name: str) -> Subject:
    def reply(message: str) -> object:
        if isinstance(
            env, rlvr.ToolEnv
        ):  # reading the calls: tools run in a thread of the episode's
            for call in calls_of({"role": "assistant", "content": message}):
                with contextlib.suppress(rlvr.ToolError):
                    read_call(env.tools, call)
            return None
        episode = env.begin(subject.task)
        episode.conversation = [*subject.task.prompt, {"role": "assistant", "content": message}]
        try:
            return episode.reply(ModelMessage(message))
        finally:
            episode.close()

    return Subject(f"reply {name}", subject.verifier, subject.task, subject.known, False, reply)


# ---------------------------------------------------------------------- classes and their options


@cache
def verifier_classes() -> tuple[type[Verifier], ...]:
    """Return every verifier class of rlvr that isn't abstract, by name."""
    list(modules())  # imports those that define verifiers
    classes: set[type[Verifier]] = set()
    todo = [Verifier]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            # The audit's classes only measure another verifier.
            ours = kind.__module__.startswith("rlvr.") and "authoring" not in kind.__module__
            if ours and not inspect.isabstract(kind):
                classes.add(kind)
    return tuple(sorted(classes, key=lambda kind: kind.__name__))


def options_of(kind: type[Verifier]) -> dict[str, tuple[Any, ...]]:
    """Return values of each option that a class declares, if its annotation determines them."""
    hints = get_type_hints(kind.__init__)
    values: dict[str, tuple[Any, ...]] = {}
    for option in kind.options:
        hint = hints.get(option)
        if get_origin(hint) is Literal:
            values[option] = get_args(hint)
        elif hint is bool:
            values[option] = (True, False)
        elif hint in NUMBERS:
            values[option] = NUMBERS[hint]
    return values


def _verifiers_of(kind: type[Verifier]) -> list[Verifier]:
    """Return verifiers of a class. Raises `LookupError` for a class that needs arguments."""
    name = kind.__name__
    if name == "Format":
        return [rlvr.Format.boxed(), rlvr.Format.think()]
    if name == "Judge":
        return [
            rlvr.Judge(
                "It passes if it says the reference.", model="m", base_url="http://127.0.0.1:9/v1"
            )
        ]
    if name == "UsedTool":
        return [rlvr.UsedTool("search"), rlvr.UsedTool("search", most=2, arguments={"query": "x"})]
    if name == "Outcome":
        return [rlvr.Outcome("Rivers flow.", "text")]
    if name == "Turns":
        return [rlvr.Turns(2)]
    if name == "Change":
        return []  # it runs statements on a copy of a database; `Sql`'s queries have subjects
    if name in ("FinalState", "SubmittedCode", "TerminalVerifier", "HarborVerifier"):
        return []  # they judge outcomes, which a response doesn't write
    if name == "Citations":
        return [rlvr.Citations(), rlvr.Citations("quotes")]
    if name in ("FunctionVerifier", "ReasoningGym", "Weighted", "Gate", "AllOf", "AnyOf"):
        return []  # those of environments; compositions have subjects of their own
    needed = [
        parameter.name
        for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise LookupError(f"tools/fuzz/subjects.py can't make {name}: it needs {', '.join(needed)}")
    verifier = kind()
    return [verifier.configure(max_steps=STEPS) if "max_steps" in kind.options else verifier]


@cache
def _tasks_of(kind: type[Verifier]) -> list[tuple[rlvr.Task, str]]:
    """Return tasks for a class, each with a response: those of environments that use it, and some made here."""
    tasks = [
        (fixture.task, fixture.texts[-1])
        for env in _environments().values()
        if any(type(leaf) is kind for leaf in leaves(env.verifier))
        for fixture in env.fixtures
        if isinstance(fixture.task, rlvr.Task)
    ]
    if kind is rlvr.Math:
        tasks += [(rlvr.Task("Compute it.", text), f"\\boxed{{{text}}}") for text in REFERENCES]
    if kind is rlvr.Sql or kind.__name__ == "Look":
        path = _database()
        tasks += [
            (
                rlvr.Task("Write a query.", {"sql": text, "databases": [path]}),
                f"```sql\n{text}\n```",
            )
            for text in QUERIES
        ]
    return tasks or [
        (rlvr.Task("Say something about rivers.", "Rivers flow."), "Rivers flow into the sea.")
    ]


@cache
def _database() -> str:
    path = Path(tempfile.mkdtemp(prefix="rlvr-fuzz-"), "singers.sqlite")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE singer(name TEXT, age INT, born TEXT)")
        connection.execute("CREATE VIEW born AS SELECT date(born) AS day FROM singer")
        rows = [
            ("Ann", 30, "1990-01-02"),
            ("Ben", 30, "now"),
            ("Çağla", None, None),
            ("D'Arc", -1, "2451545"),
        ]
        connection.executemany("INSERT INTO singer VALUES (?, ?, ?)", rows)
    return str(path)


# ---------------------------------------------------------------------- instructions, compositions, environments


@cache
def _instructions() -> dict[str, list[tuple[rlvr.Task, str]]]:
    """Return tasks for each instruction, with kwargs made by their types."""
    tasks = {}
    for check in instructions.checks():
        kwargs = {name: _kwarg(kind) for name, (kind, _) in check.kwargs.items()}
        reference = {"instruction_id_list": [check.id], "kwargs": [kwargs]}
        tasks[check.id] = [
            (rlvr.Task("Name three rivers of France.", reference), "The Seine. The Loire, too.")
        ]
    return tasks


def _kwarg(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is list:
        return [_kwarg(get_args(kind)[0])]
    return {int: 2, float: 50.0, str: "a", bool: True}.get(kind, "a")


def _compositions() -> list[Verifier]:
    return [
        0.9 * rlvr.Math() + 0.1 * rlvr.Format.boxed(),
        rlvr.Format.think() >> rlvr.Math(rounded=True),
        rlvr.Coherent("strict") >> (0.5 * rlvr.Math(tolerance=0.1) + 0.5 * rlvr.Format.boxed()),
        rlvr.AllOf(rlvr.Math(), rlvr.Format.boxed()),
        rlvr.AnyOf(rlvr.Format.think(), rlvr.Math(unevaluated=True, rounded=True)),
    ]


@cache
def _environments() -> dict[str, rlvr.Environment]:
    """Return every environment that comes with rlvr, by name; tests may have registered others."""
    environments = {}
    for spec in registry.environments():
        if not spec.built_in:
            continue
        options = {"data": "none.jsonl"} if spec.name == "sql" else {}
        environments[spec.name] = rlvr.make(spec.name, **options)
    return environments


def _members(rng: random.Random) -> Iterator[Subject]:
    """Yield two members of each family of environments, if its library is there: each makes a data set."""
    for family in families().values():
        try:
            # A family of slices lists the form of its names instead of members.
            members = [member for member in family.members() if "<" not in member]
            names = rng.sample(members, min(2, len(members)))
        except MissingExtraError:
            continue
        for name in names:
            try:
                env = rlvr.make(f"{family.name}/{name}")
            except OptionError:  # a member without strict scoring
                continue
            task = env.tasks[rng.randrange(20)]
            answer = env.verifier.demonstrate(task) or "\\boxed{1}"
            yield _with_options(
                rng,
                f"env {family.name}",
                env.verifier,
                [(task, answer)],
                options_of(type(env.verifier)),
            )
