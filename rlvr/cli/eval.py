"""`rlvr eval ENV`: measure a policy on an environment, or on a suite of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from rlvr.cli.figures import UNSCORED, print_report
from rlvr.cli.options import environment_options, named_values
from rlvr.cli.policies import model_policy
from rlvr.cli.progress import Live
from rlvr.cli.rescore import print_modes, print_rescored
from rlvr.cli.suite import read_suite
from rlvr.core.errors import DataError
from rlvr.core.registry import find
from rlvr.core.secrets import scrubbed_options
from rlvr.evaluation.drive import AnyPolicy
from rlvr.evaluation.evaluate import finish
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.evaluation.preflight import check_sampling, check_server, make_to_evaluate
from rlvr.policies.base import Request
from rlvr.policies.decoding import template_digest
from rlvr.policies.scripted import NAMES, scripted
from rlvr.runs.cache import VerdictCache
from rlvr.runs.reading import read_records
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, about
from rlvr.runs.saved import describe

_MOST = 100_000

# A run is of one question: what may differ when it is resumed is how fast it is asked, where and how much.
_MAY_DIFFER = {
    "concurrency",
    "base_url",
    "api_key_env",
    "RLVR_DATA",
    "limit",
    "k",
    "cache",
    "price",
    "by",
    "modes",
}


@click.command("eval")
@click.argument("env", required=False)
@click.option("--suite", help="A TOML file with several environments, instead of ENV.")
@click.option(
    "--policy", type=click.Choice(NAMES), help="A script that answers instead of a model."
)
@click.option(
    "--model",
    help="A folder or Hub id for transformers; with --base-url, the model's name on the server.",
)
@click.option("--base-url", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
@click.option("--api", type=click.Choice(["chat", "completions"]),
              help="The server's endpoint; completions takes the prompt as one text (default: chat, and completions with --template).")  # fmt: skip
@click.option("--template", metavar="plain|FILE.jinja",
              help="The template of a base model, instead of its tokenizer's or the server's.")  # fmt: skip
@click.option("--stop", multiple=True, metavar="TEXT",
              help="Text before which a response ends; repeatable (default: the strings that ENV's prompt names, if any).")  # fmt: skip
@click.option("--thinking-tokens", type=click.IntRange(min=1),
              help="Tokens after which thoughts are closed and the answer begins (default: no such limit).")  # fmt: skip
@click.option("--api-key-env", default="OPENAI_API_KEY", show_default=True,
              help="The environment variable with the server's API key.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1),
              help="The number of tasks, from the first (default: all).")  # fmt: skip
@click.option("-k", type=click.IntRange(min=1), default=1, show_default=True,
              help="Samples per task; more than 1 needs a --temperature.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(min=1), default=64, show_default=True,
              help="Requests at a time to the server.")  # fmt: skip
@click.option("--max-tokens", type=click.IntRange(min=1), default=512, show_default=True,
              help="Tokens per response; a longer response is cut.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="The sampling temperature; 0 is greedy.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="The seed of sampling.")  # fmt: skip
@click.option("--by", help="Report slices of the tasks too, by a key such as metadata.level.")
@click.option("--run", "run_path", help="The run's folder (default: runs/eval-TIME).")
@click.option("--resume", is_flag=True,
              help="Go on with the run in --run, with its own flags; repeats nothing.")  # fmt: skip
@click.option("--cache", type=click.Path(dir_okay=False),
              help="A file of verdicts; responses whose verdict is in it are not judged again.")  # fmt: skip
@click.option("--price", type=click.FloatRange(min=0), nargs=2, metavar="SENT RECEIVED",
              help="The price of a million tokens sent and received; reports the cost.")  # fmt: skip
@click.option("--modes", metavar="MODE,MODE…",
              help="Print the figures under each mode of extraction too, such as boxed,flexible,minerva.")  # fmt: skip
@click.option("--rescore", help="A run to judge again without a model; prints the changes.")
@environment_options
@click.pass_context
def command(
    context: click.Context,
    /,
    env: str | None,
    run_path: str | None,
    resume: bool,
    rescore: str | None,
    **flags: Any,
) -> None:
    """Have a policy answer each task of ENV k times, and write a run with every rollout.

    Measures ENV's test split if there is one; --split names another.

    Exit status: 0 if all rollouts were scored, 3 if some were not, 2 for bad usage.
    """
    if rescore is not None:
        if any((env, run_path, resume, flags["suite"], flags["policy"], flags["model"])):
            raise click.UsageError("--rescore RUN stands alone: the run says what it's of.")
        with _cache(flags["cache"]) as cache:
            overrides = named_values("--env", flags["env_options"])
            overrides |= {n: flags[n] for n in ("split", "data") if flags[n] is not None}
            print_rescored(rescore, cache, overrides)
        return
    if resume:
        if run_path is None:
            raise click.UsageError("--resume goes on with the run in --run DIR: name it.")
        env = _take_from_run(context, run_path, env, flags)
    if (env is None) == (flags["suite"] is None):
        raise click.UsageError("Name an ENV, or a --suite.")
    if (flags["policy"] is None) == (flags["model"] is None):
        raise click.UsageError(f"Name one of --policy ({', '.join(NAMES)}) and --model.")
    if not resume:
        Run.check_free(run_path)
    parts = _parts(env, flags)
    policy = _policy(flags, parts)
    config = _config(env, flags, parts, policy.name)
    if resume:
        assert run_path is not None
        _check_same(run_path, config)
    # What can't work is said before a run is made.
    if flags["policy"] is not None:
        policy.respond([Request.of(parts[0].env.tasks[0])])  # type: ignore[union-attr]
    check_server(policy)
    console = Console()
    with _cache(flags["cache"]) as cache:
        Evaluation(parts, policy, by=flags["by"]).check()
        asked = {"config": config, "asked": [part.to_json() for part in parts]}
        console.print(describe(asked), highlight=False, markup=False, soft_wrap=True)
        with (
            Run.resume(run_path)
            if resume and run_path
            else Run.create(run_path, "eval", config) as run
        ):
            try:
                reports = _evaluate(parts, policy, run, resume, cache, flags)
            except (KeyboardInterrupt, click.Abort, DataError, OSError):
                click.echo(f"to go on: rlvr eval --run {run.path} --resume", err=True)
                raise
            for report in reports:
                print_report(report, flags["by"])
            finish(run, reports, _modes(parts, run, flags["modes"]))
    console.print(f"run: {run.path}", highlight=False, markup=False, soft_wrap=True)
    if any(report.scored < report.asked for report in reports):
        raise click.exceptions.Exit(UNSCORED)


def _modes(parts: list[Part], run: Run, modes: str | None) -> list[tuple[str, Report]]:
    """Print the figures of each environment under each mode of extraction, and return the reports."""
    reports: list[tuple[str, Report]] = []
    for part in parts if modes is not None else ():
        if len(parts) > 1:
            click.echo(f"{' '.join(filter(None, part.key))}:")
        reports += print_modes(part.env, modes or "", partial(_rollouts, run, part))
    return reports


def _rollouts(run: Run, part: Part) -> Iterator[Rollout]:
    return (record.rollout for record in read_records(run.path) if record.part == part.key)


def _evaluate(
    parts: list[Part],
    policy: AnyPolicy,
    run: Run,
    resume: bool,
    cache: VerdictCache | None,
    flags: dict[str, Any],
) -> Any:
    with Live() as live:
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
            by=flags["by"],
        )
        if evaluation.already:
            click.echo(f"{evaluation.already} rollouts are there already", err=True)
        reports = evaluation.run()
        if cache is not None:
            click.echo(f"{cache.found} verdicts were found in {cache.path}", err=True)
    return reports


def _parts(env: str | None, flags: dict[str, Any]) -> list[Part]:
    if env is None:
        if flags["split"] or flags["data"] or flags["env_options"]:
            raise click.UsageError("With --suite, splits, data and options stand in its file.")
        parts = read_suite(flags["suite"], flags["k"], flags["limit"])
    else:
        options = named_values("--env", flags["env_options"])
        options |= {n: flags[n] for n in ("split", "data") if flags[n] is not None}
        environment, split = make_to_evaluate(env, **options)
        parts = [Part(environment, flags["k"], flags["limit"], split=split)]
    if len({part.key for part in parts}) < len(parts):
        raise click.UsageError("Two environments of the suite have one name: give one a label.")
    if flags["model"] is not None:
        for part in parts:
            check_sampling(part.k, flags["temperature"], flags=True)
    for part in parts:
        if flags["modes"]:
            for mode in flags["modes"].split(","):
                part.env.verifier.configure(mode=mode.strip())
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
    return model_policy(flags, _stop(flags, parts))


def _stop(flags: dict[str, Any], parts: list[Part]) -> tuple[str, ...]:
    """Return the stop strings: those of the command line, or else those that the environments' prompts name."""
    if flags["stop"]:
        return tuple(flags["stop"])
    stops = {part.stop for part in parts}
    if len(stops) > 1:
        raise click.UsageError(
            "The prompts of this suite end responses at different strings: evaluate these environments one "
            "by one, or name the strings for all with --stop."
        )
    return stops.pop()


