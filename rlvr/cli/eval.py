"""`rlvr eval ENV`: measure a policy on an environment, or on a suite of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console

from rlvr.cli.options import environment_options, make_environment, named_values
from rlvr.cli.progress import Live
from rlvr.cli.rescore import print_rescored
from rlvr.cli.suite import read_suite
from rlvr.core.errors import DataError
from rlvr.core.registry import find
from rlvr.core.secrets import scrubbed_options
from rlvr.evaluation.drive import AnyPolicy
from rlvr.evaluation.evaluate import finish
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.policies.base import Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.scripted import NAMES, scripted
from rlvr.runs.cache import VerdictCache
from rlvr.runs.report import Report
from rlvr.runs.run import Run, about
from rlvr.runs.statistics import Estimate

_MOST = 100_000


@click.command("eval")
@click.argument("env", required=False)
@click.option("--suite", help="A TOML file with several environments, instead of ENV.")
@click.option("--policy", type=click.Choice(NAMES), help="A script instead of a model.")
@click.option(
    "--model", help="A folder or Hub id for transformers; with --base-url, its name there."
)
@click.option("--base-url", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
@click.option(
    "--api", type=click.Choice(["chat", "completions"]), default="chat", show_default=True
)
@click.option(
    "--api-key-env", default="OPENAI_API_KEY", show_default=True, help="Where the key is."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many tasks.")
@click.option(
    "-k", type=click.IntRange(min=1), default=1, show_default=True, help="Samples a task."
)
@click.option("--concurrency", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--max-tokens", type=click.IntRange(min=1), default=512, show_default=True)
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--run", "run_path", help="The run's folder; by default runs/eval-TIME.")
@click.option("--resume", is_flag=True, help="Go on with the run in --run; repeats nothing.")
@click.option("--cache", type=click.Path(dir_okay=False),
              help="A file of verdicts: what's in it needn't be judged again.")  # fmt: skip
@click.option("--price", type=click.FloatRange(min=0), nargs=2, metavar="SENT RECEIVED",
              help="Of a million tokens each; reports the cost.")  # fmt: skip
@click.option("--rescore", help="A run to judge again, without a model; prints what changed.")
@environment_options
def command(
    env: str | None, run_path: str | None, resume: bool, rescore: str | None, **flags: Any
) -> None:
    """Have a policy answer ENV's tasks k times each, and write a run with every rollout."""
    if rescore is not None:
        if any((env, run_path, resume, flags["suite"], flags["policy"], flags["model"])):
            raise click.UsageError("--rescore RUN stands alone: the run says what it's of.")
        with _cache(flags["cache"]) as cache:
            said = named_values("--env", flags["env_options"])
            said |= {n: flags[n] for n in ("split", "data") if flags[n] is not None}
            print_rescored(rescore, cache, said)
        return
    if (env is None) == (flags["suite"] is None):
        raise click.UsageError("Name an ENV, or a --suite.")
    if (flags["policy"] is None) == (flags["model"] is None):
        raise click.UsageError(f"Name one of --policy ({', '.join(NAMES)}) and --model.")
    if resume and run_path is None:
        raise click.UsageError("--resume goes on with the run in --run DIR: name it.")
    if not resume:
        Run.check_free(run_path)
    parts = _parts(env, flags)
    policy = _policy(flags, parts)
    config = _config(env, flags, policy.name)
    if resume:
        assert run_path is not None
        _check_same(run_path, config)
    # What can't work is said before a run is made.
    if flags["policy"] is not None:
        policy.respond([Request.of(parts[0].env.tasks[0])])  # type: ignore[union-attr]
    elif isinstance(policy, OpenAIPolicy):
        asyncio.run(_can_start(policy))
    with (
        Run.resume(run_path) if resume and run_path else Run.create(run_path, "eval", config) as run
    ):
        with Live() as live, _cache(flags["cache"]) as cache:
            evaluation = Evaluation(
                parts,
                policy,
                run=run,
                resume=resume,
                seed=flags["seed"],
                concurrency=flags["concurrency"],
                progress=live,
                cache=cache,
                price=flags["price"],
            )
            if evaluation.already:
                click.echo(f"{evaluation.already} rollouts are there already", err=True)
            reports = evaluation.run()
            if cache is not None:
                click.echo(f"{cache.found} verdicts were found in {cache.path}", err=True)
        for report in reports:
            _print(report)
        finish(run, reports)
    Console().print(f"run: {run.path}", highlight=False, markup=False, soft_wrap=True)


