"""Splits: no group on both sides, shares by strata, and rows that stay where they are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rlvr.authoring.rows import RowSource
from rlvr.authoring.split import share, split
from rlvr.core.errors import DataError, OptionError


def jsonl(path: Path, rows: list) -> RowSource:
    path.write_bytes(
        b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows)
    )
    return RowSource(path)


def sides(folder: Path) -> dict[str, list[dict]]:
    return {
        name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "test")
    }


def rows(count: int) -> list[dict]:
    return [
        {
            "prompt": f"Question {i}",
            "source": f"s{i % 97}",
            "level": "easy" if i % 3 else "hard",
            "i": i,
        }
        for i in range(count)
    ]


def test_no_group_is_on_both_sides_and_nothing_is_lost(tmp_path: Path) -> None:
    made = split(jsonl(tmp_path / "all.jsonl", rows(2000)), tmp_path, 0.2, by="source")
    found = sides(tmp_path)
    groups = {side: {row["source"] for row in of_it} for side, of_it in found.items()}
    assert not groups["train"] & groups["test"]
    assert (made.train_groups, made.test_groups) == (len(groups["train"]), len(groups["test"]))
    assert groups["test"] == {f"s{i}" for i in range(97) if share(f"s{i}", 0) < 0.2}
    for of_it in found.values():
        assert [row["i"] for row in of_it] == sorted(row["i"] for row in of_it)
    assert made.train + made.test == 2000


def test_the_share_is_about_met_and_the_seed_decides(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "all.jsonl", rows(5000))
    found = []
    for seed in (0, 0, 1):
        made = split(source, tmp_path / "out", 0.1, seed=seed)
        assert 400 < made.test < 600
        found.append((tmp_path / "out/test.jsonl").read_bytes())
    assert found[0] == found[1] != found[2]


def test_rows_added_later_move_none(tmp_path: Path) -> None:
    split(jsonl(tmp_path / "all.jsonl", rows(1000)), tmp_path / "before", 0.3)
    split(jsonl(tmp_path / "all.jsonl", rows(1500)[::-1]), tmp_path / "after", 0.3)
    before, after = sides(tmp_path / "before"), sides(tmp_path / "after")
    for side in ("train", "test"):
        assert {r["i"] for r in before[side]} == {r["i"] for r in after[side] if r["i"] < 1000}


def test_each_stratum_gives_its_share(tmp_path: Path) -> None:
    given = [row | {"level": "rare" if row["i"] < 10 else row["level"]} for row in rows(3010)]
    made = split(jsonl(tmp_path / "all.jsonl", given), tmp_path, 0.1, stratify="level")
    counts = Counter(row["level"] for row in given)
    assert {name: test for name, (_, test) in made.strata.items()} == {
        name: round(0.1 * count) for name, count in counts.items()
    }
    more = [*given, *({"prompt": f"New {i}", "level": "easy", "i": 10_000 + i} for i in range(300))]
    split(jsonl(tmp_path / "more.jsonl", more), tmp_path / "more", 0.1, stratify="level")
    old = {row["i"] for row in sides(tmp_path)["test"]}
    new = {row["i"] for row in sides(tmp_path / "more")["test"] if row["i"] < 10_000}
    assert len(old ^ new) < 0.15 * len(old)  # at the border of one stratum alone


def test_groups_and_strata_together(tmp_path: Path) -> None:
    made = split(
        jsonl(tmp_path / "all.jsonl", rows(3000)), tmp_path, 0.2, by="source", stratify="level"
    )
    found = sides(tmp_path)
    assert not {r["source"] for r in found["train"]} & {r["source"] for r in found["test"]}
    assert 0.15 < made.test / 3000 < 0.25


def test_a_field_of_a_field(tmp_path: Path) -> None:
    given = [{"prompt": f"q{i}", "metadata": {"level": i % 2}} for i in range(40)]
    made = split(jsonl(tmp_path / "all.jsonl", given), tmp_path, 0.25, stratify="metadata.level")
    assert made.strata == {"0": (15, 5), "1": (15, 5)}


def test_the_same_prompt_otherwise_written_is_one_group(tmp_path: Path) -> None:
    given = [{"prompt": text} for i in range(200) for text in (f"What is {i}?", f"what is  {i}")]
    split(jsonl(tmp_path / "all.jsonl", given), tmp_path, 0.3)
    found = sides(tmp_path)
    numbers = {s: {r["prompt"].strip("?").split()[-1] for r in f} for s, f in found.items()}
    assert not numbers["train"] & numbers["test"]


def test_near_duplicates_are_one_group(tmp_path: Path) -> None:
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(600)]
    given = []
    for i in range(0, 600, 12):
        text = " ".join(words[i : i + 12])
        # One has a word more; the two are written far apart, in different batches.
        given += [{"prompt": text, "pair": i}]
    pad = [{"prompt": f"padding number {i} {i * i}", "pair": f"p{i}"} for i in range(1200)]
    again = [{"prompt": f"please {row['prompt']}", "pair": row["pair"]} for row in given]
    source = jsonl(tmp_path / "all.jsonl", [*given, *pad, *again])
    split(source, tmp_path / "plain", 0.5)
    split(source, tmp_path / "near", 0.5, near=0.6)
    straddling = {}
    for name in ("plain", "near"):
        found = sides(tmp_path / name)
        both = {r["pair"] for r in found["train"]} & {r["pair"] for r in found["test"]}
        straddling[name] = len(both)
    assert straddling["near"] == 0 < straddling["plain"]


def test_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    bad = [b"{\n", b"[]\n", b'{"prompt": "torn']
    blank = b"\n"
    source = jsonl(
        tmp_path / "all.jsonl", [bad[0], {"prompt": "a"}, blank, bad[1], {"prompt": "b"}, bad[2]]
    )
    made = split(source, tmp_path / "out", 0.5)
    assert made.unread == 3
    assert made.train + made.test == 2
    assert (tmp_path / "out/unread.jsonl").read_bytes() == b"".join(bad)
    assert not list((tmp_path / "out").glob(".*"))


def test_errors_say_what_to_do_and_leave_nothing(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "all.jsonl", rows(3))
    with pytest.raises(DataError, match=r"no field 'topic'. It has: prompt, source, level, i"):
        split(source, tmp_path / "out", 0.1, by="topic")
    with pytest.raises(OptionError):
        split(source, tmp_path / "out", 1.0)
    with pytest.raises(DataError, match="Name the column"):
        split(jsonl(tmp_path / "other.jsonl", [{"text": "a"}]), tmp_path / "out", 0.1)
    with pytest.raises(DataError, match="no rows"):
        split(jsonl(tmp_path / "empty.jsonl", []), tmp_path / "out", 0.1)
    assert not (tmp_path / "out").exists()
    (tmp_path / "all.jsonl").rename(tmp_path / "train.jsonl")
    with pytest.raises(OptionError, match="overwritten"):
        split(RowSource(tmp_path / "train.jsonl"), tmp_path, 0.1)
