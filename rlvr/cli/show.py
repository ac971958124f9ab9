"""`rlvr show ENV`: a task of an environment, and what answers earn."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from rlvr.cli.options import environment_options, make_environment
from rlvr.core.environment import Environment
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Verdict
from rlvr.scoring import score


@click.command("show")
@click.argument("env")
@click.option("--task", default="0", help="Which task: its index or id.", show_default=True)
@environment_options
def command(
    env: str, task: str, split: str | None, data: str | None, env_options: tuple[str, ...]
) -> None:
    """Show a task of ENV with its prompt, and what a right and some wrong answers earn."""
    console = Console()
    made = make_environment(env, split, data, env_options)
    number = int(task) if task.isascii() and task.isdigit() else None
    if number is not None and number >= len(made.tasks):
        raise click.UsageError(f"{env} has {len(made.tasks)} tasks; the first is 0.")
    chosen = made.tasks.find(task) if number is None else made.tasks[number]
    console.print(f"[bold]{made.name}[/bold] · {len(made.tasks)} tasks · task {escape(chosen.id)}")
    for message in chosen.prompt:
        console.print(f"\n[dim]{escape(message['role'])}[/dim]")
        console.print(message["content"], markup=False, highlight=False, soft_wrap=True)
    console.print("\n[dim]reference[/dim]")
    console.print(str(chosen.reference), markup=False, highlight=False, soft_wrap=True)
    for name, response in _examples(made, chosen).items():
        (verdict,) = score([chosen], [response], made.verifier)
        console.print(f"\n[dim]{name}[/dim]  {_earned(verdict)}", soft_wrap=True)
        console.print(response[:500] or "(nothing)", markup=False, highlight=False, soft_wrap=True)


def _examples(env: Environment, task: Task) -> dict[str, str]:
    """A right answer where the verifier can make one, another task's right answer, the prompt, nothing."""
    examples = {}
    right = env.verifier.demonstrate(task)
    if right is not None:
        examples["the reference"] = right
    for i in range(min(len(env.tasks), 50)):
        other = env.tasks[i]
        wrong = env.verifier.demonstrate(other)
        if wrong is not None and other.reference != task.reference:
            examples["another task's reference"] = wrong
            break
    return examples | {"the prompt itself": task.text, "an empty response": ""}


def _earned(verdict: Verdict) -> str:
    if isinstance(verdict, Scored):
        why = f" ({escape(verdict.feedback)})" if verdict.feedback else ""
        return f"[bold]{verdict.reward:g}[/bold] {verdict.status}{why}"
    return f"[bold]unscored[/bold] {verdict.cause}: {escape(verdict.message)}"
