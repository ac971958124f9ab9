"""Families about records: merge JSONL files, total CSV files, migrate a configuration, recover damaged data."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import numpy as np

from rlvr.envs.puzzles.common import integer, pick, sample
from rlvr.envs.terminal.draft import Draft, writing
from rlvr.envs.terminal.families.common import (
    NAMES,
    WORDS,
    by_level,
    lines,
    moment,
    sentence,
    shuffled,
    slug,
)


def merge_jsonl(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the newest version of each record of several JSONL files."""
    folder, count = slug(rng), by_level(level, 20, 40, 60)
    names = [f"part-{i}.jsonl" for i in range(by_level(level, 2, 3, 5))]
    parts: dict[str, list[str]] = {name: [] for name in names}
    newest: dict[int, dict[str, Any]] = {}
    for id in (int(number) for number in rng.permutation(900)[:count] + 100):
        moments = sorted({moment(rng) for _ in range(integer(rng, 1, 4))})
        for when in moments:
            row: dict[str, Any] = {
                "id": id,
                "updated": when,
                "name": pick(rng, WORDS),
                "stock": integer(rng, 0, 99),
            }
            if level > 1 and rng.random() < 0.25:
                row = {"id": id, "updated": when, "deleted": True}
            newest[id] = row
            parts[pick(rng, names)].append(json.dumps(row))
        if level == 3 and rng.random() < 0.3:
            parts[pick(rng, names)].append(json.dumps(row)[: integer(rng, 5, 30)])
    kept = [newest[id] for id in sorted(newest) if not newest[id].get("deleted")]
    extra = ' A record whose newest row has `"deleted": true` is left out.' if level > 1 else ""
    extra += " Lines that aren't whole JSON objects are left out, too." if level == 3 else ""
    return Draft(
        f"The files `{folder}/part-*.jsonl` hold rows of records; rows with the same `id` are versions of one record. "
        f"Write `merged.jsonl` with the newest row of each record (by `updated`), unchanged, sorted by `id`.{extra}",
        {f"{folder}/{name}": lines(shuffled(rng, body)) for name, body in parts.items()},
        ("merged.jsonl",),
        ({"kind": "rows", "path": "merged.jsonl", "equals": kept, "ordered": True},),
        (*writing("merge.py", _MERGE.replace("FOLDER", folder)), "python3 merge.py > merged.jsonl"),
        naive=(f"cat {folder}/part-*.jsonl | sort -u > merged.jsonl",),
    )


_MERGE = """\
import glob, json
newest = {}
for path in glob.glob("FOLDER/part-*.jsonl"):
    for line in open(path):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["id"] not in newest or row["updated"] > newest[row["id"]]["updated"]:
            newest[row["id"]] = row
for id in sorted(newest):
    if not newest[id].get("deleted"):
        print(json.dumps(newest[id]))
"""


def csv_totals(rng: np.random.Generator, level: int) -> Draft:
    """Ask for totals over two or three CSV files, in an order with ties."""
    folder = slug(rng)
    goods = {good: integer(rng, 2, 60) for good in sample(rng, WORDS, 8)}
    people = [name.capitalize() for name in sample(rng, NAMES, by_level(level, 6, 9, 12))]
    if level > 1:
        people = [f"{pick(rng, WORDS).capitalize()}, {name}" for name in people]
    orders, cancelled, totals = ["order,customer,good,units"], ["order"], dict.fromkeys(people, 0)
    for number in range(by_level(level, 40, 80, 120)):
        customer, good, units = pick(rng, people), pick(rng, tuple(goods)), integer(rng, 1, 9)
        quoted = f'"{customer}"' if "," in customer else customer
        orders.append(f"{1000 + number},{quoted},{good},{units}")
        if level == 3 and rng.random() < 0.2:
            cancelled.append(str(1000 + number))
        else:
            totals[customer] += units * goods[good]
    ranked = sorted(
        ((name, total) for name, total in totals.items() if total),
        key=lambda item: (-item[1], item[0]),
    )
    files: dict[str, str | bytes] = {
        f"{folder}/orders.csv": lines(orders),
        f"{folder}/prices.csv": lines(
            ["good,price", *(f"{good},{price}" for good, price in goods.items())]
        ),
    }
    extra = ""
    if level == 3:
        files[f"{folder}/cancelled.csv"] = lines(cancelled)
        extra = f" Orders in `{folder}/cancelled.csv` don't count."
    return Draft(
        f"`{folder}/orders.csv` has a line per order, `{folder}/prices.csv` the price of each good.{extra} Write "
        f'`totals.jsonl`: for each customer with a total above 0 a line `{{"customer": …, "total": …}}`, the largest '
        f"total (units times price) first, and customers of one total in alphabetical order.",
        files,
        ("totals.jsonl",),
        (
            {
                "kind": "rows",
                "path": "totals.jsonl",
                "equals": [{"customer": name, "total": total} for name, total in ranked],
                "ordered": True,
            },
        ),
        (
            *writing("totals.py", _TOTALS.replace("FOLDER", folder)),
            "python3 totals.py > totals.jsonl",
        ),
        naive=(f"cut -d, -f2 {folder}/orders.csv | sort | uniq -c > totals.jsonl",),
    )


