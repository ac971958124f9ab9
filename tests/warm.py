"""The command line with its imports behind it: each call is a fork of a process that has made them.

A fresh `python -m rlvr` spends a second of processor time on imports, ten if it trains. A fork can't show
what is imported at all, another hash seed, or how an interpreter ends: `pytest --all` uses fresh processes.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LIGHT = ("sympy", "sqlglot", "rich.progress", "rich.table", "httpx", "rlvr.scoring", "rlvr.verifiers.math",
         "rlvr.verifiers.sql", "rlvr.verifiers.code", "rlvr.evaluation.evaluate", "rlvr.cli.eval", "rlvr.cli.score",
         "rlvr.cli.audit", "rlvr.cli.data", "rlvr.cli.show", "rlvr.cli.view", "rlvr.cli.export")  # fmt: skip
TRAINERS = (*LIGHT, "datasets", "peft", "trl.trainer.grpo_trainer", "trl.trainer.rloo_trainer",
            "matplotlib.pyplot", "rlvr.training.train")  # fmt: skip
_MESSAGE = 1 << 20


class Warm:
    """A process that runs `rlvr …` in forks of itself, one at a time.

    Args:
        modules: imported before the first call.
        environ: the environment variables that they see.
    """

    def __init__(self, modules: Sequence[str], environ: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno()), *modules]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environ, cwd="/", start_new_session=True
        )
        theirs.close()

    def run(
        self,
        arguments: Sequence[str],
        given: bytes,
        cwd: Path,
        environ: Mapping[str, str],
        seconds: float,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `rlvr ARGUMENTS` there, as `subprocess.run` would. Raises `subprocess.TimeoutExpired`."""
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            stdin.write(given)
            stdin.seek(0)
            message = json.dumps([list(arguments), str(cwd), dict(environ)]).encode()
            streams = array.array("i", [file.fileno() for file in (stdin, out, err)])
            self._socket.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
            self._socket.settimeout(seconds)
            try:
                status = self._socket.recv(64)
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(["rlvr", *arguments], seconds) from None
            assert status, "the warm process has ended"
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(
                ["rlvr", *arguments], int(status), out.read(), err.read()
            )

    @property
    def is_there(self) -> bool:
        """Return False after a call that took too long, or the end of the process."""
        return self._socket.fileno() >= 0 and self._process.poll() is None

    def close(self) -> None:
        """End the process, and a call that runs in a fork of it."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def serve(line: socket.socket) -> None:
    """Fork for each call, and answer with the exit status. Returns in forks alone."""
    while True:
        message, streams, _, _ = socket.recv_fds(line, _MESSAGE, 3)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            line.close()
            _become(*json.loads(message), streams)
            return
        for stream in streams:
            os.close(stream)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(arguments: list[str], cwd: str, environ: dict[str, str], streams: list[int]) -> None:
    """Make this fork what `python -m rlvr` would be with these arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.path[0] = cwd
    sys.argv = ["rlvr", *arguments]


def _leave(status: object) -> None:
    """End a fork as `sys.exit(status)` would, but without taking all its modules apart: that takes seconds."""
    if isinstance(status, str):
        print(status, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # forks share what is there: their collections leave it alone
    serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module("rlvr", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        _leave(end.code)
