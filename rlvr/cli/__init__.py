"""The command line: one module per command, imported when the command is used.

A user's mistake is one line on standard error and exit status 2, never a traceback; `--debug`
shows the traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings

import click

from rlvr import __version__

COMMANDS = {
    "new": "Create a new environment as a package.",
    "list": "List the environments.",
    "show": "Show a task of an environment and the rewards of some answers.",
    "audit": "Report an environment's defects before a model is trained on it.",
    "score": "Judge responses that exist already.",
    "eval": "Measure a policy on an environment.",
    "rescore": "Judge a saved run again, without a model.",
    "runs": "List the runs in a folder.",
    "compare": "Compare two runs: is the second one better, and by how much?",
    "view": "Show a run, or two side by side, in a browser.",
    "export": "Write a run in the format of another tool.",
    "train": "Train a model on an environment.",
    "quickstart": "Make a small model and train it, on a CPU, in minutes.",
    "kl": "Plot reward against KL from the starting model, for one run or two.",
    "data": "Clean, filter and split tasks before training.",
    "bench": "Measure what verdicts cost on this machine.",
    "sandbox": "Build and check the sandbox's image.",
}
"""The commands and their help texts; `rlvr --help` prints them without importing a command's module."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]  # a command named `list` takes the built-in function's place here

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"rlvr.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from rlvr.core.errors import nearest

            ctx.fail(f"There's no command {args[0]!r}. {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rlvr")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """Reinforcement learning with verifiable rewards."""


def main() -> None:
    """Run the console script `rlvr`."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")  # it is accepted at any position
    warnings.showwarning = _warn
    try:
        # Without its standalone mode, click returns the command's value, or the status of an Exit.
        status = command(standalone_mode=False)
    except SystemExit as error:
        _check_own(error)
        raise
    except click.Abort:
        print("rlvr: interrupted; what is written is incomplete", file=sys.stderr)
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except BrokenPipeError:
        # The reader of our output has closed it: Python's flush at exit must not fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        _explain(error, debug)
    raise SystemExit(status if isinstance(status, int) else 0)


def _check_own(error: SystemExit) -> None:
    """Exit with status 1 if an author's code called `sys.exit` with success, since the work isn't done."""
    if error.code is None or (isinstance(error.code, int) and error.code % 256 == 0):
        last = traceback.extract_tb(error.__traceback__)[-1]
        print(f"rlvr: sys.exit was called in {last.filename}, line {last.lineno}", file=sys.stderr)
        raise SystemExit(1) from None


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    _print(f"rlvr: warning: {message}")


def _print(message: str, end: str = "\n") -> None:
    from rlvr.core.secrets import scrubbed  # not at the top: it imports urllib

    print(scrubbed(message), end=end, file=sys.stderr)


def _explain(error: Exception, debug: bool) -> None:
    from rlvr.core.errors import RlvrError
    from rlvr.core.faults import described, is_authors

    if debug:
        _print(traceback.format_exc(), end="")
    if isinstance(error, RlvrError):
        _print(f"rlvr: {error}")
        raise SystemExit(2)
    if isinstance(error, OSError) and error.strerror:
        about = f": {error.filename}" if error.filename else ""
        print(f"rlvr: {error.strerror}{about}", file=sys.stderr)
        raise SystemExit(2)
    if is_authors(error):
        _print(f"rlvr: {described(error)}")
        print("Run it again with --debug for the traceback.", file=sys.stderr)
        raise SystemExit(2)
    _print(f"rlvr: this shouldn't have happened: {type(error).__name__}: {error}")
    print("Run it again with --debug for the traceback, and please report it.", file=sys.stderr)
    raise SystemExit(1)
