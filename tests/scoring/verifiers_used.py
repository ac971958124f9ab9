"""Verifiers that misbehave on demand. In a module of its own, so that workers can import it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import rlvr

TASK = rlvr.Task("What to do?", "nothing")
CORRECT = rlvr.Scored(1.0, rlvr.Status.CORRECT, {"acts": 1.0})


class Acts(rlvr.Verifier):
    """Does what the response says, `action argument`, having said on whose account."""

    def __init__(self, blames: str | None = None, name: str = "acts", limit_s: float = 20.0):
        self.blames = blames
        self.name = name
        self.limit_s = limit_s

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if self.blames:
            rlvr.working_on(self.blames)
        action, _, argument = response.partition(" ")
        verdict = ACTIONS[action](argument)
        return CORRECT if verdict is None else verdict


class Inline(rlvr.Verifier):
    """Settles everything in the caller's thread."""

    name = "inline"

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return rlvr.Scored(float(bool(response)), rlvr.Status.CORRECT, {"inline": 1.0}, response)

    verify = settle


class Later(rlvr.Verifier):
    """An async verifier, on the event loop."""

    name = "later"
    limit_s = 20.0

    async def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        action, _, argument = response.partition(" ")
        if action == "sleep":
            await asyncio.sleep(float(argument))
        elif action == "stay":
            await _stay()
        elif action == "cancelled":
            raise asyncio.CancelledError
        else:
            verdict = ACTIONS[action](argument)
            if verdict is not None:
                return verdict
        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {"later": 1.0}, response)


async def _stay() -> None:
    """Won't be cancelled."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


class Echo(rlvr.Verifier):
    """The verdict's feedback is the response, `times` over."""

    name = "echo"

    def __init__(self, times: int = 1):
        self.times = times

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {self.name: 1.0}, response * self.times)


class WaitError(Exception):
    """Has a `__str__` that raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class ScorersPoison:
    """Pickles in a worker and doesn't unpickle anywhere."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_refuse, ())


def _refuse() -> None:
    raise RuntimeError("won't be unpickled")


def _spin(_: str) -> None:
    while True:
        pass


def _burn(seconds: str) -> None:
    """Use that much processor time, however long it takes."""
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass


def _crowded(action: str) -> None:
    """Do it on one processor, which another process wants as much."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    other = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        name, _, argument = action.partition(" ")
        ACTIONS[name](argument)
    finally:
        other.kill()
        other.wait()


def _wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.005)


def _first_time(path: str) -> None:
    """Write down the own pid and stay; the second time, when the file is there, return."""
    if not os.path.exists(path):
        with open(path + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(path + ".new", path)
        time.sleep(600)


def _memory(_: str) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))


def _recurse(_: str) -> None:
    _recurse(_)


def _c_stack(_: str) -> None:
    ctypes.string_at(0)


def _raise(text: str) -> None:
    raise ValueError(text)


def _raise_badly(_: str) -> None:
    raise WaitError


def _cannot(text: str) -> None:
    raise rlvr.CannotScore(rlvr.Cause.GOLD, text)


def _with_child(path: str) -> None:
    """Start a process, write down its pid, and hang."""
    child = subprocess.Popen(["sleep", "600"])
    with open(path + ".new", "w") as file:
        file.write(str(child.pid))
    os.rename(path + ".new", path)
    time.sleep(600)


def _kill_template_once(path: str) -> None:
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)


def _scored(**detail: Any) -> rlvr.Verdict:
    return rlvr.Scored(1.0, rlvr.Status.CORRECT, {"acts": 1.0}, "", detail)


ACTIONS: dict[str, Callable[[str], Any]] = {
    "right": lambda _: None,
    "wrong": lambda _: rlvr.Scored(0.0, rlvr.Status.INCORRECT, {"acts": 0.0}),
    "say": lambda text: rlvr.Scored(1.0, rlvr.Status.CORRECT, {"acts": 1.0}, text),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "spin": _spin,
    "burn": _burn,
    "crowded": _crowded,
    "wait": _wait_for,
    "first": _first_time,
    "memory": _memory,
    "recurse": _recurse,
    "segfault": _c_stack,
    "raise": _raise,
    "raise-badly": _raise_badly,
    "sys-exit": sys.exit,
    "exit": lambda status: os._exit(int(status)),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "kill-template": lambda _: (os.kill(os.getppid(), signal.SIGKILL), time.sleep(600)),
    "kill-template-once": _kill_template_once,
    "cannot": _cannot,
    "child": _with_child,
    "print": print,
    "input": lambda _: input(),
    "nonsense": lambda _: "a text",
    "unpicklable": lambda _: _scored(function=lambda: None),
    "poison": lambda _: _scored(poison=ScorersPoison()),
    "pid": lambda _: _scored(pid=os.getpid()),
    "cwd": lambda _: _scored(cwd=os.getcwd()),
}
