"""`rlvr view RUN…`: runs in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click
from rich.console import Console

from rlvr.evaluation.viewer.view import FILTERS, write_view


@click.command("view")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN…")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False),
              help="The file to write (default: report.html in the first RUN).")  # fmt: skip
@click.option("--filter", "show", type=click.Choice(FILTERS),
              help="Open with these rollouts alone (default: the summary).")  # fmt: skip
@click.option(
    "--by", help="Show the figures of slices of the tasks too, by a key such as metadata.level."
)
@click.option(
    "--open/--no-open", "open_", default=True, show_default=True, help="Open the file in a browser."
)
def command(
    runs: tuple[Path, ...], out: Path | None, show: str | None, by: str | None, open_: bool
) -> None:
    """Write RUN, or several runs side by side, as one HTML file and open it in a browser.

    Of several, each is compared with the first. The file holds every rollout and loads nothing: it can be sent to others as it is.
    """
    console = Console(stderr=True)
    with console.status("reading") as status:
        view = write_view(
            runs,
            out,
            lambda done: status.update(f"reading: {done} rollouts"),
            show,
            by,
        )
    for warning in view.warnings:
        print(f"rlvr: warning: {warning}", file=sys.stderr)
    print(view.path)
    if open_ and not _open(view.path):
        print("rlvr: found no browser here; open the file in yours", file=sys.stderr)


def _open(path: Path) -> bool:
    # Without a display, `webbrowser` would start one in the terminal and wait for it.
    shows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    return shows and webbrowser.open(path.resolve().as_uri())
