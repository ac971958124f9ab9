"""Degenerate responses: empty, or filler by the measures of `rlvr.Coherent`'s strict level."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from rlvr.core.verdict import Scored, Status
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards.base import Alarm, GroupShares, Step, responses, shares_of
from rlvr.verifiers.coherence.verifier import measured, reasons

FIRST = 5  # steps whose mean is the start
# Over the start's share: a task's right answers may look like filler (a table, a list of numbers),
# and do from the first step on. Healthy quickstart runs have 6% in a step at most.
RISE = 0.15
# A run that is degenerate from its first step on has no better start to be held against.
HALF, USUAL = 0.5, 0.35
MOST_LOOKED_AT = 64  # rollouts a step: with 4,000 characters each, some 0.15 s of one core
LAST_CHARACTERS = 4_000  # loops come at the end


class DegenerateGuard:
    """Warns where the share of degenerate responses has risen by 15% of all, over five steps.

    The whole response is looked at, its thinking too. The message says how many of them earned
    full reward: those are what the policy is being taught.
    """

    name = "degenerate"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._first: list[float] = []
        self._shares = GroupShares()

    def remember(self, metrics: Mapping[str, float]) -> None:
        """The first steps of the run as it began."""
        if "guards/degenerate" in metrics and len(self._first) < FIRST:
            self._first.append(metrics["guards/degenerate"])

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
        if not step.rollouts:
            return None
        every = -(-len(step.rollouts) // MOST_LOOKED_AT)
        looked_at = step.rollouts[::every]
        whys = {id(rollout): why for rollout in looked_at if (why := _degenerate(rollout))}
        found = [(rollout, whys[id(rollout)]) for rollout in looked_at if id(rollout) in whys]
        self.figures = {"guards/degenerate": len(found) / len(looked_at)}
        self.remember(self.figures)
        groups = shares_of(looked_at, lambda rollout: id(rollout) in whys)
        self._shares.add(groups)
        start = sum(self._first) / len(self._first)
        # As if each of the start's groups had been one or the other, and one more of each.
        counted = FIRST * len(groups)
        known = (start * counted + 1) / (counted + 2)
        error = math.sqrt(known * (1 - known) / (counted + 2))
        seen = self._shares.high(start + RISE, start, error) or self._shares.high(HALF, USUAL)
        if seen is None or not found:
            return None
        kinds = ", ".join(f"{why} {n}" for why, n in Counter(w for _, w in found).most_common(3))
        cut = sum(rollout.stop == "length" for rollout, _ in found)
        paid = sum(
            isinstance(r.verdict, Scored) and r.verdict.status is Status.CORRECT for r, _ in found
        )
        return Alarm(
            self.name,
            f"{seen.mean:.0%} of the responses were degenerate over the last {seen.steps} steps, "
            f"{start:.0%} over the first {FIRST} (of the last step's {len(looked_at)}: {kinds}; "
            f"{cut} cut at the length limit, {paid} with full reward)",
            f"{step.view('longest')} shows them; where they're rewarded, gate the verifier: "
            f'rlvr.Coherent("strict") >> verifier',
        )


def _degenerate(rollout: Rollout) -> str:
    """Why the rollout is degenerate, or an empty string."""
    text = "\n".join(responses(rollout))
    if not text.strip():
        called = any(message.get("tool_calls") for message in rollout.messages)
        return "" if called else "it is empty"
    found = reasons(measured(rollout.task, text[-LAST_CHARACTERS:]), "strict")
    return found[0] if found else ""
