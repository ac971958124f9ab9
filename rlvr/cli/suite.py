"""The file of `rlvr eval --suite`: several environments, in TOML.

[[environment]]
name = "gsm8k"
part = "dev"              # or "unseen"; each is reported apart
split = "test"            # by default the test split if there is one
limit = 200
k = 4                     # by default the command line's
options = {}              # the environment's own
label = "gsm8k-hard"      # a name of its own, if one environment is there several times
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.evaluation.evaluation import Part
from rlvr.evaluation.preflight import make_to_evaluate

_FIELDS = {"name", "part", "split", "data", "limit", "k", "options", "label"}
_PARTS = (None, "dev", "unseen")


def read_suite(path: str, k: int, limit: int | None) -> list[Part]:
    """Read the parts of a suite; `k` and `limit` are for parts that do not say. Raises `DataError`."""
    try:
        rows = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("environment")
    except (OSError, ValueError) as error:
        raise DataError(f"The suite {path!r} can't be read: {error}.") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"The suite {path!r} has no [[environment]].")
    return [_part(path, row, k, limit) for row in rows]


def _part(path: str, row: dict[str, Any], k: int, limit: int | None) -> Part:
    unknown = sorted(set(row) - _FIELDS)
    if unknown or "name" not in row:
        problem = f"has a field {unknown[0]!r}" if unknown else "has no name"
        fields = ", ".join(sorted(_FIELDS))
        raise DataError(
            f"An environment of the suite {path!r} {problem}. Its fields are: {fields}."
        )
    if row.get("part") not in _PARTS:
        raise DataError(f"In the suite {path!r}, part is 'dev' or 'unseen', not {row['part']!r}.")
    options = dict(row.get("options", {}))
    options |= {name: row[name] for name in ("split", "data") if name in row}
    env, split = make_to_evaluate(row["name"], **options)
    name, k, limit = row.get("label", env.name), row.get("k", k), row.get("limit", limit)
    return Part(env, k, limit, row.get("part"), name, split)
