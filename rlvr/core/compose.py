"""Verifiers made of verifiers: weighted sum, gate, all of, any of.

Each node has one generator, `plan`, which asks for the parts' verdicts and combines them; the caller that
drives it decides where the parts run. `verify` drives it in place; the scorer drives it with each
part in its own lane, so that a part that is killed costs only that part.

An unscored part makes the whole unscored, unless the other verdicts already decide it: a failed gate,
a zero under `AllOf`, full marks under `AnyOf`, a weight of 0.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from rlvr.core import author_context
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier, a_verifier, seen_by

Plan: TypeAlias = Generator[Sequence[Verifier], list[Verdict], Verdict]
"""Yields the verifiers whose verdicts it needs next, is sent those verdicts, returns the combined one."""


class Composite(Verifier):
    """A verifier made of `parts`."""

    parts: tuple[Verifier, ...]

    def __init__(self, name: str, parts: Sequence[Verifier]) -> None:
        self.name = name
        self.parts = tuple(a_verifier(part) for part in parts)
        if not self.parts:
            raise OptionError(f"{type(self).__name__} needs at least one verifier.")
        names = [leaf.name for leaf in leaves(self)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise OptionError(
                f"Two parts are named {repeated!r}, and components are reported by name. "
                f"Give one of them another name: `part.name = '…'`."
            )
        self.version = sum(part.version for part in self.parts)
        self.limit_s = sum(part.limit_s for part in self.parts)
        if any(part.sees == "transcript" for part in self.parts):
            self.sees = "transcript"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    @abstractmethod
    def plan(self) -> Plan:
        """Ask for the parts' verdicts and combine them."""

    def verify(self, task: Task, response: str | Transcript) -> Verdict:
        """Judge in place, part by part. Raises `TypeError` if a part is async: use `rlvr.score`."""
        plan = self.plan()
        try:
            wanted = next(plan)
            while True:
                wanted = plan.send([_verify_now(part, task, response) for part in wanted])
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Let each part check that it can judge the tasks."""
        tasks = list(tasks)
        return {name: fact for part in self.parts for name, fact in part.prepare(tasks).items()}

    def demonstrate(self, task: Task) -> str | None:
        """Return the first of the parts' demonstrations that earns full reward, with a thinking part
        if a part asks for one.

        Each is judged in place. If a part is async, which can't be judged in place, the first
        demonstration is returned unjudged.
        """
        responses = [
            response for part in self.parts if (response := part.demonstrate(task)) is not None
        ]
        responses += [f"<think>\nI work it out.\n</think>\n\n{answer}" for answer in responses]
        if any(leaf.is_async for leaf in leaves(self)):
            return next(iter(responses), None)
        with author_context.context():  # the parts' prints are a verifier's, wherever it is judged
            return next((r for r in responses if _earns_full_reward(self, task, r)), None)

    def configure(self, **options: Any) -> Verifier:
        """Return a copy in which each option is set on every part that has it."""
        available = {option for leaf in leaves(self) for option in leaf.options}
        unknown = sorted(set(options) - available)
        if unknown:
            raise OptionError(
                f"No part of {self.name} has an option {unknown[0]!r}. "
                f"The options are: {', '.join(sorted(available)) or 'none'}."
            )
        changed = super().configure()
        assert isinstance(changed, Composite)
        changed.parts = tuple(
            part.configure(
                **{
                    option: value
                    for option, value in options.items()
                    if any(option in leaf.options for leaf in leaves(part))
                }
            )
            for part in self.parts
        )
        return changed

    def _merged(self, verdicts: Sequence[Verdict], reward: float, status: Status) -> Scored:
        """Return one verdict with the components, feedback and details of the parts asked so far.

        `detail["parts"]` has each part's own verdict by name. The other details are the parts' together; of those
        that two parts have under one name (the votes of two judges) the last part's.
        """
        asked = list(zip(self.parts, verdicts, strict=False))
        scored = [(part, verdict) for part, verdict in asked if isinstance(verdict, Scored)]
        components: dict[str, float] = {}
        detail: dict[str, Any] = {}
        for part, verdict in scored:
            components |= verdict.components
            own = isinstance(part, Composite)
            detail |= {k: v for k, v in verdict.detail.items() if not own or k != "parts"}
        detail["parts"] = {
            name: of_part
            for part, verdict in asked
            for name, of_part in _verdicts_by_name(part, verdict).items()
        }
        if any(verdict.status is Status.LIMIT for _, verdict in scored):
            detail["limit"] = True  # another machine may judge otherwise: see rlvr.runs.cache
        feedback = _named_feedback({part.name: verdict.feedback for part, verdict in scored})
        return Scored(reward, status, components, feedback, detail)


class Weighted(Composite):
    """The weighted sum of the parts' rewards. A part of weight 0 is reported but doesn't count."""

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
        """Return `weight * verifier`; a weighted sum is scaled part by part."""
        if isinstance(verifier, Weighted):
            return cls(verifier.parts, [weight * part_weight for part_weight in verifier.weights])
        return cls([verifier], [weight])

    def __repr__(self) -> str:
        terms = zip(self.weights, self.parts, strict=True)
        return " + ".join(f"{weight:g} * {part!r}" for weight, part in terms)

    def __add__(self, other: Verifier) -> Weighted:
        more = Weighted.of(other)
        return Weighted(self.parts + more.parts, self.weights + more.weights)

    def plan(self) -> Plan:
        """Ask for all parts at once; the status is `correct` only at the highest possible reward."""
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
            return self._merged(verdicts, best, Status.CORRECT)  # 0.7 + 0.2 + 0.1 isn't quite 1.0
        if reward > best:  # a part's range goes beyond 1
            return self._merged(verdicts, reward, Status.CORRECT)
        if reward > 0:
            return self._merged(verdicts, reward, Status.PARTIAL)
        heaviest = max(range(len(verdicts)), key=lambda i: (verdicts[i].scored, self.weights[i]))
        return self._merged(verdicts, reward, _failure(verdicts[heaviest]))


class Gate(Composite):
    """`condition >> then`: the verdict of `then` if `condition` earns full reward, otherwise 0."""

    def __init__(self, condition: Verifier, then: Verifier) -> None:
        super().__init__("gate", (condition, then))
        least, most = self.parts[1].reward_range
        self.reward_range = min(0.0, least), most

    def plan(self) -> Plan:
        """Ask for the condition first; if it fails, `then` isn't run."""
        condition, then = self.parts
        (first,) = yield (condition,)
        if not isinstance(first, Scored):
            return first
        if not _is_correct(first):
            return self._merged([first], 0.0, _failure(first))
        (second,) = yield (then,)
        if not isinstance(second, Scored):
            return second
        return self._merged([first, second], second.reward, second.status)

    def __repr__(self) -> str:
        return f"({self.parts[0]!r} >> {self.parts[1]!r})"


