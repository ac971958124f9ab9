"""The results of a workspace's calls, and the words in which the model reads how a call ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rlvr.core.errors import JailError
from rlvr.sandboxes.base import Limit, Limits

Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command or a cell.

    Attributes:
        output: stdout and stderr as they came, as text. Of a long output the head and the tail are kept, and a line
            between them says how much was left out. If the call was ended, or its shell or interpreter is a new one now, the
            last line says so.
        status: the exit status; None if a signal or a limit ended it. Of a Python cell: 1 if it raised.
        limit: the limit that ended it.
        wall_s: seconds on the clock.
        lost: True if the shell or the interpreter ended: its variables are gone, the files are there.
    """

    output: str
    status: int | None
    limit: Limit | None
    wall_s: float
    lost: bool = False

    @property
    def ok(self) -> bool:
        """Return whether it ended with status 0, within all limits."""
        return self.status == 0 and self.limit is None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file or a folder of a workspace.

    Attributes:
        path: relative to the workspace's folder if that was listed.
        bytes: its size.
        kind: "file", "folder", "link", or "other" for pipes and the like.
        mode: its permissions, such as 0o644.
        target: of a link; otherwise "".
    """

    path: str
    bytes: int
    kind: Kind
    mode: int = 0
    target: str = ""


def command_result(
    action: str, reply: Mapping[str, Any], output: Sequence[bytes], limits: Limits, wall_s: float
) -> CommandResult:
    """Read the jail's answer to a call. Raises `JailError` if it makes no sense.

    Args:
        action: "shell" or "python".
        reply: how the call ended.
        output: the head and the tail of what it printed.
        limits: the workspace's.
        wall_s: the limit of this call.
    """
    try:
        head, tail = (part.decode("utf-8", "replace") for part in output)
        limit = None if reply["limit"] is None else Limit(reply["limit"])
        text = head
        if reply["cut"]:
            text += f"\n… ({reply['cut']} bytes cut) …\n"
        text += tail
        ended = str(reply["ended"])
        notes = _notes(
            action, limit, reply["interrupted"], ended, reply["others_ended"], limits, wall_s
        )
        if notes and text and not text.endswith("\n"):
            text += "\n"
        status = reply["status"]
        return CommandResult(
            text + notes,
            None if status is None else int(status),
            limit,
            float(reply["wall"]),
            bool(ended),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise JailError(f"The jail answered nonsense: {error!r}.") from None


_NAMES = {"shell": "shell", "python": "interpreter"}
_LOST = {
    "shell": "a new one is in the same folder; variables, functions and background jobs are gone",
    "python": "a new one takes its place; its variables are gone",
}


def _notes(
    action: str,
    limit: Limit | None,
    interrupted: bool,
    ended: str,
    also_ended: Sequence[str],
    limits: Limits,
    wall_s: float,
) -> str:
    """Say to the model how its call ended, if not as usual."""
    sentences = []
    if limit is not None:
        how = "interrupted" if interrupted else "ended"
        sentences.append(f"It was {how}: over its limit of {_amount(limit, limits, wall_s)}.")
        if ended:
            sentences.append(f"The {_NAMES[action]} was ended, too: {_LOST[action]}.")
    elif ended:
        sentences.append(f"The {_NAMES[action]} ended with {ended}: {_LOST[action]}.")
    for name in also_ended:
        sentences.append(f"The {_NAMES[name]} has ended, too: {_LOST[name]}.")
    return f"[{' '.join(sentences)}]" if sentences else ""


def _amount(limit: Limit, limits: Limits, wall_s: float) -> str:
    amounts = {
        Limit.WALL: f"{wall_s:g} s",
        Limit.CPU: f"{limits.cpu_s:g} s of processor time",
        Limit.MEMORY: f"{limits.memory_mb} MiB of memory",
        Limit.PROCESSES: f"{limits.processes} processes",
        Limit.OUTPUT: f"{limits.output_kb} KiB of output",
    }
    return amounts.get(limit, str(limit))
