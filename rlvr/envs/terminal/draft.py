"""`Draft`: a terminal task as its generator writes it, and the `Task` that it becomes.

A task's metadata holds what its workspace begins with. Its reference holds what the verifier checks and a solution;
neither enters the agent's workspace.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlvr.core.task import Task
from rlvr.core.tool_calls import MOST_CHARACTERS

FOLDER = "/work"
"""The folder in which a generated task's workspace begins."""
_ROOM = 200  # characters of a call beside its command


@dataclass(frozen=True, slots=True)
class Draft:
    """A terminal task before it has a prompt.

        Draft("Write the number of lines of notes.txt to count.txt.", {"notes.txt": "a\\nb\\n"},
              artifacts=("count.txt",), checks=({"kind": "text", "path": "count.txt", "equals": "2"},),
              solution=("wc -l < notes.txt > count.txt",))

    Attributes:
        instruction: what the model is asked to do.
        files: the files that its workspace begins with, by path relative to the working folder.
        artifacts: the files and folders that the verifier gets.
        checks: the checks on them, as `rlvr.envs.terminal.checks` reads them; all must hold.
        solution: commands that do what is asked.
        executable: the files that are programs.
        setup: commands that run before the model's first.
        naive: commands of a lazy attempt, which should earn nothing.
    """

    instruction: str
    files: Mapping[str, str | bytes]
    artifacts: Sequence[str]
    checks: Sequence[Mapping[str, Any]]
    solution: Sequence[str]
    executable: Sequence[str] = ()
    setup: Sequence[str] = ()
    naive: Sequence[str] = field(default_factory=tuple)

    def task(self, prompt: Any, family: str, level: int, tools: str) -> Task:
        """Return the task, with its prompt made of a template."""
        fields = {"instruction": self.instruction, "folder": FOLDER, "tools": tools}
        reference = {
            "artifacts": list(self.artifacts),
            "checks": [dict(check) for check in self.checks],
            "solution": list(self.solution),
        }
        metadata = {
            "family": family,
            "level": level,
            "start": {
                "folder": FOLDER,
                "steps": [
                    {
                        "files": {path: packed(content) for path, content in self.files.items()},
                        "executable": list(self.executable),
                    },
                    *({"run": command, "in": FOLDER} for command in self.setup),
                ],
            },
            "artifacts": list(self.artifacts),
            "naive": list(self.naive),
        }
        return Task(prompt.render(fields), reference, None, metadata)


def packed(content: str | bytes) -> str | dict[str, str]:
    """Return a file's content as JSON data: text, or `{"base64": …}` if it isn't UTF-8."""
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def unpacked(content: str | Mapping[str, str]) -> bytes:
    """Return the content that `packed` made JSON data of."""
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    return base64.b64decode(content["base64"])


def writing(path: str, content: str) -> list[str]:
    """Return commands that write a text file, each short enough for a call.

    Args:
        path: the file, relative to the working folder.
        content: its text.
    """
    commands: list[str] = []
    part: list[str] = []
    for line in content.splitlines():
        if part and _length([*part, line]) > MOST_CHARACTERS - _ROOM - len(path):
            commands.append(_here(path, part, bool(commands)))
            part = []
        part.append(line)
    return [*commands, _here(path, part, bool(commands))]


def _here(path: str, lines: Sequence[str], more: bool) -> str:
    body = "\n".join(lines)
    return f"cat {'>>' if more else '>'} {path} <<'END_OF_FILE'\n{body}\nEND_OF_FILE"


def _length(lines: Sequence[str]) -> int:
    """Return the characters that lines take in a call, which is JSON in JSON."""
    return sum(map(_escaped, lines))


@functools.lru_cache(maxsize=4096)
def _escaped(line: str) -> int:
    return len(line.encode("ascii", "backslashreplace")) + 2 + sum(c in '"\\\t' for c in line)
