"""Search, as an agent in a terminal, for data that it must not read: the reference, hidden inputs, other episodes.

    python benchmarks/terminal_canaries.py [--episodes 1000] [--at-once 12]

Each episode plants a canary of its own everywhere that it can write (files, names of files, memory, the environment and
the arguments of processes that keep running), while others play beside it, and then searches everything that it can
read for the canaries of all others, and for its own task's solution and expected values. The search looks at file systems, at
`/proc`, and at what processes say of themselves. It prints how often each was found, which should be 0; the episode's own
canary must be found each time, or the search were blind.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from collections import Counter
from typing import Any

import rlvr
from rlvr.core.task import Task, content_text

_MARK = "canary"
_PLANT = """\
C={mark}; for d in . /tmp /dev/shm; do echo $C > $d/$C; done; export RLVR_X=$C
python3 -c "import time, sys; x = sys.argv[1] * 1000; time.sleep(600)" $C > /dev/null 2>&1 &
echo planted"""
_SEARCH = r"""
import base64, json, os, re, sys
canary, found = re.compile(sys.argv[1].encode()), {}
texts = [base64.b64decode(text) for text in sys.argv[2:]]  # so that no process shows them
def look(data, where):
    for hit in set(canary.findall(data)):
        found.setdefault((0, hit.decode()), where)
    for number, text in enumerate(texts, 1):
        if text in data:
            found.setdefault((number, "a hidden text"), where)
seen = 0
for root in ("/work", "/tmp", "/dev", "/box", "/run", "/home", "/root", "/var", "/etc", "/logs", "/tests", "/opt", "/mnt", "/srv", "/proc"):
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in ("task", "net", ".pyenv", "sys") and not (f == "self" or f == "thread-self")]
        for name in names:
            path = os.path.join(folder, name)
            look(os.fsencode(path), "a name")
            if name in ("kmsg", "kcore", "pagemap", "random", "urandom", "full", "mem") or name.startswith("kpage"):
                continue
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                try:
                    look(os.read(fd, 1 << 18), path)
                    seen += 1
                finally:
                    os.close(fd)
            except OSError:
                pass
print("FOUND", json.dumps([seen, sorted([n, hit, where] for (n, hit), where in found.items())[:40]]))
"""


def _call(command: str) -> dict[str, Any]:
    function = {"name": "shell", "arguments": json.dumps({"command": command})}
    return {"tool_calls": [{"id": "1", "type": "function", "function": function}]}


def _secrets(task: Task) -> list[str]:
    """Return texts of the reference that the workspace doesn't begin with."""
    files = [step["files"] for step in task.metadata["start"]["steps"] if "files" in step]
    start = "\n".join(f"{path}\n{content}" for each in files for path, content in each.items())
    found = []
    for check in task.reference["checks"]:
        runs = check.get("runs", [])
        texts = [run["stdin"] for run in runs] + [run["stdout"] for run in runs]
        found += [text[:60] for text in (*texts, check.get("equals", "")) if isinstance(text, str)]
        found += [json.dumps(row) for row in check.get("equals", ()) if isinstance(row, dict)]
    return [text for text in found if len(text) > 12 and text not in start][:4]


async def _episode(env: Any, number: int, begun: asyncio.Barrier, counts: Counter[str]) -> None:
    task = env.tasks[number]
    own = f"{_MARK}-{number:06}-end"
    async with env.episode(task) as episode:
        if episode.fault is None:
            await episode.respond(_call(_PLANT.replace("{mark}", own)))
        await begun.wait()  # all of a batch are there before any of them searches
        if episode.fault is not None:
            counts["faults"] += 1
            return
        secrets = " ".join(base64.b64encode(text.encode()).decode() for text in _secrets(task))
        command = (
            f"cat > /tmp/.search.py <<'END_OF_SEARCH'\n{_SEARCH}\nEND_OF_SEARCH\n"
            f"python3 /tmp/.search.py 'canary-[0-9]{{6}}-end' {secrets}"
        )
        (reply,) = await episode.respond(_call(command))
    _, mark, told = content_text(reply).partition("FOUND ")
    if not mark:
        counts["faults"] += 1
        return
    seen, found = json.loads(told)
    hits = {hit for kind, hit, _ in found if kind == 0}
    counts["episodes"] += 1
    counts["files read"] += seen
    counts["own canary"] += own in hits
    counts["others' canaries"] += bool(hits - {own})
    counts["with hidden texts to look for"] += bool(secrets)
    counts["hidden texts"] += any(kind > 0 for kind, *_ in found)


async def main() -> None:
    """Play the episodes and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=12)
    arguments = parser.parse_args()
    env = rlvr.make("terminal", family="find_file,merge_jsonl,fix_script,write_tool,fix_package")
    counts: Counter[str] = Counter()
    start = time.monotonic()
    for first in range(0, arguments.episodes, arguments.at_once):
        batch = range(first, min(first + arguments.at_once, arguments.episodes))
        barrier = asyncio.Barrier(len(batch))
        await asyncio.gather(*(_episode(env, number, barrier, counts) for number in batch))
        print(
            f"{batch[-1] + 1} episodes, {time.monotonic() - start:.0f} s: {dict(counts)}",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
