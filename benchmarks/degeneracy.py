"""What `rlvr.Coherent` lets through: stored responses of real models, and filler of many kinds.

    RLVR_DATA=… python benchmarks/degeneracy.py [--list]

The thresholds in rlvr/verifiers/coherence/thresholds.json were set by these tables: `lenient` so
that at least 99.5% of all stored responses pass, `strict` in the gap between texts and loops, so
that at least 99.5% of those by the two large models do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.audit.hacks.verifier_cheats import template
from rlvr.verifiers.coherence import Coherent
from rlvr.verifiers.instructions import Instructions

Case = tuple[rlvr.Task, str]
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco "
    "laboris nisi ut aliquip ex ea commodo consequat. "
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tasks(data: Path) -> dict[str, rlvr.Task]:
    rows = lines(data / "ifeval/input_data.jsonl") + lines(data / "ifbench/IFBench_test.jsonl")
    return {
        row["prompt"].strip(): rlvr.Task(
            row["prompt"], {k: row[k] for k in ("instruction_id_list", "kwargs")}
        )
        for row in rows
    }


def real(data: Path) -> Iterator[tuple[str, Case]]:
    known = tasks(data)
    for file, name in (
        ("ifeval/google_reference_responses.jsonl", "GPT-4, IFEval"),
        ("ifeval/reference_verdicts_3models.jsonl", ""),
        ("ifbench/sample_verdicts_half.jsonl", "one model, IFBench"),
    ):
        for row in lines(data / file):
            task = known.get(row["prompt"].strip()) or rlvr.Task(row["prompt"], None)
            yield name or f"{row['model']}, IFEval", (task, row["response"])


def filler(data: Path) -> Iterator[tuple[str, Case]]:
    rng = random.Random(0)
    stored = [row["response"] for row in lines(data / "ifeval/google_reference_responses.jsonl")]
    prose = [text for text in stored if 800 < len(text) < 3000 and text.isascii()]
    for number, task in enumerate(list(tasks(data).values())[:541]):
        text = prose[number % len(prose)]
        words = text.split()
        shuffled = rng.sample(words, len(words))
        long = [word.strip(".,").lower() for word in words if len(word) > 6]
        yield "one dot", (task, ".")
        yield "'word', 700 times", (task, "word " * 700)
        if not any("prompt_to_repeat" in one or "cop" in id for id, one in _pairs(task)):
            yield "the prompt given back", (task, task.text)
        if not opening_asked(task):
            yield "template of the kwargs", (task, template(task))
        yield "lorem ipsum, 8 times", (task, LOREM * 8)
        yield "one paragraph, 12 times", (task, (text[:500] + "\n\n") * 12)
        yield "words of a text, shuffled", (task, " ".join(shuffled))
        yield "long words alone", (task, " ".join(long * 4))
        yield (
            "English and Greek, word by word",
            (
                task,
                " ".join(
                    w for pair in zip(words, ["λόγος"] * len(words), strict=True) for w in pair
                ),
            ),
        )


def _pairs(task: rlvr.Task) -> list[tuple[str, dict[str, Any]]]:
    return list(zip(task.reference["instruction_id_list"], task.reference["kwargs"], strict=True))


def opening_asked(task: rlvr.Task) -> bool:
    return any("prompt_to_repeat" in kwargs for _, kwargs in _pairs(task))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print the real responses refused")
    args = parser.parse_args()
    data = Path(os.environ["RLVR_DATA"])
    print("| responses | | lenient passes | strict passes |\n|---|---|---|---|")
    for make in (real, filler):
        groups: dict[str, list[Case]] = {}
        for name, case in make(data):
            groups.setdefault(name, []).append(case)
        if make is real:
            groups["all of these"] = [case for cases in groups.values() for case in cases]
        for name, cases in groups.items():
            shares = []
            for level in ("lenient", "strict"):
                verdicts = rlvr.score(*map(list, zip(*cases, strict=True)), Coherent(level))  # type: ignore[arg-type]
                shares.append(100 * sum(map(float, verdicts)) / len(cases))
                if args.list and make is real and not name.startswith("all"):
                    for verdict, (_, response) in zip(verdicts, cases, strict=True):
                        if not float(verdict):
                            print(f"    {level}: {verdict.feedback}: {response[:70]!r}")
            print(f"| {name} | {len(cases)} | {shares[0]:.2f}% | {shares[1]:.2f}% |", flush=True)
    known = [task for task in tasks(data).values() if not opening_asked(task)][:541]
    paid = rlvr.score(known, list(map(template, known)), Instructions("loose"))
    print(
        f"The template would earn {100 * sum(map(float, paid)) / len(paid):.1f}% of IFEval's prompts."
    )


if __name__ == "__main__":
    main()
