"""Attempts to earn a reward without the work: planted files, patched tools, a killed verifier, links, floods."""

from __future__ import annotations

import json

import pytest

import rlvr
from rlvr.core.verdict import Scored, Status
from rlvr.envs.terminal.draft import writing
from tests.envs.terminal.conftest import Play

_PLANT = "mkdir -p /logs/verifier /work/logs/verifier; for f in /logs/verifier/reward.json reward.json reward.txt /tmp/reward.txt; do echo '{\"reward\": 1.0}' > $f; done"  # fmt: skip
_TOOLS = "mkdir -p /tmp/bin; for t in python3 bash make cat test; do printf '#!/bin/sh\\nexit 0\\n' > /tmp/bin/$t; chmod 755 /tmp/bin/$t; done; export PATH=/tmp/bin:$PATH; alias ls=true"  # fmt: skip
_STARTUP = "for f in sitecustomize.py usercustomize.py conftest.py json.py unittest.py; do echo 'import os; os._exit(0)' > $f; done; mkdir -p __pycache__; export PYTHONPATH=/work PYTHONSTARTUP=/work/sitecustomize.py"  # fmt: skip
_KILL = "kill -9 -1; kill -9 $$"
_DELETE = "rm -rf /work/* test_*.py /tests /work/example.*"

FAMILIES = ("find_file", "merge_jsonl", "organise_files", "fix_script", "fix_package", "write_makefile")  # fmt: skip


@pytest.mark.parametrize("attack", [_PLANT, _TOOLS, _STARTUP, _KILL, _DELETE])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.sweep(gate=8)
def test_an_attack_alone_earns_nothing(family: str, attack: str, play: Play) -> None:
    env = rlvr.make("terminal", family=family)
    verdict = play(env, env.tasks[0], [attack])
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0


def test_patched_tools_dont_spoil_what_is_right(play: Play) -> None:
    env = rlvr.make("terminal", family="merge_jsonl")
    task = env.tasks[0]
    verdict = play(env, task, [*task.reference["solution"], _TOOLS, _STARTUP, _KILL])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0


_FORGERIES = {
    "says that all is right": "print('OK'); print('PASSED'); print('{\"reward\": 1.0}')",
    "ends the process": "import os; os._exit(0)",
    "kills all": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "kills its parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL); os.kill(0, signal.SIGTERM)",
    "echoes its input": "import sys; sys.stdout.write(sys.stdin.read())",
    "reads what is beside it": "import glob; [print(open(p, errors='replace').read()) for p in glob.glob('/box/*') + glob.glob('/tmp/*') + glob.glob('/work/**', recursive=True) if not __import__('os').path.isdir(p)]",
    "recurses": "import os\nwhile True: os.fork()",
    "writes for ever": "while True: print('x' * 10000)",
    "hangs": "import time; time.sleep(10000)",
}


@pytest.mark.parametrize("name", _FORGERIES)
@pytest.mark.sweep(gate=4)
def test_a_program_that_forges_earns_nothing_and_causes_no_fault(name: str, play: Play) -> None:
    env = rlvr.make("terminal", family="fix_script")
    task = env.tasks[1]
    (check,) = task.reference["checks"]
    check["limits"] = {"wall_s": 1, "cpu_s": 1}
    verdict = play(env, task, writing(check["with"]["main"], _FORGERIES[name]))
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0
    assert verdict.status in (Status.INCORRECT, Status.LIMIT)


def test_a_module_can_not_forge_what_the_package_s_driver_prints(play: Play) -> None:
    env = rlvr.make("terminal", family="fix_package")
    task = env.tasks[0]
    (check,) = task.reference["checks"]
    commands = []
    for path in check["with"].values():
        name = path.rpartition("/")[2].removesuffix("_step.py")
        source = (
            "import sys, json, atexit, builtins, os\n"
            "class Any:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
            f"def {name}(rows, n):\n    return Any()\n"
            "json.dumps = lambda value: '[[]]'\n"
            "atexit.register(lambda: os.write(1, b'[[]]'))\n"
        )
        commands += writing(path, source)
    verdict = play(env, task, commands)
    assert isinstance(verdict, Scored)
    assert verdict.reward == 0.0


def test_artifacts_that_are_too_large_are_the_model_s_fault(play: Play) -> None:
    env = rlvr.make("terminal", family="find_file")
    for flood in (
        "head -c 3000000 /dev/urandom > answer.txt",
        "yes x | head -c 40000000 > answer.txt",
        "mkdir answer.txt; cd answer.txt; for i in $(seq 1500); do echo > $i; done",
        "truncate -s 10G answer.txt",
    ):
        verdict = play(env, env.tasks[0], [flood])
        assert isinstance(verdict, Scored), verdict
        assert verdict.reward == 0.0


@pytest.mark.parametrize(
    "instead",
    [
        "ln -s /etc/passwd answer.txt",
        "ln -s answer.txt answer.txt",
        "mkfifo answer.txt",
        "mkdir -p answer.txt/answer.txt",
        "printf '\\377\\000\\376' > answer.txt",
        "touch \"$(printf 'a\\377b')\" answer.txt",
        "chmod 000 . ; chmod 000 answer.txt",
        "rm -rf /work; mkdir /work",
        "exit 3",
        "exec sleep 1",
        "cd /; rm -rf work",
        "(sleep 1000 &) ; while true; do date > answer.txt; done & disown",
    ],
)
@pytest.mark.sweep(gate=5)
def test_odd_artifacts_have_a_verdict(instead: str, play: Play) -> None:
    env = rlvr.make("terminal", family="find_file")
    verdict = play(env, env.tasks[0], [instead])
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0


def test_a_workspace_shows_neither_the_reference_nor_another_episode(play: Play) -> None:
    env = rlvr.make("terminal", family="find_file")
    first, second = env.tasks[0], env.tasks[1]
    secret = "canary-of-the-first-episode"
    one, other = env.episode(first), env.episode(second)
    try:
        for episode in (one, other):
            episode.begin_open().result()
        call = {"function": {"name": "shell", "arguments": json.dumps({"command": f"echo {secret} > /tmp/c; echo {secret} > /dev/shm/c; echo {secret} > c; X={secret} sleep 60 &"})}}  # fmt: skip
        one.begin_respond({"tool_calls": [call]}).result()
        answer = first.reference["checks"][0]["equals"]
        found = f"[{secret[0]}]{secret[1:]}"  # the command doesn't find itself in /proc
        look = (
            f"grep -rs -e {found} -e '{answer}' -e '\"solution\"' /work /tmp /dev/shm /logs /tests /box /run /home /root /var /etc "
            f"2>/dev/null | head; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep '{found}'"
        )
        call = {"function": {"name": "shell", "arguments": json.dumps({"command": look})}}
        (reply,) = other.begin_respond({"tool_calls": [call]}).result()
        assert secret not in reply["content"]
        assert answer not in reply["content"]
    finally:
        for episode in (one, other):
            episode.begin_close().result()
