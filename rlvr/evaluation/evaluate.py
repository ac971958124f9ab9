"""`rlvr.evaluate`: a policy's rewards on an environment's tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Never

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError, nearest
from rlvr.core.secrets import scrubbed_options
from rlvr.envs.slices import By
from rlvr.evaluation.drive import AnyPolicy
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.evaluation.preflight import make_to_evaluate
from rlvr.policies.base import name_of
from rlvr.policies.scripted import scripted
from rlvr.runs.cache import VerdictCache
from rlvr.runs.report import Report
from rlvr.runs.run import Run, about

_NAMES = (
    "k", "split", "data", "options", "limit", "run", "resume", "seed", "concurrency", "progress",
    "cache", "price", "by", "labels",
)  # fmt: skip


def evaluate(
    env: Environment | str,
    policy: AnyPolicy | str,
    k: int = 1,
    *,
    split: str | None = None,
    data: str | None = None,
    options: Mapping[str, Any] | None = None,
    limit: int | None = None,
    run: Run | str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    concurrency: int | None = None,
    progress: Callable[[Evaluation], None] = lambda evaluation: None,
    cache: VerdictCache | None = None,
    price: tuple[float, float] | None = None,
    by: By | None = None,
    labels: Mapping[str, str | int] | None = None,
    **unknown: Never,
) -> Report:
    """Let `policy` answer each task k times, and judge the answers meanwhile::

        report = rlvr.evaluate("arithmetic", "oracle", limit=10)
        report.mean.value  # 1.0

    Args:
        env: an environment, or the name of one. A name gives the test split if there is one.
        policy: a policy (`rlvr.policies`: an OpenAI-compatible server, transformers, vLLM), any object
            with `respond`, or the name of a script: oracle, empty, echo, random.
        k: samples per task.
        split, data, options: the split, data file and other options of an environment given by name.
        limit: the number of tasks, from the first; None for all.
        run: a folder in which a run with the rollouts is made, for `rlvr view`; or an opened run,
            which stays open.
        resume: go on with `run` and repeat nothing; the report is on all rollouts.
        seed: the seed of sampling; each task, sample and turn has its own derived from it.
        concurrency: the number of requests at a time for an asynchronous policy (default: its own).
        progress: called after each rollout.
        cache: verdicts on disk, found again if verifier, task and response are the same.
        price: the price of a million prompt tokens and of a million completion tokens, for the cost.
        by: a key of the tasks such as `metadata.level`, or a function of a task: reports its slices too.
        labels: fields to add to each rollout's line.

    Raises `PolicyError` if the policy can't go on; then `run` holds all that was judged. Raises
    `DataError` if there is a run at `run` already, or, with `resume`, one of something else.
    """
    if unknown:
        name = next(iter(unknown))
        raise OptionError(
            f"rlvr.evaluate has no parameter {name!r}. {nearest(name, _NAMES)} An option of the "
            f"environment goes into options={{{name!r}: …}}, a field for each rollout into labels."
        )
    if isinstance(env, str):
        asked = dict(options or {})
        asked |= {n: v for n, v in (("split", split), ("data", data)) if v is not None}
        env, split = make_to_evaluate(env, **asked)
    elif not isinstance(env, Environment):
        raise OptionError(
            f"rlvr.evaluate takes one environment or its name, not {env!r:.80}; evaluate those of a mixture "
            f"one by one, or several by `rlvr eval --suite`."
        )
    elif split is not None or data is not None or options:
        raise OptionError(
            "split, data and options are for an environment that is given by its name: this one "
            "was made already."
        )
    else:
        split = (env.made_with or {}).get("split")
    if isinstance(policy, str):
        policy = scripted(policy, env)
    part = Part(env, k, limit, split=split)
    config = {**_origin(env, split), "policy": name_of(policy), "seed": seed}
    with _opened(run, resume, config, {"k": k, "limit": limit}) as opened:
        evaluation = Evaluation(
            [part],
            policy,
            run=opened,
            resume=resume,
            seed=seed,
            concurrency=concurrency,
            progress=progress,
            labels=dict(labels or {}),
            cache=cache,
            price=price,
            by=by,
        )
        evaluation.check()
        reports = evaluation.run()
        if opened is not None and not isinstance(run, Run):
            finish(opened, reports)
    return reports[0]


def finish(run: Run, reports: Sequence[Report], modes: Sequence[tuple[str, Report]] = ()) -> None:
    """Write the reports into a run that is complete, with those under other modes of extraction."""
    for report in reports:
        run.metrics(
            env=report.env,
            mean=report.mean.value,
            correct=report.correct.value,
            scored=report.scored,
            tasks=report.tasks,
        )
    asked = about(run.path)
    run.finish(
        {
            "asked": {name: asked.get(name) for name in ("config", "asked")},
            "reports": [report.to_json() for report in reports],
            **(
                {"modes": [{"mode": m, **report.to_json()} for m, report in modes]} if modes else {}
            ),
        }
    )


def _origin(env: Environment, split: str | None) -> dict[str, Any]:
    """Return the name and options with which `rlvr rescore` makes the environment again; the name is None if it can't."""
    origin: dict[str, Any] = {
        "environment": None,
        "name": env.name,
        "split": split,
        "data": None,
        "options": [],
    }
    chosen = {name: v for name, v in (env.made_with or {}).items() if name != "split"}
    try:
        options = [f"{name}={json.dumps(value)}" for name, value in chosen.items()]
    except (TypeError, ValueError):
        return origin
    if env.made_with is None:
        return origin
    return origin | {"environment": env.name, "options": options}


@contextmanager
def _opened(
    run: Run | str | Path | None,
    resume: bool,
    same: dict[str, Any],
    additional: dict[str, Any],
) -> Iterator[Run | None]:
    """Open a folder's run with the configuration `same | additional`; resume it only if `same` is equal."""
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
    opened = Run.resume(run) if resume else Run.create(run, "eval", same | additional)
    try:
        yield opened
    except BaseException:
        opened.discard()
        raise
    opened.close()
