"""`rlvr show ENV`: a task of an environment, and the rewards of some responses."""

from __future__ import annotations

import json
from itertools import groupby

import click
from rich.console import Console
from rich.markup import escape

from rlvr.cli.options import environment_options, make_environment
from rlvr.core.environment import Environment, judged_alone
from rlvr.core.fixtures import Fixture, Turn
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Verdict
from rlvr.testing.fixtures import judge_fixtures, task_of

_SHOWN = 500  # characters of an example
_SHOWN_OF_FIXTURES = 800  # of a response or a task; a longer one is cut in the middle


@click.command("show")
@click.argument("env")
@click.option("--task", default="0", help="Index or id of the task.", show_default=True)
@environment_options
def command(
    env: str, task: str, split: str | None, data: str | None, env_options: tuple[str, ...]
) -> None:
    """Show a task of ENV with its prompt, and the rewards of a right and some wrong responses.

    ENV is a name, or a file FILE.py[:name] that registers an environment. The environment's fixtures come last:
    responses whose verdicts its author knows.
    """
    console = Console()
    environment = make_environment(env, split, data, env_options)
    number = int(task) if task.isascii() and task.isdigit() else None
    if number is not None and number >= len(environment.tasks):
        raise click.UsageError(f"{env} has {len(environment.tasks)} tasks; the first is 0.")
    chosen = environment.tasks.find(task) if number is None else environment.tasks[number]
    console.print(
        f"[bold]{environment.name}[/bold] · {len(environment.tasks)} tasks · task {escape(chosen.id)}"
    )
    for message in chosen.prompt:
        console.print(f"\n[dim]{escape(message['role'])}[/dim]")
        _as_it_is(console, message["content"])
    console.print("\n[dim]reference[/dim]")
    _as_it_is(console, str(chosen.reference))
    if environment.demonstrate(chosen) is None:
        console.print(
            "\n[dim]the reference[/dim]  no right response is known: the verifier's demonstrate(task) makes none",
            soft_wrap=True,
        )
    for name, turns in _examples(environment, chosen).items():
        verdict = judged_alone(environment, chosen, *turns)
        console.print(f"\n[dim]{name}[/dim]  {_earned(verdict)}", soft_wrap=True)
        for turn in turns:
            text = turn if isinstance(turn, str) else json.dumps(dict(turn), ensure_ascii=False)
            _as_it_is(console, text[:_SHOWN] or "(nothing)")
    if environment.fixtures:
        _show_fixtures(console, environment)


def _show_fixtures(console: Console, env: Environment) -> None:
    """Show each fixture with its reward, under its task."""
    judged = list(zip(env.fixtures, judge_fixtures(env), strict=True))
    missed = sum(not fixture.holds(verdict) for fixture, verdict in judged)
    all_hold = "all hold" if not missed else f"[bold red]{missed} not as expected[/bold red]"
    console.print(f"\n[bold]fixtures[/bold] · {len(judged)} · {all_hold}")
    for _, group in groupby(judged, key=lambda pair: _task_id(pair[0])):
        fixtures = list(group)
        task = task_of(env, fixtures[0][0])
        console.print(f"\n[dim]to the task {escape(_task_id(fixtures[0][0]))}[/dim]")
        if isinstance(task, Task):
            _as_it_is(console, _cut(task.text))
        for fixture, verdict in fixtures:
            _show_fixture(console, fixture, verdict)


def _show_fixture(console: Console, fixture: Fixture, verdict: Verdict) -> None:
    mark = "" if fixture.holds(verdict) else "[bold red]doesn't hold:[/bold red] "
    expected = f"[dim]{fixture.kind}, expected {fixture.expected}[/dim]"
    console.print(f"\n{expected}  {mark}{_earned(verdict)}", soft_wrap=True)
    if fixture.why:
        console.print(f"[italic]{escape(fixture.why)}[/italic]", soft_wrap=True)
    for number, response in enumerate(fixture.texts, 1):
        if len(fixture.texts) > 1:
            console.print(f"[dim]response {number}[/dim]")
        _as_it_is(console, _cut(response) or "(nothing)")


def _task_id(fixture: Fixture) -> str:
    return fixture.task if isinstance(fixture.task, str) else fixture.task.id


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_OF_FIXTURES:
        return text
    half = _SHOWN_OF_FIXTURES // 2
    return f"{text[:half]} … (cut) … {text[-half:]}"


def _as_it_is(console: Console, text: str) -> None:
    whole = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair has no UTF-8
    console.print(whole, markup=False, highlight=False, soft_wrap=True)


def _examples(env: Environment, task: Task) -> dict[str, tuple[Turn, ...]]:
    """Return the messages of a right episode if one is known, of another task's, the prompt, and an empty response."""
    examples: dict[str, tuple[Turn, ...]] = {}
    right = env.demonstrate(task)
    if right is not None:
        examples["the reference"] = right
    for i in range(min(len(env.tasks), 50)):
        other = env.tasks[i]
        wrong = env.demonstrate(other)
        if wrong is not None and other.reference != task.reference:
            examples["another task's reference"] = wrong
            break
    return examples | {"the prompt itself": (task.text,), "an empty response": ("",)}


def _earned(verdict: Verdict) -> str:
    if isinstance(verdict, Scored):
        why = f" ({escape(verdict.feedback)})" if verdict.feedback else ""
        return f"[bold]{verdict.reward:g}[/bold] {verdict.status}{why}"
    return f"[bold]unscored[/bold] {verdict.cause}: {escape(verdict.message)}"