_TOTALS = """\
import csv, json, os
def rows(name):
    path = "FOLDER/" + name + ".csv"
    return list(csv.DictReader(open(path))) if os.path.exists(path) else []
prices = {row["good"]: int(row["price"]) for row in rows("prices")}
gone = {row["order"] for row in rows("cancelled")}
totals = {}
for row in rows("orders"):
    if row["order"] not in gone:
        totals[row["customer"]] = totals.get(row["customer"], 0) + int(row["units"]) * prices[row["good"]]
for name, total in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
    print(json.dumps({"customer": name, "total": total}))
"""


def migrate_config(rng: np.random.Generator, level: int) -> Draft:
    """Ask for INI files as one JSON file, with types, lists, new names and defaults."""
    folder = slug(rng)
    keys = sample(rng, WORDS, 8)
    renamed = {key: f"{pick(rng, WORDS)}_{key}" for key in keys[:3]} if level > 1 else {}
    files: dict[str, str | bytes] = {}
    result: dict[str, dict[str, Any]] = {}
    defaults: dict[str, str] = {}
    if level == 3:
        defaults = {key: _setting(rng, False)[0] for key in sample(rng, keys, 3)}
    for name in sample(rng, WORDS, by_level(level, 2, 4, 6)):
        written = {key: _setting(rng, True)[0] for key in sample(rng, keys, integer(rng, 3, 6))}
        body = [f"# {sentence(rng, 3)}", f"[{name}]"]
        body += [f"{key}{pick(rng, (' = ', '=', ' =  '))}{value}" for key, value in written.items()]
        files[f"{folder}/{name}.ini"] = lines(body)
        result[name] = {
            renamed.get(key, key): _typed(value) for key, value in {**defaults, **written}.items()
        }
    rules = (
        "Whole numbers become numbers, `yes` and `no` become true and false, a value with commas becomes a list of texts "
        "without white space around them, and all else stays text."
    )
    if level > 1:
        files[f"{folder}/renamed.txt"] = lines([f"{old} -> {new}" for old, new in renamed.items()])
        rules += f" The keys in `{folder}/renamed.txt` get their new names."
    if level == 3:
        files[f"{folder}/defaults.txt"] = lines(
            [f"{key} = {value}" for key, value in defaults.items()]
        )
        rules += f" A section without a key of `{folder}/defaults.txt` gets the value there, by the same rules."
    return Draft(
        f"Convert the files `{folder}/*.ini`, which have one section each, to one file `config.json`: an object with an "
        f"object per section. {rules}",
        files,
        ("config.json",),
        ({"kind": "json", "path": "config.json", "equals": result},),
        (*writing("migrate.py", _MIGRATE.replace("FOLDER", folder)), "python3 migrate.py"),
        naive=(
            f"python3 -c \"import configparser, glob, json; c = configparser.ConfigParser(); c.read(glob.glob('{folder}/*.ini')); "
            f"json.dump({{s: dict(c[s]) for s in c.sections()}}, open('config.json', 'w'))\"",
        ),
    )


def _setting(rng: np.random.Generator, lists: bool) -> tuple[str, Any]:
    """Return a value as an INI file has it, and what it becomes."""
    kind = integer(rng, 0, 3 if lists else 2)
    if kind == 0:
        text = str(integer(rng, 0, 9999))
    elif kind == 1:
        text = pick(rng, ("yes", "no"))
    elif kind == 2:
        text = sentence(rng, 2)
    else:
        text = ", ".join(sample(rng, WORDS, integer(rng, 2, 4)))
    return text, _typed(text)


def _typed(text: str) -> Any:
    if text.isdigit():
        return int(text)
    if text in ("yes", "no"):
        return text == "yes"
    return [part.strip() for part in text.split(",")] if "," in text else text


