"""`rlvr eval ENV`: measure a policy on an environment."""

from __future__ import annotations

import os
import sys

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rlvr.cli.options import environment_options, make_environment
from rlvr.core.environment import Environment
from rlvr.core.registry import find
from rlvr.evaluation.evaluate import Report, check_single_turn, evaluate
from rlvr.evaluation.run import Run
from rlvr.policies.base import Policy
from rlvr.policies.scripted import NAMES, scripted


@click.command("eval")
@click.argument("env")
@click.option("--policy", type=click.Choice(NAMES), help="A script instead of a model.")
@click.option("--model", help="A local folder or Hub id for transformers.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many tasks.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=512, show_default=True)
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--run", "run_path", help="The run's folder; by default runs/eval-TIME.")
@environment_options
def command(
    env: str,
    policy: str | None,
    model: str | None,
    limit: int | None,
    max_tokens: int,
    temperature: float,
    seed: int,
    run_path: str | None,
    split: str | None,
    data: str | None,
    env_options: tuple[str, ...],
) -> None:
    """Have a policy answer ENV's tasks once each, and write a run with every rollout."""
    if (policy is None) == (model is None):
        raise click.UsageError(f"Name one of --policy ({', '.join(NAMES)}) and --model.")
    made = make_environment(env, split, data, env_options)
    if limit is None and len(made.tasks) > 100_000:
        raise click.UsageError(f"{env} has {len(made.tasks)} tasks: say how many with --limit.")
    Run.check_free(run_path)
    answers = _policy(policy, model, made, max_tokens, temperature, seed)
    config = {
        "environment": env,
        "version": find(env).version,
        "split": split,
        "data": data,
        "RLVR_DATA": os.environ.get("RLVR_DATA"),
        "options": list(env_options),
        "policy": answers.name,
        "limit": limit,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
    }
    # What can't work is said before a run is made.
    check_single_turn(made)
    if policy is not None:
        answers.respond([made.tasks[0]])
    run = Run.create(run_path, "eval", config)
    console = Console(file=sys.stderr)
    columns = (TextColumn(env), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(env)
        report = evaluate(
            made,
            answers,
            limit=limit,
            run=run,
            batch_size=64,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    run.metrics(mean=report.mean, correct=report.correct, scored=report.scored, tasks=report.tasks)
    _print(report, run)


def _policy(
    policy: str | None,
    model: str | None,
    env: Environment,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> Policy:
    if policy is not None:
        return scripted(policy, env)
    from rlvr.policies.transformers import TransformersPolicy

    return TransformersPolicy(model, max_new_tokens=max_tokens, temperature=temperature, seed=seed)


def _print(report: Report, run: Run) -> None:
    console = Console()
    unscored = report.tasks - report.scored
    console.print(
        f"reward {report.mean:.4f} ± {report.interval:.4f} · correct {report.correct:.4f} · "
        f"{report.scored} scored, {unscored} unscored of {report.tasks}",
        highlight=False,
        soft_wrap=True,
    )
    for status, count in report.statuses.items():
        console.print(f"  {status:<20} {count}", highlight=False)
    console.print(f"run: {run.path}", highlight=False, markup=False, soft_wrap=True)
