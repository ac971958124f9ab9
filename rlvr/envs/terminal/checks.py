"""The checks on artifacts that read them as data; `programs` has those that run them.

A check is JSON with a `kind`; all of a task's must hold::

    {"kind": "text", "path": "answer.txt", "equals": "42"}          lines, except white space at their ends
    {"kind": "json", "path": "report.json", "equals": {…}}          equal values, numbers within 1e-6
    {"kind": "rows", "path": "out.jsonl", "equals": [{…}], "ordered": false}
    {"kind": "tree", "path": "sorted", "files": {"a/b.txt": "SHA-256"}}   these files and no others
    {"kind": "entry", "path": "run.sh", "mode": "755"}              or "target" of a link
    {"kind": "absent", "path": "tmp"}

Nothing here runs or imports what a model wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.tool_calls import nests_deeper
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.verifiers.code.compare import OutputComparison
from rlvr.verifiers.transcript import equal_json

_TOLERANCE = 1e-6
_LINES = OutputComparison("lines")


def digest(content: str | bytes) -> str:
    """Return the digest that a `tree` check compares."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def failure(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    """Return the reason why a check doesn't hold; "" if it does. Raises `CannotScore` if there is no such check."""
    reader = _KINDS.get(check.get("kind", ""))
    if reader is None:
        raise CannotScore("gold", f"There's no check of the kind {check.get('kind')!r:.40}.")
    try:
        return reader(check, artifacts)
    except (KeyError, TypeError, AttributeError) as error:
        raise CannotScore(
            "gold", f"A check can't be used: {error!r:.80} in {check!r:.200}."
        ) from None


def _text(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path, expected = check["path"], check["equals"]
    content = artifacts.files.get(path)
    if content is None:
        return _missing(path, artifacts)
    return f"{path} differs" if _LINES.difference(content, expected.encode()) else ""


def _json(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path, expected = check["path"], check["equals"]
    text = artifacts.text(path)
    if text is None:
        return _missing(path, artifacts)
    value = _read(text)
    if value is _INVALID:
        return f"{path} isn't JSON"
    return "" if equal_json(value, expected, _TOLERANCE) else f"{path} has other values"


def _rows(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path, expected = check["path"], check["equals"]
    text = artifacts.text(path)
    if text is None:
        return _missing(path, artifacts)
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) != len(expected):
        return f"{path} has {len(lines)} rows, not {len(expected)}"
    rows = [_read(line) for line in lines]
    if _INVALID in rows:
        return f"{path} has a line that isn't JSON"
    if not check.get("ordered", True):
        rows, expected = sorted(rows, key=_order), sorted(expected, key=_order)
    return "" if equal_json(rows, expected, _TOLERANCE) else f"{path} has other rows"


def _tree(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path, expected = check["path"], check["files"]
    files = artifacts.below(path)
    if missing := sorted(set(expected) - set(files)):
        return f"{path} lacks {missing[0]!r:.80} ({len(missing)} missing)"
    if extra := sorted(set(files) - set(expected)):
        return f"{path} has {extra[0]!r:.80}, which doesn't belong there ({len(extra)} too many)"
    changed = [name for name in sorted(expected) if digest(files[name]) != expected[name]]
    return f"{path}/{changed[0]} has another content" if changed else ""


def _entry(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path = check["path"]
    entry = artifacts.entries.get(path)
    if entry is None:
        return f"there's no {path}"
    for name in ("mode", "target"):
        if name in check and entry.get(name, "") != check[name]:
            return f"the {name} of {path} is {entry.get(name, '')!r:.60}"
    return ""


def _absent(check: Mapping[str, Any], artifacts: Artifacts) -> str:
    path = check["path"]
    there = path in artifacts.files or path in artifacts.entries or artifacts.below(path)
    return f"{path} is still there" if there else ""


_KINDS: dict[str, Callable[[Mapping[str, Any], Artifacts], str]] = {
    "text": _text,
    "json": _json,
    "rows": _rows,
    "tree": _tree,
    "entry": _entry,
    "absent": _absent,
}
_INVALID: Any = object()


def _missing(path: str, artifacts: Artifacts) -> str:
    if path in artifacts.entries:
        return f"{path} is no plain file"
    return f"there's no file {path}"


def _read(text: str) -> Any:
    """Return a JSON value; `_INVALID` for what isn't JSON, repeats a key, or nests too deeply."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _INVALID
    return _INVALID if nests_deeper(value) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is repeated")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _order(row: Any) -> str:
    return json.dumps(row, sort_keys=True)
