"""Probes of the rollouts of a policy or a saved run: can a policy learn from this environment?"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import HANGS, Subject, columns, excerpt
from rlvr.verifiers.math.clean import clean

_NONE = "it needs rollouts: `--policy oracle` (or random), `--model M`, or `--run RUN`"
_SMALL = 4  # least number of tasks with several samples; shares of fewer tasks mean nothing
_SLOW_P99_S = 10.0
_BINS = 5
_PATIENCE_S = 5.0
_LEAST_SAMPLES = 4  # per task; the agreement of fewer means little
_AGREE = 0.75


@probe("learnability")
def pass_rates(subject: Subject) -> Finding:
    """Check that some tasks are solved now and then: only their groups have a gradient."""
    groups = _groups(subject.rollouts)
    if not groups:
        return nothing(_NONE)
    rates = {
        task: float(np.mean([correct for correct, *_ in rows])) for task, rows in groups.items()
    }
    histogram = np.histogram(list(rates.values()), bins=_BINS, range=(0.0, 1.0))[0]
    always, never = (sum(rate == end for rate in rates.values()) / len(rates) for end in (1.0, 0.0))
    bars = [
        f"{low / _BINS:.1f} to {(low + 1) / _BINS:.1f}: {'█' * round(30 * n / len(rates))} {n}"
        for low, n in enumerate(histogram)
    ]
    figures = {
        "always": always,
        "never": never,
        "tasks": len(rates),
        "histogram": histogram.tolist(),
    }
    several = [rows for rows in groups.values() if len(rows) > 1]
    if len(several) < _SMALL:
        return note(
            f"pass rates of {len(rates)} tasks; one sample per task doesn't show which of them can be learnt from",
            bars, "Take several samples per task: -k 8.", **figures,
        )  # fmt: skip
    if always + never > 0.9:
        end = "always" if always > never else "never"
        return note(  # for this policy; the environment may be right for another
            f"{always + never:.0%} of tasks are always or never solved, so their groups have no gradient",
            bars,
            f"Most are {end} solved by this policy: choose "
            f"{'harder' if end == 'always' else 'easier'} ones (`rlvr data difficulty`, a level, a curriculum).",
            **figures,
        )
    return ok(
        f"{always:.0%} are always solved, {never:.0%} never, the rest now and then", **figures
    )


@probe("learnability")
def variance_within_groups(subject: Subject) -> Finding:
    """Check that samples of one task differ in reward, so that groups have a gradient."""
    groups = [rows for rows in _groups(subject.rollouts).values() if len(rows) > 1]
    if len(groups) < _SMALL:
        return nothing(f"{_NONE}, with several samples per task (-k 8)")
    spreads = [float(np.std([reward for _, reward, _ in rows])) for rows in groups]
    flat = sum(spread == 0.0 for spread in spreads) / len(spreads)
    figures: dict[str, Any] = {"std": float(np.mean(spreads)), "flat": flat}
    summary = f"mean standard deviation {np.mean(spreads):.3f}; {flat:.0%} of {len(groups)} groups have none"
    if flat > 0.9:
        return note(
            summary,
            (),
            "Almost no group has a gradient: choose other levels, or more samples.",
            **figures,
        )
    return ok(summary, **figures)


@probe("learnability")
def reward_and_length(subject: Subject) -> Finding:
    """Check that within a task, longer responses don't earn more or less; otherwise a policy learns length."""
    groups = [rows for rows in _groups(subject.rollouts).values() if len(rows) > 1]
    up = down = 0
    for rows in groups:
        for i, (_, reward, length) in enumerate(rows):
            for _, other, longer in rows[i + 1 :]:
                if reward != other and length != longer:
                    up, down = (
                        (up + 1, down) if (reward > other) == (length > longer) else (up, down + 1)
                    )
    pairs = up + down
    if pairs < 20:
        return nothing("it needs groups whose rewards and lengths differ, with at least 20 pairs")
    correlation = (up - down) / pairs  # Somers' D within groups
    figures = {"correlation": correlation, "pairs": pairs}
    summary = f"of {pairs} pairs of one task, {up / pairs:.0%} have the longer one ahead (D = {correlation:+.2f})"
    if abs(correlation) > 0.7:
        return note(
            summary,
            (),
            "Look at the long, or short, responses that are paid: a policy will learn those first.",
            **figures,
        )
    return ok(summary, **figures)


