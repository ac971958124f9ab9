"""Count what many mixed programs leave behind on the machine: it should be nothing.

    python benchmarks/sandbox_leftovers.py [--backend bubblewrap|docker] [--programs 10000]

Programs that print, fork, detach, crash, sleep beyond their time, fill folders, hold locks, sockets and shared memory, and
solutions with tests, run in two jails from four threads. Counted before and after on the machine: processes, mounts,
control groups, containers, entries of /tmp, /dev/shm and /run, System V segments, and memory of this process.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rlvr.sandboxes import FunctionTests, Limits, Program, Sandbox

LIMITS = Limits(wall_s=0.4, cpu_s=0.3, memory_mb=96, output_kb=64, processes=16, disk_mb=8)
SOURCES = {
    "prints": "print(sum(range(100)))",
    "writes": "for i in range(50): open(f'/tmp/{i}', 'w').write('x' * 1000)\nopen('/dev/shm/x', 'w').write('y')",
    "forks": "import os\nfor i in range(5):\n    if os.fork() == 0: os._exit(0)",
    "leaves children": "import os, time\nfor i in range(5):\n    if os.fork() == 0: time.sleep(60)",
    "detaches": "import os, time\nif os.fork() == 0:\n    os.setpgid(0, 0)\n    if os.fork() == 0: time.sleep(60)",
    "crashes": "import os\nos.abort()",
    "kills itself": "import os\nos.kill(os.getpid(), 9)",
    "sleeps": "import time\ntime.sleep(60)",
    "spins": "while True: pass",
    "floods": "while True: print('x' * 1000)",
    "takes memory": "x = [bytearray(b'x') * (1 << 20) for _ in range(200)]",
    "bombs": "import os\nwhile True: os.fork()",
    "holds sockets": "import socket\nheld = [socket.socketpair() for _ in range(40)]\nfor a, _ in held: a.send(b'x' * 1000)",
    "holds locks": "import fcntl\nf = open('/tmp/l', 'w'); fcntl.flock(f, 2); g = open('/dev/null'); fcntl.flock(g, 2)",
    "threads": "import threading, time\nfor i in range(8): threading.Thread(target=time.sleep, args=(0.01,)).start()",
    "stops": "import os\nos.kill(os.getpid(), 19)",
}
SLOW = ("sleeps", "spins", "stops", "bombs", "takes memory", "floods")
TESTS = FunctionTests(asserts=("assert f(2) == 4", "assert f([1]) == [1, 1]"))


def there() -> Counter[str]:
    """Count what is on the machine that a jail could have left."""
    found: Counter[str] = Counter()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        found["processes of jails"] += any(b"from runner import " in word for word in words)
        found["bwrap"] += words[0].endswith(b"bwrap")
    with open("/proc/self/mountinfo") as file:
        found["mounts"] = len(file.readlines())
    found["control groups"] = sum(1 for _ in Path("/sys/fs/cgroup").glob("**/rlvr-*"))
    for folder in ("/tmp", "/dev/shm", "/run"):
        found[folder] = len(os.listdir(folder))
    found["segments"] = len(Path("/proc/sysvipc/shm").read_text().splitlines())
    try:
        asked = ["docker", "ps", "-aq", "--filter", "label=rlvr.sandbox"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=20)
        found["containers"] = len(said.stdout.split())
    except OSError:
        pass  # no Docker
    return found


def memory_mb() -> float:
    """Return the resident memory of this process."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--programs", type=int, default=10_000)
    options = parser.parse_args()
    dice = random.Random(0)
    names = [n for n in SOURCES if n not in SLOW]
    before, began = there(), time.monotonic()
    ends: Counter[str] = Counter()
    with Sandbox(options.backend, jails=2) as sandbox:
        sandbox.start()

        def one(i: int) -> str:
            if i % 10 == 3:
                answer = "return x * 2" if i % 20 == 3 else "import os; os._exit(3)"
                run = sandbox.run_tests(f"def f(x): {answer}".encode(), TESTS, LIMITS)
                return (
                    "tests pass"
                    if all(each.passed for each in run.outcomes) and run.outcomes
                    else "tests fail"
                )
            # Those that run into a limit take as long as it: one in forty.
            name = dice.choice(SLOW if i % 40 == 7 else names)
            (done,) = sandbox.run(Program(SOURCES[name].encode()), limits=LIMITS).executions
            return str(done.limit or done.ending)

        first = 0.0
        with ThreadPoolExecutor(4) as threads:
            for i, end in enumerate(threads.map(one, range(options.programs))):
                ends[end] += 1
                if i == options.programs // 10:
                    first = memory_mb()
    print(f"{options.programs} programs in {time.monotonic() - began:.0f} s, {options.backend}")
    print("ended: " + ", ".join(f"{end} {count}" for end, count in ends.most_common()))
    print(f"memory of this process after a tenth {first:.0f} MB, at the end {memory_mb():.0f} MB")
    after = there()
    left = {name: after[name] - before[name] for name in after if after[name] > before[name]}
    print(f"left behind: {left or 'nothing'}")
    raise SystemExit(bool(left))


if __name__ == "__main__":
    main()
