"""`rlvr sandbox`: the image that programs run in, and what containers have left behind."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click


@click.group("sandbox")
def command() -> None:
    """Check what the sandbox of this machine holds, build its image, clear up after dead processes."""


@command.command("check", short_help="try the hostile list, and say what held")
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    help="auto, docker or bubblewrap.",
)
def check_command(backend: str) -> None:
    """Run programs that try to break out, hang, crash or cheat, and print the outcome of each.

    Exit status: 0 if the sandbox withstood all of them, otherwise 1.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track
    from rich.table import Table

    from rlvr.sandboxes.check import findings
    from rlvr.sandboxes.hostile import ATTEMPTS
    from rlvr.sandboxes.languages import LANGUAGES
    from rlvr.sandboxes.pool import Sandbox

    console = Console()
    table = Table("tried", "wanted", "came back", "held")
    with Sandbox(backend, jails=1) as sandbox:
        console.print(f"{sandbox.choice.backend.name}: {escape(sandbox.choice.why)}")
        about = sandbox.inventory()
        packages = ", ".join(f"{name} {version}" for name, version in about.packages.items())
        console.print(f"languages: {', '.join(about.languages)} (Python {about.python})")
        absent = [name for name in LANGUAGES if name not in about.languages]
        if absent:
            console.print(f"not there: {', '.join(absent)}")
        console.print(f"packages: {packages or 'none'}", highlight=False)
        for line in _held_by(sandbox.about()):
            console.print(escape(line))
        results = list(
            track(
                findings(sandbox),
                "trying",
                total=len(ATTEMPTS),
                transient=True,
                console=Console(stderr=True),
            )
        )
    failed = [result for result in results if not result.held]
    for result in results:
        held = "[green]yes[/green]" if result.held else "[bold red]NO[/bold red]"
        table.add_row(*map(escape, (result.tried, result.wanted, result.came)), held)
    console.print(table)
    console.print(f"{len(results) - len(failed)} of {len(results)} held")
    if failed:
        raise click.exceptions.Exit(1)


def _held_by(about: Mapping[str, Any]) -> Iterator[str]:
    counted = ", ".join(about["counted"])
    if counted:
        yield f"counted by control groups: {counted}"
    else:
        why = about["not counted because"]
        yield f"no control groups ({why}): processor time and memory are sampled; see docs/threat_model.md"
    if not about["pids restart"]:
        yield "process numbers start over with each program only, not with each run"
    if about["files shared because"]:
        yield f"locks on files reach other jails: no overlay ({about['files shared because']})"


@command.command("build", short_help="put together what programs find in their jails")
@click.option(
    "--backend",
    type=click.Choice(["auto", "docker", "bubblewrap"]),
    default="auto",
    show_default=True,
    help="What to build for; auto: for both, without one that this machine doesn't have.",
)
@click.option(
    "--packages",
    default="numpy",
    show_default=True,
    metavar="NAME,…",
    help="What Python programs may import, such as numpy,pandas==2.2.3; '' for the standard library alone.",
)
@click.option(
    "--languages",
    metavar="NAME,…",
    help="What programs in Docker may be written in (default: all of "
    "python,c,cpp,rust,go,java,javascript,bash). Bubblewrap has the machine's.",
)
@click.option(
    "--from-host",
    is_flag=True,
    help="Use no registry and no package index: copy this machine's Python and packages, and make the "
    "image by debootstrap from its apt sources, as root.",
)
@click.option("--image", default="rlvr-sandbox", show_default=True, help="The image's name.")
@click.option(
    "--base", help="The Debian-based image with Python to build on (default python:X.Y-slim)."
)
@click.option(
    "--browser", is_flag=True, help="Put Chromium into Docker's image, for rlvr.tools.Browser."
)
def build_command(
    backend: str,
    packages: str,
    languages: str | None,
    from_host: bool,
    image: str,
    base: str | None,
    browser: bool,
) -> None:
    """Build the contents of jails: the packages that programs can import, and for Docker the image with the languages."""
    from rlvr.core.errors import MissingExtraError, SandboxError
    from rlvr.sandboxes import packages as packages_of_jails
    from rlvr.sandboxes.bubblewrap import Bubblewrap
    from rlvr.sandboxes.docker.client import AwayError
    from rlvr.sandboxes.docker.image import build
    from rlvr.sandboxes.interpreter import base_python, interpreter

    if from_host and base:
        raise click.UsageError("--from-host builds on no other image, so --base has no use there.")
    # What is half built is removed at the end, and a mere SIGTERM would be no end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    python = interpreter(base_python())
    built = packages_of_jails.build(_names(packages), python, from_host, click.echo)
    listing = ", ".join(f"{name} {version}" for name, version in built.versions.items()) or "none"
    if backend != "docker":
        reason = Bubblewrap().why_not()
        if reason is not None and backend == "bubblewrap":
            raise SandboxError(reason)
        click.echo(f"bubblewrap: {reason or f'Python {python.version}, packages: {listing}'}")
    if backend == "bubblewrap":
        return
    began = time.monotonic()
    names = None if languages is None else _names(languages)
    try:
        version = build(image, from_host, names, base, click.echo, built, browser)
    except (AwayError, MissingExtraError) as error:
        if backend == "docker" or reason is not None:
            raise
        click.echo(f"docker: not built. {error}")
        return
    seconds = time.monotonic() - began
    click.echo(f"{image}: Python {version} runs in it ({seconds:.0f} s)")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@command.command("reap", short_help="remove the containers of processes that are dead")
def reap_command() -> None:
    """Remove the sandboxes' containers whose process on this machine is dead.

    Each process that starts sandboxes does this first, so it's seldom needed.
    """
    from rlvr.sandboxes.docker import reap

    count = reap()
    click.echo(f"{count} container{'' if count == 1 else 's'} removed")