def _parts(env: str | None, flags: dict[str, Any]) -> list[Part]:
    if env is None:
        if flags["split"] or flags["data"] or flags["env_options"]:
            raise click.UsageError("With --suite, splits, data and options stand in its file.")
        parts = read_suite(flags["suite"], flags["k"], flags["limit"])
    else:
        made = make_environment(env, flags["split"], flags["data"], flags["env_options"])
        parts = [Part(made, flags["k"], flags["limit"])]
    if len({part.key for part in parts}) < len(parts):
        raise click.UsageError("Two environments of the suite have one name: give one a label.")
    for part in parts:
        if part.limit is None and part.tasks > _MOST:
            raise click.UsageError(
                f"{part.key[0]} has {part.tasks} tasks: say how many with --limit."
            )
    return parts


def _policy(flags: dict[str, Any], parts: list[Part]) -> AnyPolicy:
    if flags["policy"] is not None:
        if len(parts) > 1 and flags["policy"] not in ("empty", "echo"):
            raise click.UsageError(
                f"--policy {flags['policy']} answers for one environment: evaluate them one by one."
            )
        return scripted(flags["policy"], parts[0].env)
    sampling = {"temperature": flags["temperature"]}
    if flags["base_url"] is not None:
        return OpenAIPolicy(
            flags["model"],
            flags["base_url"],
            api=flags["api"],
            max_tokens=flags["max_tokens"],
            concurrency=flags["concurrency"],
            api_key_env=flags["api_key_env"],
            **sampling,
        )
    from rlvr.policies.transformers import TransformersPolicy

    return TransformersPolicy(flags["model"], max_new_tokens=flags["max_tokens"], **sampling)


def _config(env: str | None, flags: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "environment": env,
        "version": find(env).version if env is not None else None,
        "RLVR_DATA": os.environ.get("RLVR_DATA"),
        **{flag: value for flag, value in flags.items() if flag != "env_options"},
        "policy": name,
        "options": list(flags["env_options"]),
    }


def _check_same(path: str, config: dict[str, Any]) -> None:
    """A run is of one question: what may differ is how fast it's asked, where, and how much."""
    before = about(path)["config"]
    for name, value in scrubbed_options(config).items():
        if name in (
            "concurrency",
            "base_url",
            "api_key_env",
            "RLVR_DATA",
            "limit",
            "k",
            "cache",
            "price",
        ):
            continue
        if name not in before or before[name] != value:
            raise DataError(
                f"The run in {path!r} was begun with {name} {before.get(name)!r}, not {value!r}. "
                f"Resume it with the same flags, or choose another --run."
            )


async def _can_start(policy: OpenAIPolicy) -> None:
    try:
        await policy.start()
    finally:
        await policy.aclose()


def _print(report: Report) -> None:
    console = Console()

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    where = f"{report.env} ({report.part}): " if report.part else ""
    unscored = report.rollouts - report.scored
    say(
        f"{where}reward {_figure(report.mean)} · correct {report.correct.value:.4f} · "
        f"{report.scored} scored, {unscored} unscored of {report.rollouts}"
    )
    if unscored:
        say(f"  with the unscored as 0: reward {_figure(report.mean_unscored_as_0)}")
    for k, chance in enumerate(report.pass_at_k, 1):
        if len(report.pass_at_k) > 1 and (k & (k - 1) == 0 or k == len(report.pass_at_k)):
            say(f"  pass@{k:<15} {_figure(chance)}")
    if len(report.pass_at_k) > 1:
        say(f"  {'majority':<20} {_figure(report.majority)}")
    for status, count in report.statuses.items():
        say(f"  {status:<20} {count}")
    for cause, count in report.unscored.items():
        say(f"  {'unscored: ' + cause:<20} {count}")
    if report.truncated:
        say(f"  {'truncated':<20} {report.truncated:.4f}")
    if report.cost is not None:
        say(f"  {'cost':<20} {report.cost:.4f}")


@contextlib.contextmanager
def _cache(path: str | None) -> Iterator[VerdictCache | None]:
    cache = VerdictCache(path) if path is not None else None
    try:
        yield cache
    finally:
        if cache is not None:
            cache.close()


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ± {estimate.half:.4f}"
