"""Measure workspaces: a call's round trip, their opening, the memory of many that are open at once, and what they leave behind.

    python benchmarks/workspaces.py [--backend bubblewrap|docker] [--terminals 200] [--episodes 100]

Memory is the PSS of all processes of the jails, summed: what is shared is counted once. Episodes use a shell and a Python; their
processes are ended at random moments, by SIGKILL, SIGTERM or SIGINT, some in the middle of a cancelled call; then the jails' processes are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rlvr.sandboxes.workspace import Workspace
from rlvr.sandboxes.workspace_jails import jails

AT_ONCE = 10
ENDS = ("SIGKILL", "SIGTERM", "cancelled")
COMMANDS = (
    "echo $((6 * 7))",
    "sleep 1000 &",
    "yes | head -c 1000000 > big; wc -c big",
    "(trap '' TERM INT HUP; sleep 1000) & disown",
    "sleep 5",
)
CELLS = ("x = 1", "import os\nos.fork()", "sum(range(10 ** 6))", "while True: pass")


async def round_trips(backend: str, calls: int) -> None:
    """Print how long a call takes, one after the other."""
    async with await Workspace.open(backend=backend) as workspace:
        for name, run, text in (
            ("Python cell", workspace.python, "x = 1 + 1\nx"),
            ("shell command", workspace.shell, "echo 2"),
        ):
            await run(text)
            times = []
            used = cpu_s([os.getpid(), *below(os.getpid())])
            for _ in range(calls):
                began = time.perf_counter()
                result = await run(text)
                times.append(time.perf_counter() - began)
                assert result.output == "2\n", result
            used = cpu_s([os.getpid(), *below(os.getpid())]) - used
            times.sort()
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            print(
                f"{name}: {p50 * 1e3:.2f} ms p50, {p99 * 1e3:.2f} ms p99 ({calls} calls), "
                f"{used / calls * 1e3:.2f} ms of processor time"
            )


async def openings(backend: str, count: int) -> None:
    """Print how long a workspace takes to open, and to answer its first command."""
    opened, answered = [], []
    for _ in range(count):
        began = time.perf_counter()
        workspace = await Workspace.open(backend=backend)
        opened.append(time.perf_counter() - began)
        await workspace.shell("true")
        answered.append(time.perf_counter() - began)
        await workspace.close()
    print(
        f"opening: {statistics.median(opened) * 1e3:.0f} ms p50, with its first command "
        f"{statistics.median(answered) * 1e3:.0f} ms ({count} openings, the jail is there)"
    )


def below(pid: int) -> list[int]:
    """Return the processes below one."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *below(child)]
    return found


def pss_mb(pids: list[int]) -> float:
    """Return the memory of some processes in MiB."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def cpu_s(pids: list[int]) -> float:
    """Return the processor time of some processes."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def terminals(backend: str, count: int) -> None:
    """Print what many open terminals take."""
    gate = asyncio.Semaphore(8)

    async def opened() -> Workspace:
        async with gate:
            workspace = await Workspace.open(backend=backend)
            result = await workspace.shell(
                "cd /tmp; while :; do echo x >> log; sleep 0.01; done & echo on"
            )
            assert result.output.endswith("on\n"), result
            return workspace

    began = time.monotonic()
    workspaces = await asyncio.gather(*(opened() for _ in range(count)))
    print(f"{count} terminals opened in {time.monotonic() - began:.1f} s, eight at a time")
    pids = below(os.getpid())
    memory, before = pss_mb(pids), cpu_s(pids)
    await asyncio.sleep(5)
    print(
        f"memory: {memory:.0f} MB PSS in {len(pids)} processes; processor time in 5 s without calls, each with a job "
        f"in the background: {cpu_s(pids) - before:.2f} s"
    )
    await asyncio.gather(*(workspace.python("x = 1") for workspace in workspaces))
    print(f"memory with a Python in each: {pss_mb(below(os.getpid())):.0f} MB PSS")
    await asyncio.gather(*(workspace.close() for workspace in workspaces))


async def play(seed: int, backend: str) -> None:
    """Play episodes for ever, some of them given up in the middle of a call. Runs in a process that is ended."""
    dice = random.Random(seed)

    async def episode() -> None:
        async with await Workspace.open(backend=backend) as workspace:
            print(".", end="", flush=True)
            for _ in range(3):
                call = (
                    workspace.shell(dice.choice(COMMANDS), wall_s=2)
                    if dice.random() < 0.5
                    else workspace.python(dice.choice(CELLS), wall_s=2)
                )
                if dice.random() < 0.3:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(call, dice.random())
                else:
                    await call

    async def for_ever() -> None:
        while True:
            await episode()

    await asyncio.gather(*(for_ever() for _ in range(AT_ONCE)))


def leftovers(backend: str, episodes: int) -> list[str]:
    """Play in processes that are ended at random moments; return what is left of them a minute later."""
    dice = random.Random(0)
    begun = 0
    ends: Counter[str] = Counter()
    left: list[str] = []
    while begun < episodes:
        end = dice.choice(ENDS)
        command = [sys.executable, __file__, "--play", str(dice.random()), "--backend", backend]
        owner = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert owner.stdout is not None
        # At least as many as are played at once, and then at a random moment.
        for _ in range(dice.randrange(AT_ONCE, 2 * AT_ONCE)):
            assert owner.stdout.read(1)
            begun += 1
        handles = []
        for pid in below(owner.pid):
            with contextlib.suppress(OSError):
                handles.append(os.pidfd_open(pid))
        number = signal.SIGINT if end == "cancelled" else getattr(signal, end)
        owner.send_signal(number)
        owner.wait()
        owner.stdout.close()
        ends[end] += 1
        # A jail ends with its owner, as soon as the kernel comes to it.
        until = time.monotonic() + 60
        for handle in handles:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                left.append("a process")
            os.close(handle)
        groups = list(Path("/sys/fs/cgroup").glob(f"**/rlvr-{owner.pid}-*/**/cgroup.procs"))
        left += [str(group) for group in groups if group.read_text().split()]
    print(f"{begun} episodes in {sum(ends.values())} processes, ended by {dict(ends)}")
    return left


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--terminals", type=int, default=200)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--play", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(play(hash(options.play), options.backend))
        return
    asyncio.run(round_trips(options.backend, options.calls))
    asyncio.run(openings(options.backend, 20))
    asyncio.run(terminals(options.backend, options.terminals))
    jails.close()
    left = leftovers(options.backend, options.episodes)
    print(f"left behind: {left or 'nothing'}")
    raise SystemExit(bool(left))


if __name__ == "__main__":
    main()
