"""`rlvr sandbox`: the image that programs run in, and what containers have left behind."""

from __future__ import annotations

import signal
import sys
import time

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
    """Run programs that try to break out, hang, crash or cheat, and say what came of each.

    Exit status: 0 where all held, 1 where something didn't.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track
    from rich.table import Table

    from rlvr.sandboxes.check import findings
    from rlvr.sandboxes.hostile import ATTEMPTS
    from rlvr.sandboxes.pool import Sandbox

    console = Console()
    table = Table("tried", "wanted", "came back", "held")
    with Sandbox(backend, jails=1) as sandbox:
        console.print(f"{sandbox.choice.backend.name}: {escape(sandbox.choice.why)}")
        found = list(
            track(
                findings(sandbox),
                "trying",
                total=len(ATTEMPTS),
                transient=True,
                console=Console(stderr=True),
            )
        )
    failed = [one for one in found if not one.held]
    for one in found:
        held = "[green]yes[/green]" if one.held else "[bold red]NO[/bold red]"
        table.add_row(*map(escape, (one.tried, one.wanted, one.came)), held)
    console.print(table)
    console.print(f"{len(found) - len(failed)} of {len(found)} held")
    if failed:
        raise click.exceptions.Exit(1)


@command.command("build", short_help="build the image that Docker's jails are made of")
@click.option(
    "--from-host",
    is_flag=True,
    help="Make it by debootstrap from this machine's apt sources, without a registry; as root.",
)
@click.option("--image", default="rlvr-sandbox", show_default=True, help="Its name.")
@click.option("--base", help="The Debian-based image with Python to build on.")
@click.option(
    "--languages",
    default="python",
    show_default=True,
    metavar="NAME,…",
    help="What programs may be written in, such as python,c,cpp,rust,go,java,javascript,bash.",
)
def build_command(from_host: bool, image: str, base: str | None, languages: str) -> None:
    """Build the image that Docker's jails are made of, and run Python in it."""
    from rlvr.sandboxes.image import BASE, build

    if from_host and base:
        raise click.UsageError("--from-host builds on no other image, so --base has no use there.")
    # What is half built is removed at the end, and a mere SIGTERM would be no end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    names = [name.strip() for name in languages.split(",") if name.strip()]
    version = build(image, from_host, names, base or BASE, say=click.echo)
    seconds = time.monotonic() - began
    click.echo(f"{image}: Python {version} runs in it ({seconds:.0f} s)")


@command.command("reap", short_help="remove the containers of processes that are dead")
def reap_command() -> None:
    """Remove the sandboxes' containers whose process on this machine is dead.

    Each process that starts sandboxes does this first, so it's seldom needed.
    """
    from rlvr.sandboxes.docker import reap

    found = reap()
    click.echo(f"{found} container{'' if found == 1 else 's'} removed")
