"""`rlvr score ENV FILE.jsonl`: verdicts for responses that exist already, streamed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

import click

from rlvr.cli.lines import verdict_lines
from rlvr.cli.options import named_values
from rlvr.core.errors import UnknownEnvironmentError, nearest
from rlvr.core.registry import environments, find, make
from rlvr.core.verifier import Verifier
from rlvr.scoring.prints import kept_in
from rlvr.verifiers.kinds import KINDS, verifier_of_kind

UNSCORED = 3


@click.command("score")
@click.argument("env")
@click.argument("file", type=click.File("rb"))
@click.option(
    "-o",
    "--output",
    type=click.File("wb"),
    default="-",
    help="The file to write (default: standard output).",
)
@click.option(
    "--option",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the verifier for every line, such as mode=flexible; repeatable.",
)
@click.option(
    "--limit-s",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds of processor time per line (default: the verifier's own limit).",
)
def command(
    env: str, file: IO[bytes], output: IO[bytes], option: tuple[str, ...], limit_s: float | None
) -> None:
    """Judge each line of FILE (JSONL; "-" for standard input) by ENV's verifier.

    ENV is an environment, or a kind of verifier: math, code, sql, ifeval or ifbench. A line in has
    "reference" and "response", and may have "id", "prompt" and "options". A whole episode has "messages" in place of
    "response", and may have "outcome" and "step_rewards". A line out, in the same order, has "id", "scored", and either
    "reward", "status", "components" and "feedback" (and "parts", by name, if the verifier is made of several), or
    "cause" and "message".

    Exit status: 0 if all lines were scored, 3 if some were not, 2 for bad usage.
    """
    verifier = _verifier(env).configure(**named_values("--option", option))
    _check_apart(file, output)
    tally = {"lines": 0, "scored": 0, "reward": 0.0}
    try:
        with kept_in(None):  # standard output is for the lines alone
            for line in _counted(verdict_lines(file, verifier, limit_s), tally):
                output.write(json.dumps(line).encode() + b"\n")
    finally:
        output.flush()
    _summarise(tally)
    if tally["scored"] < tally["lines"]:
        raise click.exceptions.Exit(UNSCORED)


def _check_apart(file: IO[bytes], output: IO[bytes]) -> None:
    """Refuse to write to the file that is being read, which would empty it first."""
    names = (file.name, output.name)
    if all(os.path.isfile(name) for name in names) and os.path.samefile(*names):
        raise click.UsageError(f"{names[1]!r} is the file to be judged: name another for -o.")


def _verifier(env: str) -> Verifier:
    if env in KINDS:
        return verifier_of_kind(env)
    try:
        find(env)
    except UnknownEnvironmentError:
        names = [*KINDS, *(spec.name for spec in environments())]
        raise UnknownEnvironmentError(
            f"There's no environment or kind of verifier {env!r}. {nearest(env, names)}"
        ) from None
    return make(env).verifier


def _counted(lines: Iterator[dict[str, Any]], tally: dict[str, float]) -> Iterator[dict[str, Any]]:
    for line in lines:
        tally["lines"] += 1
        if line["scored"]:
            tally["scored"] += 1
            tally["reward"] += line["reward"]
        yield line


def _summarise(tally: dict[str, float]) -> None:
    scored, unscored = int(tally["scored"]), int(tally["lines"] - tally["scored"])
    mean = f", mean reward {tally['reward'] / scored:.4f}" if scored else ""
    print(f"{scored} scored{mean}, {unscored} unscored", file=sys.stderr)