def _config(env: str | None, flags: dict[str, Any], parts: list[Part], name: str) -> dict[str, Any]:
    """Return what was asked with every default resolved, for `run.json`."""
    return {
        "environment": env,
        "version": find(env).version if env is not None else None,
        "RLVR_DATA": os.environ.get("RLVR_DATA"),
        **{flag: value for flag, value in flags.items() if flag != "env_options"},
        "split": parts[0].split if env is not None else None,
        **_resolved(flags, parts),
        "policy": name,
        "options": list(flags["env_options"]),
    }


def _resolved(flags: dict[str, Any], parts: list[Part]) -> dict[str, Any]:
    if flags["model"] is None:
        return {"api": None, "stop": [], "template_digest": None}
    api = flags["api"] or ("chat" if flags["template"] is None else "completions")
    return {
        "api": api if flags["base_url"] is not None else None,
        "stop": list(_stop(flags, parts)),
        "template_digest": template_digest(flags["template"]),
    }


def _take_from_run(
    context: click.Context, path: str, env: str | None, flags: dict[str, Any]
) -> str | None:
    """Fill in the flags that the user did not give as the run was begun, and return its environment."""
    config = about(path).get("config")
    if not isinstance(config, dict):
        raise DataError(f"The run in {path!r} can't be resumed: its run.json has no configuration.")
    names = {name: name for name in flags} | {"env_options": "options"}
    for flag, name in names.items():
        on_command_line = context.get_parameter_source(flag) == ParameterSource.COMMANDLINE
        if on_command_line or name not in config:
            continue
        value = config[name]
        flags[flag] = tuple(value) if isinstance(value, list) else value
    # The policy's name is kept, whatever answered.
    if flags["model"] is not None or flags["policy"] not in NAMES:
        flags["policy"] = None
    return env if env is not None or flags["suite"] is not None else config.get("environment")


def _check_same(path: str, config: dict[str, Any]) -> None:
    """Raise `DataError` if the run asked something else."""
    before = about(path)["config"]
    for name, value in scrubbed_options(config).items():
        if name in _MAY_DIFFER:
            continue
        if before.get(name) != value and (name in before or value not in (None, [])):
            raise DataError(
                f"The run in {path!r} was begun with {name} {before.get(name)!r}, not {value!r}. "
                f"Resume it with the same flags, or choose another --run."
            )


@contextlib.contextmanager
def _cache(path: str | None) -> Iterator[VerdictCache | None]:
    cache = VerdictCache(path) if path is not None else None
    try:
        yield cache
    finally:
        if cache is not None:
            cache.close()
