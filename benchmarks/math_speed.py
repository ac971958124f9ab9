r"""`Math` against Math-Verify on the same answers, in one run and one thread, one pair at a time.

    pip install 'math-verify[antlr4_13_2]==0.9.0'
    RLVR_DATA=… python benchmarks/math_speed.py

Our pairs go through `rlvr.score`, the pool included where a pair needs it; the worker that judges
is the only one.
"""

from __future__ import annotations

import json
import logging
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import rlvr
from rlvr.scoring import Pool

Pairs = list[tuple[str, str]]


def pairs(data: Path) -> dict[str, tuple[str, Pairs]]:
    """Name to (mode, pairs of gold and response)."""
    rng = random.Random(0)
    math500 = json.loads((data / "math/MATH500_prime.json").read_text())
    golds = list(math500["expected_answer"].values())
    solutions = list(math500["solution"].values())
    shifted = golds[1:] + golds[:1]
    gsm8k = [
        json.loads(line)["answer"].partition("####")[2].strip().replace(",", "")
        for line in (data / "math/gsm8k_test.jsonl").read_text().splitlines()
    ][:500]
    words = "we take the sum of 3 and 4 which is 7 and multiply it by 12 to get the total so far".split()  # noqa: SIM905
    reasoning = [" ".join(rng.choices(words, k=1600))[:6000] for _ in gsm8k]
    return {
        "GSM8K, 6000 characters of reasoning, \\boxed": (
            "boxed",
            [(g, f"{r}. So it is \\boxed{{{g}}}.") for g, r in zip(gsm8k, reasoning, strict=True)],
        ),
        "GSM8K, 6000 characters of reasoning, ####": (
            "flexible",
            [(g, f"{r}.\n#### {g}") for g, r in zip(gsm8k, reasoning, strict=True)],
        ),
        "MATH-500, right answers": ("boxed", [(g, f"It is \\boxed{{{g}}}.") for g in golds]),
        "MATH-500, another problem's answers": (
            "boxed",
            [(g, f"It is \\boxed{{{h}}}.") for g, h in zip(golds, shifted, strict=True)],
        ),
        "MATH-500, worked solutions": ("boxed", list(zip(golds, solutions, strict=True))),
    }


def timed(judge: Callable[[str, str], object], some: Pairs) -> list[float]:
    """Seconds for each pair, sorted."""
    times = []
    for gold, response in some:
        began = time.perf_counter()
        judge(gold, response)
        times.append(time.perf_counter() - began)
    return sorted(times)


def main() -> None:
    from math_verify import parse, verify

    logging.disable(logging.ERROR)
    head = ("set", "ratio", "pairs/s", "p50 ms", "p99 ms", "theirs: pairs/s", "p50 ms", "p99 ms")
    print("{:<46}{:>8}{:>10}{:>9}{:>9}{:>17}{:>9}{:>9}".format(*head))
    stages: Counter[str] = Counter()
    with Pool(workers=1) as pool:
        for name, (mode, some) in pairs(Path(os.environ["RLVR_DATA"])).items():
            verifier = rlvr.Math(mode)  # type: ignore[arg-type]
            tasks = {gold: rlvr.Task("", gold) for gold, _ in some}

            def ours(gold: str, response: str) -> None:
                (verdict,) = rlvr.score([tasks[gold]], [response], verifier, pool=pool)  # noqa: B023
                stages[verdict.detail.get("stage", "?")] += 1

            def theirs(gold: str, response: str) -> None:
                verify(parse(f"${gold}$"), parse(response))

            timed(ours, some[:50])  # the worker is warm, and so is theirs
            timed(theirs, some[:50])
            a, b = timed(ours, some), timed(theirs, some)
            row = [sum(b) / sum(a)]
            for times in (a, b):
                p99 = times[int(0.99 * len(times))]
                row += [len(times) / sum(times), 1e3 * statistics.median(times), 1e3 * p99]
            print(
                "{:<46}{:>8.1f}{:>10.0f}{:>9.3f}{:>9.2f}{:>17.0f}{:>9.3f}{:>9.2f}".format(
                    name, *row
                )
            )
    total = sum(stages.values())
    print(
        "decided by: " + ", ".join(f"{s} {100 * n / total:.1f}%" for s, n in stages.most_common())
    )


if __name__ == "__main__":
    main()
