"""Tasks that are mined, as folders in Harbor's format."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rlvr.authoring.mining.history import MinedCommit
from rlvr.core.files import replacing
from rlvr.envs.terminal.controls import CONTROLS, Controls

ROOT = "/app"
"""The folder of a task's repository."""


@dataclass(frozen=True, slots=True)
class MinedTask:
    """A task that was made of a commit.

    Attributes:
        folder: where it is.
        commit: the commit's hash.
        subject: the first line of its message.
        decisive: the number of tests that fail before and pass after.
        guesses: the number of guesses of which one would be right, for code that forges the tests' results.
        seconds: of one verification.
    """

    folder: Path
    commit: str
    subject: str
    decisive: int
    guesses: int
    seconds: float


def written_task(output: Path, commit: MinedCommit) -> MinedTask | None:
    """Return the task of a commit that an earlier run has written."""
    folder = output / folder_name(commit)
    try:
        about = json.loads((folder / "mined.json").read_text("utf-8"))
        return MinedTask(
            folder, commit.id, commit.subject, about["decisive"], about["guesses"], 0.0
        )
    except (OSError, ValueError, KeyError):
        return None


def folder_name(commit: MinedCommit) -> str:
    """Return the name of a commit's task."""
    words = re.sub(r"[^a-z0-9]+", "-", commit.subject.lower()).strip("-")[:40].rstrip("-")
    return f"{commit.id[:10]}-{words}"


_TOML = """\
schema_version = "1.4"
artifacts = [{artifacts}]

[task]
name = "mined/{name}"

[metadata]
commit = "{commit}"
decisive = {decisive}

[verifier]
timeout_sec = {timeout:.1f}
environment_mode = "separate"

[agent]
timeout_sec = 1800.0

[environment]
network_mode = "no-network"
cpus = 1
memory_mb = 1024
"""
_SCRIPT = """\
#!/bin/bash
# rlvr judges by rlvr.json, whose tests can't be forged by the code under test; this is the plain form.
cd {root} || exit 1
cp -r /tests/files/. . || exit 1
if python3 -m pytest -q -p no:cacheprovider -o addopts= {nodes}; then
  echo '{{"reward": 1.0}}' > /logs/verifier/reward.json
else
  echo '{{"reward": 0.0}}' > /logs/verifier/reward.json
fi
"""


def write_task(
    folder: Path,
    commit: MinedCommit,
    patch: str,
    before: Mapping[str, bytes],
    controls: Controls,
    decisive: Sequence[str],
    timeout_s: float,
) -> None:
    """Write a task's folder, whole or not at all."""
    files: dict[str, bytes] = {
        f"environment/repository/{path}": content for path, content in before.items()
    }
    tops = sorted({PurePosixPath(path).parts[0] for path in commit.sources})
    subject = json.dumps(commit.subject)
    installs = " ".join(sorted(controls.packages))
    files["environment/Dockerfile"] = (
        f"FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim\nWORKDIR {ROOT}\nRUN pip install --no-cache-dir {installs}\nCOPY repository/ {ROOT}/\n"
    ).encode()
    files["task.toml"] = _TOML.format(
        artifacts=", ".join(json.dumps(f"{ROOT}/{top}") for top in tops),
        name=folder.name,
        commit=commit.id,
        decisive=len(decisive),
        timeout=timeout_s,
    ).encode()
    body = f"\n\n{commit.body}" if commit.body else ""
    files["instruction.md"] = (
        f"The Python repository in {ROOT} lacks a change that its history describes so:\n\n> {commit.subject}{_quoted(body)}\n\n"
        f"Make this change in {' and '.join(f'`{top}`' for top in tops)}. Newer versions of {', '.join(f'`{path}`' for path in commit.tests)} "
        f"than are here will be run on it, with pytest.\n"
    ).encode()
    for path, file in controls.files.items():
        files[f"tests/files/{path}"] = file.source.encode()
    names = [
        f"{path}::{name}"
        for path, file in controls.files.items()
        for name in (*file.expected, *file.varied)
    ]
    files["tests/test.sh"] = _SCRIPT.format(
        root=ROOT, nodes=" ".join(map(shlex.quote, sorted(names)))
    ).encode()
    files[f"tests/{CONTROLS}"] = json.dumps(controls.to_json(), indent=1).encode()
    files["solution/change.patch"] = patch.encode("utf-8", "replace")
    files["solution/solve.sh"] = (
        f"#!/bin/bash\ncd {ROOT} && patch -p1 -s < /solution/change.patch\n".encode()
    )
    about = {
        "commit": commit.id,
        "subject": subject,
        "decisive": len(decisive),
        "guesses": controls.guesses,
    }
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if path.endswith(".sh"):
            place.chmod(0o755)
    with replacing(
        folder / "mined.json"
    ) as about_file:  # last: without it the folder is made again
        about_file.write(json.dumps(about).encode() + b"\n")


def _quoted(body: str) -> str:
    return "\n".join(f"> {line}" if line.strip() else (">" if number else "") for number, line in enumerate(body.split("\n"))) if body else ""  # fmt: skip
