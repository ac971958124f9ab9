"""`rlvr audit ENV`: what is wrong with an environment, before anything is trained on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console

from rlvr.authoring.audit import Probe, audit, probes
from rlvr.authoring.audit.rendering import page, table
from rlvr.cli.options import environment_options, make_environment
from rlvr.core.environment import Environment
from rlvr.core.files import replacing, write_json
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.scripted import NAMES, scripted
from rlvr.runs.run import Run, read_rollouts


@click.command("audit")
@click.argument("env", required=False)
@click.option("--tasks", type=click.IntRange(min=2), default=50, show_default=True,
              help="How many of its tasks to look at.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--only", multiple=True, metavar="PROBE", help="A probe or a group; several times.")
@click.option("--policy", type=click.Choice(NAMES), help="Learnability by a scripted policy.")
@click.option(
    "--model", help="Learnability by a model: a folder or Hub id; with --base-url, its name."
)
@click.option("--base-url", help="An OpenAI-compatible server.")
@click.option("-k", type=click.IntRange(min=1), default=8, show_default=True,
              help="Samples a task, of --policy or --model.")  # fmt: skip
@click.option("--run", "run_path", type=click.Path(exists=True, file_okay=False),
              help="Learnability by a saved run's rollouts.")  # fmt: skip
@click.option("--html", type=click.Path(dir_okay=False), help="Write the report as a page.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write it as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show probes that had nothing to look at.")
@click.option("--list", "listed", is_flag=True, help="List the probes, and look at nothing.")
@environment_options
def command(
    env: str | None,
    tasks: int,
    seed: int,
    only: tuple[str, ...],
    run_path: str | None,
    html: str | None,
    json_path: str | None,
    everything: bool,
    listed: bool,
    split: str | None,
    data: str | None,
    env_options: tuple[str, ...],
    **policy: Any,
) -> int:
    """Audit ENV: exit status 0 where it passes, 1 where a probe fails."""
    console = Console()
    if listed:
        for one in probes():
            console.print(f"{one.group:14}{one.name:28}{one.about}", highlight=False)
        return 0
    if env is None:
        raise click.UsageError("Name an ENV: rlvr list shows all. --list shows the probes.")
    if sum(bool(one) for one in (run_path, policy["policy"], policy["model"])) > 1:
        raise click.UsageError("Name one of --policy, --model and --run.")
    made = make_environment(env, split, data, env_options)
    rollouts = _rollouts(made, run_path, tasks, policy)
    with console.status("") as status:

        def progress(probe: Probe) -> None:
            status.update(f"{probe.group}: {probe.name}")

        report = audit(
            made, tasks=tasks, seed=seed, only=only, rollouts=rollouts, progress=progress
        )
    console.print(table(report, everything))
    if html is not None:
        with replacing(html) as file:
            file.write(page(report, {one.name: one.about for one in probes()}).encode())
    if json_path is not None:
        write_json(json_path, report.to_json(), indent=1)
    return 0 if report.ok else 1


def _rollouts(
    env: Environment, run_path: str | None, tasks: int, flags: dict[str, Any]
) -> Iterable[Mapping[str, Any]]:
    if run_path is not None:
        rows = [row for row in read_rollouts(run_path) if row["env"] == env.name]
        if not rows:
            raise click.UsageError(f"{run_path} has no rollouts of {env.name}.")
        return rows
    if flags["policy"] is not None:
        asked: Any = scripted(flags["policy"], env)
    elif flags["model"] is None:
        return []
    elif flags["base_url"] is not None:
        from rlvr.policies.openai import OpenAIPolicy

        asked = OpenAIPolicy(flags["model"], flags["base_url"], temperature=1.0)
    else:
        from rlvr.policies.transformers import TransformersPolicy

        asked = TransformersPolicy(flags["model"], temperature=1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")
        with Run.create(path, "audit", {}) as run:
            evaluate(env, asked, run=run, limit=tasks, k=flags["k"])
        return list(read_rollouts(path))
