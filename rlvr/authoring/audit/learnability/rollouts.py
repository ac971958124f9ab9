"""Probes of rollouts, of a policy or of a saved run: can a policy learn from this environment?"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt
from rlvr.verifiers.math.clean import clean

_NONE = "it takes rollouts: `--policy oracle` (or random), `--model M`, or `--run RUN`"
_SMALL = 4  # tasks with more than one sample, under which shares say nothing
_SLOW_P99_S = 10.0
_BINS = 5
_PATIENCE_S = 5.0
_LEAST_SAMPLES = 4  # of a task, under which agreement says little
_AGREE = 0.75


@probe("learnability")
def pass_rates(subject: Subject) -> Finding:
    """Some tasks are solved now and then: those alone give a group a gradient."""
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
            f"pass rates of {len(rates)} tasks; with one sample each, which are learnt from isn't known",
            bars, "Take several samples of a task: -k 8.", **figures,
        )  # fmt: skip
    if always + never > 0.9:
        end = "always" if always > never else "never"
        return note(  # of this policy: the environment may be right for another
            f"{always + never:.0%} of tasks are always or never solved, so their groups have no gradient",
            bars,
            f"Most are {end} solved by this policy: choose "
            f"{'harder' if end == 'always' else 'easier'} ones (`rlvr data difficulty`, a level, a curriculum).",
            **figures,
        )
    return ok(f"{always:.0%} always solved, {never:.0%} never, the rest now and then", **figures)


@probe("learnability")
def variance_within_groups(subject: Subject) -> Finding:
    """Samples of one task differ in reward: what a group's baseline is taken from."""
    groups = [rows for rows in _groups(subject.rollouts).values() if len(rows) > 1]
    if len(groups) < _SMALL:
        return nothing(f"{_NONE}, with several samples a task (-k 8)")
    spreads = [float(np.std([reward for _, reward, _ in rows])) for rows in groups]
    flat = sum(spread == 0.0 for spread in spreads) / len(spreads)
    figures: dict[str, Any] = {"std": float(np.mean(spreads)), "flat": flat}
    said = f"mean standard deviation {np.mean(spreads):.3f}; {flat:.0%} of {len(groups)} groups have none"
    if flat > 0.9:
        return note(
            said, (), "Almost no group has a gradient: other levels, or more samples.", **figures
        )
    return ok(said, **figures)


@probe("learnability")
def reward_and_length(subject: Subject) -> Finding:
    """Within a task, longer responses don't earn more or less: else length is what is learnt."""
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
        return nothing("it takes groups whose rewards and lengths differ: 20 pairs at least")
    correlation = (up - down) / pairs  # Somers' D within groups
    figures = {"correlation": correlation, "pairs": pairs}
    said = f"of {pairs} pairs of one task, {up / pairs:.0%} have the longer one ahead (D = {correlation:+.2f})"
    if abs(correlation) > 0.7:
        return note(
            said,
            (),
            "Look at what is long, or short, and paid: a policy will learn that first.",
            **figures,
        )
    return ok(said, **figures)


@probe("learnability")
def unscored_share(subject: Subject) -> Finding:
    """Few rollouts are left without a verdict."""
    if not subject.rollouts:
        return nothing(_NONE)
    causes = Counter(
        str(row["verdict"].get("cause")) for row in subject.rollouts if not row["verdict"]["scored"]
    )
    share = sum(causes.values()) / len(subject.rollouts)
    said = f"{share:.1%} of {len(subject.rollouts)} rollouts have no verdict"
    if share > 0.05:
        return fail(
            said,
            [f"{cause}: {count}" for cause, count in causes.most_common()],
            "`rlvr view RUN --filter unscored` shows each with its message.",
            share=share,
        )
    return ok(said, share=share)