@probe("learnability")
def unscored_share(subject: Subject) -> Finding:
    """Check that few rollouts have no verdict."""
    if not subject.rollouts:
        return nothing(_NONE)
    causes = Counter(
        str(row["verdict"].get("cause")) for row in subject.rollouts if not row["verdict"]["scored"]
    )
    share = sum(causes.values()) / len(subject.rollouts)
    summary = f"{share:.1%} of {len(subject.rollouts)} rollouts have no verdict"
    if share > 0.05:
        return fail(
            summary,
            [f"{cause}: {count}" for cause, count in causes.most_common()],
            "`rlvr view RUN --filter unscored` shows each with its message.",
            share=share,
        )
    return ok(summary, share=share)


@probe("learnability")
def seconds_per_verification(subject: Subject) -> Finding:
    """Check that verification is so quick that a GPU doesn't wait for it."""
    cases = subject.solved[:10]
    cases += [(task, "\\boxed{0}") for task in subject.tasks[:10]]
    cases += [(task, f"We look at it.\n\n{task.text}") for task in subject.tasks[:10]]
    if not subject.inline:
        return nothing(HANGS)
    seconds = [float(row["seconds"]["verify"]) for row in subject.rollouts if row.get("seconds")]
    of = "rollouts"
    if len(seconds) < 20:
        of = "verifications, one after the other"
        subject.judge(*columns(cases[:3]))  # the workers' first verdicts take longer
        for task, response in cases:
            start = time.perf_counter()
            subject.judge([task], [response])
            seconds.append(time.perf_counter() - start)
            if sum(seconds) > _PATIENCE_S and len(seconds) >= 5:
                break
    p50, p99 = (float(np.quantile(seconds, q)) for q in (0.5, 0.99))
    summary = f"{1000 * p50:.1f} ms at the median, {1000 * p99:.1f} ms at p99 ({len(seconds)} {of})"
    figures: dict[str, Any] = {"p50": p50, "p99": p99}
    if p50 > 1.0:
        return fail(
            summary,
            (),
            "A step of 128 responses waits for minutes: find the slow part (a process per call, a model loaded each "
            "time), and do it once.",
            **figures,
        )
    if p99 > _SLOW_P99_S:
        return note(
            summary, (), "A few take very long: bound them with the verifier's limit_s.", **figures
        )
    return ok(summary, **figures)


@probe("learnability")
def contradicted_golds(subject: Subject) -> Finding:
    """Check that references aren't contradicted by a policy whose samples agree with one another."""
    answers: dict[str, list[str]] = defaultdict(list)
    solved: set[str] = set()
    references: dict[str, object] = {}
    for row in subject.rollouts:
        verdict = row["verdict"]
        answer = verdict.get("detail", {}).get("answer") if verdict["scored"] else None
        if isinstance(answer, str):
            answers[row["task"]].append(clean(answer) or answer)
            references[row["task"]] = row.get("reference")
        if verdict["scored"] and verdict["status"] == "correct":
            solved.add(row["task"])
    sampled = {task: samples for task, samples in answers.items() if len(samples) >= _LEAST_SAMPLES}
    if not sampled:
        return nothing(
            f"it needs rollouts whose verdicts name their answer, {_LEAST_SAMPLES} per task or more (-k 8)"
        )
    contradicted = []
    for task, samples in sampled.items():
        answer, times = Counter(samples).most_common(1)[0]
        if task not in solved and times >= _AGREE * len(samples):
            contradicted.append((times / len(samples), task, answer, times, len(samples)))
    share = len(contradicted) / len(sampled)
    figures = {"tasks": len(sampled), "contradicted": sorted(task for _, task, *_ in contradicted)}
    if not contradicted:
        return ok(f"of {len(sampled)} tasks none has its reference contradicted", **figures)
    contradicted.sort(key=lambda item: (-item[0], item[1]))
    return note(  # the policy may be wrong just as well
        f"of {len(sampled)} tasks {len(contradicted)} ({share:.1%}) have another answer than the reference in most samples",
        [
            f"{task}: {times} of {count} say {excerpt(answer, 60)}, the reference is "
            f"{excerpt(str(references[task]), 60)}"
            for _, task, answer, times, count in contradicted
        ],
        "Look at each: a wrong reference teaches the policy to be wrong. Fix its row or leave it out.",
        **figures,
    )


def _groups(rollouts: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[bool, float, int]]]:
    """Return (correct, reward, characters of the responses) of each scored sample, by task."""
    groups: dict[str, list[tuple[bool, float, int]]] = defaultdict(list)
    for row in rollouts:
        verdict = row["verdict"]
        if verdict["scored"]:
            length = sum(len(m["content"]) for m in row["messages"] if m["role"] == "assistant")
            groups[row["task"]].append((verdict["status"] == "correct", verdict["reward"], length))
    return dict(groups)
