"""`rlvr train ENV`: train a model on an environment; `rlvr train quickstart`: from nothing, on a CPU."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console

from rlvr.cli.options import named_values
from rlvr.core.errors import RlvrError

if TYPE_CHECKING:
    from rlvr.training.config import Source, TrainConfig
    from rlvr.training.train import Outcome

_STOPPED = 4
_QUICKSTART = {"seed", "steps", "run_path"}
_OWN = ("env", "config", "run_path", "resume", "launch", "split", "data", "env_options",
        "held_out", "held_out_split", "held_out_limit", "guards_off", "trl_options")  # fmt: skip


@click.command("train", context_settings={"show_default": False})
@click.argument("env", required=False)
@click.option("--model", help="What the policy starts as: a folder or a Hub id.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help="A TOML file with TrainConfig's fields; flags go over it.",
)
@click.option("--trainer", type=click.Choice(["grpo", "rloo", "ppo"]), help="By default grpo.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps; by default 100.")
@click.option("--batch", type=click.IntRange(min=1), help="Completions a step; by default 128.")
@click.option(
    "--group", type=click.IntRange(min=1), help="Completions a prompt; by default 8, for ppo 1."
)
@click.option(
    "--micro-batch", type=click.IntRange(min=1), help="Of a process at once; saves memory."
)
@click.option("--max-tokens", type=click.IntRange(min=1), help="Of a completion; by default 512.")
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), help="By default 1.")
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), help="By default 1e-6."
)
@click.option("--warmup-steps", type=click.IntRange(min=0))
@click.option(
    "--beta", type=click.FloatRange(min=0), help="Weight of the KL to the reference; by default 0."
)
@click.option("--kl-budget", type=click.FloatRange(min=0, min_open=True), help="Nats a sequence.")
@click.option("--kl-action", type=click.Choice(["stop", "raise_beta"]), help="When it's spent.")
@click.option(
    "--lora",
    type=click.IntRange(min=1),
    help="Rank of adapters; by default all weights are trained.",
)
@click.option("--vllm", type=click.Choice(["none", "colocate", "server"]), help="What generates.")
@click.option("--base-url", help="Of the vLLM server, such as http://localhost:8000.")
@click.option("--split", help="Of ENV.")
@click.option("--data", help="Of ENV: a local data file, or a folder laid out like RLVR_DATA.")
@click.option("--env", "env_options", multiple=True, metavar="NAME=VALUE", help="An option of ENV.")
@click.option(
    "--held-out", help="An environment to measure on along the way; ENV itself by default."
)
@click.option("--held-out-split", default="test", show_default=True)
@click.option(
    "--held-out-limit",
    type=click.IntRange(min=0),
    default=128,
    show_default=True,
    help="Tasks of it; 0 measures nothing.",
)
@click.option("--measure-every", type=click.IntRange(min=1), help="Steps; by default 20.")
@click.option("--save-every", type=click.IntRange(min=1), help="Steps; by default 50.")
@click.option(
    "--without-guard",
    "guards_off",
    multiple=True,
    metavar="NAME",
    help="Switches a guard rail off.",
)
@click.option("--report-to", multiple=True, help="tensorboard, wandb, …: what TRL reports to.")
@click.option(
    "--trl", "trl_options", multiple=True, metavar="NAME=VALUE", help="An argument of TRL's config."
)
@click.option("--seed", type=click.IntRange(min=0))
@click.option("--run", "run_path", help="The run's folder; by default runs/train-TIME.")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --run, from its last checkpoint."
)
@click.option("--launch", type=click.IntRange(min=1), metavar="N",
              help="Print the line that runs this on N GPUs, and end.")  # fmt: skip
@click.pass_context
def command(context: click.Context, /, **flags: Any) -> None:
    """Train a model on ENV's verifiable reward, and write a run that `rlvr view` opens.

    ENV may be left out where --config names environments, several and with weights if you like.
    `rlvr train quickstart` makes a small model and trains it by GRPO, on a CPU, in a minute; it takes
    --seed, --steps and --run.

    Exit status: 4 where a guard rail or the KL budget stopped the run.
    """
    given = {
        n: value
        for n, value in flags.items()
        if value is not None and value != () and value is not False
    }
    if flags["env"] == "quickstart":
        _quickstart(given)
        return
    if flags["launch"]:
        click.echo(launch_line(sys.argv[1:], flags["launch"]))
        return
    chosen = context.get_parameter_source("held_out_split") is ParameterSource.COMMANDLINE
    config = _config(given, flags, chosen or flags["held_out"] is not None)
    # The training stack takes seconds to import: not before it's asked for.
    from rlvr.training.train import train

    began = time.monotonic()
    outcome = train(config, flags["run_path"], resume=flags["resume"])
    if _is_first():
        _print(outcome, time.monotonic() - began)
    if outcome.stopped:
        raise SystemExit(_STOPPED)


def launch_line(arguments: list[str], processes: int) -> str:
    """How `accelerate` runs the command with these arguments in several processes."""
    kept, skip = [], False
    for one in arguments:
        if skip or one == "--launch":
            skip = not skip
        elif not one.startswith("--launch="):
            kept.append(one)
    line = ["accelerate", "launch", "--num_processes", str(processes), "-m", "rlvr", *kept]
    return shlex.join(line)


def _config(given: dict[str, Any], flags: dict[str, Any], wants_held_out: bool) -> TrainConfig:
    from rlvr.training.config import Source, TrainConfig, read_toml
    from rlvr.training.guards import GuardConfig
    from rlvr.training.train import config_of

    if flags["resume"]:
        if flags["run_path"] is None:
            raise click.UsageError("--resume goes on with the run in --run DIR: name it.")
        others = set(given) - {"run_path", "resume", "held_out_split", "held_out_limit"}
        if others:
            raise click.UsageError(
                "--resume takes everything from the run: leave the other flags out, but for --run."
            )
        return config_of(flags["run_path"])
    changes = {name: value for name, value in given.items() if name not in _OWN}
    file = read_toml(flags["config"]) if flags["config"] is not None else {}
    if flags["env"] is None and (flags["split"] or flags["data"] or flags["env_options"]):
        raise click.UsageError("--split, --data and --env are of ENV: name it.")
    if flags["env"] is None and "environments" not in file:
        raise click.UsageError("Name an ENV, or a --config with environments.")
    if flags["model"] is None and "model" not in file:
        raise click.UsageError("Name a --model.")
    # Tables of the file are added to, not replaced.
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
        raise click.UsageError("--held-out-split is of --held-out: name one.")
    same, data = name == flags["env"], flags["data"]
    if same and data is not None and not Path(data).is_dir():
        raise click.UsageError(
            f"--data {data} is one file, whatever the split: held-out tasks would be those that are "
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
    """Whether ENV has the split that is measured by default; where it hasn't, training goes on without."""
    try:
        source.make()
    except RlvrError as error:
        click.echo(f"rlvr: nothing is measured along the way: {error}", err=True)
        return False
    return True


def _print(outcome: Outcome, seconds: float) -> None:
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


def _quickstart(given: dict[str, Any]) -> None:
    others = set(given) - _QUICKSTART - {"env", "held_out_split", "held_out_limit"}
    if others:
        raise click.UsageError("The quickstart takes --seed, --steps and --run alone.")
    from rlvr.training.quickstart import QuickstartConfig, quickstart

    began = time.monotonic()
    seed, steps = given.get("seed", 0), given.get("steps", 60)
    outcome = quickstart(QuickstartConfig(seed=seed, steps=steps), given.get("run_path"))
    before, after = outcome.before.correct.value, outcome.after.correct.value
    Console().print(
        f"held-out accuracy {before:.3f} → {after:.3f} "
        f"(seed {seed}, {steps} steps, {time.monotonic() - began:.0f} s)\n"
        f"run: {outcome.run} (plot.png, metrics.jsonl, rollouts.jsonl)",
        highlight=False,
        soft_wrap=True,
    )