_MIGRATE = """\
import configparser, glob, json, os
def pairs(name, mark):
    path = "FOLDER/" + name
    lines = open(path).read().splitlines() if os.path.exists(path) else []
    return dict((part.strip() for part in line.split(mark, 1)) for line in lines)
def typed(text):
    if text.isdigit():
        return int(text)
    if text in ("yes", "no"):
        return text == "yes"
    return [part.strip() for part in text.split(",")] if "," in text else text
renamed, defaults = pairs("renamed.txt", "->"), pairs("defaults.txt", "=")
result = {}
for path in glob.glob("FOLDER/*.ini"):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    for section in parser.sections():
        values = {**defaults, **parser[section]}
        result[section] = {renamed.get(key, key): typed(value) for key, value in values.items()}
json.dump(result, open("config.json", "w"))
"""


def recover_records(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the records of a damaged file, or of two mirrors of it, whose checksums are right."""
    folder, count = slug(rng), by_level(level, 30, 50, 80)
    payloads = {
        number: f"{sentence(rng, 3)} {integer(rng, 10, 99)}" for number in range(1, count + 1)
    }
    mirrors = ("a",) if level == 1 else ("a", "b")
    broken = {number: pick(rng, (*mirrors, "", "")) for number in payloads}
    lost = set(sample(rng, tuple(payloads), count // 8))
    files: dict[str, str | bytes] = {}
    for mirror in mirrors:
        body: list[bytes] = []
        for number, payload in payloads.items():
            line = _record(number, payload, level)
            if broken[number] == mirror or number in lost:
                line = _damaged(rng, line)
            body.append(line)
            if rng.random() < 0.1:
                body.append(line)
            if rng.random() < 0.1:
                body.append(
                    bytes(int(byte) for byte in rng.integers(128, 255, size=integer(rng, 4, 30)))
                )
        order = [int(place) for place in rng.permutation(len(body))]
        files[f"{folder}/{mirror}.dat"] = b"\n".join(body[place] for place in order) + b"\n"
    whole = [
        payload for number, payload in payloads.items()
        if number not in lost and (level > 1 or broken[number] != "a")
    ]  # fmt: skip
    form = "`NUMBER|TEXT|CRC`, where CRC is the CRC-32 of `NUMBER|TEXT` in eight hexadecimal digits (as of `zlib.crc32`)"
    form += ". TEXT is base64; the CRC is of the line as it stands" if level == 3 else ""
    several = "Two damaged copies of one file are in" if level > 1 else "A damaged file is in"
    return Draft(
        f"{several} `{folder}`. A whole line is {form}. Other lines are damaged, and a line may be there twice. Write the "
        f"text of each record that has a whole line{' in one of the copies' if level > 1 else ''} to `recovered.txt`, "
        f"{'decoded, ' if level == 3 else ''}one per line, in the order of their numbers.",
        files,
        ("recovered.txt",),
        ({"kind": "text", "path": "recovered.txt", "equals": lines(whole)},),
        (
            *writing(
                "recover.py", _RECOVER.replace("FOLDER", folder).replace("CODED", str(level == 3))
            ),
            "python3 recover.py > recovered.txt",
        ),
        naive=(f"cat {folder}/*.dat | cut -d'|' -f2 | sort -u > recovered.txt",),
    )


def _record(number: int, payload: str, level: int) -> bytes:
    text = base64.b64encode(payload.encode()).decode() if level == 3 else payload
    head = f"{number}|{text}"
    return f"{head}|{binascii.crc32(head.encode()):08x}".encode()


def _damaged(rng: np.random.Generator, line: bytes) -> bytes:
    """Return a line with another character in its text, or without its end; its checksum is wrong in any case."""
    if rng.random() < 0.5:
        return line[: -integer(rng, 1, 8)]
    place = line.index(b"|") + 1 + integer(rng, 0, 3)
    return line[:place] + (b"#" if line[place : place + 1] != b"#" else b"%") + line[place + 1 :]


_RECOVER = """\
import base64, glob, zlib
whole = {}
for path in glob.glob("FOLDER/*.dat"):
    for line in open(path, "rb").read().split(b"\\n"):
        head, bar, crc = line.rpartition(b"|")
        if b"|" in head and len(crc) == 8 and b"%08x" % zlib.crc32(head) == crc:
            number, text = head.split(b"|", 1)
            whole[int(number)] = base64.b64decode(text) if CODED else text
for number in sorted(whole):
    print(whole[number].decode())
"""
