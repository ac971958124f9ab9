"""`audit`: every probe on one environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium

from rlvr.authoring.audit.finding import Audit, Finding, ProbeOutcome
from rlvr.authoring.audit.probe_registry import Probe, probes
from rlvr.authoring.audit.subject import Subject
from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError, nearest
from rlvr.core.registry import make


def audit(
    environment: Environment | str,
    *,
    tasks: int = 50,
    seed: int = 0,
    only: Sequence[str] = (),
    rollouts: Iterable[Mapping[str, Any]] = (),
    progress: Callable[[Probe], None] | None = None,
    **options: Any,
) -> Audit:
    """Look for what is wrong with an environment before anything is trained on it.

    Args:
        environment: its name, or one that is made already. By its name it's also made again, which
            a few probes need.
        tasks: how many of its tasks to look at, drawn by `seed`.
        only: probes' or groups' names; all by default.
        rollouts: rows of `rlvr.runs.run.read_rollouts`, for the probes of learnability.
        progress: called with each probe before it looks.
        options: of the environment, where it's given by name.

    Returns:
        a finding for each probe, `ok` where none failed. `str()` of it is a table.

    Raises `OptionError` for a probe that isn't there, and what `rlvr.make` raises.
    """
    begun = time.monotonic()
    if isinstance(environment, str):
        env = make(environment, **options)
    elif options:
        raise OptionError("An environment that is made already takes no options: give its name.")
    else:
        env = environment
    chosen = _chosen(only)
    subject = Subject(env, tasks, seed, rollouts)
    found: dict[str, Finding] = {}
    level = gymnasium.logger.min_level
    gymnasium.logger.min_level = gymnasium.logger.ERROR  # what its checkers warn of is no finding
    try:
        for one in sorted(chosen, key=lambda one: one.last):
            if progress is not None:
                progress(one)
            found[one.name] = _decided(one(subject), env)
    finally:
        gymnasium.logger.min_level = level
    return Audit(
        env.name,
        subject.options,
        len(subject.tasks),
        tuple(found[one.name] for one in chosen),
        time.monotonic() - begun,
    )


def _chosen(only: Sequence[str]) -> list[Probe]:
    every = probes()
    if not only:
        return every
    names = {one.name for one in every} | {one.group for one in every}
    for name in only:
        if name not in names:
            raise OptionError(f"There's no probe {name!r}. {nearest(name, sorted(names))}")
    return [one for one in every if one.name in only or one.group in only]


def _decided(finding: Finding, env: Environment) -> Finding:
    """With what the environment's author has said of it."""
    why = env.known_findings.get(finding.probe)
    if why is None or finding.outcome is not ProbeOutcome.FAIL:
        return finding
    return replace(finding, outcome=ProbeOutcome.KNOWN, fix=f"Known: {why}")
