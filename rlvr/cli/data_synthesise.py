"""`rlvr data synthesise`: tasks from a few examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlvr.cli.options import named_values
from rlvr.runs.rendering import printable

if TYPE_CHECKING:
    from rlvr.authoring.synthesis import SynthesisReport

_FEWER = 3  # the exit status if fewer tasks were kept than asked for


@click.command("synthesise", short_help="tasks from a few examples, confirmed by the verifier")
@click.argument("env")
@click.option(
    "--from", "examples", required=True, metavar="EXAMPLES",
    help="Examples: a JSONL, JSON or Parquet file, or an environment such as gsm8k:train.",
)  # fmt: skip
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Folder for tasks.jsonl, rejected.jsonl, report.json and the policies' answers.",
)  # fmt: skip
@click.option("--count", default=100, show_default=True, type=click.IntRange(min=1),
              help="Tasks to keep.")  # fmt: skip
@click.option("--policy", metavar="FILE.py[:NAME]",
              help="A policy in a Python file that writes the tasks, instead of a model (NAME: policy by default).")  # fmt: skip
@click.option("--model", help="The model that writes the tasks: a folder or Hub id for transformers; with --base-url, "
                              "the model's name on the server.")  # fmt: skip
@click.option("--base-url", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
@click.option("--solver", metavar="FILE.py[:NAME]",
              help="A policy in a Python file that solves the tasks (default: the policy that writes them).")  # fmt: skip
@click.option(
    "--solver-model", help="A model that solves the tasks (default: the policy that writes them)."
)
@click.option(
    "--solver-base-url", help="The server of --solver-model (default: that of --base-url)."
)
@click.option("--api", type=click.Choice(["chat", "completions"]),
              help="The server's endpoint (default: chat, and completions with --template).")  # fmt: skip
@click.option("--template", metavar="plain|FILE.jinja",
              help="The template of a base model, instead of its tokenizer's or the server's.")  # fmt: skip
@click.option("--stop", multiple=True, metavar="TEXT",
              help="Text before which a response ends; repeatable (default: none).")  # fmt: skip
@click.option("--thinking-tokens", type=click.IntRange(min=1),
              help="Tokens after which thoughts are closed (default: no such limit).")  # fmt: skip
@click.option("--api-key-env", default="OPENAI_API_KEY", show_default=True,
              help="The environment variable with the server's API key.")  # fmt: skip
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(min=1),
              help="Requests at a time to the server.")  # fmt: skip
@click.option("--max-tokens", default=4096, show_default=True, type=click.IntRange(min=1),
              help="Tokens per response.")  # fmt: skip
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(min=0),
              help="The sampling temperature.")  # fmt: skip
@click.option("--shown", default=4, show_default=True, type=click.IntRange(min=1),
              help="Examples in each request for tasks.")  # fmt: skip
@click.option("--per-reply", default=5, show_default=True, type=click.IntRange(min=1),
              help="Tasks that each request asks for.")  # fmt: skip
@click.option("--personas", default=0, show_default=True, type=click.IntRange(min=0),
              help="Personas to make first; each request for tasks has one of them.")  # fmt: skip
@click.option("--agree", default=2, show_default=True, type=click.IntRange(min=1),
              help="Solver's responses that must earn full reward with the proposed reference.")  # fmt: skip
@click.option("--of", default=3, show_default=True, type=click.IntRange(min=1),
              help="Solver's responses per task.")  # fmt: skip
@click.option("--difficulty", default="0,1", show_default=True, metavar="LOW,HIGH",
              help="Least and greatest pass rate of a kept task.")  # fmt: skip
@click.option("--near", default=0.5, show_default=True, type=click.FloatRange(0, 1, min_open=True),
              help="Jaccard similarity from which on questions with the same numbers are near-duplicates.")  # fmt: skip
@click.option("--templates", is_flag=True,
              help="Also refuse near-duplicates with other numbers (default: no).")  # fmt: skip
@click.option("--against", multiple=True, metavar="EVAL",
              help="Evaluation set whose problems aren't kept: a file or an environment; repeatable.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of examples, personas and sampling.")  # fmt: skip
@click.option("--replies", type=click.IntRange(min=1),
              help="Most replies with tasks (default: 20 times as many as would do if each task were kept).")  # fmt: skip
@click.option("--patience", default=500, show_default=True, type=click.IntRange(min=1),
              help="Candidates in a row without a kept task after which it stops.")  # fmt: skip
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the synthesis in DIR, with the same options; repeats nothing.",
)
@click.option("--split", help="Split that ENV is made with (default: the environment's).")
@click.option("--env", "env_options", multiple=True, metavar="NAME=VALUE",
              help="Option of the environment, such as level=3; repeatable.")  # fmt: skip
def command(
    env: str,
    examples: str,
    output: Path,
    count: int,
    difficulty: str,
    resume: bool,
    split: str | None,
    env_options: tuple[str, ...],
    **flags: Any,
) -> None:
    """Have a policy write tasks for ENV like the EXAMPLES, and keep those that pass every check.

    A task is kept if ENV reads it, its text hides nothing and doesn't tell the answer, it isn't a near-duplicate of an
    example or a kept task, it is in no evaluation set (--against), the verifier can use its reference, and --agree of
    --of responses of the solver, which doesn't see the reference, agree with it. DIR/tasks.jsonl has the columns of the
    EXAMPLES: `rlvr eval ENV --data DIR/tasks.jsonl` reads it. Each row has its origin in metadata.origin.

    Exit status: 0 done, 3 if fewer than --count tasks were kept, 2 bad usage or no policy.
    """
    from rich.console import Console

    from rlvr.authoring.synthesis import synthesise
    from rlvr.evaluation.preflight import check_sampling, check_server

    if (flags["policy"] is None) == (flags["model"] is None):
        raise click.UsageError("Name one of --policy and --model.")
    if flags["solver"] is not None and flags["solver_model"] is not None:
        raise click.UsageError("Name one of --solver and --solver-model.")
    if flags["solver_base_url"] is not None and flags["solver_model"] is None:
        raise click.UsageError("--solver-base-url is the server of --solver-model.")
    if flags["model"] is not None and (
        flags["solver"] is None or flags["solver_model"] is not None
    ):
        check_sampling(flags["of"], flags["temperature"])
    policy, solver = _policies(flags)
    for asked in (policy, solver):
        if asked is not None:
            check_server(asked)
    options = named_values("--env", env_options)
    if split is not None:
        options["split"] = split
    names = (
        "shown", "per_reply", "personas", "agree", "of", "near", "templates", "against", "seed", "replies", "patience",
    )  # fmt: skip
    console = Console(stderr=True)
    try:
        with console.status("asking for tasks") as status:

            def progress(report: SynthesisReport) -> None:
                status.update(f"{report.kept} of {count} tasks, {report.candidates} candidates")

            synthesis = synthesise(
                env,
                examples,
                policy,
                count,
                solver=solver,
                folder=output,
                resume=resume,
                env_options=options,
                concurrency=flags["concurrency"],
                progress=progress,
                sampling=_sampling(flags),
                difficulty=_interval(difficulty),
                **{name: flags[name] for name in names},
            )
    except (KeyboardInterrupt, click.Abort, OSError):
        click.echo("to go on: the same command with --resume", err=True)
        raise
    for line in synthesis.report.lines():
        click.echo(printable(line, 200))
    click.echo(f"tasks: {output / 'tasks.jsonl'}")
    if not synthesis.report.is_complete:
        click.echo(
            f"{synthesis.report.kept} of {count} tasks: {synthesis.report.stopped}. The reasons are in {output / 'rejected.jsonl'}; "
            f"with --resume and a higher limit it goes on.",
            err=True,
        )
        raise click.exceptions.Exit(_FEWER)


def _policies(flags: dict[str, Any]) -> tuple[Any, Any]:
    """Return the policy that writes tasks, and the one that solves them (None for the same)."""
    from rlvr.cli.policies import model_policy, policy_in_file

    policy = (
        policy_in_file(flags["policy"])
        if flags["policy"] is not None
        else model_policy(flags, flags["stop"])
    )
    if flags["solver"] is not None:
        return policy, policy_in_file(flags["solver"])
    if flags["solver_model"] is not None:
        url = flags["solver_base_url"] or flags["base_url"]
        served = {**flags, "model": flags["solver_model"], "base_url": url}
        return policy, model_policy(served, flags["stop"])
    return policy, None


def _sampling(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what decides a model's answers, which a resumed synthesis must have again."""
    if flags["model"] is None and flags["solver_model"] is None:
        return {}
    names = ("temperature", "max_tokens", "stop", "thinking_tokens", "template", "api")
    values = {name: flags[name] for name in names}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def _interval(text: str) -> tuple[float, float]:
    low, comma, high = text.partition(",")
    try:
        if comma:
            return float(low), float(high)
    except ValueError:
        pass
    raise click.UsageError(f"--difficulty takes two pass rates such as 0.1,0.9, not {text!r}.")
