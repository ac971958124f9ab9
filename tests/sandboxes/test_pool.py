"""The pool of jails: from many threads, from asyncio, across a fork, and whatever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jail_processes import (
    adopt_orphans,
    broker,
    cell,
    children,
    descendants,
    named,
    none_left_but,
    program,
    runs,
    within,
    zygote,
)

from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes import FunctionTests, Limits, Program, Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.jail import Jail

ECHO = Program(b"print(input())")
SLOW = Program(named(b"import time\nline = input()\ntime.sleep(0.6)\nprint(line)"))
STUCK = Program(named(b"import time\ntime.sleep(60)"))
TESTS = FunctionTests(asserts=("assert f(1) == 2",))
ROOMY = Limits(wall_s=60)


@pytest.fixture
def pool(bubblewrap: Bubblewrap) -> Iterator[Sandbox]:
    with Sandbox(bubblewrap, jails=2) as one:
        yield one


def works(pool: Sandbox) -> bool:
    run = pool.run_tests(b"def f(n): return n + 1", TESTS)
    (execution,) = pool.run(ECHO, [b"fine\n"]).executions
    return execution.stdout == b"fine\n" and [one.passed for one in run.outcomes] == [True]


# ---------------------------------------------------------------- many at once


@pytest.mark.sweep
def test_many_threads_each_get_their_own(pool: Sandbox) -> None:
    def one(n: int) -> bool:
        if n % 3:
            lines = [f"{n} {i}\n".encode() for i in range(3)]
            return [x.stdout for x in pool.run(ECHO, lines).executions] == lines
        source = f"def f(x): return x + {n}".encode()
        passed = [x.passed for x in pool.run_tests(source, TESTS).outcomes]
        return passed == [n == 1]

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(one, range(120)))
    assert len(pool._jails) <= 2
    assert pool._taken == 0


def test_asyncio_runs_as_many_as_there_are_jails(pool: Sandbox) -> None:
    async def all_of_them() -> list[bytes]:
        runs = await asyncio.gather(*(pool.arun(ECHO, [f"{n}\n".encode()]) for n in range(30)))
        tests = await asyncio.gather(
            *(pool.arun_tests(b"def f(n): return 2", TESTS) for _ in range(9))
        )
        assert all(run.outcomes[0].passed for run in tests)
        return [run.executions[0].stdout for run in runs]

    assert asyncio.run(all_of_them()) == [f"{n}\n".encode() for n in range(30)]
    assert asyncio.run(all_of_them())[:1] == [b"0\n"]  # in another loop


def test_cancelling_harms_nobody(pool: Sandbox) -> None:
    async def cancelled() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pool.arun(SLOW, [b"x\n"]), 0.05)

    asyncio.run(cancelled())
    assert works(pool)


def test_a_jail_outlives_the_thread_that_started_it(pool: Sandbox) -> None:
    thread = threading.Thread(target=works, args=[pool])
    thread.start()
    thread.join()
    (jail,) = pool._jails
    time.sleep(0.1)
    assert works(pool)
    assert pool._jails == {jail}


def test_start_starts_all_of_them(pool: Sandbox) -> None:
    assert len(pool.start()._idle) == 2
    assert works(pool)


# ---------------------------------------------------------------- what dies


def while_it_runs(
    pool: Sandbox, do: Callable[[Jail], None], program: Program = SLOW
) -> list[bytes]:
    """A program's output, where something is done to its jail when it's under way."""
    assert works(pool)  # so that what starts now is the program
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool.run, SLOW, [b"a\n", b"b\n"], ROOMY)
        (jail,) = pool._jails
        assert within(60, lambda: runs(jail))
        do(jail)
        return [one.stdout for one in waiting.result(120).executions]


PARTS: dict[str, Callable[[Jail], int]] = {
    "the broker": broker,
    "the zygote": zygote,
    "its cell": cell,
    "what waits outside": lambda jail: jail._link._process.pid,  # type: ignore[attr-defined]
}


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize("part", PARTS)
def test_what_is_killed_while_it_runs_is_run_again(bubblewrap: Bubblewrap, part: str) -> None:
    before = descendants(os.getpid())
    with Sandbox(bubblewrap, jails=1) as pool:
        found = while_it_runs(pool, lambda jail: os.kill(PARTS[part](jail), signal.SIGKILL))
        assert found == [b"a\n", b"b\n"]
        assert works(pool)
    assert none_left_but(before)


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize("part", PARTS)
def test_what_is_killed_while_it_waits_is_replaced(bubblewrap: Bubblewrap, part: str) -> None:
    before = descendants(os.getpid())
    with Sandbox(bubblewrap, jails=1) as pool:
        assert works(pool)
        (jail,) = pool._jails
        victim = PARTS[part](jail)
        os.kill(victim, signal.SIGKILL)
        assert works(pool)
        assert works(pool)
    assert none_left_but(before)


def test_a_program_that_is_killed_from_outside_was_killed(bubblewrap: Bubblewrap) -> None:
    """That's no failure of the jail's: the kernel does it to a program that takes all memory."""
    with Sandbox(bubblewrap, jails=1) as pool:
        assert works(pool)  # so that what starts now is the program
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.run, STUCK, [b""], ROOMY)
            (jail,) = pool._jails
            assert within(60, lambda: runs(jail))
            os.kill(program(jail), signal.SIGKILL)
            (execution,) = waiting.result(120).executions
        assert (execution.signal, execution.limit, execution.ok) == (9, None, False)
        assert pool._jails == {jail}
        assert works(pool)


def test_killed_twice_it_is_nobodys_wrong_answer(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    with Sandbox(bubblewrap, jails=1) as pool:
        over = threading.Event()

        def kill() -> None:
            while not over.is_set():
                for jail in list(pool._jails):
                    for child in children(jail._link._process.pid):  # type: ignore[attr-defined]
                        os.kill(child, signal.SIGKILL)
                time.sleep(0.05)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(SandboxError, match="Two jails in a row failed"):
            pool.run(STUCK, [b""], ROOMY)
        over.set()
        killer.join()
        assert works(pool)
    assert none_left_but(before)


def test_close_ends_what_is_under_way(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    pool = Sandbox(bubblewrap, jails=2)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(pool.run, STUCK, [b""], ROOMY) for _ in range(4)]
        assert within(60, lambda: len(pool._jails) == 2 and all(map(runs, pool._jails)))
        began = time.monotonic()
        pool.close()
        for one in waiting:
            with pytest.raises(SandboxError):
                one.result(120)
        assert time.monotonic() - began < 50
    with pytest.raises(SandboxError, match="closed"):
        pool.run(ECHO, [b"\n"])
    pool.close()
    assert none_left_but(before)


def test_what_proceed_raises_is_the_callers(pool: Sandbox) -> None:
    def proceed(*_: object) -> bool:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        pool.run(ECHO, [b"a\n", b"b\n"], proceed=proceed)
    assert works(pool)
    assert len(pool._jails) == 1


@pytest.mark.parametrize("wrong", [{"jails": 0}, {"jails": -1}, {"memory_mb": 0}])
def test_sizes_are_checked(bubblewrap: Bubblewrap, wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        Sandbox(bubblewrap, **wrong)  # type: ignore[arg-type]


# ---------------------------------------------------------------- nothing stays


def open_files(pid: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.sweep
def test_thousands_of_programs_leave_nothing(bubblewrap: Bubblewrap) -> None:
    """No process, no mount, no file, no descriptor; and the memory of everybody involved stays flat."""
    leaves = Program(b"import os\nopen('x', 'w').write('x' * 1000)\nprint(input())\nos.fork()")
    limits = Limits(disk_mb=2)
    with Sandbox(bubblewrap, jails=1) as pool:

        def some(count: int) -> None:
            for n in range(count):
                if n % 4 == 3:
                    assert pool.run_tests(b"def f(n): return 2", TESTS).outcomes[0].passed
                elif n % 50 == 0:
                    pool.run(Program(b"while True: print('x' * 999)"), [b""], Limits(output_kb=64))
                else:
                    assert pool.run(leaves, [f"{n}\n".encode()], limits).executions[0].ok

        def state() -> tuple[list[int], list[float]]:
            (jail,) = pool._jails
            parts = [os.getpid(), broker(jail), zygote(jail), *children(zygote(jail))]
            mounts = [
                len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines())
                for pid in parts[1:]  # the host's are everybody's
            ]
            return [len(parts), *mounts, *map(open_files, parts)], [
                memory_mb(pid) for pid in parts[:3]
            ]

        some(200)
        assert works(pool)
        counted, held = state()
        some(1800)
        assert works(pool)
        counted_now, held_now = state()
        assert counted_now == counted
        for now, then in zip(held_now, held, strict=True):
            assert now < then + 10


def test_opening_and_closing_leaves_nothing(bubblewrap: Bubblewrap) -> None:
    before, files = descendants(os.getpid()), open_files()
    for _ in range(5):
        with Sandbox(bubblewrap, jails=1) as pool:
            pool.run(ECHO, [b"\n"])
    assert none_left_but(before)
    assert open_files() == files


# ---------------------------------------------------------------- processes of their own

HEAD = """
import os, signal, sys, threading, time
from rlvr.sandboxes import Limits, Program, Sandbox
pool = Sandbox("bubblewrap", jails=1)
def echo(text):
    return pool.run(Program(b"print(input())"), [text.encode()]).executions[0].stdout.decode().strip()
