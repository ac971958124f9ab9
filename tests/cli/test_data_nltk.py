"""`rlvr data nltk`, and instructions scored by the command line."""

from __future__ import annotations

import json
from pathlib import Path


def test_what_is_there_is_not_downloaded(rlvr_cli, data: Path) -> None:
    done = rlvr_cli("data", "nltk", environ={"NLTK_DATA": str(data / "nltk_data")})
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "punkt_tab",
        "averaged_perceptron_tagger_eng",
    ]


def test_without_a_network_it_says_what_to_do(rlvr_cli, tmp_path: Path) -> None:
    environ = {"NLTK_DATA": "", "HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = rlvr_cli("data", "nltk", "-o", tmp_path / "there", environ=environ)
    assert done.returncode == 2, done.stdout
    assert "'punkt_tab' can't be downloaded" in done.stderr
    assert "set NLTK_DATA=FOLDER" in done.stderr


def test_scoring_instructions(rlvr_cli, data: Path) -> None:
    rows = [
        {"id": 1, "prompt": "Go.", "reference": {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
         "response": "Hi,\nYes", "options": {"mode": "loose"}},
        {"id": 2, "reference": {"instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]}, "response": "Yes"},
        {"id": 3, "reference": {"instruction_id_list": ["words:start_verb"], "kwargs": [{}]}, "response": "Running every day keeps you healthy."},
    ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    done = rlvr_cli(
        "score", "ifeval", "-", input=text, environ={"NLTK_DATA": str(data / "nltk_data")}
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert [one["scored"] for one in found] == [True, False, True]
    assert found[0]["components"] == {"instructions": 1.0, "punctuation:no_comma": 1.0}
    assert found[1]["cause"] == "gold"
    assert "'punctuation:no_comma'" in found[1]["message"]
    assert found[2]["reward"] == 1.0