class AllOf(Composite):
    """The least of the parts' rewards: full reward only if every part gives it.

        verifier = rlvr.AllOf(rlvr.Math(), rlvr.Format.boxed())

    An unscored part makes the whole unscored, unless another part earned 0.
    """

    def __init__(self, *parts: Verifier) -> None:
        super().__init__("all", parts)
        self.reward_range = _range(min, self.parts)

    def plan(self) -> Plan:
        """Ask for all parts at once; one zero decides, whatever the other parts are."""
        verdicts = yield self.parts
        scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
        least = min(scored, key=lambda verdict: verdict.reward, default=None)
        unscored = _first_unscored(verdicts)
        if unscored is not None and (least is None or least.reward > 0):
            return unscored
        assert least is not None
        return self._merged(verdicts, least.reward, least.status)


class AnyOf(Composite):
    """The greatest of the parts' rewards: one part suffices.

        verifier = rlvr.AnyOf(exact, rlvr.Math())

    An unscored part makes the whole unscored, unless another part earned full reward.
    """

    def __init__(self, *parts: Verifier) -> None:
        super().__init__("any", parts)
        self.reward_range = _range(max, self.parts)

    def plan(self) -> Plan:
        """Ask for all parts at once; one full reward decides, whatever the other parts are."""
        verdicts = yield self.parts
        scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
        most = max(scored, key=lambda verdict: verdict.reward, default=None)
        unscored = _first_unscored(verdicts)
        if unscored is not None and (most is None or most.reward < 1):
            return unscored
        assert most is not None
        return self._merged(verdicts, most.reward, most.status)


def leaves(verifier: Verifier) -> list[Verifier]:
    """Return the parts that aren't composites themselves, left to right."""
    if isinstance(verifier, Composite):
        return [leaf for part in verifier.parts for leaf in leaves(part)]
    return [verifier]


def _verdicts_by_name(part: Verifier, verdict: Verdict) -> dict[str, dict[str, Any]]:
    """Return a part's verdict as plain data by its name; for a composite, those of the parts that it asked."""
    if isinstance(part, Composite) and isinstance(verdict, Scored):
        return dict(verdict.detail.get("parts", {}))
    name = ", ".join(leaf.name for leaf in leaves(part))
    if isinstance(verdict, Unscored):
        of_part: dict[str, Any] = {"cause": str(verdict.cause), "message": verdict.message}
    else:
        of_part = {
            "reward": verdict.reward,
            "status": str(verdict.status),
            "feedback": verdict.feedback,
        }
    return {name: {**of_part, "detail": verdict.detail}}


def _range(
    choose: Callable[[Iterable[float]], float], parts: Sequence[Verifier]
) -> tuple[float, float]:
    """Return the range of the least, or of the greatest, of the parts' rewards."""
    lows, tops = zip(*(part.reward_range for part in parts), strict=True)
    return choose(lows), choose(tops)


def _verify_now(part: Verifier, task: Task, response: str | Transcript) -> Verdict:
    verdict = part.verify(task, seen_by(part, task, response))
    if isinstance(verdict, Scored | Unscored):
        return verdict
    if hasattr(verdict, "close"):
        verdict.close()
    raise TypeError(f"{part.name} is async: judge with rlvr.score(…), which runs it on a loop.")


def _is_correct(verdict: Verdict) -> bool:
    return isinstance(verdict, Scored) and verdict.status is Status.CORRECT


def _earns_full_reward(verifier: Verifier, task: Task, response: str) -> bool:
    try:
        return _is_correct(_verify_now(verifier, task, response))
    except CannotScore:  # a part judges the outcome of an episode, which a bare response lacks
        return False


def _failure(verdict: Verdict) -> Status:
    if isinstance(verdict, Scored) and verdict.status in (Status.UNPARSABLE, Status.LIMIT):
        return verdict.status
    return Status.INCORRECT


def _first_unscored(verdicts: Sequence[Verdict]) -> Unscored | None:
    return next((verdict for verdict in verdicts if isinstance(verdict, Unscored)), None)


def _named_feedback(feedbacks: Mapping[str, str]) -> str:
    """Join the parts' feedback, each behind its part's name unless there's only one to read."""
    texts = {name: text for name, text in feedbacks.items() if text}
    if len(set(texts.values())) < 2:
        return next(iter(texts.values()), "")
    return "; ".join(
        text if text.startswith(f"{name}:") else f"{name}: {text}" for name, text in texts.items()
    )
