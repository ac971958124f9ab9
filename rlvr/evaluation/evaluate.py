"""`rlvr.evaluate`: a policy's rewards on an environment's tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError
from rlvr.core.registry import make
from rlvr.core.secrets import scrubbed_options
from rlvr.evaluation.drive import AnyPolicy
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.policies.scripted import scripted
from rlvr.runs.cache import VerdictCache
from rlvr.runs.report import Report
from rlvr.runs.run import Run, about


def evaluate(
    env: Environment | str,
    policy: AnyPolicy | str,
    k: int = 1,
    *,
    limit: int | None = None,
    run: Run | str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    concurrency: int | None = None,
    progress: Callable[[Evaluation], None] = lambda evaluation: None,
    cache: VerdictCache | None = None,
    price: tuple[float, float] | None = None,
    **labels: str | int,
) -> Report:
    """Have `policy` answer each task k times, and judge while it goes on.

    Args:
        env: single- or multi-turn; or the name of one, with its default options.
        policy: a policy (`rlvr.policies`: an OpenAI-compatible server, transformers, vLLM), anything
            with a name and `respond`, or the name of a script: oracle, empty, echo, random.
        limit: only so many tasks, from the first.
        run: where the rollouts go, with `labels` on each: a folder, in which a run is made that
            `rlvr view` opens; or an opened run, which stays open.
        resume: go on with `run`: leave out what it has already; the report is on all.
        seed: of sampling; each task, sample and turn has its own from it.
        concurrency: requests under way, where the policy is asynchronous; by default its own.
        progress: called after each rollout.
        cache: verdicts on disk, found again where verifier, task and response are the same.
        price: of a million prompt tokens and of a million completion tokens, for the report's cost.

    Raises `PolicyError` where the policy can't go on; then `run` holds all that was judged. Raises
    `DataError` where there's a run at `run` already, or, with `resume`, one of something else.
    """
    if isinstance(env, str):
        env = make(env)
    if isinstance(policy, str):
        policy = scripted(policy, env)
    part = Part(env, k, limit)
    asked = {**_origin(env), "policy": policy.name, "seed": seed}
    with _opened(run, resume, asked, {"k": k, "limit": limit}) as opened:
        evaluation = Evaluation(
            [part],
            policy,
            run=opened,
            resume=resume,
            seed=seed,
            concurrency=concurrency,
            progress=progress,
            labels=labels,
            cache=cache,
            price=price,
        )
        reports = evaluation.run()
        if opened is not None and not isinstance(run, Run):
            finish(opened, reports)
    return reports[0]


def finish(run: Run, reports: Sequence[Report]) -> None:
    """Write the reports into a run that is complete."""
    for report in reports:
        run.metrics(
            env=report.env,
            mean=report.mean.value,
            correct=report.correct.value,
            scored=report.scored,
            tasks=report.tasks,
        )
    run.finish({"reports": [report.to_json() for report in reports]})


def _origin(env: Environment) -> dict[str, Any]:
    """How `rlvr eval --rescore` makes the environment again; None in place of its name where nobody can."""
    about: dict[str, Any] = {
        "environment": None,
        "name": env.name,
        "split": None,
        "data": None,
        "options": [],
    }
    try:
        options = [f"{name}={json.dumps(value)}" for name, value in (env.made_with or {}).items()]
    except (TypeError, ValueError):
        return about
    return about if env.made_with is None else about | {"environment": env.name, "options": options}


@contextmanager
def _opened(
    run: Run | str | Path | None,
    resume: bool,
    same: dict[str, Any],
    others: dict[str, Any],
) -> Iterator[Run | None]:
    """A folder's run, with `same` and `others` as its configuration; resumed where `same` is the same."""
    if run is None or isinstance(run, Run):
        yield run
        return
    if resume:
        before = about(run)["config"]
        for name, value in scrubbed_options(same).items():
            if before.get(name) != value:
                raise DataError(
                    f"The run in {str(run)!r} was begun with {name} {before.get(name)!r}, not "
                    f"{value!r}: choose another folder."
                )
    opened = Run.resume(run) if resume else Run.create(run, "eval", same | others)
    try:
        yield opened
    except BaseException:
        opened.discard()
        raise
    opened.close()
