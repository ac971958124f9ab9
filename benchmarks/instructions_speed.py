"""`Instructions` against the published checker: responses a second, strict plus loose, in one run.

    RLVR_DATA=… NLTK_DATA=… python benchmarks/instructions_speed.py --reference CHECKOUT

CHECKOUT is a folder with lm-evaluation-harness in it (`lm_eval/tasks/ifeval`), which needs the packages
immutabledict, langdetect and nltk. Both judge the stored responses of three models to IFEval's prompts
in one thread of this process, in turns; each turn is a part of the
responses that neither has seen. Before that both judge GPT-4's, so that data is loaded and caches are
as full as in a run.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rlvr
from rlvr.verifiers.instructions import Instructions

Item = tuple[dict[str, Any], str]
Judge = Callable[[dict[str, Any], str], object]


def items(data: Path) -> tuple[list[Item], list[Item]]:
    """GPT-4's responses, to warm up with, and those of three models, which are timed."""

    def lines(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (data / "ifeval" / name).read_text().splitlines()]

    rows = lines("input_data.jsonl")
    warm, timed = (
        [(rows[i % len(rows)], one["response"]) for i, one in enumerate(lines(name))]
        for name in ("google_reference_responses.jsonl", "reference_verdicts_3models.jsonl")
    )
    random.Random(0).shuffle(timed)
    return warm, timed


def ours() -> Judge:
    verifier = Instructions("loose")  # its detail has the strict verdicts too

    def judge(row: dict[str, Any], response: str) -> object:
        task = rlvr.Task(row["prompt"], row, "")
        return verifier.settle(task, response) or verifier.verify(task, response)

    return judge


def theirs(checkout: Path) -> Judge:
    sys.path.insert(0, str(checkout))
    os.environ.setdefault("LOCAL_RANK", "1")  # else it asks the net for tokenizers
    from lm_eval.tasks.ifeval import utils

    logging.disable(logging.ERROR)

    def judge(row: dict[str, Any], response: str) -> object:
        asked = SimpleNamespace(**row)
        return (
            utils.test_instruction_following_strict(asked, response),
            utils.test_instruction_following_loose(asked, response),
        )

    return judge


def seconds(judge: Judge, part: list[Item]) -> float:
    began = time.perf_counter()
    for row, response in part:
        judge(row, response)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", type=Path, required=True, help="lm-evaluation-harness")
    parser.add_argument("--parts", type=int, default=6)
    args = parser.parse_args()
    warm, some = items(Path(os.environ["RLVR_DATA"]))
    judges = {"rlvr": ours(), "lm-eval": theirs(args.reference)}
    parts = [some[number :: args.parts] for number in range(args.parts)]
    for judge in judges.values():  # packages and data are loaded once, and kept
        seconds(judge, warm)
    ratios = []
    for part in parts:
        took = {name: seconds(judge, part) for name, judge in judges.items()}
        ratios.append(took["lm-eval"] / took["rlvr"])
        rates = ", ".join(f"{name} {len(part) / s:.0f}/s" for name, s in took.items())
        print(
            f"{len(part)} responses, strict plus loose: {rates}, ratio {ratios[-1]:.1f}", flush=True
        )
    print(f"ratio: median {statistics.median(ratios):.1f}, least {min(ratios):.1f}")


if __name__ == "__main__":
    main()
