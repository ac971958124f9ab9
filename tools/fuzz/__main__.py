"""Fuzz for a while and print the counts: `python -m tools.fuzz --seconds 600 --seed 0 [--only Math] [--answers 1000000]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tools.fuzz.answers import Judged, judge
from tools.fuzz.rules import Finding, counted, look, look_at_length
from tools.fuzz.subjects import subjects
from tools.fuzz.texts import LONG_UNITS, responses

EACH = 6
"""Responses of every generator that a subject gets in a round."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run rounds until the time is up, each over all subjects. Returns 1 if a rule didn't hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="Time to fuzz for (default 600)."
    )
    parser.add_argument("--seed", type=int, default=0, help="Seed of the first round (default 0).")
    parser.add_argument("--only", default="", help="Fuzz only subjects whose name contains this.")
    parser.add_argument(
        "--answers",
        type=int,
        default=0,
        help="Answers to mathematics by grammar to judge before the rounds (default 0: none).",
    )
    options = parser.parse_args(argv)
    answers = _answers(options.answers, options.seed) if options.answers else []
    until = time.monotonic() + options.seconds
    seed, counts, findings = options.seed, Counter[str](), list[Finding]()
    while time.monotonic() < until:
        for place, subject in enumerate(subjects(seed, members=True)):
            if options.only not in subject.name or time.monotonic() > until:
                continue
            texts = responses(seed * 1000 + place, subject.known, EACH)
            counts[subject.name] += len(texts)
            unit = LONG_UNITS[(seed * 31 + place) % len(LONG_UNITS)]
            for finding in (*look(subject, texts), *look_at_length(subject, unit)):
                findings.append(finding)
                print(f"seed {seed}: {finding}", flush=True)
        seed += 1
    missed = counted(findings)
    for name, count in sorted(counts.items()):
        print(f"{count:8} responses  {missed[name]:4} findings  {name}")
    print(
        f"{counts.total()} responses to {len(counts)} subjects, {seed - options.seed} rounds, {len(findings)} findings"
    )
    return int(bool(findings or answers))


def _answers(count: int, seed: int) -> list[Finding]:
    """Judge `count` answers to mathematics, and print and return the cases that break a rule."""
    printed, judged = 0, Judged()
    for judged in judge(count, seed):
        for finding in judged.findings[printed:]:
            print(f"seed {seed}: {finding}", flush=True)
        printed = len(judged.findings)
    statuses = ", ".join(f"{status} {number}" for status, number in judged.statuses.most_common())
    print(f"{judged.cases} answers to mathematics: {statuses}; {printed} findings", flush=True)
    return judged.findings


if __name__ == "__main__":
    sys.exit(main())
