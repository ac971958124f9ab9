"""The subjects of fuzzing: every verifier class of rlvr with every option, every environment's verifier and replies.

Found by looking, not by a list: a new class, option, instruction or environment is fuzzed without a word here,
unless it can't be made from nothing; then `subjects` says so.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
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
from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.core.families import families
from rlvr.core.tool_calls import MOST_CHARACTERS, calls_of, results_message
from rlvr.core.verifier import Verifier
from rlvr.envs.tools import read_call
from rlvr.verifiers.instructions import registry as instructions

NUMBERS = {float: (0.0, 1e-6, 0.01, 1e9), int: (1, 1000, 50_000)}
"""Values of options that any number may be."""

STEPS = 100_000
"""Of a query, where it has an option for them: by default it may take seconds."""

REFERENCES: tuple[Any, ...] = (
    "42", "-7", "3.14", "0.5", "1/3", "\\frac{3}{4}", "50\\%", "\\pi", "2\\sqrt{2}", "x^2-49", "\\{1, 2\\}", "(1, 2)", "[0, 1)", "1, 2, 3", "x = 5",
    "x < 3", "(-\\infty, 1) \\cup (2, \\infty)", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "i", "3+4i", "\\infty", "10^{100}", "\\frac{1}{1000!}", "2:3",
    "12_5", "5 \\text{ cm}", "\\text{east}", "(C)", "\\emptyset", "\\sin x", "\\sum_{k=1}^n k", "\\max(1, 2)", "e^{i\\pi}", "\\binom{10}{3}", "f(x) = 2x", "x \\in \\mathbb{Z}",
    "\\pm 2", "0.1(6)", "1{,}234", "\\lfloor x \\rfloor", ["1", "one"], 3, 2.5,
)  # fmt: skip
"""Of `Math`: some of each kind."""

QUERIES = (
    "SELECT count(*) FROM singer", "SELECT name FROM singer ORDER BY age DESC LIMIT 2", "SELECT name, age / 3.0 FROM singer", "SELECT DISTINCT age FROM singer WHERE age > 99",
    "SELECT strftime('%Y', born) FROM singer", "SELECT printf('%.2f', age) FROM singer", "SELECT avg(age) FROM singer GROUP BY name ORDER BY 1",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A verifier and a task for it, or an environment that replies.

    Attributes:
        name: as the counts are printed by.
        verifier: with the options that were drawn.
        task: one of its tasks.
        known: texts that its generators mutate.
        judged: whether it can be judged here: not by a model, and not by running programs.
        reply: what an environment answers to a message.
        options: what was set on the verifier.
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
        return rlvr.Transcript(messages, {"text": text}, (), len(self.task.prompt))


def subjects(seed: int, members: bool = False) -> Iterator[Subject]:
    """Yield each of them once, with a task and options drawn by `seed`; with `members` some of families, too."""
    rng = random.Random(seed)
    for kind in verifier_classes():
        for verifier in _made(kind):
            yield _drawn(rng, f"{kind.__name__}", verifier, _tasks_of(kind), options_of(kind))
    for id, tasks in _instructions().items():
        yield _drawn(rng, f"instruction {id}", rlvr.Instructions(), tasks, {})
    for parts in _compositions():
        yield _drawn(rng, "composition", parts, _tasks_of(rlvr.Math), options_of(rlvr.Math))
    for name, env in _environments().items():
        tasks = [
            (fixture.task, fixture.texts[-1])
            for fixture in env.fixtures
            if isinstance(fixture.task, rlvr.Task)
        ]
        subject = _drawn(
            rng, f"env {name}", env.verifier, tasks, {"mode": ("boxed", "flexible", "whole")}
        )
        yield subject
        if env.is_interactive and subject.judged:
            yield _replying(subject, env, name)
    if members:
        yield from _members(rng)


def _drawn(
    rng: random.Random,
    name: str,
    verifier: Verifier,
    tasks: list[tuple[rlvr.Task, str]],
    options: dict[str, tuple[Any, ...]],
) -> Subject:
    task, response = rng.choice(tasks)
    chosen = {}
    for option, values in options.items():
        if rng.random() < 0.4:
            try:
                value = rng.choice(values)
                verifier = verifier.configure(**{option: value})
                chosen[option] = value
            except OptionError:  # not with those chosen before, or not of these parts
                continue
    shown = (
        verifier.demonstrate(task) if not any(leaf.is_async for leaf in leaves(verifier)) else None
    )
    known = (response, shown or response, _text(task.reference), task.text[-1000:])
    judged = not any(leaf.is_async for leaf in leaves(verifier))
    return Subject(name, verifier, task, known, judged, None, chosen)


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
        return env.reply(
            subject.task, [*subject.task.prompt, {"role": "assistant", "content": message}]
        )

    return Subject(f"reply {name}", subject.verifier, subject.task, subject.known, False, reply)


# ---------------------------------------------------------------------- classes and their options


@cache
def verifier_classes() -> tuple[type[Verifier], ...]:
    """Return every verifier class of rlvr that is no base of others, by name."""
    for package in ("rlvr.verifiers", "rlvr.envs"):
        for module in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: set[type[Verifier]] = set()
    todo = [Verifier]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            # The audit's only measure another one.
            ours = kind.__module__.startswith("rlvr.") and "authoring" not in kind.__module__
            if ours and not inspect.isabstract(kind):
                found.add(kind)
    return tuple(sorted(found, key=lambda kind: kind.__name__))


def options_of(kind: type[Verifier]) -> dict[str, tuple[Any, ...]]:
    """Return the values of each option that a class declares, as far as its annotation names them."""
    hints = get_type_hints(kind.__init__)
    found: dict[str, tuple[Any, ...]] = {}
    for option in kind.options:
        hint = hints.get(option)
        if get_origin(hint) is Literal:
            found[option] = get_args(hint)
        elif hint is bool:
            found[option] = (True, False)
        elif hint in NUMBERS:
            found[option] = NUMBERS[hint]
    return found


def _made(kind: type[Verifier]) -> list[Verifier]:
    """Return a class's verifiers. Raises `LookupError` for a class that can't be made from nothing."""
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
    made = kind()
    return [made.configure(max_steps=STEPS) if "max_steps" in kind.options else made]


@cache
def _tasks_of(kind: type[Verifier]) -> list[tuple[rlvr.Task, str]]:
    """Return tasks that a class judges, each with a response: those of environments that have it, and some made."""
    found = [
        (fixture.task, fixture.texts[-1])
        for env in _environments().values()
        if any(type(leaf) is kind for leaf in leaves(env.verifier))
        for fixture in env.fixtures
        if isinstance(fixture.task, rlvr.Task)
    ]
    if kind is rlvr.Math:
        found += [(rlvr.Task("Compute it.", one), f"\\boxed{{{one}}}") for one in REFERENCES]
    if kind is rlvr.Sql or kind.__name__ == "Look":
        path = _database()
        found += [
            (rlvr.Task("Write a query.", {"sql": one, "databases": [path]}), f"```sql\n{one}\n```")
            for one in QUERIES
        ]
    return found or [
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
    """Return, for each instruction there is, tasks with kwargs made by their types."""
    found = {}
    for check in instructions.checks():
        kwargs = {name: _kwarg(kind) for name, (kind, _) in check.kwargs.items()}
        reference = {"instruction_id_list": [check.id], "kwargs": [kwargs]}
        found[check.id] = [
            (rlvr.Task("Name three rivers of France.", reference), "The Seine. The Loire, too.")
        ]
    return found


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
    found = {}
    for spec in registry.environments():
        if not spec.built_in:
            continue
        options = {"data": "none.jsonl"} if spec.name == "sql" else {}
        found[spec.name] = rlvr.make(spec.name, **options)
    return found


def _members(rng: random.Random) -> Iterator[Subject]:
    """Yield two members of each family of environments, if its library is there: each makes a data set."""
    for family in families().values():
        try:
            # A family of slices shows its names' form instead of members.
            members = [member for member in family.members() if "<" not in member]
            names = rng.sample(members, min(2, len(members)))
        except MissingExtraError:
            continue
        for name in names:
            try:
                env = rlvr.make(f"{family.name}/{name}")
            except OptionError:  # one without strict scoring
                continue
            task = env.tasks[rng.randrange(20)]
            answer = env.verifier.demonstrate(task) or "\\boxed{1}"
            yield _drawn(
                rng,
                f"env {family.name}",
                env.verifier,
                [(task, answer)],
                options_of(type(env.verifier)),
            )
