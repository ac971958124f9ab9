"""Critique-and-rewrite records as training data: preference pairs, fine-tuning data, revisions, rubric material.

Each row keeps what is needed to read the record back (`rlvr.evaluation.critiques.read_critiques`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError, nearest
from rlvr.core.task import Message
from rlvr.evaluation.critiques import CritiqueRecord
from rlvr.evaluation.exports import preferences, sft
from rlvr.evaluation.exports.chosen import TOLERANCE
from rlvr.evaluation.exports.exported import Exported
from rlvr.evaluation.exports.tables import Columns, write_table
from rlvr.verifiers.judge.prompt import harmless

_KEPT: Columns = {
    "critique": "string",
    "judged": "bool",
    "metadata_json": "string",
    "reference_json": "string",  # empty without a reference
    "format": "string",
}
_MESSAGES: Columns = {
    "prompt_messages": "int64",  # messages of `messages` before the response
    "rewrite_messages": "int64",  # messages of the rewrite, at its end
    "response": "messages",
    "response_reward": "double",
}
PREFERENCE_COLUMNS: Columns = preferences.COLUMNS | _KEPT
SFT_COLUMNS: Columns = sft.COLUMNS | _MESSAGES | _KEPT
RUBRIC_COLUMNS: Columns = {
    "task": "string",
    "rubric": "string",
    "criteria": "strings",
    "prompt": "messages",
    "response": "messages",
    "rewrite": "messages",
    "response_reward": "double",
    "rewrite_reward": "double",
} | _KEPT
RECORD_COLUMNS: Columns = {
    "id": "string",
    "prompt": "messages",
    "response": "messages",
    "rewrite": "messages",
    "response_reward": "double",
    "rewrite_reward": "double",
} | {name: kind for name, kind in _KEPT.items() if name != "format"}

_REVISE = "Write a better answer to my first message."
_GENERAL = "The response passes if it answers the question correctly and completely."
_RUBRIC = "The response passes only if none of these faults, which a critic found in another response, is in it:"
_POINT = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+(?=[A-Z0-9\"'“(]|[^\x00-\x7f])")
_MOST_CRITERIA = 20
_LONGEST_CRITERION = 1000


def export_critiques(
    records: Iterable[CritiqueRecord],
    to: str,
    out: str | Path,
    *,
    margin: float = 0.0,
    threshold: float | None = None,
    env: str = "",
) -> Exported:
    """Write records to a file, as Parquet if its name ends in `.parquet`, otherwise as JSONL.

    Args:
        to: `records` (all, with their rewards), `preferences` (the rewrite is chosen, the response rejected), `sft` (prompt
            and rewrite), `revisions` (prompt, response and critique, and then the rewrite) or `rubric`.
        margin: for `preferences`, the least difference of two known rewards. Equal ones never make a pair.
        threshold: for `sft` and `revisions`, the least reward of a judged rewrite (default 1).
        env: the name of the environment that judged the records.

    A judged rewrite that earns less than its response, or has no verdict, is in none of `preferences`, `sft` and
    `revisions`; nor is a rewrite without text, or one that equals its response.

    Raises `OptionError` for an unknown form, `DataError` if Parquet can't hold a message.
    """
    out = Path(out)
    if to not in CRITIQUE_FORMATS:
        raise OptionError(f"There's no format {to!r}. {nearest(to, CRITIQUE_FORMATS)}")
    if not margin >= 0:
        raise OptionError(f"A margin is a number from 0, not {margin}.")
    row_of, columns = CRITIQUE_FORMATS[to]
    left_out: Counter[str] = Counter()
    least = 1.0 if threshold is None else threshold

    def rows() -> Iterator[dict[str, Any]]:
        for record in records:
            why = "" if to in ("records", "rubric") else _why_not(record, to, margin, least)
            if why:
                left_out[why] += 1
                continue
            if out.suffix == ".parquet":
                _check_plain(record)
            row = row_of(record) | _kept(record, to)
            row |= {"env": env, "part": "", "run": "", "step": None, "step_rejected": None}
            yield {name: row[name] for name in columns}

    count = write_table(out, rows(), columns)
    notes = [f"left out: {times} {why}" for why, times in left_out.most_common()]
    return Exported([out], f"{count} {to} of {count + left_out.total()} records", notes)


def criteria_of(critique: str) -> list[str]:
    """Return the points of a critique: its list items if it has some, otherwise its sentences.

    Markers of chat templates in them are broken up, since a rubric is in the judge's system message.

    >>> criteria_of("1. The unit is missing.\\n2. The sum is wrong.")
    ['The unit is missing.', 'The sum is wrong.']
    """
    if len(_POINT.findall(critique)) > 1:
        parts = _POINT.split(critique)
    else:
        parts = [part for line in critique.splitlines() for part in _SENTENCE.split(line)]
    texts = [" ".join(harmless(_POINT.sub("", part)).split()) for part in parts]
    return list(
        dict.fromkeys(text[:_LONGEST_CRITERION] for text in texts if re.search(r"\w", text))
    )


def rubric_of(criteria: Sequence[str]) -> str:
    """Return a rubric for `rlvr.Judge` of the criteria of one or more critiques, each once."""
    unique = list({" ".join(text.casefold().split()): text for text in criteria}.values())
    if not unique:
        return _GENERAL
    points = [f"{number}. {text}" for number, text in enumerate(unique[:_MOST_CRITERIA], 1)]
    return "\n".join([_GENERAL, _RUBRIC, *points])


def _why_not(record: CritiqueRecord, to: str, margin: float, threshold: float) -> str:
    """Return the reason why a record isn't training data; "" if it is."""
    if not record.rewrite_text.strip():
        return "whose rewrite has no text"
    if record.rewrite == record.response:
        return "whose rewrite equals the response"
    if not record.judged:
        return ""
    if record.rewrite_reward is None or record.response_reward is None:
        return "without a verdict on both"
    gain = record.rewrite_reward - record.response_reward
    if gain < -TOLERANCE:
        return "whose rewrite earns less than the response"
    if to == "preferences" and gain <= TOLERANCE:
        return "whose rewrite earns no more than the response"
    if to == "preferences" and gain < margin - TOLERANCE:
        return "whose rewards differ by less than the margin"
    if to != "preferences" and record.rewrite_reward < threshold - TOLERANCE:
        return "whose rewrite earns less than the threshold"
    return ""


