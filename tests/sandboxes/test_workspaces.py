"""Workspaces: what their shell, their Python and their files keep from call to call, and what ends a call."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jail_processes import adopt_orphans, children, descendants
from workspace_help import LIMITS, in_two, in_workspace

from rlvr.core.errors import JailError, OptionError, WorkspaceFileError
from rlvr.sandboxes.base import Limit, Limits
from rlvr.sandboxes.link import Backend
from rlvr.sandboxes.workspace import Workspace
from rlvr.sandboxes.workspace_jails import jails
from rlvr.sandboxes.workspace_results import CommandResult


def test_a_shell_keeps_its_folder_variables_functions_and_status(workspaces: Backend) -> None:
    async def play(workspace: Workspace) -> list[CommandResult]:
        commands = (
            "pwd; mkdir a; cd a; x=5; export Y=6; f() { echo f$1; }; false",
            "echo $?; pwd; echo $x $Y; f 7",
            "for i in 1 2 3; do echo $i; done > three; wc -l < three; ls /nowhere",
            "if then",
            "break; continue; echo on",
            "cat",  # there's nothing to read
        )
        return [await workspace.shell(command) for command in commands]

    results = in_workspace(workspaces, play)
    assert [result.status for result in results] == [1, 0, 2, 2, 0, 0]
    assert results[0].output == "/work\n"
    assert results[1].output == "1\n/work/a\n5 6\nf7\n"
    assert results[2].output.startswith("3\nls: ")
    assert "syntax error" in results[3].output
    assert results[4].output.endswith("on\n")
    assert results[5].output == ""
    assert not any(result.limit or result.lost for result in results)


def test_python_keeps_its_variables_and_shows_the_last_value(workspaces: Backend) -> None:
    async def play(workspace: Workspace) -> list[CommandResult]:
        cells = (
            "x = 20\nx + 1",
            "import os\nprint(x)\nos.system('echo of a child')",
            "def f(n):\n    return 1 / n\nf(0)",
            "f(",
            "await __import__('asyncio').sleep(0, 'awaited')",
            "import os\nif os.fork() == 0:\n    print('the fork')\nelse:\n    os.wait(); print('the parent')",
            "x; None",
        )
        return [await workspace.python(cell) for cell in cells]

    results = in_workspace(workspaces, play)
    assert [result.status for result in results] == [0, 0, 1, 1, 0, 0, 0]
    assert results[0].output == "21\n"
    assert results[1].output == "20\nof a child\n0\n"
    assert results[2].output == (
        "Traceback (most recent call last):\n"
        '  File "<cell 3>", line 3, in <module>\n    f(0)\n'
        '  File "<cell 3>", line 2, in f\n    return 1 / n\n           ~~^~~\n'
        "ZeroDivisionError: division by zero\n"
    ) or ("ZeroDivisionError" in results[2].output and "runner" not in results[2].output)
    assert "SyntaxError" in results[3].output
    assert "runner" not in results[3].output
    assert results[4].output == "'awaited'\n"
    assert results[5].output == "the fork\nthe parent\n"
    assert results[6].output == ""


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize(
    ("what", "text", "ending"),
    [
        ("shell", "exit 3", "exit status 3"),
        ("shell", "exec true", "exit status 0"),
        ("shell", "kill -9 $$", "signal 9"),
        ("shell", "set -e; false", "exit status 1"),
        ("python", "import sys; sys.exit(4)", "exit status 4"),
        ("python", "import os; os._exit(5)", "exit status 5"),
        ("python", "import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("python", "import ctypes; ctypes.string_at(0)", "signal 11"),
    ],
)
def test_one_that_ends_is_replaced_in_the_same_folder(
    bubblewrap: Backend, what: str, text: str, ending: str
) -> None:
    async def play(workspace: Workspace) -> None:
        run = workspace.shell if what == "shell" else workspace.python
        await workspace.shell("echo kept > file; mkdir sub; cd sub; v=1")
        await workspace.python("v = 1")
        result = await run(text)
        assert ending in result.output
        assert result.lost
        assert result.status == (None if "signal" in ending else int(ending[-1]))
        again = await run("echo [$v]; pwd; cat ../file" if what == "shell" else "v")
        assert not again.lost
        if what == "shell":
            assert again.output == "[]\n/work/sub\nkept\n"
        else:
            assert "NameError" in again.output
        other = await (workspace.python("v") if what == "shell" else workspace.shell("echo $v"))
        assert other.output == "1\n"

    in_workspace(bubblewrap, play)


LOOP = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
MANY = "x = [b'x' * (1 << 20) + bytes([i % 251]) for i in range(4000)]"


@pytest.mark.sweep(gate=4)
@pytest.mark.parametrize(
    ("what", "text", "limit", "lost"),
    [
        ("shell", "sleep 1000", Limit.WALL, False),
        ("shell", "while true; do sleep 0.1; done", Limit.WALL, False),
        ("shell", "trap '' INT; sleep 1000", Limit.WALL, True),
        ("shell", "kill -STOP $$", Limit.WALL, True),
        ("shell", "exec 9>&-; while :; do :; done", Limit.CPU, False),
        ("shell", "yes", Limit.OUTPUT, False),
        ("shell", "for i in $(seq 60); do sleep 1000 & done; wait", Limit.PROCESSES, True),
        ("python", "import time; time.sleep(1000)", Limit.WALL, False),
        ("python", "while True: pass", Limit.CPU, False),
        ("python", LOOP, Limit.CPU, True),
        ("python", "while True: print('x' * 1000)", Limit.OUTPUT, False),
        ("python", MANY, Limit.MEMORY, True),
        ("python", "import os, time\nfor i in range(40):\n    if os.fork() == 0: time.sleep(99)\ntime.sleep(99)", Limit.PROCESSES, True),
    ],
)  # fmt: skip
def test_a_limit_ends_the_call_and_says_so(
    bubblewrap: Backend, what: str, text: str, limit: Limit, lost: bool
) -> None:
    limits = Limits(wall_s=3, cpu_s=1.5, memory_mb=192, output_kb=64, processes=32, disk_mb=8)

    async def play(workspace: Workspace) -> None:
        run = workspace.shell if what == "shell" else workspace.python
        await run("v=1")
        result = await run(text)
        assert (result.limit, result.status) == (limit, None), result
        assert "over its limit of" in result.output.splitlines()[-1]
        assert result.lost is lost, result
        again = await run("echo [$v]" if what == "shell" else "'v' in globals()")
        kept = again.output in ("[1]\n", "True\n")
        assert kept is not lost, again

    in_workspace(bubblewrap, play, limits=limits)


def test_a_wedged_shell_costs_python_nothing(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        await workspace.python("v = 7")
        result = await workspace.shell("trap '' INT; sleep 1000", wall_s=0.3)
        assert result.lost
        assert (await workspace.python("v")).output == "7\n"

    in_workspace(bubblewrap, play)


def test_a_shell_that_python_kills_is_replaced_before_it_is_asked(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        pid = (await workspace.shell("v=1; echo $$")).output.strip()
        for _ in range(20):
            killed = await workspace.python(f"import os; os.kill({pid}, 9)")
            result = await workspace.shell("echo [$v] $$")
            assert result.output.startswith("[] "), (killed, result)
            assert "shell has ended" in killed.output + result.output
            pid = result.output.split()[1]

    in_workspace(bubblewrap, play)


def test_of_a_long_output_the_head_and_the_tail_are_kept(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        result = await workspace.shell("seq 30000")
        lines = result.output.splitlines()
        assert lines[:3] == ["1", "2", "3"]
        assert lines[-1] == "30000"
        assert "bytes cut" in result.output
        assert len(result.output) < 40_000
        result = await workspace.shell("head -c 100 /dev/urandom; echo; echo -e '\\xff\\x00end'")
        assert result.output.endswith("end\n")

    in_workspace(bubblewrap, play)


def test_between_calls_everything_stands_still(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace, other: Workspace) -> None:
        await workspace.shell("while :; do echo x >> log; done &")
        while not (first := await workspace.read(["log"])):
            await workspace.shell("true")
        for _ in range(20):  # time goes by
            await other.python("sum(range(100000))")
        assert await workspace.read(["log"]) == first
        while len((await workspace.read(["log"]))["log"]) == len(first["log"]):
            await workspace.shell("sleep 0.01")

    in_two(bubblewrap, play)


def test_a_background_job_prints_into_the_next_call(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        await workspace.shell("mkfifo gate; { read line < gate; echo late; } &")
        assert "late" in (await workspace.shell("echo go > gate; wait")).output

    in_workspace(bubblewrap, play)


def test_files_go_in_and_come_out(workspaces: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        await workspace.write(
            {"a/b.txt": b"text", "/tmp/c": bytes(range(256)), "run.sh": b"#!/bin/bash\necho ran"},
            executable=["run.sh"],
        )
        assert (await workspace.shell("cat a/b.txt; ./run.sh")).output == "textran\n"
        await workspace.shell("ln -s a/b.txt link; mkfifo pipe; ln a/b.txt second; : > empty")
        names = ["a/b.txt", "/tmp/c", "link", "pipe", "a", "nowhere", "second", "empty"]
        files = await workspace.read(names)
        assert files == {
            "a/b.txt": b"text",
            "/tmp/c": bytes(range(256)),
            "second": b"text",
            "empty": b"",
        }
        entries = {entry.path: entry.kind for entry in await workspace.list()}
        assert entries == {
            "a": "folder", "a/b.txt": "file", "link": "link", "pipe": "other",
            "run.sh": "file", "second": "file", "empty": "file",
        }  # fmt: skip
        archived = await workspace.archive([".", "/tmp"])
        assert set(archived) == {"a/b.txt", "run.sh", "second", "empty", "/tmp/c"}
        many = {f"many/{i}": str(i).encode() for i in range(450)}
        await workspace.write(many)
        assert await workspace.read(list(many)) == many
        with pytest.raises(WorkspaceFileError, match="nowhere"):
            await workspace.list("nowhere")

    in_workspace(workspaces, play)


def test_files_are_handled_with_the_rights_of_the_model(workspaces: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        links = "ln -s /etc e; ln -s /proc/1 p; mkfifo pipe; mkdir d; ln -s /dev/full full"
        assert (await workspace.shell(links)).ok
        for path in ("e/x", "p/oom_score_adj", "pipe", "d", "full", "/usr/x", "/x", "/dev/null/x"):
            with pytest.raises(WorkspaceFileError):
                await workspace.write({path: b"1"})
        assert await workspace.read(["p/environ", "p/mem", "/proc/1/environ", "full"]) == {}
        with pytest.raises(WorkspaceFileError, match="No space"):
            await workspace.write({f"{i}": bytes(1 << 20) for i in range(40)})
        assert (await workspace.shell("echo alive")).output == "alive\n"
        full = await workspace.shell("cat", stdin=b"x" * (1 << 21))
        assert "No space left" in full.output
        with pytest.raises(OptionError):
            await workspace.read(["a\0b"])

    in_workspace(workspaces, play)


def test_standard_input(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        data = os.urandom(200_000)
        result = await workspace.shell("sha256sum; ls -A /tmp | wc -l", stdin=data)
        import hashlib

        assert result.output.startswith(hashlib.sha256(data).hexdigest())
        assert (await workspace.shell("ls -A /tmp")).output == ""

    in_workspace(bubblewrap, play)


def test_further_folders_an_environment_and_texts_that_are_no_commands(
    bubblewrap: Backend,
) -> None:
    async def play(workspace: Workspace) -> None:
        result = await workspace.shell("pwd; echo $COLOUR; echo 1 > /logs/a; echo 2 > /tests/b/c")
        assert result.output == "/app\nblue\n"
        assert await workspace.read(["/logs/a", "/tests/b/c"]) == {
            "/logs/a": b"1\n",
            "/tests/b/c": b"2\n",
        }
        for text in ("echo \0", "x" * (1 << 21)):
            assert (await workspace.shell(text)).status == 2
        long = "echo " + "'\"" * 40_000 + "'" * 0
        assert (await workspace.shell(f"x={'y' * 200_000}; echo ${{#x}}")).output == "200000\n"
        assert (await workspace.shell(long)).status is not None

    in_workspace(
        bubblewrap,
        play,
        folder="/app",
        also=("/logs", "/tests/b"),
        environment={"COLOUR": "blue"},
    )


@pytest.mark.parametrize("folder", ["/", "/usr", "work", "/work/", "/dev/x", "/tmp", "/a/../b", ""])
def test_a_folder_that_cannot_be_says_why(bubblewrap: Backend, folder: str) -> None:
    with pytest.raises(OptionError, match="absolute path"):
        asyncio.run(Workspace.open(folder, backend=bubblewrap))


def test_one_that_is_busy_holds_up_no_other(bubblewrap: Backend) -> None:
    async def play(first: Workspace, second: Workspace) -> None:
        waiting = asyncio.create_task(first.shell("mkfifo gate; read line < gate; echo $line"))
        for number in range(5):
            assert (await second.python(f"{number}")).output == f"{number}\n"
        assert not waiting.done()
        waiting.cancel()
        # The call goes on; the next one waits for its end.
        follows = asyncio.create_task(first.shell("echo next"))
        assert (await second.shell("echo other")).output == "other\n"
        follows.cancel()

    in_two(bubblewrap, play)


def test_a_call_after_one_that_was_cancelled_gets_its_own_answer(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        first = asyncio.create_task(workspace.shell("sleep 0.3; echo first"))
        await asyncio.sleep(0)
        while not workspace._turn.locked():
            await asyncio.sleep(0)
        first.cancel()
        assert (await workspace.shell("echo second")).output == "second\n"

    in_workspace(bubblewrap, play)


def test_a_dead_jail_is_a_fault_of_its_workspaces_and_the_next_opens_another(
    bubblewrap: Backend,
) -> None:
    async def play() -> None:
        workspace = await Workspace.open(backend=bubblewrap, limits=LIMITS)
        other = await Workspace.open(backend=bubblewrap, limits=LIMITS)
        under_way = asyncio.create_task(workspace.shell("sleep 1000"))
        await other.shell("true")
        link = workspace._jail._link
        os.kill(children(link._process.pid)[0], signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(JailError):
            await under_way
        with pytest.raises(JailError):
            await other.shell("true")
        with pytest.raises(JailError):
            await other.read(["x"])
        await workspace.close()
        await other.close()
        async with await Workspace.open(backend=bubblewrap, limits=LIMITS) as next_one:
            assert (await next_one.shell("echo $((6 * 7))")).output == "42\n"

    asyncio.run(play())


def test_a_closed_workspace_is_gone(bubblewrap: Backend) -> None:
    async def play() -> None:
        workspace = await Workspace.open(backend=bubblewrap, limits=LIMITS)
        under_way = asyncio.create_task(workspace.shell("sleep 1000"))
        while not workspace._turn.locked():
            await asyncio.sleep(0)
        await workspace.close()
        await workspace.close()
        with pytest.raises(JailError):
            await under_way
        with pytest.raises(JailError, match="closed"):
            await workspace.shell("true")

    asyncio.run(play())


def test_a_fork_has_no_part_in_its_parents_jails(bubblewrap: Backend) -> None:
    async def play(workspace: Workspace) -> None:
        assert (await workspace.shell("x=1")).ok
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if not jails._jails and workspace._jail.dead else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (await workspace.shell("echo $x")).output == "1\n"

    in_workspace(bubblewrap, play)


OWNER = """
import asyncio, os, sys
from rlvr.sandboxes.workspace import Workspace
async def main():
    spaces = [await Workspace.open(backend="bubblewrap") for _ in range(3)]
    for space in spaces:
        await space.shell("sleep 1000 & disown; (trap '' TERM INT HUP; sleep 1000) &")
        await space.python("import os\\nif os.fork() == 0:\\n    os.execvp('sleep', ['sleep', '1000'])")
    tasks = [asyncio.create_task(spaces[0].shell("sleep 1000")), asyncio.create_task(spaces[1].python("while True: pass"))]
    await spaces[2].shell("true")
    print("ready", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_nothing_is_left_when_the_owner_is_killed(bubblewrap: Backend) -> None:
    adopt_orphans()
    before = descendants(os.getpid())
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    assert len(descendants(owner.pid)) > 10
    handles = [os.pidfd_open(pid) for pid in descendants(owner.pid)]
    owner.kill()
    owner.wait()
    import select

    for handle in handles:
        assert select.select([handle], [], [], 60)[0], "a process is still there"
        os.close(handle)
    assert not [p for p in descendants(os.getpid()) - before if Path(f"/proc/{p}").exists()]
