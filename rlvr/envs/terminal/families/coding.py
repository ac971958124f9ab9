"""Families about programs: fix a script or a small package, write a tool, write a Makefile.

The verifier runs what the model wrote on inputs that aren't in its workspace.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlvr.envs.puzzles.common import integer, pick, sample
from rlvr.envs.terminal.draft import Draft, writing
from rlvr.envs.terminal.families.common import WORDS, lines, slug
from rlvr.envs.terminal.families.steps import (
    HEADER,
    Chosen,
    Rows,
    applied,
    choose,
    source_of,
)

_HIDDEN = 6  # inputs of the verifier's


def fix_script(rng: np.random.Generator, level: int) -> Draft:
    """Ask to fix the steps of a script that do something else than its description says."""
    while True:
        steps = choose(rng, level)
        wrong = sorted(int(place) for place in rng.permutation(len(steps))[:level])
        broken = [
            pick(rng, step.step.wrong) if i in wrong else step.step.right
            for i, step in enumerate(steps)
        ]
        shown, *hidden = (_rows(rng, steps) for _ in range(_HIDDEN + 1))
        if _matters(steps, broken, wrong, hidden):
            break
    name = f"{slug(rng)}.py"
    right = _script(steps, [step.step.right for step in steps])
    described = "\n".join(f"{number}. {step.sentence}." for number, step in enumerate(steps, 1))
    result = _written(applied(steps, shown))
    return Draft(
        f"`{name}` reads rows `WORD NUMBER` from standard input and is meant to do this, in order:\n\n{described}\n\n"
        f"Then it prints the rows in the same form. It is wrong in {level} of these steps. Fix it. `example.in` and "
        f"`example.out` are an input and the output that is right for it.",
        {name: _script(steps, broken), "example.in": _written(shown), "example.out": result},
        (name,),
        ({"kind": "program", "with": {"main": name}, "runs": _runs(steps, hidden)},),
        writing(name, right),
        naive=(f"printf 'print(open(\"example.out\").read())' > {name}",),
    )


def write_tool(rng: np.random.Generator, level: int) -> Draft:
    """Ask for a command-line tool by its description."""
    steps = choose(rng, level)
    while True:
        shown, *hidden = (_rows(rng, steps) for _ in range(_HIDDEN + 1))
        if all(len(applied(steps, rows)) > 1 for rows in hidden):
            break
        steps = choose(rng, level)
    name, sign = f"{slug(rng)}.py", pick(rng, (":", "=", "\t", ";", " / "))
    described = "\n".join(f"{number}. {step.sentence}." for number, step in enumerate(steps, 1))
    example = _written(applied(steps, shown))
    runs = []
    for number, rows in enumerate(hidden):
        result = applied(steps, rows)
        total = number % 2 == 1
        printed = (
            [f"total{sign}{sum(n for _, n in result)}"]
            if total
            else [f"{w}{sign}{n}" for w, n in result]
        )
        runs.append(
            {
                "args": ["--total"] if total else [],
                "stdin": _written(rows),
                "stdout": lines(printed),
            }
        )
    body = _functions([step.step.right for step in steps], steps)
    body += "import sys\nrows = [[line.split()[0], int(line.split()[1])] for line in sys.stdin if line.strip()]\n"
    body += "".join(f"rows = {step.step.name}(rows, {step.n})\n" for step in steps)
    body += f"if '--total' in sys.argv:\n    print('total' + {sign!r} + str(sum(number for _, number in rows)))\nelse:\n"
    body += f"    for word, number in rows:\n        print(word + {sign!r} + str(number))\n"
    return Draft(
        f"Write a Python program `{name}` that reads rows `WORD NUMBER` from standard input (numbers are whole, and may be "
        f"negative) and does this, in order:\n\n{described}\n\nThen it prints a line for each row: the word, {sign!r} and "
        f"the number. With the argument `--total` it prints one line instead: `total`, {sign!r} and the sum of the "
        f"numbers. `example.in` is an input; `example.rows` has the rows that are right for it, as `WORD NUMBER`.",
        {"example.in": _written(shown), "example.rows": example},
        (name,),
        ({"kind": "program", "with": {"main": name}, "runs": runs},),
        writing(name, body),
        naive=(f"printf 'print(open(\"example.rows\").read())' > {name}",),
    )


def fix_package(rng: np.random.Generator, level: int) -> Draft:
    """Ask to fix a small package until its tests pass; the verifier has more of them."""
    folder = slug(rng).replace("-", "_")
    while True:
        steps = choose(rng, min(level + 1, 3))
        wrong = sorted(int(place) for place in rng.permutation(len(steps))[:level])
        broken = [
            pick(rng, step.step.wrong) if i in wrong else step.step.right
            for i, step in enumerate(steps)
        ]
        hidden = [_rows(rng, steps) for _ in range(_HIDDEN)]
        if _matters(steps, broken, wrong, hidden):
            break
    files: dict[str, str | bytes] = {}
    modules = [f"{folder}/{step.step.name}_step.py" for step in steps]
    for step, function, place in zip(steps, broken, modules, strict=True):
        files[place] = _module(step, function)
    files[f"{folder}/__init__.py"] = ""
    imports = "".join(
        f"from {folder}.{step.step.name}_step import {step.step.name}\n" for step in steps
    )
    tests = ""
    for number, step in enumerate(steps):
        rows = _rows(rng, steps)[:8]
        tests += f"\n    def test_{step.step.name}(self):\n"
        tests += f"        rows = {rows!r}\n"
        tests += f"        self.assertEqual({step.step.name}(rows, {step.n}), {step(rows)!r})\n"
        tests += f"        self.assertEqual({step.step.name}([], {step.n + number}), [])\n"
    files["test_steps.py"] = (
        f"import unittest\n{imports}\n\nclass TestSteps(unittest.TestCase):{tests}"
    )
    described = "\n".join(
        f"- `{step.step.name}(rows, n)`: {step.step.sentence.format(n='n')}." for step in steps
    )
    driver = _DRIVER.replace(
        "IMPORTS", "".join(f"from {s.step.name}_step import {s.step.name}\n" for s in steps)
    )
    driver = driver.replace("STEPS", ", ".join(step.step.name for step in steps))
    runs = []
    for rows in hidden:
        asked = [
            (step.step.name, rows, integer(rng, step.step.low, step.step.high)) for step in steps
        ]
        by_name = {step.step.name: step.step for step in steps}
        results = [by_name[name].right([list(row) for row in table], n) for name, table, n in asked]
        runs.append({"stdin": json.dumps(asked), "stdout": json.dumps(results)})
    repair: list[str] = []
    for place, step in zip(modules, steps, strict=True):
        repair += writing(place, _module(step, step.step.right))
    return Draft(
        f"The package `{folder}` has functions that take rows, each `[word, number]`:\n\n{described}\n\nSome are wrong. "
        f"Fix them in their files, so that `python3 -m unittest -q` passes. Other tests will be run, too.",
        files,
        tuple(modules),
        (
            {
                "kind": "program",
                "source": driver,
                "with": {place.rpartition("/")[2]: place for place in modules},
                "runs": runs,
            },
        ),
        repair,
        naive=("rm test_steps.py && python3 -m unittest -q",),
    )


_DRIVER = """\
import json, sys
real = sys.stdout
sys.stdout = sys.stderr
IMPORTS
functions = {function.__name__: function for function in (STEPS,)}
results = [functions[name](rows, n) for name, rows, n in json.load(sys.stdin)]
real.write(json.dumps(results))
real.flush()
"""


def write_makefile(rng: np.random.Generator, level: int) -> Draft:
    """Ask for a Makefile that builds any sources, and no more of them than has changed."""
    ending, tool = pick(rng, ("csv", "lst", "out", "tbl")), f"{pick(rng, WORDS)}.py"
    start, out = slug(rng), pick(rng, ("build", "dist", "made"))
    sign, factor = pick(rng, (",", ";", "|")), integer(rng, 2, 9)
    convert = _CONVERT.replace("SIGN", sign).replace("FACTOR", str(factor))
    sources = {name: _table(rng) for name in sample(rng, WORDS, 3)}
    files: dict[str, str | bytes] = {f"{start}/{name}.txt": text for name, text in sources.items()}
    files[tool] = convert
    rules = (
        f"`{out}/NAME.{ending}` is made from `{start}/NAME.txt` by `python3 {tool} {start}/NAME.txt`, whose standard output "
        f"it is, for each text file in `{start}` (there may be others than now)."
    )
    targets = [f"$(patsubst {start}/%.txt,{out}/%.{ending},$(wildcard {start}/*.txt))"]
    recipe = [
        f"OUT := {targets[0]}",
        f"all: $(OUT){f' {out}/all.{ending}' if level > 1 else ''}",
        f"{out}/%.{ending}: {start}/%.txt {tool if level == 3 else ''}",
        f"\tmkdir -p {out}",
        f"\tpython3 {tool} $< > $@",
    ]
    if level > 1:
        rules += f" `{out}/all.{ending}` has the lines of all of them, in alphabetical order of their names."
        recipe += [f"{out}/all.{ending}: $(OUT)", "\tcat $(sort $(OUT)) > $@"]
    if level == 3:
        rules += f" A change of `{tool}` makes all of them anew, and `make clean` removes `{out}`."
        recipe += ["clean:", f"\trm -rf {out}"]
    recipe += [".PHONY: all clean"]
    runs = []
    for _ in range(2):
        tables = {name: _table(rng) for name in sorted(sample(rng, WORDS, 4))}
        changed = pick(rng, tuple(tables))
        printed: list[str] = []
        for name, text in tables.items():
            printed += [f"== {name}.{ending}", *_converted(text, sign, factor)]
        if level > 1:
            everything = [
                line for text in tables.values() for line in _converted(text, sign, factor)
            ]
            printed = [*printed, *([f"== all.{ending}", *everything])]
            printed = _sorted_parts(printed)
        settings = {"start": start, "out": out, "tool": tool, "tables": tables, "changed": changed, "convert": convert, "clean": level == 3}  # fmt: skip
        calls = [f"called {changed}"] if level < 3 else [f"called {name}" for name in tables]
        runs.append({"stdin": json.dumps(settings), "stdout": lines([*printed, "-- again", *calls, *(["-- clean", "gone"] if level == 3 else [])])})  # fmt: skip
    return Draft(
        f"Write a `Makefile` in the working folder. {rules} `make` makes all of this; run again, it makes only what is "
        f"older than its source.",
        files,
        ("Makefile",),
        (
            {
                "kind": "program",
                "source": _MAKE,
                "with": {"Makefile": "Makefile"},
                "runs": runs,
                "needs": ["make"],
            },
        ),
        writing("Makefile", lines(recipe)),
        naive=(f"printf 'all:\\n\\tmkdir -p {out}\\n' > Makefile",),
    )


_CONVERT = """\
import sys
for line in open(sys.argv[1]):
    word, number = line.split()
    print(word + "SIGN" + str(FACTOR * int(number)))
