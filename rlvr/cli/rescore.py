"""`rlvr eval --rescore RUN`: what today's verifier says about a saved run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from rlvr.cli.options import make_environment
from rlvr.core.errors import DataError
from rlvr.core.verdict import Scored
from rlvr.evaluation.cache import VerdictCache
from rlvr.evaluation.rescore import rescore
from rlvr.evaluation.rollouts import Rollout
from rlvr.evaluation.run import about, read_rollouts

_SHOWN = 20


def print_rescored(path: str | Path, cache: VerdictCache | None = None) -> None:
    """Judge RUN's rollouts again and print what changed. Nothing is written."""
    config = about(path).get("config", {})
    if config.get("environment") is None:
        raise DataError(
            f"{str(path)!r} is no run of `rlvr eval ENV`, so there's no verifier for it."
        )
    env = make_environment(
        config["environment"], config["split"], config["data"], tuple(config["options"])
    )
    changes: Counter[tuple[str, str]] = Counter()
    shown: list[str] = []
    rewards, scored, count = [0.0, 0.0], [0, 0], 0
    for one in rescore(env, map(Rollout.from_json, read_rollouts(path)), cache):
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
