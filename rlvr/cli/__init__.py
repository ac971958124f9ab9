"""The command line: one file a verb, imported when the verb is used.

A user's mistake is one line on standard error and exit status 2, never a traceback; `--debug`
shows it whole.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings

import click

from rlvr import __version__
from rlvr.core.secrets import scrubbed

VERBS = {
    "new": "a new environment as a package",
    "list": "the environments there are",
    "show": "a task of an environment, and what answers earn",
    "audit": "what is wrong with an environment, before anything is trained on it",
    "score": "verdicts for responses that exist already",
    "eval": "measure a policy on an environment",
    "compare": "is the second of two runs better, and by how much",
    "view": "look at a run, or two side by side, in a browser",
    "export": "a run in the form that another tool reads",
    "train": "train a model on an environment",
    "kl": "score against KL to the start, of one run or two",
    "data": "make tasks better before they're trained on",
    "sandbox": "build the sandbox's image, check what it holds",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"rlvr.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone, so that `rlvr --help` imports no verb."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rlvr")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """Reinforcement learning with verifiable rewards."""


def main() -> None:
    """The console script `rlvr`."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")  # it may stand anywhere
    warnings.showwarning = _warn
    try:
        # Without its standalone mode, click returns what a verb returned, or an Exit's status.
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
        # Whoever read our output has left; so does Python's attempt to flush it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        _explain(error, debug)
    raise SystemExit(status if isinstance(status, int) else 0)


def _check_own(error: SystemExit) -> None:
    """End with status 1 where somebody else's code ended with success: none of ours does, and the work isn't done."""
    if error.code is None or (isinstance(error.code, int) and error.code % 256 == 0):
        last = traceback.extract_tb(error.__traceback__)[-1]
        print(f"rlvr: sys.exit was called in {last.filename}, line {last.lineno}", file=sys.stderr)
        raise SystemExit(1) from None


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    print(scrubbed(f"rlvr: warning: {message}"), file=sys.stderr)


def _explain(error: Exception, debug: bool) -> None:
    from rlvr.core.errors import RlvrError
    from rlvr.core.faults import described, is_authors

    if debug:
        print(scrubbed(traceback.format_exc()), end="", file=sys.stderr)
    if isinstance(error, RlvrError):
        print(scrubbed(f"rlvr: {error}"), file=sys.stderr)
        raise SystemExit(2)
    if isinstance(error, OSError) and error.strerror:
        about = f": {error.filename}" if error.filename else ""
        print(f"rlvr: {error.strerror}{about}", file=sys.stderr)
        raise SystemExit(2)
    if is_authors(error):
        print(scrubbed(f"rlvr: {described(error)}"), file=sys.stderr)
        print("Run it again with --debug for the traceback.", file=sys.stderr)
        raise SystemExit(2)
    print(
        scrubbed(f"rlvr: this shouldn't have happened: {type(error).__name__}: {error}\n")
        + "Run it again with --debug for the traceback, and please report it.",
        file=sys.stderr,
    )
    raise SystemExit(1)
