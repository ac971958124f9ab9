"""Plant canaries in references, hidden tests and workspaces, and count how often agents can read them: it should be never.

    python benchmarks/agent_canaries.py [--episodes 1000] [--at-once 32]

Each episode of `code_agent` plants a secret of its own in its files, its shell's variables and its Python's memory; it runs the
public tests, and searches all files, the environment, and the memory of its processes for the canaries of the task and for
the secrets of other episodes, which are played at the same time in the same jails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

import rlvr
from rlvr.core.task import Task

PREFIX = "canary"  # followed by 16 hexadecimal digits
GOOD = "print(sum(map(int, input().split())))"
LOOK = f"""
import os, re
pattern = re.compile(b"{PREFIX[:3]}" + b"{PREFIX[3:]}" + b"[0-9a-f]{{16}}")
found = set()
for top in ("/work", "/tmp", "/dev/shm", "/run", "/box", "/etc", "/home", "/var"):
    for folder, _, names in os.walk(top):
        for name in names:
            if os.path.islink(folder + "/" + name): continue  # commands, some of 100 MB
            try: found |= set(pattern.findall(open(folder + "/" + name, "rb").read()))
            except OSError: pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try: found |= set(pattern.findall(open("/proc/" + pid + "/" + name, "rb").read()))
        except OSError: pass
    try:
        with open("/proc/" + pid + "/maps") as maps, open("/proc/" + pid + "/mem", "rb", 0) as memory:
            for line in maps.read().splitlines():
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                if line.split()[1][0] != "r" or "[v" in line or high - low > 1 << 27: continue
                memory.seek(low)
                try: found |= set(pattern.findall(memory.read(high - low)))
                except OSError: pass
    except OSError: pass
print("seen", *(each.decode() for each in sorted(found)))
"""


def call(name: str, **arguments: Any) -> str:
    """Return a call of a tool as text."""
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def canary() -> str:
    """Return a new canary."""
    return PREFIX + secrets.token_hex(8)


async def play(env: rlvr.Environment, task: Task) -> tuple[set[str], str, float]:
    """Play an episode; return the canaries that it has seen, its own secret and its reward."""
    secret = canary()
    plant = f"export SECRET={secret}; secret={secret}; echo {secret} > hidden; echo {secret} > /dev/shm/hidden"
    async with env.episode(task) as episode:
        await episode.respond(call("shell", command=plant))
        await episode.respond(call("write_file", path="solution.py", text=GOOD) + call("run_tests"))
        await episode.respond(call("write_file", path="look.py", text=LOOK))
        (reply,) = await episode.respond(call("shell", command="python3 look.py"))
        await episode.respond(call("submit"))
        verdict = await episode.verdict()
    text = str(reply["content"])
    assert "seen" in text, text
    reward = verdict.reward if isinstance(verdict, rlvr.Scored) else float("nan")
    return set(text.split("seen")[1].split()) - {"</tool_response>"}, secret, reward


async def run(episodes: int, at_once: int, rows: Path) -> bool:
    """Play them all and print what was seen; return whether it was nothing but each one's own."""
    env = rlvr.make("code_agent", data=str(rows), split="test")
    gate = asyncio.Semaphore(at_once)

    async def one_episode(number: int) -> tuple[set[str], str, float]:
        async with gate:
            return await play(env, env.tasks[number % len(env.tasks)])

    began = time.monotonic()
    results = await asyncio.gather(*map(one_episode, range(episodes)))
    foreign = [seen - {secret} for seen, secret, _ in results]
    blind = sum(secret not in seen for seen, secret, _ in results)
    solved = sum(reward == 1.0 for *_, reward in results)
    print(
        f"{episodes} episodes, {at_once} at once, in {time.monotonic() - began:.0f} s: {solved} solved; canaries of "
        f"references, hidden tests or other episodes seen: {sum(map(len, foreign))}; own secrets missed: {blind}"
    )
    return not any(foreign) and not blind and solved == episodes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    options = parser.parse_args()
    os.environ.setdefault("RLVR_SANDBOX", "bubblewrap")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.jsonl")
        lines = []
        for number in range(10):
            tests = [{"stdin": f"{number} 2\n", "stdout": f"{number + 2}\n"}]
            # Programs get the input of a hidden test, but in another jail than the workspace's.
            padding = f"{number}\n{canary()}\n"
            tests += [{"stdin": f"{n} {padding}", "stdout": f"{n + number}\n"} for n in (5, 77)]
            row = {
                "problem": f"Read two numbers and print their sum. Task {number}.",
                "tests": tests,
                "public": 1,
                "solution": f"# {canary()}\n{GOOD}",
            }
            lines.append(json.dumps(row))
        rows.write_text("\n".join(lines))
        held = asyncio.run(run(options.episodes, options.at_once, rows))
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
