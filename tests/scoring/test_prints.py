"""A verifier's prints stay off the terminal while something runs there, and can be found."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Script

WAYS = ("print", "stderr", "fd 1", "fd 2", "child", "later", "inline", "thread")
START = f"""
import asyncio, os, subprocess, sys, threading
import rlvr
from rlvr.scoring import Pool, ascore, prints, score

print("imported by", __name__)

def say(way):
    if way == "stderr":
        sys.stderr.write(f"<{{way}}>\\n")
    elif way.startswith("fd"):
        os.write(int(way[-1]), f"<{{way}}>".encode())
    elif way == "child":
        subprocess.run(["sh", "-c", "echo '<child>'; echo and more >&2"])
    elif way == "thread":
        thread = threading.Thread(target=print, args=["<thread>"])
        thread.start()
        thread.join()
    else:
        print(f"<{{way}}>")
    return rlvr.Scored(1.0, rlvr.Status.CORRECT)

class Says(rlvr.Verifier):
    name = "says"
    def verify(self, task, response):
        return say(response)

class Later(rlvr.Verifier):
    name = "later"
    async def verify(self, task, response):
        await asyncio.sleep(0)
        await asyncio.to_thread(say, "later")
        return say(response)

class Inline(rlvr.Verifier):
    name = "inline"
    def settle(self, task, response):
        return say(response)
    verify = settle

TASK = rlvr.Task("?", "")
WAYS = {WAYS!r}

def judge():
    for way in WAYS:
        verifier = {{"later": Later(), "inline": Inline()}}.get(way, Says())
        verdict, = score([TASK], [way], verifier)
        assert verdict == rlvr.Scored(1.0, rlvr.Status.CORRECT), verdict
"""


def run(text: str, tmp_path: Path, **more: str) -> tuple[str, str]:
    """Standard output and error of a script."""
    file = tmp_path / "script.py"
    file.write_text(START + text)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, **more},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def check_all(text: str) -> None:
    assert [way for way in WAYS if f"<{way}>" not in text] == []
    assert "and more" in text


def test_prints_are_in_the_log_of_a_run_and_afterwards_on_standard_error(tmp_path: Path) -> None:
    out, err = run(
        "with prints.kept_in('run'):\n    os.mkdir('run')\n    judge()\n    print('own')\n"
        "score([TASK], ['print'], Says())\n",
        tmp_path,
    )
    assert out == "imported by __main__\nown\n"
    assert err == "<print>\n"
    check_all((tmp_path / "run" / "verifiers.log").read_text())


def test_no_key_is_kept_in_a_runs_log(tmp_path: Path) -> None:
    """Whoever is given the run reads it."""
    leak = (
        "class Leaks(rlvr.Verifier):\n    name = 'leaks'\n    def verify(self, task, response):\n"
        "        print('asked with', os.environ['MY_API_KEY'])\n        return rlvr.Scored(1.0, rlvr.Status.CORRECT)\n"
        "os.mkdir('run')\nwith prints.kept_in('run'):\n    score([TASK], [''], Leaks())\n"
    )
    run(leak, tmp_path, MY_API_KEY="sk-0123456789abcdefXYZ")
    log = (tmp_path / "run/verifiers.log").read_text()
    assert "asked with [secret]" in log
    assert "0123456789" not in log


def test_beside_a_trainer_they_are_dropped_until_its_folder_is_known(tmp_path: Path) -> None:
    out, err = run(
        "prints.aside()\njudge()\nprints.aside('out')\nos.mkdir('out')\njudge()\nprints.aside()\n", tmp_path
    )  # fmt: skip
    assert (out, err) == ("imported by __main__\n", "")
    text = (tmp_path / "out" / "verifiers.log").read_text()
    check_all(text)
    assert text.count("<print>") == 1


@pytest.mark.parametrize("switch", ["stderr", "said.txt"])
def test_a_switch_brings_them_where_an_author_wants_them(tmp_path: Path, switch: str) -> None:
    out, err = run("prints.aside()\njudge()\n", tmp_path, RLVR_PRINTS=switch)
    assert out == "imported by __main__\n"
    check_all(err if switch == "stderr" else (tmp_path / switch).read_text())
    assert err == "" or switch == "stderr"


def test_a_log_ends_at_its_size_and_a_verdict_does_not_hang_on_it(tmp_path: Path) -> None:
    """Also where nothing can be written: then prints are lost."""
    _, err = run(
        "class Chatty(rlvr.Verifier):\n"
        "    name = 'chatty'\n"
        "    def verify(self, task, response):\n"
        "        for _ in range(60):\n"
        "            print('x' * 100_000)\n"
        "        return rlvr.Scored(1.0, rlvr.Status.CORRECT)\n"
        "os.mkdir('run')\n"
        "for folder in ('run', 'none/there'):\n"
        "    with Pool(2) as pool, prints.kept_in(folder):\n"
        "        found = score([TASK] * 3, list('abc'), Chatty(), pool=pool)\n"
        "        assert all(one.scored for one in found), found\n",
        tmp_path,
    )
    log = tmp_path / "run" / "verifiers.log"
    assert 10_000_000 <= log.stat().st_size < 10_000_100
    assert log.read_bytes().endswith(b"(A log of prints ends at 10 MB.)\n")
    assert err == ""


@pytest.mark.sweep
def test_a_standard_error_that_nobody_reads_costs_no_other_item(
    script: Callable[..., Script],
) -> None:
    """The worker that prints waits, and is ended; the template goes on with its duties."""
    started = script(
        START + "class Chatty(rlvr.Verifier):\n"
        "    name = 'chatty'\n"
        "    def verify(self, task, response):\n"
        "        while response:\n"
        "            print('x' * 10_000)\n"
        "        return rlvr.Scored(1.0, rlvr.Status.CORRECT)\n"
        "with Pool(1) as pool:\n"
        "    for said in ('a', '', 'a', ''):\n"
        "        verdict = pool.submit(Chatty(), TASK, said, limit_s=1).result(60)\n"
        "        print(verdict.scored, flush=True)\n"
    )
    assert [started.line() for _ in range(5)] == [
        "imported by __main__", "False", "True", "False", "True"
    ]  # fmt: skip


def test_standard_output_of_the_seam_is_its_lines_alone(tmp_path: Path) -> None:
    lines = [{"id": way, "reference": "", "response": way} for way in WAYS]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out, err = run(
        "from rlvr.cli.score import command\n"
        "for kind in (Says, Inline, Later):\n"
        "    @rlvr.environment(kind.name)\n"
        "    def make(kind=kind):\n"
        "        return rlvr.SingleTurn([TASK], kind())\n"
        "    if kind is not Says:\n"
        '        open(\'in.jsonl\', \'w\').write(\'{"reference": "", "response": "%s"}\' % kind.name)\n'
        "    command.main([kind.name, 'in.jsonl'], standalone_mode=False)\n",
        tmp_path,
    )
    assert out.splitlines()[0] == "imported by __main__"
    assert [json.loads(line)["scored"] for line in out.splitlines()[1:]] == [True] * (len(WAYS) + 2)
    check_all(err)
