"""Families about texts: find a file by its content, extract identifiers, report on logs."""

from __future__ import annotations

import gzip
from collections import Counter
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
    paragraph,
    shuffled,
    slug,
)


def find_file(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the one file that meets two or three conditions on its content."""
    folder, count = slug(rng), by_level(level, 60, 120, 240)
    word = f"{pick(rng, WORDS)}{integer(rng, 100, 999)}"
    owner, other = sample(rng, NAMES, 2)
    status, wrong = "closed", "open"
    # Each file but one lacks a condition: the word, the owner, or (from level 2 on) the status.
    kinds = ["word", "owner", "both"] if level > 1 else ["word", "owner"]
    files: dict[str, str | bytes] = {}
    places: list[str] = []
    for number in range(count):
        place = f"{folder}/{pick(rng, WORDS)}/{pick(rng, WORDS)}-{number}.txt"
        lacks = kinds[number % len(kinds)] if number else ""
        body = paragraph(rng, integer(rng, 3, 8))
        near = word[:-1] if level == 3 else pick(rng, WORDS)
        has_word = lacks != "word"
        body.insert(
            integer(rng, 0, len(body)),
            f"{pick(rng, WORDS)} {word if has_word else near} {pick(rng, WORDS)}",
        )
        head = [f"owner: {other if lacks == 'owner' else owner}"]
        head += [f"status: {wrong if lacks == 'both' else status}"] if level > 1 else []
        files[place] = lines([*head, *body])
        places.append(place)
    wanted = f"the word `{word}` and the line `owner: {owner}`"
    wanted += f" and the line `status: {status}`" if level > 1 else ""
    search = f"grep -rlw '{word}' {folder} | xargs grep -lx 'owner: {owner}'"
    search += f" | xargs grep -lx 'status: {status}'" if level > 1 else ""
    # The order of paths tells nothing: the place of the right one is drawn like the others.
    return Draft(
        f"Exactly one file below `{folder}` contains {wanted}. Write its path, relative to the working folder, to "
        f"`answer.txt`.",
        {place: files[place] for place in sorted(files)},
        ("answer.txt",),
        ({"kind": "text", "path": "answer.txt", "equals": places[0]},),
        (f"{search} > answer.txt",),
        naive=(f"grep -rlw '{word}' {folder} | sort | head -n 1 > answer.txt",),
    )


def extract_ids(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the identifiers in messy notes; what only looks like one doesn't count."""
    folder = slug(rng)
    prefix = "".join(pick(rng, "ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(3))
    ids = sorted(
        {f"{prefix}-{integer(rng, 1000, 9999)}" for _ in range(by_level(level, 14, 24, 40))}
    )
    counts: Counter[str] = Counter()
    notes: dict[str, list[str]] = {
        f"{folder}/notes-{i}.txt": [] for i in range(by_level(level, 1, 3, 6))
    }
    for identifier in ids:
        for _ in range(integer(rng, 1, 3)):
            counts[identifier] += 1
            place = pick(rng, tuple(notes))
            end = pick(rng, (".", ",", ")", ":", "", " now"))
            notes[place].append(
                f"{pick(rng, WORDS)} {pick(rng, ('(', '', 'see '))}{identifier}{end} {pick(rng, WORDS)}"
            )
        digits = identifier[-4:]
        decoys = (f"{prefix.lower()}-{digits}", f"X{identifier}", f"{identifier}{digits[0]}", f"{prefix}-{digits[:3]}",
                  f"{prefix}_{digits}", f"{prefix} {digits}")  # fmt: skip
        notes[pick(rng, tuple(notes))].append(
            f"{pick(rng, WORDS)} {pick(rng, decoys)} {pick(rng, WORDS)}"
        )
    form = (
        f"An id is `{prefix}-` with four digits behind it, in capitals, and no letter or digit directly before or after: "
        f"`X{prefix}-1234` and `{prefix}-12345` are none."
    )
    if level < 3:
        wanted = ids
        task = "Write each id once, sorted, one per line, to `ids.txt`."
        tail = "sort -u > ids.txt"
    else:
        wanted = [
            f"{identifier} {n}"
            for identifier, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]
        task = (
            "Write a line `ID COUNT` per id to `ids.txt`: the most frequent id first, and ids of one count in "
            "alphabetical order."
        )
        tail = "sort | uniq -c | awk '{print $2, $1}' | sort -k2,2nr -k1,1 > ids.txt"
    pattern = f"(?<![A-Za-z0-9]){prefix}-[0-9]{{4}}(?![A-Za-z0-9])"
    script = f"import re, pathlib\nfor path in pathlib.Path('{folder}').glob('*.txt'):\n    for found in re.findall(r'{pattern}', path.read_text()):\n        print(found)\n"  # fmt: skip
    return Draft(
        f"The notes in `{folder}` mention ids. {form} {task}",
        {place: lines(shuffled(rng, body)) for place, body in notes.items()},
        ("ids.txt",),
        ({"kind": "text", "path": "ids.txt", "equals": lines(wanted)},),
        (*writing("find.py", script), f"python3 find.py | {tail}"),
        naive=(f"cat {folder}/*.txt | grep -oi '{prefix}-[0-9]*' | sort -u > ids.txt",),
    )


_SERVICES = ("auth", "cart", "mail", "pay", "search", "store")


def log_report(rng: np.random.Generator, level: int) -> Draft:
    """Ask for a JSON report on request logs: several files, broken lines, a compressed file, a range of days."""
    folder = slug(rng)
    services = sample(rng, _SERVICES, by_level(level, 3, 4, 5))
    days = (1, 28) if level < 3 else (integer(rng, 3, 8), integer(rng, 15, 24))
    report: dict[str, Any] = {
        "requests": 0,
        "errors": 0,
        "by_service": dict.fromkeys(sorted(services), 0),
        "slowest_ms": 0,
    }
    files: dict[str, str | bytes] = {}
    for number in range(by_level(level, 1, 3, 4)):
        body = []
        for _ in range(by_level(level, 60, 80, 100)):
            when, service = moment(rng), pick(rng, services)
            status, ms = (
                pick(rng, (200, 200, 200, 204, 301, 404, 500, 502, 503)),
                integer(rng, 2, 4000),
            )
            if level > 1 and rng.random() < 0.08:
                body.append(f"{when} {service} {pick(rng, ('timeout', '', '??? 200'))}")
                continue
            body.append(
                f"{when} {service} GET /{pick(rng, WORDS)}/{integer(rng, 1, 99)} {status} {ms}ms"
            )
            if days[0] <= int(when[8:10]) <= days[1]:
                report["requests"] += 1
                report["errors"] += status >= 500
                report["by_service"][service] += 1
                report["slowest_ms"] = max(report["slowest_ms"], ms)
        text = lines(body)
        if level == 3 and number == 0:
            files[f"{folder}/requests.{number}.log.gz"] = gzip.compress(text.encode(), mtime=0)
        else:
            files[f"{folder}/requests.{number}.log"] = text
    extra = " Lines with another number of fields are broken and don't count." if level > 1 else ""
    if level == 3:
        extra += (
            f" Only requests from 2026-03-{days[0]:02} to 2026-03-{days[1]:02} count, both days included. One of the files "
            f"is compressed."
        )
    script = _REPORT.replace("FOLDER", folder).replace("SERVICES", repr(sorted(services)))
    script = script.replace("FIRST", str(days[0])).replace("LAST", str(days[1]))
    return Draft(
        f"The logs in `{folder}` have a line `TIME SERVICE METHOD PATH STATUS MS` per request, such as "
        f"`2026-03-07T10:00:00 auth GET /fern/3 200 35ms`.{extra} Write `report.json`, an object with `requests` (their "
        f"number), `errors` (those with a status from 500 on), `by_service` (an object: the number of requests of each of "
        f"{', '.join(sorted(services))}) and `slowest_ms` (the largest time, a number).",
        files,
        ("report.json",),
        ({"kind": "json", "path": "report.json", "equals": report},),
        (*writing("report.py", script), "python3 report.py"),
        naive=(
            f"python3 -c \"import json; n = sum(len(open(p).readlines()) for p in __import__('glob').glob('{folder}/*.log')); "
            f"json.dump({{'requests': n, 'errors': 0, 'by_service': {{}}, 'slowest_ms': 0}}, open('report.json', 'w'))\"",
        ),
    )


_REPORT = """\
import glob, gzip, json
report = {"requests": 0, "errors": 0, "by_service": dict.fromkeys(SERVICES, 0), "slowest_ms": 0}
for path in glob.glob("FOLDER/*"):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        for line in file:
            fields = line.split()
            if len(fields) != 6 or not FIRST <= int(fields[0][8:10]) <= LAST:
                continue
            report["requests"] += 1
            report["errors"] += int(fields[4]) >= 500
            report["by_service"][fields[1]] += 1
            report["slowest_ms"] = max(report["slowest_ms"], int(fields[5].removesuffix("ms")))
json.dump(report, open("report.json", "w"))
"""
