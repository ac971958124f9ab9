"""`rlvr eval --rescore RUN`: what today's verifier says about a saved run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlvr.cli.options import named_values
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.foreign import check_foreign
from rlvr.core.registry import make
from rlvr.core.verdict import Scored
from rlvr.evaluation.rescore import rescore
from rlvr.runs.cache import VerdictCache
from rlvr.runs.reading import read_records
from rlvr.runs.run import about

_SHOWN = 20


def print_rescored(
    path: str | Path, cache: VerdictCache | None = None, said: Mapping[str, Any] | None = None
) -> None:
    """Judge RUN's rollouts again and print what changed. Nothing is written.

    Args:
        said: options that the user gives, in place of the run's.
    """
    env = _environment(path, dict(said or {}))
    changes: Counter[tuple[str, str]] = Counter()
    shown: list[str] = []
    rewards, scored, count = [0.0, 0.0], [0, 0], 0
    for one in rescore(env, (record.rollout for record in read_records(path)), cache):
        count += 1
        for i, verdict in enumerate((one.rollout.verdict, one.verdict)):
            if isinstance(verdict, Scored):
                scored[i] += 1
                rewards[i] += verdict.reward
        if one.change is not None:
            changes[one.change] += 1
            if len(shown) < _SHOWN:
                shown.append(
                    f"  {one.rollout.task.id} #{one.rollout.sample}: {' → '.join(one.change)}"
                )
    means = [f"{total / n:.4f}" if n else "none" for total, n in zip(rewards, scored, strict=True)]
    click.echo(f"{count} rollouts · {changes.total()} changed · reward {means[0]} → {means[1]}")
    for (was, now), n in changes.most_common():
        click.echo(f"  {was} → {now}: {n}")
    for line in shown:
        click.echo(line)


def _environment(path: str | Path, said: dict[str, Any]) -> Environment:
    """The run's environment. The run may be anybody's: it names no more than data may."""
    config = about(path).get("config")
    if not isinstance(config, dict) or not isinstance(config.get("environment"), str):
        raise DataError(
            f"{str(path)!r} is no run of `rlvr eval ENV`, so there's no verifier for it."
        )
    options = named_values("--env", tuple(map(str, config.get("options") or ())))
    options |= {n: config[n] for n in ("split", "data") if config.get(n) is not None}
    foreign = {name: value for name, value in options.items() if name not in said}
    check_foreign(config["environment"], foreign, str(Path(path) / "run.json"))
    return make(config["environment"], **foreign, **said)
