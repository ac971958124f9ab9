"""Verifiers made of verifiers: weighted sum, gate, all, any.

Each node says what it needs and how the parts' verdicts combine in one generator, `plan`; whoever
drives it decides where the parts run. `verify` drives it in place; the scorer drives it with each
part in its own lane, so that a part that is killed costs that part alone.

An unscored part makes the whole unscored, unless what is known already decides it: a failed gate,
a zero under `All`, full marks under `Any`, a weight of 0.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, TypeAlias

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier, a_verifier

Plan: TypeAlias = Generator[Sequence[Verifier], list[Verdict], Verdict]
"""Yields verifiers whose verdicts it needs next, is sent the verdicts, returns the combined one."""


class Composite(Verifier):
    """A verifier made of `parts`."""

    parts: tuple[Verifier, ...]

    def __init__(self, name: str, parts: Sequence[Verifier]) -> None:
        self.name = name
        self.parts = tuple(a_verifier(part) for part in parts)
        if not self.parts:
            raise OptionError(f"{type(self).__name__} needs at least one verifier.")
        names = [leaf.name for leaf in leaves(self)]
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise OptionError(
                f"Two parts are named {twice!r}, and components are reported by name. "
                f"Give one another name: `part.name = '…'`."
            )
        self.version = sum(part.version for part in self.parts)
        self.limit_s = sum(part.limit_s for part in self.parts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(part.name for part in self.parts)})"

    @abstractmethod
    def plan(self) -> Plan:
        """How the parts are asked and combined."""

    def verify(self, task: Task, response: str) -> Verdict:
        """Judge in place, part by part. Raises `TypeError` where a part is async: use `rlvr.score`."""
        plan = self.plan()
        try:
            wanted = next(plan)
            while True:
                wanted = plan.send([_verify_now(part, task, response) for part in wanted])
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Have each part make sure of what it needs."""
        tasks = list(tasks)
        return {name: fact for part in self.parts for name, fact in part.prepare(tasks).items()}

    def demonstrate(self, task: Task) -> str | None:
        """The first of the parts' demonstrations that earns the whole its full reward, after a thought
        where a part asks for one.

        Each is judged in place to know that. Parts that are async can't be: then the first one is taken on
        trust.
        """
        shown = [one for part in self.parts if (one := part.demonstrate(task)) is not None]
        shown += [f"<think>\nI work it out.\n</think>\n\n{one}" for one in shown]
        if any(leaf.is_async for leaf in leaves(self)):
            return next(iter(shown), None)
        return next((one for one in shown if _is_correct(_verify_now(self, task, one))), None)

    def configure(self, **options: Any) -> Verifier:
        """A copy in which each option is set on every part that has it."""
        known = {option for leaf in leaves(self) for option in leaf.options}
        unknown = sorted(set(options) - known)
        if unknown:
            raise OptionError(
                f"No part of {self.name} has an option {unknown[0]!r}. "
                f"The options are: {', '.join(sorted(known)) or 'none'}."
            )
        changed = super().configure()
        assert isinstance(changed, Composite)
        changed.parts = tuple(
            part.configure(
                **{
                    o: v
                    for o, v in options.items()
                    if any(o in leaf.options for leaf in leaves(part))
                }
            )
            for part in self.parts
        )
        return changed


class Weighted(Composite):
    """The weighted sum of the parts' rewards. A part of weight 0 is reported and doesn't count."""

    def __init__(self, parts: Sequence[Verifier], weights: Sequence[float]) -> None:
        super().__init__("weighted", parts)
        if len(weights) != len(self.parts):
            raise OptionError(f"{len(self.parts)} parts need as many weights, not {len(weights)}.")
        self.weights = tuple(float(weight) for weight in weights)
        if not all(math.isfinite(weight) for weight in self.weights):
            raise OptionError(f"Weights must be finite numbers, not {list(weights)}.")
        ends = [
            sorted(weight * end for end in part.reward_range)
            for weight, part in zip(self.weights, self.parts, strict=True)
        ]
        self.reward_range = math.fsum(low for low, _ in ends), math.fsum(top for _, top in ends)

    @classmethod
    def of(cls, verifier: Verifier, weight: float = 1.0) -> Weighted:
        """`weight * verifier`; a weighted sum is scaled part by part."""
        if isinstance(verifier, Weighted):
            return cls(verifier.parts, [weight * own for own in verifier.weights])
        return cls([verifier], [weight])

    def __add__(self, other: Verifier) -> Weighted:
        more = Weighted.of(other)
        return Weighted(self.parts + more.parts, self.weights + more.weights)

    def plan(self) -> Plan:
        """All parts at once; status `correct` only at the highest reward there is."""
        verdicts = yield self.parts
        total = []
        for weight, verdict in zip(self.weights, verdicts, strict=True):
            if isinstance(verdict, Scored):
                total.append(weight * verdict.reward)
            elif weight != 0.0:
                return verdict
        reward = math.fsum(total)
        best = math.fsum(weight for weight in self.weights if weight > 0)
        if math.isclose(reward, best, rel_tol=1e-9, abs_tol=1e-12):
            return _merge(verdicts, best, Status.CORRECT)  # 0.7 + 0.2 + 0.1 isn't quite 1.0
        if reward > best:  # a part's range goes beyond 1
            return _merge(verdicts, reward, Status.CORRECT)
        if reward > 0:
            return _merge(verdicts, reward, Status.PARTIAL)
        heaviest = max(range(len(verdicts)), key=lambda i: (verdicts[i].scored, self.weights[i]))
        return _merge(verdicts, reward, _failure(verdicts[heaviest]))


