"""Rows with typed columns, written as JSONL or Parquet as they come: in memory there's one block.

Parquet needs pyarrow; JSONL needs nothing. Both say the same: `datasets` finds equal columns in them,
apart from one that is null in the first 10 MB of JSONL, whose type it can't know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.core.files import replacing

# Of each column its type: "string", "int64", "double" and "bool" as in Arrow, "messages" (role and
# content), "components" (name and value), "strings", or "lists of …".
Columns: TypeAlias = dict[str, str]

_ROWS, _BYTES = 1000, 32 << 20  # of a row group, at most; whichever comes first


def write_table(out: Path, rows: Iterable[dict[str, Any]], columns: Columns) -> int:
    """Write `rows` to `out`, as Parquet where its name ends in `.parquet`, else as JSONL.

    A row has every column. `out` is there when it's whole, and as it was before where writing fails.

    Returns:
        how many rows that was.

    Raises `MissingExtraError` without pyarrow, where it's needed.
    """
    if out.suffix == ".parquet":
        return _write_parquet(out, rows, columns)
    with replacing(out) as file:
        return sum(bool(file.write(json_line(row))) for row in rows)


def json_line(row: dict[str, Any]) -> bytes:
    """Return a line of JSONL."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _write_parquet(out: Path, rows: Iterable[dict[str, Any]], columns: Columns) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the package 'pyarrow': pip install 'rlvr[data]'. "
            "Or export as JSONL."
        ) from error
    types = _arrow_types(pa)
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count = 0
    with (
        replacing(out) as file,
        pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for block in _blocks(rows):
            try:
                writer.write_table(pa.Table.from_pylist(block, schema))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise DataError(
                    f"A value of rollouts {count + 1} to {count + len(block)} isn't of its column's "
                    f"type: {error}. Export them as JSONL."
                ) from error
            count += len(block)
    return count


def _blocks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    block: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        block.append(row)
        size += _size(row)
        if len(block) == _ROWS or size >= _BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _size(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _arrow_types(pa: Any) -> dict[str, Any]:
    text, number = pa.string(), pa.float64()
    return {
        "string": text,
        "int64": pa.int64(),
        "double": number,
        "bool": pa.bool_(),
        "strings": pa.list_(text),
        "messages": pa.list_(pa.struct([("role", text), ("content", text)])),
        "components": pa.list_(pa.struct([("name", text), ("value", number)])),
        "lists of int64": pa.list_(pa.list_(pa.int64())),
        "lists of double": pa.list_(pa.list_(number)),
    }
