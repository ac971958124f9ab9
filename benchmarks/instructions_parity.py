"""Agreement of `Instructions(reference_bugs=True)` with stored verdicts of the published checkers.

    RLVR_DATA=… NLTK_DATA=… python benchmarks/instructions_parity.py [--write docs/instructions_parity.md]

Sets: three models on IFEval and one on IFBench, strict and loose, and GPT-4's published figures for
IFEval, recomputed from its stored responses. Every verdict that differs is listed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rlvr
from rlvr.verifiers.instructions import Instructions, registry

PUBLISHED = {"prompt strict": 76.9, "prompt loose": 79.3, "instruction strict": 83.6,
             "instruction loose": 85.4}  # fmt: skip
WHY = {
    "keywords:letter_frequency": "the published check drew a random letter in place of # or !",
    "language:response_language": "langdetect, unseeded, is a draw on this text",
    "change_case:english_capital": "langdetect, unseeded, is a draw on this text",
    "change_case:english_lowercase": "langdetect, unseeded, is a draw on this text",
    "length_constraints:number_sentences": "the stored verdict is of an older Punkt, which ended sentences elsewhere",
}
Row = dict[str, Any]


@dataclass
class Agreement:
    """Verdicts by instruction, those that differ, and where."""

    compared: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[str, str, str, bool, str]] = field(default_factory=list)

    @property
    def share(self) -> float:
        return 1 - self.differing.total() / self.compared.total()


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def judged(rows: list[Row], responses: list[str], bugs: bool = True) -> list[Row]:
    """For each response, whether each instruction was followed: `{"strict": […], "loose": […]}`."""
    verifier = Instructions("loose", reference_bugs=bugs)
    verdicts = rlvr.score([_task(i, row) for i, row in enumerate(rows)], responses, verifier)
    unscored = [verdict for verdict in verdicts if not verdict.scored]
    if unscored:
        raise SystemExit(f"{len(unscored)} unscored, such as {unscored[0]}")
    return [verdict.detail for verdict in verdicts]


def _task(number: int, row: Row) -> rlvr.Task:
    reference = {key: row[key] for key in ("instruction_id_list", "kwargs")}
    return rlvr.Task(row["prompt"], reference, f"{number}")


def paired(rows: list[Row], stored: list[Row]) -> list[Row]:
    """Find the task of each stored row by its prompt; two were reworded since, and are found by the rest."""
    by_prompt = {row["prompt"].strip(): row for row in rows}
    return [by_prompt.get(one["prompt"].strip()) or _closest(rows, one) for one in stored]


def _closest(rows: list[Row], stored: Row) -> Row:
    ids = stored.get("instruction_id_list")
    same = [row for row in rows if ids in (None, row["instruction_id_list"])]
    prompts = [row["prompt"] for row in same]
    return same[prompts.index(difflib.get_close_matches(stored["prompt"], prompts, 1, 0.0)[0])]


def _as_judged(row: Row, stored: Row) -> Row:
    """Return the former kwargs: key 2785 asked for one placeholder when these models answered, now for three."""
    if row["key"] != 2785 or "at least one placeholder" not in stored["prompt"]:
        return row
    then = [
        one | ({"num_placeholders": 1} if "num_placeholders" in one else {})
        for one in row["kwargs"]
    ]
    return {**row, "kwargs": then}


def agreement(tasks: Path, verdicts: Path) -> Agreement:
    stored = lines(verdicts)
    rows = [_as_judged(*both) for both in zip(paired(lines(tasks), stored), stored, strict=True)]
    found = Agreement()
    for row, theirs, ours in zip(
        rows, stored, judged(rows, [one["response"] for one in stored]), strict=True
    ):
        for mode in ("strict", "loose"):
            for id, their, our in zip(
                row["instruction_id_list"], theirs[mode], ours[mode], strict=True
            ):
                found.compared[id] += 1
                if their != our:
                    found.differing[id] += 1
                    where = (str(row["key"]), theirs.get("model", "sample"), mode, our, id)
                    found.differences.append(where)
    return found


def figures(data: Path, bugs: bool) -> dict[str, float]:
    """GPT-4's four figures in percent."""
    rows = lines(data / "ifeval/input_data.jsonl")
    stored = lines(data / "ifeval/google_reference_responses.jsonl")
    details = judged(paired(rows, stored), [row["response"] for row in stored], bugs)
    made = {}
    for mode in ("strict", "loose"):
        flat = [ok for one in details for ok in one[mode]]
        made[f"prompt {mode}"] = 100 * sum(all(one[mode]) for one in details) / len(details)
        made[f"instruction {mode}"] = 100 * sum(flat) / len(flat)
    return made


def report(data: Path) -> Iterable[str]:
    sets = {
        "IFEval, three models": (
            "ifeval/input_data.jsonl",
            "ifeval/reference_verdicts_3models.jsonl",
        ),
        "IFBench, one model": ("ifbench/IFBench_test.jsonl", "ifbench/sample_verdicts_half.jsonl"),
    }
    found = {name: agreement(data / a, data / b) for name, (a, b) in sets.items()}
    yield "| set | verdicts | differ | agreement |"
    yield "|---|---|---|---|"
    for name, one in found.items():
        total = one.compared.total()
        yield f"| {name} | {total} | {one.differing.total()} | {100 * one.share:.2f}% |"
    yield ""
    yield "Every verdict that differs:"
    yield ""
    yield "| set | key | model | mode | instruction | stored | here | why |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in found.items():
        for key, model, mode, ours, id in sorted(one.differences):
            why = WHY.get(id, "")
            yield f"| {name} | {key} | {model} | {mode} | `{id}` | {not ours} | {ours} | {why} |"
    yield ""
    yield "GPT-4 on IFEval, from its stored responses, in percent:"
    yield ""
    yield "| figure | published | reference_bugs | default |"
    yield "|---|---|---|---|"
    bugs, ours = figures(data, True), figures(data, False)
    for name, published in PUBLISHED.items():
        yield f"| {name} | {published} | {bugs[name]:.2f} | {ours[name]:.2f} |"
    yield ""
    yield "Where the checks differ from the published ones, and what `reference_bugs` brings back:"
    yield ""
    yield "| instruction | published | ours | report |"
    yield "|---|---|---|---|"
    for check in registry.checks():
        if check.deviation:
            one = check.deviation
            yield f"| `{check.id}` | {one.published} | {one.ours} | {one.report} |"
    yield ""
    yield "By instruction:"
    yield ""
    yield "| instruction | verdicts | differ |"
    yield "|---|---|---|"
    for kind in found.values():
        for id, count in sorted(kind.compared.items()):
            yield f"| `{id}` | {count} | {kind.differing[id]} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    text = "\n".join(report(Path(os.environ["RLVR_DATA"])))
    print(text)
    if args.write:
        args.write.write_text(
            "# Parity with the published checkers\n\nWritten by `python "
            "benchmarks/instructions_parity.py --write docs/instructions_parity.md`. Verdicts of "
            "`Instructions(reference_bugs=True)` beside stored ones of the published checkers.\n\n"
            f"{text}\n"
        )


if __name__ == "__main__":
    main()
