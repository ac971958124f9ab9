"""`audit`: all probes on one environment."""

from __future__ import annotations

import time
from collections import Counter
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
from rlvr.core.verdict import Cause, Unscored
from rlvr.scoring.prints import hidden

_MANY = 0.25  # share of the responses: a fault on so many of them probably causes other findings


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
    """Find what is wrong with an environment before anything is trained on it::

        report = rlvr.audit("arithmetic", tasks=20)
        assert report.ok, str(report)

    Args:
        environment: an environment, or its name. With a name it can be made again, as a few probes require.
        tasks: the size of the sample of its tasks, which `seed` draws.
        only: names of probes or groups; all by default.
        rollouts: rows of `rlvr.runs.run.read_rollouts`, for the probes of learnability.
        progress: called with each probe before it runs.
        options: the environment's, if it is given by name.

    Returns:
        The findings, one per probe, with `ok` if none failed. `str()` of the result is a table.

    Raises `OptionError` for an unknown probe, and the errors of `rlvr.make`.
    """
    start = time.monotonic()
    if isinstance(environment, str):
        env = make(environment, **options)
    elif options:
        raise OptionError("An environment that is made already takes no options: give its name.")
    else:
        env = environment
    selected = _selected(only)
    subject = Subject(env, tasks, seed, rollouts)
    findings: dict[str, Finding] = {}
    level = gymnasium.logger.min_level
    gymnasium.logger.min_level = gymnasium.logger.ERROR  # warnings of its checkers are no findings
    try:
        with hidden():
            for probe in sorted(selected, key=lambda probe: probe.last):
                if progress is not None:
                    progress(probe)
                findings[probe.name] = _unless_known(probe(subject), env)
    finally:
        gymnasium.logger.min_level = level
    return Audit(
        env.name,
        subject.options,
        len(subject.tasks),
        tuple(findings[probe.name] for probe in selected),
        time.monotonic() - start,
        _cause(subject, findings),
    )


def _selected(only: Sequence[str]) -> list[Probe]:
    all_probes = probes()
    if not only:
        return all_probes
    names = {probe.name for probe in all_probes} | {probe.group for probe in all_probes}
    for name in only:
        if name not in names:
            raise OptionError(f"There's no probe {name!r}. {nearest(name, sorted(names))}")
    return [probe for probe in all_probes if probe.name in only or probe.group in only]


def _unless_known(finding: Finding, env: Environment) -> Finding:
    """Return the finding, as known if the environment's author has explained it."""
    why = env.known_findings.get(finding.probe)
    if why is None or finding.outcome is not ProbeOutcome.FAIL:
        return finding
    return replace(finding, outcome=ProbeOutcome.KNOWN, fix=f"Known: {why}")


def _cause(subject: Subject, findings: dict[str, Finding]) -> str:
    """Return what most other findings may follow from; "" if there's no such fault.

    It is a fault of the verifier on a large share of all responses, or tasks that vary.
    """
    remade = findings.get("tasks-remade")
    fault = _verifier_fault(subject)
    if not fault and remade is not None and remade.figures.get("tasks_that_vary"):
        fault = f"{remade.summary}. {remade.fix}"
    return fault and f"{fault} Fix this first; other findings may follow from it."


def _verifier_fault(subject: Subject) -> str:
    """Return the fault of the verifier on a large share of all responses; "" if there's none."""
    faults = Counter(
        verdict.message
        for *_, verdict in subject.seen
        if isinstance(verdict, Unscored) and verdict.cause in (Cause.INTERNAL, Cause.SANDBOX)
    )
    count = faults.total()
    if not faults or count < _MANY * len(subject.seen):
        return ""
    message, times = faults.most_common(1)[0]
    other_faults = "" if times == count else f" (of the others: {faults.most_common(2)[1][0]:.200})"
    return (
        f"{count} of {len(subject.seen)} responses have no verdict: {message:.300}{other_faults}."
    )
