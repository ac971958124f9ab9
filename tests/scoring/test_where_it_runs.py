"""Scoring works wherever a trainer may call it from."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from processes import Script
from verifiers_used import CORRECT, TASK, Acts

import rlvr
from rlvr.scoring import Pool, close, default_pool, score


def test_from_a_thread() -> None:
    verdicts: list[rlvr.Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.extend(score([TASK], ["right"], Acts())))
    thread.start()
    thread.join(120)
    assert verdicts == [CORRECT]


def _in_a_daemon(connection: Connection) -> None:
    connection.send(score([TASK] * 2, ["right", "kill"], Acts("response")))
    close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_from_a_daemonic_process(method: str) -> None:
    """Which may have no children by multiprocessing's rules."""
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_in_a_daemon, args=[theirs], daemon=True)
    process.start()
    assert ours.poll(40)
    right, dead = ours.recv()
    process.join(120)
    assert process.exitcode == 0
    assert right == CORRECT
    assert dead.status is rlvr.Status.LIMIT


WITHOUT_A_GUARD = """
import rlvr

print("here")
FACTOR = 2

class Mine(rlvr.Verifier):
    name = "mine"
    def verify(self, task, response):
        return rlvr.Scored(helper(response), rlvr.Status.PARTIAL, {}, "", {"own": Mine.__name__})

def helper(response):
    return FACTOR * len(response) / 10

@rlvr.verifier(mode="whole")
def decorated(task, answer):
    return helper(answer) > 0.5

tasks = [rlvr.Task("p", "r")] * 3
print([float(v) for v in rlvr.score(tasks, ["a", "ab", "abc"], Mine())])
print([float(v) for v in rlvr.score(tasks, ["a", "ab", "abc"], decorated)])
"""


def test_from_a_script_without_a_main_guard(script: Callable[..., Script]) -> None:
    """And with verifiers defined in it; the workers don't run it again."""
    ran = script(WITHOUT_A_GUARD)
    code, out, err = ran.finish()
    assert code == 0, err
    assert out.splitlines() == ["here", "[0.2, 0.4, 0.6]", "[0.0, 0.0, 1.0]"]
    assert ran.nothing_left()


FORKS = """
import os, sys
import rlvr
from rlvr.core.errors import PoolError
from rlvr.scoring import Pool, score
from verifiers_used import TASK, Acts, Later

def check(who):
    verdicts = score([TASK] * 4, ["right", "kill", "raise", "right"], Acts()) \
        + score([TASK], ["right"], Later())
    print(who, [v.scored for v in verdicts], flush=True)

check("parent before")
own = Pool(1)
assert own.submit(Acts(), TASK, "right").result().scored
child = os.fork()
if child == 0:
    check("child")
    try:
        own.submit(Acts(), TASK, "right")
    except PoolError:
        print("child: refused", flush=True)
    sys.exit(7)
print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
check("parent after")
assert own.submit(Acts(), TASK, "right").result().scored
"""


def test_after_a_fork(script: Callable[..., Script]) -> None:
    """The child has a pool and a loop of its own, and leaves the parent's alone."""
    ran = script(FORKS, "-W", "error::ResourceWarning")
    code, out, err = ran.finish()
    assert code == 0, err
    scored = "[True, False, False, True, True]"
    assert out.splitlines() == [
        f"parent before {scored}",
        f"child {scored}",
        "child: refused",
        "status 7",
        f"parent after {scored}",
    ]
    assert ran.nothing_left()


ELSEWHERE = """
import sys
sys.path.append({path!r})
import rlvr
from put_aside import Aside
(verdict,) = rlvr.score([rlvr.Task("p", "r")], ["hello"], Aside())
print(verdict.feedback)
"""


def test_from_another_directory_with_a_longer_path(
    script: Callable[..., Script], tmp_path: Path
) -> None:
    """Modules that lie in the working directory under the names of the library's harm nobody."""
    aside, cwd = tmp_path / "aside", tmp_path / "cwd"
    aside.mkdir()
    cwd.mkdir()
    for name in ("json", "selectors", "mmap", "rlvr"):
        (cwd / f"{name}.py").write_text("raise ImportError('a stray module')\n")
    (aside / "put_aside.py").write_text(
        "import os, rlvr\n"
        "class Aside(rlvr.Verifier):\n"
        "    name = 'aside'\n"
        "    def verify(self, task, response):\n"
        "        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {}, os.getcwd())\n"
    )
    ran = script(ELSEWHERE.format(path=str(aside)), cwd=cwd)
    code, out, err = ran.finish()
    assert (code, out.strip()) == (0, str(cwd)), err


def test_the_default_pool_comes_back_after_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_WORKERS", "3")
    close()
    first = default_pool()
    assert first.size == 3
    assert score([TASK], ["right"], Acts()) == [CORRECT]
    close()
    assert default_pool() is not first
    assert score([TASK], ["right"], Acts()) == [CORRECT]
    close()


def test_two_pools_dont_mix() -> None:
    with Pool(1) as one, Pool(1) as other:
        futures = [pool.submit(Acts(), TASK, "pid") for pool in (one, other) for _ in range(3)]
        pids = [getattr(future.result(120), "detail", {})["pid"] for future in futures]
    assert len(set(pids[:3])) == len(set(pids[3:])) == 1
    assert pids[0] != pids[3]


CLOSED = """
import os, sys, rlvr
@rlvr.verifier(mode="whole")
def same(task, answer):
    print("this must end up in no socket", file=sys.stderr)
    return answer == task.reference
verdicts = rlvr.score([rlvr.Task("q", "4")] * 3, ["4", "4", "5"], same)
for fd in (1, 2):
    try: os.write(fd, b"nor this\\n")
    except OSError: pass
verdicts += rlvr.score([rlvr.Task("q", "4")], ["4"], same)
open(sys.argv[1], "w").write(str([verdict.reward for verdict in verdicts]))
"""


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)])
def test_without_standard_descriptors(closed: tuple[int, ...], tmp_path: Path) -> None:
    def close_them() -> None:
        for fd in closed:
            os.close(fd)

    command = [sys.executable, "-c", CLOSED, str(tmp_path / "out")]
    assert subprocess.run(command, preexec_fn=close_them, timeout=300).returncode == 0
    assert (tmp_path / "out").read_text() == "[1.0, 1.0, 0.0, 1.0]"
