"""`rlvr train ENV`: train a model on an environment's verifiable reward."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console

from rlvr.cli.options import dataclass_options, named_values
from rlvr.core.errors import RlvrError

if TYPE_CHECKING:
    from rlvr.training.config import Source, TrainConfig
    from rlvr.training.train import TrainOutcome

_STOPPED = 4
_FIELDS = ("model", "trainer", "steps", "batch", "group", "micro_batch", "max_tokens", "temperature", "learning_rate",
           "warmup_steps", "beta", "kl_budget", "kl_action", "turn_returns", "lora", "vllm", "base_url", "measure_every", "save_every",
           "report_to", "seed")  # fmt: skip
"""The fields of `TrainConfig` that are options as they are."""


def _options(function: Callable[..., None]) -> Callable[..., None]:
    from rlvr.training.config import TrainConfig

    return dataclass_options(TrainConfig, *_FIELDS)(function)


@click.command("train")
@click.argument("env", required=False)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help="A TOML file with fields of TrainConfig. The other options override it.",
)
@_options
@click.option("--split", help="Split of ENV's tasks to train on.")
@click.option("--data", help="ENV's data: a local file, or a folder laid out like RLVR_DATA.")
@click.option(
    "--env",
    "env_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of ENV, such as level=3. May be repeated.",
)
@click.option(
    "--held-out",
    help="Environment to measure on during training (default: ENV, if it has the split).",
)
@click.option(
    "--held-out-split", default="test", help="Split of the held-out tasks (default test)."
)
@click.option(
    "--held-out-limit",
    type=click.IntRange(min=0),
    default=128,
    help="Number of held-out tasks (default 128); 0 measures nothing.",
)
@click.option(
    "--without-guard",
    "guards_off",
    multiple=True,
    metavar="NAME",
    help="Switch a guard rail off. May be repeated.",
)
@click.option(
    "--trl",
    "trl_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="A further argument of TRL's config. May be repeated.",
)
@click.option("--run", "run_path", help="The run's folder (default: runs/train-TIME).")
@click.option("--resume", is_flag=True, help="Resume the run in --run from its last checkpoint.")
@click.option(
    "--launch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Print the command that runs this on N GPUs, and exit.",
)
@click.pass_context
def command(context: click.Context, /, **flags: Any) -> None:
    """Train a model on ENV's verifiable reward, and write a run that `rlvr view` opens.

    ENV may be left out if --config names environments, one or several with weights.

    Exit status: 4 if a guard rail or the KL budget stopped the run.
    """
    used = {
        name: value
        for name, value in flags.items()
        if value is not None and value != () and value is not False
    }
    if flags["env"] == "quickstart":
        _quickstart(context, used)
        return
    if flags["launch"]:
        click.echo(launch_line(sys.argv[1:], flags["launch"]))
        return
    chosen = context.get_parameter_source("held_out_split") is ParameterSource.COMMANDLINE
    config = _config(used, flags, chosen or flags["held_out"] is not None)
    # The training stack takes seconds to import: only once the options are known to be valid.
    from rlvr.training.train import train

    began = time.monotonic()
    outcome = train(config, flags["run_path"], resume=flags["resume"])
    if _is_first():
        _print(outcome, time.monotonic() - began)
    if outcome.stopped:
        raise SystemExit(_STOPPED)


def launch_line(arguments: list[str], processes: int) -> str:
    """Return the command that runs these arguments in several processes, by `accelerate`."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument == "--launch":
            skip = not skip
        elif not argument.startswith("--launch="):
            kept.append(argument)
    line = ["accelerate", "launch", "--num_processes", str(processes), "-m", "rlvr", *kept]
    return shlex.join(line)


