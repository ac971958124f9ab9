from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def test_new_writes_a_package_and_says_how_to_go_on(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    done = rlvr_cli("new", "my_game", "--kind", "multi-turn")
    assert done.returncode == 0, done.stderr
    for said in ("pip install -e rlvr-my-game", "rlvr show my_game", "rlvr audit my_game"):
        assert f"  {said}\n" in done.stdout
    assert (tmp_path / "rlvr-my-game" / "rlvr_my_game" / "__init__.py").is_file()
    again = rlvr_cli("new", "my_game")
    assert again.returncode == 2
    assert "choose another folder with -o" in again.stderr


def test_new_from_rows(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    rows = [{"ask": f"{n} + 1?", "right": n + 1} for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    from_rows = ("new", "sums", "--verifier", "math", "--from", "rows.jsonl", "-o", "out")
    done = rlvr_cli(*from_rows)
    assert done.returncode == 2
    assert "There are: ask, right. Name it with --prompt-column." in done.stderr
    done = rlvr_cli(*from_rows, "--prompt-column", "ask", "--reference-column", "right")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "rlvr_sums" / "test.jsonl").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Game"], "'Game' can't name an environment"),
        (["gsm8k"], "There's an environment 'gsm8k' already"),
        (["g", "--kind", "tools", "--verifier", "code"], "don't go together"),
        (["g", "--kind", "turns"], "'turns' is not one of"),
        (["g", "--from", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["g", "--prompt-column", "q"], "need --from FILE"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(
    rlvr_cli: CommandLine, tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = rlvr_cli("new", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
