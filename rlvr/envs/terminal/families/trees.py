"""Families about folders: organise files, repair links and modes, unpack nested archives, find the first bad build."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping

import numpy as np

from rlvr.envs.puzzles.common import integer, pick, sample
from rlvr.envs.terminal.checks import digest
from rlvr.envs.terminal.draft import Draft, writing
from rlvr.envs.terminal.families.common import WORDS, by_level, lines, paragraph, sentence, slug


def organise_files(rng: np.random.Generator, level: int) -> Draft:
    """Ask to move files by what their heads say; none may be changed, lost or left behind."""
    folder, target = slug(rng), pick(rng, ("archive", "sorted", "shelves"))
    projects = sample(rng, WORDS, by_level(level, 3, 4, 5))
    files: dict[str, str | bytes] = {}
    tree: dict[str, str] = {}
    for number in range(by_level(level, 12, 20, 30)):
        project, year = pick(rng, projects), integer(rng, 2015, 2025)
        name = f"{pick(rng, WORDS)}-{number}.txt"
        body = paragraph(rng, integer(rng, 2, 5))
        headed = level < 3 or rng.random() < 0.8
        head = [f"project: {project}", f"year: {year}"]
        content = lines(
            [*(head if level == 1 else head[:: pick(rng, (1, -1))]), "", *body] if headed else body
        )
        files[f"{folder}/{name}"] = content
        place = f"{project}/{year}/{name}" if level > 1 else f"{project}/{name}"
        tree[place if headed else f"unknown/{name}"] = digest(content)
    layout = f"`{target}/PROJECT/YEAR/NAME`" if level > 1 else f"`{target}/PROJECT/NAME`"
    extra = f" A file without these lines goes to `{target}/unknown/NAME`." if level == 3 else ""
    script = [
        f"for file in {folder}/*.txt; do",
        "  project=$(sed -n '1,2s/^project: //p' \"$file\"); year=$(sed -n '1,2s/^year: //p' \"$file\")",
        f"  place={target}/${{project:-unknown}}" + ("${year:+/$year}" if level > 1 else ""),
        '  mkdir -p "$place"; mv "$file" "$place"/',
        "done",
    ]
    return Draft(
        f"The files in `{folder}` begin with the lines `project: PROJECT` and `year: YEAR`, in "
        f"{'this' if level == 1 else 'either'} order. Move each to {layout}, where NAME is its name.{extra} Change no "
        f"file; `{folder}` is to be empty or gone in the end.",
        files,
        (target, folder),
        (
            {"kind": "tree", "path": target, "files": tree},
            {"kind": "tree", "path": folder, "files": {}},
        ),
        ("\n".join(script),),
        naive=(f"mkdir -p {target} && mv {folder}/*.txt {target}/",),
    )


def repair_links(rng: np.random.Generator, level: int) -> Draft:
    """Ask to make links and modes as lists say; the wrong ones of both are there."""
    folder, count = slug(rng), by_level(level, 6, 10, 16)
    names = sample(rng, WORDS, 2 * count)
    files: dict[str, str | bytes] = {
        f"{folder}/data/{name}.txt": lines(paragraph(rng, 2)) for name in names[:count]
    }
    links = {name: f"../data/{pick(rng, names[:count])}.txt" for name in names[count:]}
    wrong = {
        name: pick(
            rng, (f"../data/{pick(rng, names[:count])}.txt", "../missing.txt", f"/data/{name}.txt")
        )
        for name in links
        if rng.random() < 0.7
    }
    files[f"{folder}/links.txt"] = lines([f"{name} -> {place}" for name, place in links.items()])
    setup = [
        f"mkdir -p {folder}/links",
        *(f"ln -s {place} {folder}/links/{name}" for name, place in wrong.items()),
    ]
    checks: list[Mapping[str, object]] = [
        {"kind": "entry", "path": f"{folder}/links/{name}", "target": place}
        for name, place in links.items()
    ]
    text = (
        f"`{folder}/links.txt` has lines `NAME -> TARGET`. Make each `{folder}/links/NAME` a symbolic link with exactly "
        f"that target; some are missing or point elsewhere."
    )
    solution = [
        f'while read name arrow place; do ln -sfn "$place" {folder}/links/$name; done < {folder}/links.txt'
    ]
    if level > 1:
        modes = {name: pick(rng, ("600", "640", "644", "750", "755")) for name in names[:count]}
        files[f"{folder}/modes.txt"] = lines(
            [f"{mode} data/{name}.txt" for name, mode in modes.items()]
        )
        setup += [f"chmod 666 {folder}/data/*"]
        checks += [
            {"kind": "entry", "path": f"{folder}/data/{name}.txt", "mode": mode}
            for name, mode in modes.items()
        ]
        text += f" `{folder}/modes.txt` has the mode of each file of `{folder}/data`: set them."
        solution.append(
            f"(cd {folder} && while read mode place; do chmod $mode $place; done < modes.txt)"
        )
    if level == 3:
        stray = [f"{pick(rng, WORDS)}-{number}" for number in range(4)]
        setup += [f"ln -s ../nowhere/{name} {folder}/links/{name}" for name in stray]
        checks += [{"kind": "absent", "path": f"{folder}/links/{name}"} for name in stray]
        text += f" Remove the links of `{folder}/links` that the list doesn't name."
        solution.append(
            f'for link in {folder}/links/*; do grep -q "^${{link##*/}} -> " {folder}/links.txt || rm "$link"; done'
        )
    checks += [
        {"kind": "tree", "path": f"{folder}/data", "files": {
            place.rpartition("/")[2]: digest(content) for place, content in files.items() if "/data/" in place
        }}
    ]  # fmt: skip
    return Draft(
        f"{text} Change the content of no file.",
        files,
        (folder,),
        tuple(checks),
        tuple(solution),
        setup=("\n".join(setup),),
        naive=(
            f"while read name arrow place; do cp {folder}/data/* {folder}/links/; done < {folder}/links.txt",
        ),
    )


def nested_archive(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the one file with a mark in archives within archives."""
    mark, answer = f"{pick(rng, WORDS)}{integer(rng, 1000, 9999)}", sentence(rng, 4)
    depth, width = by_level(level, 1, 2, 3), by_level(level, 60, 9, 6)
    path = [integer(rng, 0, width - 1) for _ in range(depth)]

    def packed_at(at: list[int]) -> bytes:
        """Return the archive at a place, with the others in it."""
        members: dict[str, bytes] = {}
        for number in range(width):
            here = [*at, number]
            if len(here) < depth:
                members[f"{pick(rng, WORDS)}-{number}.tar.gz"] = packed_at(here)
                continue
            key = mark if here == path else f"{pick(rng, WORDS)}{integer(rng, 1000, 9999)}"
            text = answer if here == path else sentence(rng, 4)
            members[f"{pick(rng, WORDS)}-{number}.txt"] = lines([f"key {key}", text]).encode()
        return _tar(members)

    name = f"{slug(rng)}.tar.gz"
    script = _UNPACK.replace("NAME", name).replace("MARK", mark)
    return Draft(
        f"`{name}` holds text files, perhaps in archives within archives. The first line of one text file is "
        f"`key {mark}`. Write the second line of that file to `answer.txt`.",
        {name: packed_at([])},
        ("answer.txt",),
        ({"kind": "text", "path": "answer.txt", "equals": answer},),
        (*writing("unpack.py", script), "python3 unpack.py > answer.txt"),
        naive=(f"tar -xzf {name} && cat *.txt | sed -n 2p > answer.txt",),
    )


