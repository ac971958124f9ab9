"""Guards of the responses: degenerate, cut at the length limit, or always the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from rlvr.core.verdict import Scored, Status
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards.base import (
    Alarm,
    GroupShares,
    GuardRail,
    Sighting,
    Step,
    Window,
    responses,
    shares_of,
)
from rlvr.verifiers.coherence.verifier import measured, reasons


class DegenerateGuard(GuardRail):
    """Warns if the share of degenerate responses has risen by 15% of all responses, over five steps.

    A response is degenerate if it is empty, or filler by the measures of `rlvr.Coherent`'s strict level. The whole
    response is checked, with its thinking. The message says how many of them earned full reward, since those are taught.
    """

    name = "degenerate"
    FIRST = 5  # steps whose mean is the start
    # The limit is above the start's share, since a task's right answers may look like filler (a table, a list of
    # numbers) from the first step on. Healthy quickstart runs have at most 6% in a step.
    RISE = 0.15
    HALF, USUAL = 0.5, 0.35  # of a run that is degenerate from its first step on
    MOST_CHECKED = 64  # rollouts per step: 0.15 s of one core if each has 4,000 characters
    LAST_CHARACTERS = 4_000  # loops come at the end

    def __init__(self) -> None:
        super().__init__()
        self._first: list[float] = []
        self._shares = GroupShares()

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in the first steps of the run."""
        if "guards/degenerate" in metrics and len(self._first) < self.FIRST:
            self._first.append(metrics["guards/degenerate"])

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds."""
        if not step.rollouts:
            return None
        stride = -(-len(step.rollouts) // self.MOST_CHECKED)
        checked = step.rollouts[::stride]
        whys = {id(rollout): why for rollout in checked if (why := _degenerate(rollout))}
        degenerate = [(rollout, whys[id(rollout)]) for rollout in checked if id(rollout) in whys]
        self.figures = {"guards/degenerate": len(degenerate) / len(checked)}
        self.remember(self.figures)
        groups = shares_of(checked, lambda rollout: id(rollout) in whys)
        self._shares.add(groups)
        start = sum(self._first) / len(self._first)
        # Laplace's rule: each of the start's groups counts as one observation, and one of either kind is added.
        counted = self.FIRST * len(groups)
        expected = (start * counted + 1) / (counted + 2)
        error = math.sqrt(expected * (1 - expected) / (counted + 2))
        sighting = self._shares.high(start + self.RISE, start, error) or self._shares.high(
            self.HALF, self.USUAL
        )
        if sighting is None or not degenerate:
            return None
        kinds = ", ".join(
            f"{why} {n}" for why, n in Counter(w for _, w in degenerate).most_common(3)
        )
        cut = sum(rollout.stop == "length" for rollout, _ in degenerate)
        paid = sum(
            isinstance(r.verdict, Scored) and r.verdict.status is Status.CORRECT
            for r, _ in degenerate
        )
        return Alarm(
            self.name,
            f"{sighting.mean:.0%} of the responses were degenerate over the last {sighting.steps} steps, "
            f"{start:.0%} over the first {self.FIRST} (of the last step's {len(checked)}: {kinds}; "
            f"{cut} cut at the length limit, {paid} with full reward)",
            f"{step.view('longest')} shows them; if they are rewarded, gate the verifier: "
            f'rlvr.Coherent("strict") >> verifier',
        )


class TruncationGuard(GuardRail):
    """Warns if a quarter of the responses is cut at the length limit, and certainly more than 15%.

    A response that was cut is judged before it has reached its answer.
    """

    name = "truncation"
    WINDOW = 5
    # Recipes that train to think long have 5–15% (DAPO, arXiv 2503.14476, begins its soft penalty there). From a quarter
    # on, the reward says more about the limit than about the answers.
    LIMIT, USUAL = 0.25, 0.15

    def __init__(self) -> None:
        super().__init__()
        self._groups, self._logged = GroupShares(), Window(self.WINDOW)

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds, without rollouts by TRL's `completions/clipped_ratio`."""
        if step.rollouts:
            shares = shares_of(step.rollouts, lambda rollout: rollout.stop == "length")
            cut = sum(rollout.stop == "length" for rollout in step.rollouts)
            self.figures = {"guards/truncated": cut / len(step.rollouts)}
            self._groups.add(shares)
            sighting = self._groups.high(self.LIMIT, self.USUAL)
        elif (share := step.metrics.get("completions/clipped_ratio")) is not None:
            self.figures = {"guards/truncated": share}
            self._logged.add(share)
            over = self._logged.full and self._logged.mean >= self.LIMIT
            sighting = Sighting(self._logged.mean, self.WINDOW) if over else None
        else:
            return None
        if sighting is None:
            return None
        return Alarm(
            self.name,
            f"{sighting.mean:.0%} of the responses were cut at the length limit over the last "
            f"{sighting.steps} steps",
            f"{step.view('truncated')} shows whether they loop or were about to finish; raise the "
            f"maximal completion length, or ask for shorter answers",
        )


class EntropyGuard(GuardRail):
    """Warns if the entropy is a tenth of the start's, or near 0, while the tasks aren't solved.

    A policy that always responds the same has nothing to learn from. The figure is TRL's `entropy`: the mean over tokens,
    in nats, at the training temperature.
    """

    name = "entropy"
    FIRST = 5  # steps whose mean is the start
    WINDOW = 5
    # GRPO's entropy falls as it learns: the quickstart's to a third of the start, and to 0.014 nats in a single step at
    # the lowest (docs/guards.md). A tenth is a collapse, and so are 0.003 nats per token, at which another token than
    # the policy's first choice comes about once in 3,000 tokens.
    OF_THE_START = 0.1
    NEAR_ZERO = 0.003
    SOLVED = 0.95  # a solved task may be answered the same way each time

    def __init__(self) -> None:
        super().__init__()
        self._first: list[float] = []
        self._entropy = Window(self.WINDOW)
        self._solved = Window(self.WINDOW)

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in the first steps of the run."""
        if "entropy" in metrics and len(self._first) < self.FIRST:
            self._first.append(metrics["entropy"])

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds."""
        entropy = step.metrics.get("entropy")
        if entropy is None:
            return None
        self.remember(step.metrics)
        self._entropy.add(entropy)
        statuses = [r.verdict.status for group in step.groups for r in group if r.verdict.scored]  # type: ignore[union-attr]
        if statuses:
            self._solved.add(statuses.count(Status.CORRECT) / len(statuses))
        if not self._entropy.full or self._solved.mean >= self.SOLVED:
            return None
        start, now = sum(self._first) / len(self._first), self._entropy.mean
        if now >= self.NEAR_ZERO and now >= self.OF_THE_START * start:
            return None
        solved = f", with {self._solved.mean:.0%} solved" if statuses else ""
        return Alarm(
            self.name,
            f"the policy's entropy was {now:.3g} nats per token over the last {self.WINDOW} steps, from "
            f"{start:.3g} over the run's first {self.FIRST}{solved}",
            f"{step.view('disagreed')} shows the tasks whose samples still differ; lower the learning "
            f"rate, raise the temperature or beta, or add an entropy bonus",
        )


def _degenerate(rollout: Rollout) -> str:
    """Return the reason why a rollout is degenerate, or an empty string."""
    text = "\n".join(responses(rollout))
    if not text.strip():
        calls_tools = any(message.get("tool_calls") for message in rollout.messages)
        return "" if calls_tools else "it is empty"
    why = reasons(measured(rollout.task, text[-DegenerateGuard.LAST_CHARACTERS :]), "strict")
    return why[0] if why else ""