class Gate(Composite):
    """`condition >> then`: the verdict of `then` where `condition` earns full reward, else 0."""

    def __init__(self, condition: Verifier, then: Verifier) -> None:
        super().__init__("gate", (condition, then))
        least, most = self.parts[1].reward_range
        self.reward_range = min(0.0, least), most

    def plan(self) -> Plan:
        """The condition first; `then` isn't even run where it fails."""
        condition, then = self.parts
        (first,) = yield (condition,)
        if not isinstance(first, Scored):
            return first
        if not _is_correct(first):
            return _merge([first], 0.0, _failure(first))
        (second,) = yield (then,)
        if not isinstance(second, Scored):
            return second
        return _merge([first, second], second.reward, second.status)


class All(Composite):
    """The least of the parts' rewards: full marks only where every part gives them."""

    def __init__(self, *parts: Verifier) -> None:
        super().__init__("all", parts)
        self.reward_range = _range(min, self.parts)

    def plan(self) -> Plan:
        """One zero decides, whatever the other parts are."""
        verdicts = yield self.parts
        scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
        least = min(scored, key=lambda verdict: verdict.reward, default=None)
        unscored = _first_unscored(verdicts)
        if unscored is not None and (least is None or least.reward > 0):
            return unscored
        assert least is not None
        return _merge(verdicts, least.reward, least.status)


class AnyOf(Composite):
    """The greatest of the parts' rewards: one part suffices."""

    def __init__(self, *parts: Verifier) -> None:
        super().__init__("any", parts)
        self.reward_range = _range(max, self.parts)

    def plan(self) -> Plan:
        """One full mark decides, whatever the other parts are."""
        verdicts = yield self.parts
        scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
        most = max(scored, key=lambda verdict: verdict.reward, default=None)
        unscored = _first_unscored(verdicts)
        if unscored is not None and (most is None or most.reward < 1):
            return unscored
        assert most is not None
        return _merge(verdicts, most.reward, most.status)


def leaves(verifier: Verifier) -> list[Verifier]:
    """The parts that aren't composites themselves, left to right."""
    if isinstance(verifier, Composite):
        return [leaf for part in verifier.parts for leaf in leaves(part)]
    return [verifier]


def _range(
    choose: Callable[[Iterable[float]], float], parts: Sequence[Verifier]
) -> tuple[float, float]:
    """What the least, or the greatest, of the parts' rewards may be."""
    lows, tops = zip(*(part.reward_range for part in parts), strict=True)
    return choose(lows), choose(tops)


def _verify_now(part: Verifier, task: Task, response: str) -> Verdict:
    verdict = part.verify(task, response)
    if isinstance(verdict, Scored | Unscored):
        return verdict
    if hasattr(verdict, "close"):
        verdict.close()
    raise TypeError(f"{part.name} is async: judge with rlvr.score(…), which runs it on a loop.")


def _is_correct(verdict: Verdict) -> bool:
    return isinstance(verdict, Scored) and verdict.status is Status.CORRECT


def _failure(verdict: Verdict) -> Status:
    if isinstance(verdict, Scored) and verdict.status in (Status.UNPARSABLE, Status.LIMIT):
        return verdict.status
    return Status.INCORRECT


def _first_unscored(verdicts: Sequence[Verdict]) -> Unscored | None:
    return next((verdict for verdict in verdicts if isinstance(verdict, Unscored)), None)


def _merge(verdicts: Sequence[Verdict], reward: float, status: Status) -> Scored:
    scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
    components = {name: value for one in scored for name, value in one.components.items()}
    detail = {name: value for one in scored for name, value in one.detail.items()}
    if any(one.status is Status.LIMIT for one in scored):
        detail["limit"] = True  # another machine may say otherwise: see rlvr.runs.cache
    feedback = "; ".join(dict.fromkeys(one.feedback for one in scored if one.feedback))
    return Scored(reward, status, components, feedback, detail)
