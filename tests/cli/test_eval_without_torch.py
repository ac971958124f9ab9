"""`rlvr eval gsm8k` against a server needs the extra `data`, and nothing of the extra `train`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.stub_server import Stub

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py

TRAIN = ("torch", "transformers", "trl", "accelerate", "peft", "safetensors", "tokenizers")


SITE = """from importlib.machinery import PathFinder

find = PathFinder.find_spec

@classmethod
def find_spec(cls, name, *rest):
    return None if name.partition(".")[0] in {packages!r} else find(name, *rest)

PathFinder.find_spec = find_spec
"""


def without(folder: Path, *packages: str) -> dict[str, str]:
    """Return the environment variables of a process in which the packages aren't installed.

    `sys.modules["torch"] = None` isn't enough: dill takes a name in `sys.modules` for a module.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE.format(packages=packages))
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}


def offline_hub(folder: Path) -> dict[str, str]:
    """Lay GSM8K out where `datasets` prefers it to the Hub: in the working directory, by its id."""
    repository = folder / "openai" / "gsm8k"
    repository.mkdir(parents=True)
    (repository / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n"
        "    path: main/test.jsonl\n---\n"
    )
    (repository / "main").mkdir()
    rows = [{"question": f"{n} + {n}?", "answer": f"Twice {n}.\n#### {2 * n}"} for n in (3, 4)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (repository / "main" / "test.jsonl").write_text(text)
    return {"RLVR_DATA": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}


def test_gsm8k_from_the_hub_against_a_server(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    environ = without(tmp_path / "site", *TRAIN) | offline_hub(tmp_path)
    command = ["eval", "gsm8k", "--split", "test", "--model", "adder", "--run", "run"]
    with Stub() as stub:
        done = rlvr_cli(*command, "--base-url", stub.url, environ=environ)
    assert done.returncode == 0, done.stderr
    assert "2 scored, 0 unscored of 2" in done.stdout
    assert [body["messages"][0]["content"][:6] for body in stub.bodies] == ["3 + 3?", "4 + 4?"]


def test_gsm8k_from_a_local_file_needs_no_extra(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    environ = without(tmp_path / "site", *TRAIN, "datasets", "pyarrow", "rensa")
    (tmp_path / "own.jsonl").write_text('{"question": "3 + 4?", "answer": "#### 7"}\n')
    command = ["eval", "gsm8k", "--data", "own.jsonl", "--model", "adder", "--run", "run"]
    with Stub() as stub:
        done = rlvr_cli(*command, "--base-url", stub.url, environ=environ)
    assert done.returncode == 0, done.stderr
    assert "correct 1.0000 · 1 scored, 0 unscored of 1" in done.stdout


def test_without_datasets_the_error_names_the_extra(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    environ = without(tmp_path / "site", *TRAIN, "datasets") | {"RLVR_DATA": ""}
    done = rlvr_cli("eval", "gsm8k", "--policy", "echo", environ=environ)
    assert done.returncode != 0
    assert "needs the package 'datasets': pip install 'rlvr[data]'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["torch", "trl", "datasets"])
def test_the_process_really_lacks_them(tmp_path: Path, package: str) -> None:
    environ = os.environ | without(tmp_path / "site", *TRAIN, "datasets")
    command = [sys.executable, "-c", f"import {package}"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert f"No module named '{package}'" in done.stderr