def _config(used: dict[str, Any], flags: dict[str, Any], wants_held_out: bool) -> TrainConfig:
    from rlvr.training.config import Source, TrainConfig, read_toml
    from rlvr.training.guards import GuardConfig
    from rlvr.training.train import config_of

    if flags["resume"]:
        if flags["run_path"] is None:
            raise click.UsageError("--resume resumes the run in --run DIR: name it.")
        extra = set(used) - {"run_path", "resume", "held_out_split", "held_out_limit"}
        if extra:
            raise click.UsageError(
                "--resume takes everything from the run: leave the other flags out, except --run."
            )
        return config_of(flags["run_path"])
    changes = {name: value for name, value in used.items() if name in _FIELDS}
    file = read_toml(flags["config"]) if flags["config"] is not None else {}
    if flags["env"] is None and (flags["split"] or flags["data"] or flags["env_options"]):
        raise click.UsageError("--split, --data and --env are options of ENV: name it.")
    if flags["env"] is None and "environments" not in file:
        raise click.UsageError("Name an ENV, or a --config with environments.")
    if flags["model"] is None and "model" not in file:
        raise click.UsageError("Name a --model.")
    # Options add to the file's tables and don't replace them.
    changes["trl"] = file.get("trl", {}) | named_values("--trl", flags["trl_options"])
    unknown = set(flags["guards_off"]) - set(GuardConfig.names())
    if unknown:
        raise click.UsageError(
            f"There's no guard {unknown.pop()!r}. There are: {', '.join(GuardConfig.names())}."
        )
    off = dict.fromkeys(flags["guards_off"], False)
    changes["guards"] = file.get("guards", {}) | off
    options = named_values("--env", flags["env_options"])
    if flags["env"] is not None:
        changes["environments"] = Source(flags["env"], 1.0, flags["split"], flags["data"], options)
    if not flags["held_out_limit"]:
        changes["held_out"] = None
    elif wants_held_out or (flags["env"] is not None and "held_out" not in file):
        held_out = _held_out_source(flags, options)
        if wants_held_out or _can_be_made(held_out):
            changes["held_out"] = held_out
    return TrainConfig.from_json(file | changes)


def _held_out_source(flags: dict[str, Any], options: dict[str, Any]) -> Source:
    from rlvr.training.config import Source

    name = flags["held_out"] or flags["env"]
    if name is None:
        raise click.UsageError("--held-out-split is an option of --held-out: name one.")
    same, data = name == flags["env"], flags["data"]
    if same and data is not None and not Path(data).is_dir():
        raise click.UsageError(
            f"--data {data} is one file, whatever the split: the held-out tasks would be those that are "
            f"trained on. Name a --held-out environment, or --held-out-limit 0."
        )
    return Source(
        name,
        1.0,
        flags["held_out_split"],
        data if same else None,
        options if same else {},
        flags["held_out_limit"],
    )


def _can_be_made(source: Source) -> bool:
    """Return True if ENV has the default held-out split; otherwise say that nothing is measured."""
    try:
        source.make()
    except RlvrError as error:
        click.echo(f"rlvr: nothing is measured during training: {error}", err=True)
        return False
    return True


def _print(outcome: TrainOutcome, seconds: float) -> None:
    console = Console()
    before = {report.env: report for report in outcome.before}
    for report in outcome.after:
        was = f"{before[report.env].correct.value:.3f} → " if report.env in before else ""
        console.print(
            f"{report.env}: held-out accuracy {was}{report.correct.value:.3f} "
            f"± {report.correct.half:.3f} on {report.tasks} tasks",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    console.print(
        f"{outcome.step} steps, {seconds:.0f} s\nrun: {outcome.run} (rlvr view {outcome.run})",
        highlight=False,
        soft_wrap=True,
    )
    if outcome.stopped:
        console.print(f"stopped: {outcome.stopped}", highlight=False, soft_wrap=True)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _quickstart(context: click.Context, used: dict[str, Any]) -> None:
    """Run `rlvr quickstart`, of which `rlvr train quickstart` is the older name."""
    from rlvr.cli.quickstart import command as quickstart

    options = {parameter.name for parameter in quickstart.params}
    if set(used) - options - {"env", "held_out_split", "held_out_limit"}:
        raise click.UsageError(
            "The quickstart takes --seed, --warmup-steps, --steps and --run alone."
        )
    context.invoke(quickstart, **{name: used.get(name) for name in options if name})