"""


def script(*lines: str) -> subprocess.Popen[str]:
    """A client in a process of its own. What it leaves behind can be counted here."""
    adopt_orphans()
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join([HEAD, *lines])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def test_a_fork_has_jails_of_its_own(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    client = script(
        "assert echo('first') == 'first'",
        "(theirs,) = pool._jails",
        "read, write = os.pipe()",
        "pid = os.fork()",
        "if pid == 0:",
        "    assert not pool._jails",
        "    os.write(write, ' '.join(echo(f'child{n}') for n in range(3)).encode())",
        "    pool.close()",
        "    os._exit(0)",
        "print(*(echo(f'parent{n}') for n in range(3)))",
        "assert os.waitpid(pid, 0)[1] == 0",
        "print(os.read(read, 999).decode(), echo('after'))",
        "assert pool._jails == {theirs}",
    )
    assert client.communicate(timeout=300) == (
        "parent0 parent1 parent2\nchild0 child1 child2 after\n",
        "",
    )
    assert client.returncode == 0
    assert none_left_but(before)


@pytest.mark.sweep
def test_a_fork_while_another_thread_is_in_a_jail(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    client = script(
        "slow = Program(b'import time; time.sleep(1.5); print(7)')",
        "found = []",
        "thread = threading.Thread(target=lambda: found.append(pool.run(slow).executions[0].stdout))",
        "thread.start()",
        "time.sleep(0.7)",
        "import warnings; warnings.simplefilter('ignore')",
        "pid = os.fork()",
        "if pid == 0:",
        "    os._exit(0 if echo('child') == 'child' else 1)",  # without closing
        "status = os.waitpid(pid, 0)[1]",
        "thread.join()",
        "print(status, found, echo('parent'))",
    )
    assert client.communicate(timeout=300) == ("0 [b'7\\n'] parent\n", "")
    assert none_left_but(before)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("busy", [True, False])
def test_a_client_that_is_killed_takes_its_jails_along(bubblewrap: Bubblewrap, busy: bool) -> None:
    before = descendants(os.getpid())
    rest = (
        "pool.run(Program(b'import time; time.sleep(60)'), limits=Limits(wall_s=60))"
        if busy
        else "time.sleep(60)"
    )
    client = script("echo('x')", "print('ready', flush=True)", rest)
    assert client.stdout is not None
    assert client.stdout.readline() == "ready\n"
    time.sleep(0.3)
    assert len(descendants(client.pid)) >= 3
    client.kill()
    client.communicate()
    assert none_left_but(before)


@pytest.mark.sweep
def test_a_client_that_is_killed_while_its_jail_compiles(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    client = script(
        "print('ready', flush=True)",
        "pool.run(Program(b'#include \"/dev/random\"\\n', 'c'), limits=Limits(compile_s=60))",
    )
    assert client.stdout is not None
    client.stdout.readline()
    time.sleep(0.6)
    client.kill()
    client.communicate()
    assert none_left_but(before)


def test_ctrl_c_ends_client_and_jails(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    client = script(
        "echo('x')",
        "print('ready', flush=True)",
        "pool.run(Program(b'import time; time.sleep(60)'), limits=Limits(wall_s=60))",
    )
    assert client.stdout is not None
    client.stdout.readline()
    time.sleep(0.3)
    client.send_signal(signal.SIGINT)
    _, errors = client.communicate(timeout=300)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert none_left_but(before)


@pytest.mark.sweep
def test_after_ctrl_c_the_sandbox_goes_on(bubblewrap: Bubblewrap) -> None:
    client = script(
        "echo('x')",
        "signal.signal(signal.SIGALRM, signal.default_int_handler)",
        "for _ in range(3):",
        "    signal.setitimer(signal.ITIMER_REAL, 0.5)",
        "    try: pool.run(Program(b'import time; time.sleep(60)'), limits=Limits(wall_s=60))",
        "    except KeyboardInterrupt: print(echo('goes on'), pool._taken)",
    )
    assert client.communicate(timeout=300) == ("goes on 0\n" * 3, "")


def test_a_client_that_ends_without_closing_leaves_nothing(bubblewrap: Bubblewrap) -> None:
    before = descendants(os.getpid())
    client = script("print(echo('x'))")
    assert client.communicate(timeout=300)[0] == "x\n"
    assert client.returncode == 0
    assert none_left_but(before)
