"""`rlvr rescore RUN`: judge a saved run again, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlvr.cli.figures import print_report
from rlvr.cli.options import environment_options, named_values
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.foreign import check_foreign
from rlvr.core.registry import make
from rlvr.core.verdict import Scored
from rlvr.evaluation.evaluate import finish
from rlvr.evaluation.rescore import report_modes, rescore
from rlvr.runs.cache import VerdictCache
from rlvr.runs.rendering import figure
from rlvr.runs.report import Report
from rlvr.runs.run import Run, about
from rlvr.runs.saved import SavedRun

_SHOWN = 20


@click.command("rescore")
@click.argument("run")
@click.option("-o", "--output", metavar="DIR",
              help="Write a run with the new verdicts here (default: print the changes only).")  # fmt: skip
@click.option("--modes", metavar="MODE,MODE…",
              help="Judge under each mode of extraction, such as boxed,flexible,minerva, and print a table.")  # fmt: skip
@environment_options
def command(run: str, output: str | None, modes: str | None, **flags: Any) -> None:
    """Judge RUN's responses again with today's verifier, and print which verdicts changed.

    RUN chooses among the environments that are registered here, and names no server and no file outside
    of RLVR_DATA; --split, --data and --env replace its own options.
    """
    overrides = named_values("--env", flags["env_options"])
    overrides |= {n: flags[n] for n in ("split", "data") if flags[n] is not None}
    if modes is not None:
        if output is not None:
            raise click.UsageError("--modes prints a table and writes no run: leave out -o.")
        env = _environment(run, overrides)
        print_modes(env, modes, lambda: (r.rollout for r in SavedRun.open(run).records()))
        return
    print_rescored(run, None, overrides, output)


def print_rescored(
    path: str | Path,
    cache: VerdictCache | None = None,
    overrides: Mapping[str, Any] | None = None,
    output: str | None = None,
) -> None:
    """Judge a run's rollouts again and print the changes.

    Args:
        cache: verdicts on disk.
        overrides: the user's options, in place of the run's.
        output: the folder for a run with the new verdicts; None writes nothing.
    """
    env = _environment(path, dict(overrides or {}))
    Run.check_free(output)
    saved = SavedRun.open(path)
    changes: Counter[tuple[str, str]] = Counter()
    shown: list[str] = []
    rewards, scored, count = [0.0, 0.0], [0, 0], 0
    new = None if output is None else _new_run(saved, output, dict(overrides or {}))
    labels = ((r.step, r.labels) for r in saved.records())
    for row in rescore(env, (record.rollout for record in saved.records()), cache):
        count += 1
        for i, verdict in enumerate((row.rollout.verdict, row.verdict)):
            if isinstance(verdict, Scored):
                scored[i] += 1
                rewards[i] += verdict.reward
        if row.change is not None:
            changes[row.change] += 1
            if len(shown) < _SHOWN:
                shown.append(
                    f"  {row.rollout.task.id} #{row.rollout.sample}: {' → '.join(row.change)}"
                )
        if new is not None:
            row.rollout.verdict = row.verdict
            step, extra = next(labels)
            extra = extra if step is None else {"step": step, **extra}
            new.rollout(row.rollout.to_json(**extra))
    means = [f"{total / n:.4f}" if n else "none" for total, n in zip(rewards, scored, strict=True)]
    click.echo(f"{count} rollouts · {changes.total()} changed · reward {means[0]} → {means[1]}")
    for (was, now), n in changes.most_common():
        click.echo(f"  {was} → {now}: {n}")
    for line in shown:
        click.echo(line)
    if new is not None:
        reports = SavedRun.open(new.path).reports()
        for report in reports:
            print_report(report)
        finish(new, reports)
        new.close()
        click.echo(f"run: {new.path}")


def print_modes(env: Environment, modes: str, rollouts: Any) -> list[tuple[str, Report]]:
    """Print the figures of one set of responses under each mode of extraction, and return the reports.

    Args:
        modes: the modes, with commas between.
        rollouts: a function that gives the rollouts, once per mode.
    """
    names = [name.strip() for name in modes.split(",") if name.strip()]
    reports = []
    width = max(map(len, names), default=4)
    click.echo(f"{'mode':<{width}}  reward             correct            unparsable  unscored")
    for name, report in report_modes(env, names, rollouts):
        reports.append((name, report))
        unscored = report.rollouts - report.scored
        click.echo(
            f"{name:<{width}}  {figure(report.mean):<17}  {figure(report.correct):<17}  "
            f"{report.unparsable:<10.4f}  {unscored}"
        )
    return reports


def _new_run(saved: SavedRun, output: str, overrides: dict[str, Any]) -> Run:
    config = saved.config | {"rescored": str(saved.path)}
    changed = {
        f"{name}={value}" for name, value in overrides.items() if name not in ("split", "data")
    }
    config["options"] = [*(saved.config.get("options") or ()), *sorted(changed)]
    config |= {name: overrides[name] for name in ("split", "data") if name in overrides}
    run = Run.create(output, "rescore", config)
    if saved.about.get("asked"):
        run.note(asked=saved.about["asked"])
    return run


def _environment(path: str | Path, overrides: dict[str, Any]) -> Environment:
    """Make the run's environment. The run may be anybody's: it names no more than data may."""
    config = about(path).get("config")
    if not isinstance(config, dict) or not isinstance(config.get("environment"), str):
        raise DataError(
            f"{str(path)!r} is no run of `rlvr eval ENV`, so there's no verifier for it."
        )
    options = named_values("--env", tuple(map(str, config.get("options") or ())))
    options |= {n: config[n] for n in ("split", "data") if config.get(n) is not None}
    foreign = {name: value for name, value in options.items() if name not in overrides}
    check_foreign(config["environment"], foreign, str(Path(path) / "run.json"))
    return make(config["environment"], **foreign, **overrides)
