"""The check of this machine's jails: the hostile list, run for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rlvr.sandboxes.base import FunctionTests, Limits, Program, ProgramRun, TestRun
from rlvr.sandboxes.hostile import ATTEMPTS, CLEAN, MARK, Attempt
from rlvr.sandboxes.pool import Sandbox

_END_S = 10.0


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing tried: its name, what was wanted, what came back, and whether that's what was wanted."""

    tried: str
    wanted: str
    came: str
    held: bool


def findings(sandbox: Sandbox) -> Iterator[CheckFinding]:
    """Try everything, one after the other. After each, a clean program must find nothing of it.

    Raises `SandboxError` where the sandbox itself fails.
    """
    for attempt in ATTEMPTS:
        yield _attempted(sandbox, attempt)
    for check in _CHECKS:
        yield check(sandbox)


def _attempted(sandbox: Sandbox, attempt: Attempt) -> CheckFinding:
    run = sandbox.run(attempt.program, [attempt.run_input], attempt.limits)
    came = _said(run)
    held = bool(run.executions) and attempt.held(run.executions[0])
    left = sandbox.run(Program(CLEAN.encode()), [b""])
    if not left.executions or left.executions[0].stdout != b"clean\n":
        return CheckFinding(
            attempt.name, attempt.wanted, f"{came}; left behind: {_said(left)}", False
        )
    return CheckFinding(attempt.name, attempt.wanted, came, held)


def _said(run: ProgramRun) -> str:
    """Return the result of a run in one line."""
    if run.compile_error is not None:
        return "doesn't compile: " + run.compile_error.strip().splitlines()[-1][:80]
    done = run.executions[0]
    if done.limit is not None:
        return f"limit {done.limit}"
    lines = (done.stdout if done.ok else done.stderr).decode("utf-8", "replace").split("\n")
    output = " ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if done.ok:
        return output[:80] or "nothing printed"
    return f"{done.ending} {lines[-2].strip()[:60] if len(lines) > 1 else ''}".strip()


def _no_program(label: str, source: bytes) -> Callable[[Sandbox], CheckFinding]:
    def check(sandbox: Sandbox) -> CheckFinding:
        run = sandbox.run(Program(source), [b""])
        held = run.compile_error is not None or not run.executions[0].ok
        return CheckFinding(label, "an ordinary error", _said(run), held)

    return check


def _between_tests(sandbox: Sandbox) -> CheckFinding:
    """Return whether a program can tell its second test from its first."""
    source = (
        b"import os\nprint(os.listdir('/tmp'), 'counted' in globals())\ncounted = 1\n"
        b"open('/tmp/counted', 'w')\nimport math\nmath.counted = 1\nprint(hasattr(os, 'counted'))\n"
        b"os.counted = 1"
    )
    run = sandbox.run(Program(source), [b""] * 3)
    outputs = {done.stdout for done in run.executions}
    came = "alike" if len(outputs) == 1 else "the tests differ"
    return CheckFinding("count its tests", "each test is the first", came, len(outputs) == 1)


_SEARCH = f"""
import gc, os, sys
def look(x):
    frame, found = sys._getframe(), []
    while frame:
        found.append(repr(frame.f_locals) + repr(frame.f_globals))
        frame = frame.f_back
    found += [repr(one) for one in gc.get_objects() if isinstance(one, (list, dict, tuple, set))]
    for path, _, names in os.walk("/tmp"): found += names
    for name in ("cmdline", "environ", "maps"):
        try: found.append(open("/proc/self/" + name).read())
        except OSError: pass
    mark = ''.join([{MARK[:16]!r}, {MARK[16:]!r}])  # put together only now, so as not to be found here
    return any(mark in one for one in found)
"""


def _expected_output(sandbox: Sandbox) -> CheckFinding:
    """Return whether a solution can find what its tests expect of it."""
    tests = FunctionTests(
        setup=f"expected = '{MARK}'",
        asserts=(f"assert not look(1), '{MARK}'", f"assert look(2) != '{MARK}'"),
    )
    result: TestRun = sandbox.run_tests(_SEARCH.encode(), tests)
    held = len(result.outcomes) == 2 and all(outcome.passed for outcome in result.outcomes)
    came = "absent" if held else f"{result}"[:80]
    return CheckFinding("expected output, anywhere in the jail", "absent", came, held)