"""
# Makes everything, changes one source (or the tool), and makes it again with a tool that says when it's called.
_MAKE = """\
import json, os, pathlib, subprocess, sys
given = json.load(sys.stdin)
os.makedirs("here/" + given["start"])
pathlib.Path("here/Makefile").write_bytes(pathlib.Path(__file__).with_name("Makefile").read_bytes())
os.chdir("here")
tool, start, out = pathlib.Path(given["tool"]), given["start"], given["out"]
log = "import sys, os\\nprint('called', os.path.basename(sys.argv[1])[:-4], file=open('calls.log', 'a'))\\n"
tool.write_text(log + given["convert"])
for name, text in given["tables"].items():
    pathlib.Path(start, name + ".txt").write_text(text)
def age(paths, seconds):
    for path in paths:
        moment = os.stat(path).st_mtime - seconds
        os.utime(path, (moment, moment))
age([tool, *pathlib.Path(start).iterdir()], 1000)
def make(*targets):
    subprocess.run(["make", "-s", *targets], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
def made():
    return sorted(path for path in pathlib.Path(out).glob("*") if path.is_file())
make()
for path in made():
    print("==", path.name)
    sys.stdout.write(path.read_text())
age(made(), 500)
pathlib.Path("calls.log").unlink(missing_ok=True)
os.utime(tool if given["clean"] else pathlib.Path(start, given["changed"] + ".txt"))
make()
print("-- again")
for line in sorted(pathlib.Path("calls.log").read_text().splitlines()):
    print(line)
if given["clean"]:
    make("clean")
    print("-- clean")
    print("there" if os.path.exists(out) else "gone")
"""


def _table(rng: np.random.Generator) -> str:
    return lines([f"{pick(rng, WORDS)} {integer(rng, 1, 99)}" for _ in range(integer(rng, 3, 6))])


def _converted(text: str, sign: str, factor: int) -> list[str]:
    pairs = [line.split() for line in text.splitlines()]
    return [f"{word}{sign}{factor * int(number)}" for word, number in pairs]


def _sorted_parts(printed: Sequence[str]) -> list[str]:
    """Return the parts, each with its head, in the order of their heads."""
    parts: list[list[str]] = []
    for line in printed:
        if line.startswith("== "):
            parts.append([])
        parts[-1].append(line)
    return [line for part in sorted(parts, key=lambda part: part[0]) for line in part]


# ------------------------------------------------------------------ helpers


def _rows(rng: np.random.Generator, steps: Sequence[Chosen]) -> Rows:
    """Return rows with repeated words, negative numbers, ties, and numbers at the steps' borders."""
    words = sample(rng, WORDS, 7)
    borders = [step.n for step in steps] + [10 * step.n for step in steps]
    rows: list[list[Any]] = []
    for _ in range(integer(rng, 14, 22)):
        number = pick(rng, borders) if rng.random() < 0.35 else integer(rng, -30, 120)
        rows.append([pick(rng, words), number])
    return rows


def _matters(
    steps: Sequence[Chosen], broken: Sequence[Any], wrong: Sequence[int], inputs: Sequence[Rows]
) -> bool:
    """Return whether each wrong step changes what some input becomes, if the others are right."""
    for place in wrong:
        functions = [broken[i] if i == place else step.step.right for i, step in enumerate(steps)]
        if all(_run(steps, functions, rows) == applied(steps, rows) for rows in inputs):
            return False
    return sum(len(applied(steps, rows)) > 1 for rows in inputs) > len(inputs) // 2


def _run(steps: Sequence[Chosen], functions: Sequence[Any], rows: Rows) -> Rows:
    for step, function in zip(steps, functions, strict=True):
        rows = function([list(row) for row in rows], step.n)
    return rows


def _functions(functions: Sequence[Any], steps: Sequence[Chosen]) -> str:
    sources = [
        source_of(function, step.step.name) for function, step in zip(functions, steps, strict=True)
    ]
    return "\n\n".join([HEADER, *sources]) + "\n\n"


def _module(step: Chosen, function: Any) -> str:
    return f"{HEADER}\n\n{source_of(function, step.step.name)}"


def _script(steps: Sequence[Chosen], functions: Sequence[Any]) -> str:
    body = "import sys\n\n" + _functions(functions, steps)
    body += (
        "rows = [[line.split()[0], int(line.split()[1])] for line in sys.stdin if line.strip()]\n"
    )
    body += "".join(f"rows = {step.step.name}(rows, {step.n})\n" for step in steps)
    return body + "for word, number in rows:\n    print(word, number)\n"


def _written(rows: Rows) -> str:
    return lines([f"{word} {number}" for word, number in rows])


def _runs(steps: Sequence[Chosen], inputs: Sequence[Rows]) -> list[dict[str, Any]]:
    return [{"stdin": _written(rows), "stdout": _written(applied(steps, rows))} for rows in inputs]
