"""Reading a run leniently, for the viewer: what's there is shown, what isn't is left blank.

A run may be older than this code, killed in the middle of a line, or written by something else. A
line that can't be read is a warning with its number; a torn last line is dropped. Whatever a
rollout holds is turned into text here, once, so that a page has nothing left to interpret (and no
integer that JavaScript would round).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.files import row_behind
from rlvr.core.secrets import scrubbed_options
from rlvr.core.verdict import status_of

_SHOWN = {"task", "sample", "env", "part", "step", "messages", "reference", "verdict", "stop"}
_ANSWERS = ("answer", "extracted", "prediction")


@dataclass(frozen=True, slots=True)
class Rollout:
    """A line of `rollouts.jsonl` as the viewer has it.

    Attributes:
        status: of a scored rollout; "unscored" for the others, whose reward is None.
        tokens: of the responses, None where the run doesn't say.
        characters: of the responses.
        answer: what extraction found, "" where the verdict doesn't say.
        messages: (role, text) in order.
        notes: (label, text): feedback, components and every field that isn't known here.
    """

    task: str
    sample: int | None
    env: str
    part: str
    step: int | None
    status: str
    reward: float | None
    cause: str
    stop: str
    tokens: int | None
    characters: int
    answer: str
    reference: str
    feedback: str
    components: list[tuple[str, float]]
    messages: list[tuple[str, str]]
    notes: list[tuple[str, str]]


@dataclass
class RunFiles:
    """A run's folder and what was odd about it so far."""

    path: Path
    about: dict[str, Any]
    metrics: list[dict[str, Any]]
    report: Any
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> RunFiles:
        """Raises `DataError` where there's no run, or one without rollouts."""
        if not path.is_dir():
            raise DataError(
                f"There's no folder {str(path)!r}. Name a run's: `rlvr eval` prints it at its end, "
                f"and without --run it's in runs/."
            )
        if not (path / "rollouts.jsonl").is_file():
            runs = sorted(file.parent.name for file in path.glob("*/rollouts.jsonl"))
            hint = f" Did you mean {str(path / runs[-1])!r}?" if runs else ""
            raise DataError(
                f"{str(path)!r} is no run with rollouts: it has no rollouts.jsonl. "
                f"`rlvr eval ENV --run DIR` writes one.{hint}"
            )
        run = cls(path, {}, [], None)
        about = run._json("run.json")
        # A run of an older version may hold a password, and a page is there to be shared.
        run.about = scrubbed_options(about) if isinstance(about, dict) else {}
        run.report = run._json("report.json")
        if (path / "metrics.jsonl").is_file():
            run.metrics = [row for _, row in run._lines("metrics.jsonl")]
        return run

    @property
    def env(self) -> str:
        """The environment of rollouts that don't name theirs."""
        config = self.about.get("config")
        return text_of(config.get("environment", "")) if isinstance(config, dict) else ""

    def rollouts(self) -> Iterator[Rollout]:
        """Every rollout that can be read, in the file's order; the rest are `warnings`."""
        for _, row in self._lines("rollouts.jsonl"):
            yield rollout_of(row, self.env)

    def _json(self, name: str) -> Any:
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_bytes().decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            self.warnings.append(f"{name} can't be read ({str(error)[:100]}); shown without it")
            return None

    def _lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        bad: list[int] = []
        beginning = b""
        with (self.path / name).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line.decode("utf-8", "replace"))
                except (ValueError, RecursionError):
                    row = None
                    if not line.endswith(b"\n"):
                        self.warnings.append(f"{name}: the last line ({number}) is torn; dropped")
                        continue
                if isinstance(row, dict):
                    beginning = beginning or line[: line.find(b":") + 1]
                    yield number, row
                    continue
                bad.append(number)
                whole = row_behind(line, json.loads, beginning)
                if whole is not None:  # it was appended right behind a torn one
                    yield number, whole[1]
        if bad:
            shown = ", ".join(map(str, bad[:10])) + (", …" if len(bad) > 10 else "")
            what = "line" if len(bad) == 1 else "lines"
            self.warnings.append(f"{name}: {len(bad)} {what} can't be read and left out: {shown}")


def rollout_of(row: dict[str, Any], env: str = "") -> Rollout:
    """A row of any shape as a `Rollout`; `env` is for rows that don't name theirs."""
    verdict = row.get("verdict")
    verdict = verdict if isinstance(verdict, dict) else {}
    reward = number(verdict.get("reward")) if verdict.get("scored", True) else None
    if reward is not None:
        status, cause = text_of(verdict.get("status") or str(status_of(reward))), ""
    else:
        status = "unscored"
        missing = "no verdict" if not verdict else "no reward"
        cause = text_of(verdict.get("cause") or missing)
    detail = verdict.get("detail")
    detail = detail if isinstance(detail, dict) else {}
    messages = _messages(row)
    tokens = row.get("tokens")
    completion = number(tokens.get("completion")) if isinstance(tokens, dict) else None
    components = verdict.get("components")
    known = components.items() if isinstance(components, dict) else ()
    notes = [(f"detail: {name}", text_of(value)) for name, value in detail.items()]
    notes += [(text_of(name), text_of(row[name])) for name in row if name not in _SHOWN]
    return Rollout(
        task=text_of(row.get("task", "")),
        sample=whole(row.get("sample")),
        env=text_of(row.get("env") or env),
        part=text_of(row.get("part") or ""),
        step=whole(row.get("step")),
        status=status,
        reward=reward,
        cause=cause,
        stop=text_of(row.get("stop") or ""),
        tokens=None if completion is None else int(completion),
        characters=sum(len(text) for role, text in messages if role == "assistant"),
        answer=next((text_of(detail[key]) for key in _ANSWERS if detail.get(key) is not None), ""),
        reference=text_of(row.get("reference", "")),
        feedback=text_of(verdict.get("feedback") or verdict.get("message") or ""),
        components=[(text_of(k), v) for k, x in known if (v := number(x)) is not None],
        messages=messages,
        notes=notes,
    )


def text_of(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False)
        # Laying it out takes ten times as long: only what a person may read to its end.
        return (
            text
            if len(text) < 80 or len(text) > 20_000
            else json.dumps(value, ensure_ascii=False, indent=1)
        )
    except RecursionError:
        return "(nested too deeply to be shown)"


def number(value: Any) -> float | None:
    """A finite number, or None for anything else (a bool is none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: Any) -> int | None:
    """An integer that JavaScript holds exactly, or None."""
    return value if type(value) is int and abs(value) < 2**53 else None


def _messages(row: dict[str, Any]) -> list[tuple[str, str]]:
    found = row.get("messages")
    messages: list[tuple[str, str]] = []
    for message in found if isinstance(found, list) else []:
        if not isinstance(message, dict):
            messages.append(("?", text_of(message)))
            continue
        content = message.get("content")
        more = {k: v for k, v in message.items() if k not in ("role", "content")}
        parts = [] if content is None else [text_of(content)]
        parts += [f"{name}: {text_of(value)}" for name, value in more.items()]
        messages.append((text_of(message.get("role", "?")), "\n".join(parts)))
    if "response" in row and not any(role == "assistant" for role, _ in messages):
        messages.append(("assistant", text_of(row["response"])))
    return messages
