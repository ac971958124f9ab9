"""`rlvr score code` on every form of reference, as a script would use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py

CANARY = "c4n4ry"
TESTS = {"tests": [{"stdin": "1", "stdout": "2"}, {"input": "2", "output": "4"}]}
CHECK = {"entry_point": "f", "test": "def check(candidate):\n    assert candidate(2) == 4\n"}
ASSERTS = {"asserts": ["assert f(1) == 2", "assert math.isclose(f(2), 4)"], "setup": "import math"}
FUNCTION = "```python\ndef f(n):\n    return 2 * n\n```"
PROGRAM = "```python\nprint(2 * int(input()))\n```"
HEAD = 'def helper(n):\n    return 2 * n\n\ndef f(n):\n    """Twice n."""\n'
FIRST_ALONE = "```python\nn = int(input())\nprint(2 if n == 1 else n)\n```"


def run(rlvr_cli: CommandLine, tmp_path: Path, env: str, *lines: Any) -> tuple[int, list[Any]]:
    file = tmp_path / "in.jsonl"
    texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    file.write_text("".join(text + "\n" for text in texts))
    done = rlvr_cli("score", env, file)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def line(id: Any, reference: Any, response: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "reference": reference, "response": response, **more}


def test_every_form(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    checker = {"source": "import sys\nsys.exit(open(sys.argv[2]).read() != '7\\n')"}
    lines = [
        line(1, TESTS, PROGRAM),
        line(2, CHECK, FUNCTION),
        line(3, ASSERTS, FUNCTION),
        line(4, TESTS | {"checker": checker}, "```python\nprint(7)\n```"),
        line(5, TESTS | {"checker": {"absolute": 0.1}}, "```\nprint(2.05 * int(input()))\n```"),
        line(6, CHECK, "    return helper(n)\n", prompt=HEAD),
        line(7, CHECK, FUNCTION.replace("2 * n", "helper(n)"), prompt=f"Do it:\n```python\n{HEAD}```"),
        line(8, TESTS, FIRST_ALONE, options={"reward": "fraction"}),
        line(9, TESTS, FIRST_ALONE, options={"reward": "all"}),
        line(10, TESTS, "I don't know"),
        line(11, TESTS | {"limits": {"cpu_s": 1}}, "```python\nwhile True: pass\n```"),
        line(12, TESTS, "```bash\nread n; echo $((2 * n))\n```", options={"language": "bash"}),
        line(13, TESTS | {"language": "sh"}, "```sh\nread n; echo $((2 * n))\n```"),
    ]  # fmt: skip
    status, verdicts = run(rlvr_cli, tmp_path, "code", *lines)
    assert status == 0
    assert [verdict["id"] for verdict in verdicts] == list(range(1, 14))
    assert [verdict["reward"] for verdict in verdicts] == [1] * 7 + [0.5, 0, 0, 0, 1, 1]
    statuses = ["partial", "incorrect", "unparsable", "limit", "correct", "correct"]
    assert [verdict["status"] for verdict in verdicts] == ["correct"] * 7 + statuses
    for verdict in verdicts:
        assert sorted(verdict) == ["components", "feedback", "id", "reward", "scored", "status"]
        assert verdict["components"] == {"code": verdict["reward"]}


def test_faults_and_malformed_lines(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    lines = [
        line("a", {"tests": []}, PROGRAM),
        line("b", {"asserts": ["assert f("]}, FUNCTION),
        "{",
        line("c", TESTS, 1),  # type: ignore[arg-type]
        line("d", TESTS, PROGRAM, options={"reward": "some"}),
        line("e", CHECK | {"language": "cpp"}, FUNCTION),
        line("f", ASSERTS, FUNCTION),
    ]
    status, verdicts = run(rlvr_cli, tmp_path, "code", *lines)
    assert status == 3
    causes = [verdict.get("cause") for verdict in verdicts]
    assert causes == ["gold", "gold", "input", "input", "input", "gold", None]
    assert verdicts[-1]["reward"] == 1


def test_hidden_tests_never_show(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    hidden = {"tests": [{"stdin": CANARY, "stdout": CANARY + "!"}]}
    asserts = {"asserts": [f"assert f('{CANARY}') == 1, '{CANARY}'"]}
    lines = [
        line(1, hidden, "```python\nx = input()\nprint(x)\nraise ValueError(x)\n```"),
        line(2, asserts, "```python\ndef f(x):\n    raise ValueError(x)\n```"),
        line(3, asserts, "```python\ndef f(x):\n    return x\n```"),
        line(4, {"tests": [*hidden["tests"], CANARY]}, PROGRAM),
    ]
    _, verdicts = run(rlvr_cli, tmp_path, "code", *lines)
    assert len(verdicts) == 4
    assert CANARY not in json.dumps(verdicts)


@pytest.mark.sweep
def test_by_the_name_of_an_environment(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    for env in ("humaneval", "mbpp", "code", "code_repair"):
        status, verdicts = run(rlvr_cli, tmp_path, env, line(1, CHECK, FUNCTION))
        assert (status, verdicts[0]["reward"]) == (0, 1)


def test_a_sandbox_that_is_not_there(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps(line(1, TESTS, PROGRAM)) + "\n")
    done = rlvr_cli("score", "code", file, environ={"RLVR_SANDBOX": "none"})
    assert done.returncode == 3
    (verdict,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (verdict["scored"], verdict["cause"]) == (False, "sandbox")


def test_show(rlvr_cli: CommandLine, data: Path) -> None:
    for env in ("humaneval", "mbpp"):
        done = rlvr_cli("show", env, "--data", data)
        assert done.returncode == 0
        earned = dict(
            text.split("  ")[:2] for text in done.stdout.splitlines() if text.count("  ") == 1
        )
        assert earned["the reference"] == "1 correct"
        assert earned["another task's reference"].startswith("0 incorrect")
        assert earned["the prompt itself"].startswith("0 incorrect")
        assert earned["an empty response"].startswith("0 unparsable")