def _tar(members: Mapping[str, bytes]) -> bytes:
    """Return an archive that is the same each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


_UNPACK = """\
import io, tarfile
def walk(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            content = archive.extractfile(member).read()
            if member.name.endswith(".tar.gz"):
                walk(content)
            elif content.startswith(b"key MARK\\n"):
                print(content.decode().splitlines()[1])
walk(open("NAME", "rb").read())
"""


def first_bad_build(rng: np.random.Generator, level: int) -> Draft:
    """Ask for the first of many builds that a check refuses, as `git bisect` would."""
    folder, count = slug(rng), by_level(level, 100, 200, 400)
    first = integer(rng, 1, count - 1)
    salt = f"{pick(rng, WORDS)}{integer(rng, 100, 999)}"
    files: dict[str, str | bytes] = {f"{folder}/check.py": _CHECK.replace("SALT", salt)}
    for number in range(count):
        files[f"{folder}/build-{number:03}/data.txt"] = _build(rng, salt, number >= first)
    script = (
        f"low=0; high={count - 1}; while [ $low -lt $high ]; do middle=$(( (low + high) / 2 )); "
        f"if python3 {folder}/check.py $(printf '{folder}/build-%03d' $middle); then low=$((middle + 1)); "
        "else high=$middle; fi; done; printf 'build-%03d\\n' $low"
    )
    return Draft(
        f"`python3 {folder}/check.py BUILD` exits with 0 if a build is good, and with 1 if it is bad. From some build of "
        f"`{folder}/build-000`, `{folder}/build-001` and so on, all are bad; all before are good. Write the name of the "
        f"first bad one, such as `build-007`, to `answer.txt`.",
        files,
        ("answer.txt",),
        ({"kind": "text", "path": "answer.txt", "equals": f"build-{first:03}"},),
        (f"{script} > answer.txt",),
        naive=(f"echo build-{count // 2:03} > answer.txt",),
    )


def _build(rng: np.random.Generator, salt: str, bad: bool) -> str:
    """Return a build's data; nothing but the check tells whether it is bad."""
    while True:
        text = lines(paragraph(rng, 3))
        if (int(hashlib.sha256((salt + text).encode()).hexdigest(), 16) % 3 == 0) == bad:
            return text


_CHECK = """\
import hashlib, sys
text = open(sys.argv[1] + "/data.txt").read()
sys.exit(int(hashlib.sha256(("SALT" + text).encode()).hexdigest(), 16) % 3 == 0)
"""