# What people keep data under, or install packages into: nothing may be there but the declared packages.
_INSTALLED = """
import os, sys
names, packages = set(), set()
for root, folders, files in os.walk("/"):
    if root == "/": folders[:] = [one for one in folders if one not in ("proc", "tmp", "box")]
    if os.path.basename(root) in ("site-packages", "dist-packages"):
        owned = set()
        for one in folders + files:
            if one.endswith((".dist-info", ".egg-info")):
                packages.add(one.rpartition(".")[0].split("-")[0].lower().replace("_", "-"))
                path = os.path.join(root, one, "RECORD")
                if os.path.isfile(path):
                    owned |= {line.split(",")[0].split("/")[0] for line in open(path)}
                owned |= {one, one.split("-")[0]}
        names |= {os.path.join(root, one) for one in folders + files if one not in owned | {"__pycache__", "README.txt"}}
        for one in folders + files:
            if os.access(os.path.join(root, one), os.W_OK): names.add("writable: " + one)
        folders[:] = []
    elif os.path.basename(root) in ("node_modules", "nltk_data", "datasets", "huggingface", "home", "srv", "mnt", "media"):
        names |= {os.path.join(root, one) for one in folders + files}
print(sorted(packages), sorted(names)[:3])
"""


def _packages(sandbox: Sandbox) -> CheckFinding:
    """Look for packages that nobody declared, anywhere, and for declared ones that a program may change."""
    declared = sorted(sandbox.inventory().packages)
    run = sandbox.run(Program(_INSTALLED.encode()), [b""], Limits(wall_s=60, cpu_s=60))
    held = run.executions[0].stdout.decode() == f"{declared} []\n"
    summary = f"{', '.join(declared) or 'none'} alone" if held else _said(run)
    return CheckFinding(
        "packages and data sets of the machine's", "those declared alone", summary, held
    )


_PARALLEL = b"""
import multiprocessing as m
from multiprocessing import shared_memory
def work(n, lock, queue):
    with lock: queue.put(n * n)
if __name__ == "__main__":
    lock, queue = m.Lock(), m.Queue()
    workers = [m.Process(target=work, args=(n, lock, queue)) for n in (1, 2)]
    for one in workers: one.start()
    print(sorted(queue.get() for _ in workers))
    for one in workers: one.join()
    with m.Pool(2) as pool: print(pool.map(abs, [-3]))
    shared = shared_memory.SharedMemory(create=True, size=10)
    shared.buf[0] = 7
    again = shared_memory.SharedMemory(shared.name)
    print(again.buf[0])
"""


def _parallel(sandbox: Sandbox) -> CheckFinding:
    """Have a program's processes share locks, queues and memory, which have to be gone after it."""
    run = sandbox.run(Program(_PARALLEL), [b""])
    left = sandbox.run(Program(b"import os\nprint(os.listdir('/dev/shm'))"), [b""])
    held = run.executions[0].stdout == b"[1, 4]\n[3]\n7\n"
    gone = left.executions[0].stdout == b"[]\n"
    came = ("works" if held else _said(run)) + ("" if gone else ", and is left behind")
    return CheckFinding("multiprocessing", "works, and leaves nothing", came, held and gone)


_CLIENT = """
import sys
from rlvr.sandboxes import Limits, Program, Sandbox
with Sandbox(sys.argv[1], jails=1) as sandbox:
    sandbox.run(Program(b"sleep " + sys.argv[2].encode(), "bash"), [b""], Limits(wall_s=600))
"""


def _killed_client(sandbox: Sandbox) -> CheckFinding:
    """Return whether a program outlives the process that had it run."""
    mark = f"{500 + os.getpid() / 1e8:.8f}"  # seconds; stands in its command line, which can be seen from here
    arguments = [sys.executable, "-c", _CLIENT, sandbox.choice.backend.name, mark]
    client = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    ran = _within(_END_S, lambda: _runs(mark))
    client.send_signal(signal.SIGKILL)
    client.wait()
    ended = _within(_END_S, lambda: not _runs(mark))
    came = ("ended" if ended else "still there") if ran else "it didn't run"
    return CheckFinding("kill -9 of the client", "its jail ends", came, ran and ended)


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not (done := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return done


def _runs(mark: str) -> bool:
    """Return whether a `sleep` with that argument is among the processes."""
    for folder in Path("/proc").iterdir():
        try:
            if (
                folder.name.isdigit()
                and f"sleep\0{mark}".encode() in (folder / "cmdline").read_bytes()
            ):
                return True
        except OSError:
            continue  # ended meanwhile
    return False


_CHECKS: tuple[Callable[[Sandbox], CheckFinding], ...] = (
    _no_program("NUL in the source", b"print(1)\0"),
    _no_program("5000 nested parentheses", b"(" * 5000 + b")" * 5000),
    _between_tests,
    _expected_output,
    _packages,
    _parallel,
    _killed_client,
)
