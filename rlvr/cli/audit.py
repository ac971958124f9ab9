"""`rlvr audit ENV`: the faults of an environment, before anything is trained on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import click

from rlvr.authoring.audit import Probe, audit, probes
from rlvr.authoring.audit.rendering import page, table
from rlvr.cli.options import environment_options, make_environment, output_console
from rlvr.core.environment import Environment
from rlvr.core.files import replacing, write_json
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.scripted import NAMES, scripted
from rlvr.runs.run import Run, read_rollouts


@click.command("audit")
@click.argument("env", required=False)
@click.option("--tasks", type=click.IntRange(min=2), default=50, show_default=True,
              help="Number of tasks in the sample.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of the sample.")  # fmt: skip
@click.option(
    "--only",
    multiple=True,
    metavar="PROBE",
    help="Probe or group of probes; repeatable (default: all).",
)
@click.option(
    "--policy",
    type=click.Choice(NAMES),
    help="Scripted policy for the probes of learnability (default: none).",
)
@click.option(
    "--model",
    help="Model for the probes of learnability: a folder or Hub id; with --base-url, its name (default: none).",
)
@click.option(
    "--base-url", help="OpenAI-compatible server that has the model (default: the model runs here)."
)
@click.option("-k", type=click.IntRange(min=1), default=8, show_default=True,
              help="Samples per task of --policy or --model.")  # fmt: skip
@click.option("--run", "run_path", type=click.Path(exists=True, file_okay=False),
              help="Saved run whose rollouts the probes of learnability use (default: none).")  # fmt: skip
@click.option(
    "--html",
    type=click.Path(dir_okay=False),
    help="File for the report as an HTML page (default: none).",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False),
    help="File for the report as JSON (default: none).",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also show probes that had nothing to look at, and strategies that earn the same one by one.",
)
@click.option("--list", "listed", is_flag=True, help="List the probes and exit.")
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
    """Look for the faults of ENV, the name of an environment or a file FILE.py[:name] that registers one.

    Exit status: 0 if it passes, 1 if a probe fails, 2 bad usage.
    """
    console = output_console()
    if listed:
        for entry in probes():
            line = f"{entry.group:14}{entry.name:28}{entry.about}"
            console.print(line, highlight=False, soft_wrap=True)
        return 0
    if env is None:
        raise click.UsageError(
            "Name an ENV (`rlvr list` shows all), or a file FILE.py. --list shows the probes."
        )
    if sum(map(bool, (run_path, policy["policy"], policy["model"]))) > 1:
        raise click.UsageError("Name one of --policy, --model and --run.")
    environment = make_environment(env, split, data, env_options)
    rollouts = _rollouts(environment, run_path, tasks, policy)
    with console.status("") as status:

        def progress(probe: Probe) -> None:
            status.update(f"{probe.group}: {probe.name}")

        report = audit(
            environment, tasks=tasks, seed=seed, only=only, rollouts=rollouts, progress=progress
        )
    console.print(table(report, everything))
    if html is not None:
        with replacing(html) as file:
            file.write(page(report, {entry.name: entry.about for entry in probes()}).encode())
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
        policy: Any = scripted(flags["policy"], env)
    elif flags["model"] is None:
        return []
    elif flags["base_url"] is not None:
        from rlvr.policies.openai import OpenAIPolicy

        policy = OpenAIPolicy(flags["model"], flags["base_url"], temperature=1.0)
    else:
        from rlvr.policies.transformers import TransformersPolicy

        policy = TransformersPolicy(flags["model"], temperature=1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")
        with Run.create(path, "audit", {}) as run:
            evaluate(env, policy, run=run, limit=tasks, k=flags["k"])
        return list(read_rollouts(path))
