"""However the scorer's process ends, none of its processes outlive it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Script, eventually

START = """
import sys, threading, time
import rlvr
from rlvr.scoring import Pool, score
from verifiers_used import TASK, Acts

def begin():
    # One job hangs on a processor, one waits.
    pool = Pool(2)
    futures = [pool.submit(Acts(), TASK, r, limit_s=600) for r in ("spin", "sleep 600")]
    while not all(future.running() for future in futures):
        time.sleep(0.01)
    assert score([TASK], ["right"], Acts())[0].scored  # and the default pool
    print("begun", flush=True)
    return pool
"""

ENDS = {
    "normal": ("begin()", 0),
    "an exception": ("begin()\nraise SystemError('in the main thread')", 1),
    "sys.exit": ("begin()\nsys.exit(3)", 3),
    "sys.exit in a thread": (
        "thread = threading.Thread(target=lambda: (begin(), sys.exit(3)))\n"
        "thread.start()\nthread.join()",
        0,
    ),
    "os._exit": ("begin()\nimport os\nos._exit(4)", 4),
    "close": ("begin().close()\nrlvr.scoring.close()", 0),
}


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize("end", ENDS)
def test_after_the_process_ended_itself(script: Callable[..., Script], end: str) -> None:
    text, status = ENDS[end]
    ended = script(START + text)
    code, out, err = ended.finish()
    assert (code, out) == (status, "begun\n"), err
    assert ended.nothing_left(), ended.left()


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_after_a_signal(script: Callable[..., Script], number: signal.Signals) -> None:
    ended = script(START + "begin()\ntime.sleep(600)")
    assert ended.line() == "begun"
    assert len(ended.left()) > 3
    ended.process.send_signal(number)
    ended.finish()
    assert ended.nothing_left(), ended.left()


def test_after_it_was_killed_while_its_fork_lives_on(
    script: Callable[..., Script], tmp_path: Path
) -> None:
    """The fork holds copies of the sockets, so the template hears no hang-up."""
    ended = script(
        START + "import os\nbegin()\n"
        "if os.fork() == 0:\n"
        "    open('forked', 'w').close()\n"
        "    time.sleep(600)\n"
        "time.sleep(600)"
    )
    assert eventually((tmp_path / "forked").exists)
    ended.process.kill()
    ended.process.wait(120)
    assert eventually(lambda: len(ended.left()) == 1), ended.left()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and ended.mark.encode() in _environment(entry):
            os.kill(int(entry), signal.SIGKILL)
    assert ended.nothing_left()


def _environment(entry: str) -> bytes:
    try:
        return Path("/proc", entry, "environ").read_bytes()
    except OSError:
        return b""


def test_what_a_verifier_prints_stays_off_standard_output(script: Callable[..., Script]) -> None:
    code, out, err = script(
        START + "score([TASK], ['print from a verifier'], Acts())\nprint('done')"
    ).finish()
    assert (code, out) == (0, "done\n")
    assert "from a verifier" in err


def test_closing_doesnt_wait_for_a_fork_that_lives_on(script: Callable[..., Script]) -> None:
    """The template ends by itself, with status 0, rather than by force."""
    ended = script(
        START + "import os\npool = begin()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    time.sleep(600)\n"
        "template = pool._crew.template._process\n"
        "pool.close()\n"
        "print(template.returncode, flush=True)\n"
        "os.kill(child, 9)\n"
        "os.waitpid(child, 0)"
    )
    code, out, err = ended.finish()
    assert (code, out) == (0, "begun\n0\n"), err
