"""Count what episodes leave behind when they are ended at random moments: it should be nothing.

    python benchmarks/episode_leftovers.py [--backend bubblewrap|docker] [--episodes 500]

Each episode has a jail of its own, which its `open` starts, its tool runs programs in and its `close` ends. A process plays
several at once, and is ended at a random moment: its episodes are cancelled, its workers are killed, it gets SIGTERM, or
SIGKILL. Counted: descendants of this process, which inherits all orphans among them; control groups of theirs; entries of
their folder for temporary files, and mounts in it; containers and segments of the machine, before and after; and the calls of
`close` in episodes that could still make one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import rlvr
from benchmarks.sandbox_leftovers import there
from rlvr.sandboxes import Limits, Program, Sandbox

AT_ONCE = 10
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
MACHINE = ("containers", "segments")
ENDS = ("cancelled", "worker killed", "SIGTERM", "SIGKILL")
LIMITS = Limits(wall_s=5.0, cpu_s=1.0, memory_mb=96)
SOURCES = (
    b"print(1)",
    b"import time\ntime.sleep(1)",
    b"open('/tmp/x', 'w').write('y' * 100000)",
    b"import os, time\nif os.fork() == 0: time.sleep(60)",
)
opened = closed = 0


class Jailed(rlvr.Episode):
    """Runs a program of the list in a jail of the episode's own."""

    def open(self) -> None:
        """Start the jail."""
        global opened
        self.sandbox = Sandbox(os.environ["BACKEND"], jails=1).start()
        opened += 1

    def run(self, number: int) -> str:
        """Run a program.

        Args:
            number: of the program.
        """
        program = Program(SOURCES[number % len(SOURCES)])
        (done,) = self.sandbox.run(program, limits=LIMITS).executions
        return str(done.limit or done.ending)

    def close(self) -> None:
        """End the jail."""
        global closed
        if hasattr(self, "sandbox"):
            self.sandbox.close()
            closed += 1


async def play(seed: int) -> None:
    """Play several episodes for ever, or until a random moment at which they are cancelled."""
    end = os.environ["END"]
    dice = random.Random(seed)
    task = rlvr.Task("Run them.", "1")
    env = rlvr.ToolEnv([task], rlvr.Math(), Jailed, max_turns=1000)

    async def one() -> None:
        async with env.episode(task) as episode:
            number = dice.randrange(4)
            while not episode.over:
                call = '<tool_call>{"name": "run", "arguments": {"number": %d}}</tool_call>'
                await episode.respond(call % number)
                number += 1

    playing = [asyncio.ensure_future(one()) for _ in range(AT_ONCE)]
    print("ready", flush=True)
    if end in ("cancelled", "worker killed"):
        await asyncio.sleep(dice.uniform(0.0, 2.0))
        if end == "worker killed":
            for pid in children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(dice.uniform(0.0, 0.5))
        for task_of_episode in playing:
            task_of_episode.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        print("opened", opened, "closed", closed, flush=True)
    else:
        await asyncio.sleep(600)


def children() -> list[int]:
    """Return the process's children: the jails' outer processes."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in text.split()]


def reap() -> None:
    """Take note of the orphans that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--play", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play is not None:
        asyncio.run(play(options.play))
        return
    with tempfile.TemporaryDirectory() as folder:
        count(options.backend, options.episodes, folder)


def count(backend: str, episodes: int, folder: str) -> None:
    """Play episodes whose temporary files are in a folder, and count what they leave."""
    ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    dice = random.Random(0)
    before, began = there(), time.monotonic()
    players: set[int] = set()
    ends: Counter[str] = Counter()
    unclosed = 0
    for seed in range(-(-episodes // AT_ONCE)):
        end = ENDS[seed % len(ENDS)]
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.episode_leftovers", "--play", str(seed)],
            env={**os.environ, "BACKEND": backend, "END": end, "TMPDIR": folder},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        players.add(process.pid)
        assert process.stdout is not None
        process.stdout.readline()
        if end.startswith("SIG"):
            time.sleep(dice.uniform(0.0, 2.0))
            process.send_signal(signal.Signals[end])
        said = process.stdout.read().split()
        process.wait()
        if not end.startswith("SIG"):
            assert said, "a process ended without a word"
            unclosed += int(said[1]) - int(said[3])
        ends[end] += AT_ONCE
    # What SIGKILL leaves are empty control groups, which the next process with a sandbox removes.
    until = time.monotonic() + 30.0  # jails see that their owner is gone
    while children() and time.monotonic() < until:
        time.sleep(0.1)
        reap()
    left = Counter({"processes": len(children())})
    Sandbox(backend, jails=1).start().close()
    print(f"{sum(ends.values())} episodes in {time.monotonic() - began:.0f} s, {backend}")
    print("ended: " + ", ".join(f"{end} {count}" for end, count in ends.items()))
    groups = [path.name.split("-")[1] for path in Path("/sys/fs/cgroup").glob("**/rlvr-*")]
    left["control groups"] = sum(int(pid) in players for pid in groups)
    left["temporary files"] = len(os.listdir(folder))
    left["mounts"] = Path("/proc/self/mountinfo").read_text().count(f" {folder}/")
    after = there()
    left += Counter({name: after[name] - before[name] for name in MACHINE})  # drops the zeros
    print(f"opened and not closed: {unclosed}; left behind: {dict(left) or 'nothing'}")
    raise SystemExit(bool(left) or bool(unclosed))


if __name__ == "__main__":
    main()