def _record_row(record: CritiqueRecord) -> dict[str, Any]:
    return record.to_json()


def _preference_row(record: CritiqueRecord) -> dict[str, Any]:
    return {
        "prompt": list(record.prompt),
        "chosen": list(record.rewrite),
        "rejected": list(record.response),
        "score_chosen": record.rewrite_reward,
        "score_rejected": record.response_reward,
        "task": record.id,
        "model": _model(record),
    }


def _sft_row(record: CritiqueRecord) -> dict[str, Any]:
    return _conversation(record, [*record.prompt, *record.rewrite])


def _revision_row(record: CritiqueRecord) -> dict[str, Any]:
    text = f"{record.critique}\n\n{_REVISE}" if record.critique.strip() else _REVISE
    critique: Message = {"role": "user", "content": text}
    return _conversation(record, [*record.prompt, *record.response, critique, *record.rewrite])


def _conversation(record: CritiqueRecord, messages: list[Message]) -> dict[str, Any]:
    return {
        "messages": messages,
        "reward": record.rewrite_reward,
        "task": record.id,
        "model": _model(record),
        "prompt_messages": len(record.prompt),
        "rewrite_messages": len(record.rewrite),
        "response": list(record.response),
        "response_reward": record.response_reward,
    }


def _rubric_row(record: CritiqueRecord) -> dict[str, Any]:
    criteria = criteria_of(record.critique)
    return {
        "task": record.id,
        "rubric": rubric_of(criteria),
        "criteria": criteria,
        "prompt": list(record.prompt),
        "response": list(record.response),
        "rewrite": list(record.rewrite),
        "response_reward": record.response_reward,
        "rewrite_reward": record.rewrite_reward,
    }


def _kept(record: CritiqueRecord, to: str) -> dict[str, Any]:
    reference = record.reference
    return {
        "critique": record.critique,
        "judged": record.judged,
        "metadata_json": json.dumps(record.metadata, ensure_ascii=False),
        "reference_json": "" if reference is None else json.dumps(reference, ensure_ascii=False),
        "format": to,
    }


def _model(record: CritiqueRecord) -> str:
    model = record.metadata.get("model")
    return model if isinstance(model, str) else ""


def _check_plain(record: CritiqueRecord) -> None:
    for message in (*record.prompt, *record.response, *record.rewrite):
        if set(message) != {"role", "content"} or not isinstance(message["content"], str):
            raise DataError(
                f"The record {record.id!r} has a message with more than a role and a text, which the Parquet columns "
                f"don't hold: export it as JSONL."
            )


CRITIQUE_FORMATS: dict[str, tuple[Callable[[CritiqueRecord], dict[str, Any]], Columns]] = {
    "records": (_record_row, RECORD_COLUMNS),
    "preferences": (_preference_row, PREFERENCE_COLUMNS),
    "sft": (_sft_row, SFT_COLUMNS),
    "revisions": (_revision_row, SFT_COLUMNS),
    "rubric": (_rubric_row, RUBRIC_COLUMNS),
}
"""The forms by name: the function that makes a row, and the columns."""