@probe("learnability")
def seconds_per_verification(subject: Subject) -> Finding:
    """Verification is quick enough not to keep a GPU waiting."""
    cases = [(task, said) for task, said in subject.solved[:10]]
    cases += [(task, "\\boxed{0}") for task in subject.tasks[:10]]
    cases += [(task, f"We look at it.\n\n{task.text}") for task in subject.tasks[:10]]
    if not subject.inline:
        return nothing("its `settle` hangs (see settling)")
    took = [float(row["seconds"]["verify"]) for row in subject.rollouts if row.get("seconds")]
    of = "rollouts"
    if len(took) < 20:
        of = "verifications, one after the other"
        subject.judge(*_columns(cases[:3]))  # not the workers' first ones
        for task, said in cases:
            begun = time.perf_counter()
            subject.judge([task], [said])
            took.append(time.perf_counter() - begun)
            if sum(took) > _PATIENCE_S and len(took) >= 5:
                break
    p50, p99 = (float(np.quantile(took, q)) for q in (0.5, 0.99))
    said = f"{1000 * p50:.1f} ms at the median, {1000 * p99:.1f} ms at p99 ({len(took)} {of})"
    figures: dict[str, Any] = {"p50": p50, "p99": p99}
    if p50 > 1.0:
        return fail(
            said,
            (),
            "A step of 128 responses waits for minutes: find what takes long (a process for each "
            "call, a model loaded each time), and do it once.",
            **figures,
        )
    if p99 > _SLOW_P99_S:
        return note(
            said, (), "A few take very long: bound them by the verifier's limit_s.", **figures
        )
    return ok(said, **figures)


@probe("learnability")
def contradicted_golds(subject: Subject) -> Finding:
    """Where a policy gives one answer again and again, it's seldom another than the reference."""
    answers: dict[str, list[str]] = defaultdict(list)
    solved: set[str] = set()
    references: dict[str, object] = {}
    for row in subject.rollouts:
        verdict = row["verdict"]
        said = verdict.get("detail", {}).get("answer") if verdict["scored"] else None
        if isinstance(said, str):
            answers[row["task"]].append(clean(said) or said)
            references[row["task"]] = row.get("reference")
        if verdict["scored"] and verdict["status"] == "correct":
            solved.add(row["task"])
    asked = {task: said for task, said in answers.items() if len(said) >= _LEAST_SAMPLES}
    if not asked:
        return nothing(
            f"it takes rollouts whose verdicts name their answer, {_LEAST_SAMPLES} of a task or more (-k 8)"
        )
    found = []
    for task, said in asked.items():
        answer, times = Counter(said).most_common(1)[0]
        if task not in solved and times >= _AGREE * len(said):
            found.append((times / len(said), task, answer, times, len(said)))
    share = len(found) / len(asked)
    figures = {"tasks": len(asked), "contradicted": sorted(task for _, task, *_ in found)}
    if not found:
        return ok(f"of {len(asked)} tasks none has its reference contradicted", **figures)
    found.sort(key=lambda one: (-one[0], one[1]))
    return note(  # the policy may be wrong just as well
        f"of {len(asked)} tasks {len(found)} ({share:.1%}) have another answer than the reference in most samples",
        [
            f"{task}: {times} of {count} say {excerpt(answer, 60)}, the reference is "
            f"{excerpt(str(references[task]), 60)}"
            for _, task, answer, times, count in found
        ],
        "Look at each: a wrong reference teaches the policy to be wrong. Mend its row or leave it out.",
        **figures,
    )


def _groups(rollouts: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[bool, float, int]]]:
    """By task: (correct, reward, characters of the responses) of each scored sample."""
    groups: dict[str, list[tuple[bool, float, int]]] = defaultdict(list)
    for row in rollouts:
        verdict = row["verdict"]
        if verdict["scored"]:
            said = sum(len(m["content"]) for m in row["messages"] if m["role"] == "assistant")
            groups[row["task"]].append((verdict["status"] == "correct", verdict["reward"], said))
    return dict(groups)


def _columns(cases: Sequence[tuple[Any, str]]) -> tuple[list[Any], list[str]]:
    return [task for task, _ in cases], [said for _, said in cases]
