"""What probes look at: an environment, how to make it again, and a sample of its tasks."""

from __future__ import annotations

import functools
import inspect
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from rlvr import scoring
from rlvr.authoring.audit.hang_budget import HangBudget
from rlvr.core.compose import leaves
from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import find, make
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.core.verifier import Verifier
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.verifiers.extraction import after_thinking

V = TypeVar("V", bound=Verifier)
SINGLE_TURN = "its episodes have one turn"
_FORMED = 4  # tasks on which forms are tried
_SLOW_S = 0.3
Form = Callable[[Task], str | None]
_MARKS = ("\\boxed{%s}", "%s", "<answer>%s</answer>", "#### %s", "The answer is %s.")
_THOUGHT = "<think>\nWe work it out.\n</think>\n\n"


class Subject:
    """An environment under audit.

    Attributes:
        env: the environment.
        tasks: the sample, drawn by `seed`.
        rollouts: of a policy or a saved run, as rows; empty where there are none.
        seen: every verdict that was reached, with its task and response: for probes that come last.
        patience: with verifications that hang.
        inline: whether `settle` may be asked in this process; a probe says no where it has hung.
    """

    def __init__(
        self,
        env: Environment,
        tasks: int = 50,
        seed: int = 0,
        rollouts: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        if tasks < 2:
            raise OptionError(f"An audit looks at 2 tasks at least, not {tasks}.")
        self.env = env
        count = len(env.tasks)
        chosen = (
            range(count)
            if count <= tasks
            else sorted(random.Random(seed).sample(range(count), tasks))
        )
        self.tasks: list[Task] = [env.tasks[i] for i in chosen]
        self.rollouts = list(rollouts)
        self.seen: list[tuple[Task, str, Verdict]] = []
        self.inline = True
        self.hang_budget = HangBudget()

    # ------------------------------------------------------------------ making it again

    @functools.cached_property
    def factory(self) -> Callable[..., Environment] | None:
        """What makes it; None for one that was handed over as an object and isn't registered."""
        if self.env.made_with is None:
            return None
        return find(self.env.name).load()

    @property
    def options(self) -> dict[str, Any]:
        """It was made with."""
        return dict(self.env.made_with or {})

    def takes(self, option: str) -> bool:
        """Whether its factory has that option."""
        return self.factory is not None and option in inspect.signature(self.factory).parameters

    def make(self, **changed: Any) -> Environment:
        """Another one, with some options changed. Only where there's a factory."""
        return make(self.env.name, **{**self.options, **changed})

    # ------------------------------------------------------------------ verdicts

    @property
    def by_verifier(self) -> bool:
        """Whether an episode's verdict is the verifier's on its last message."""
        return type(self.env).judge in (SingleTurn.judge, MultiTurn.judge)

    @property
    def pace_s(self) -> float:
        """Seconds that a verification takes, as far as it's known."""
        return self.hang_budget.pace_s

    @property
    def slow(self) -> bool:
        """Whether a verdict takes a sandbox, a model or long, or an episode several turns."""
        several = self.env.max_turns > 1 or self.pace_s > _SLOW_S
        return several or any(leaf.is_async for leaf in leaves(self.env.verifier))

    @property
    def several_turns(self) -> bool:
        """Whether an episode may have several turns."""
        return type(self.env).reply is not Environment.reply

    def leaves(self, kind: type[V]) -> list[V]:
        """The parts of its verifier that are of that kind."""
        return [leaf for leaf in leaves(self.env.verifier) if isinstance(leaf, kind)]

    def judge(self, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
        """The verdict on each answer, as the environment gives it at an episode's end.

        Raises `HangBudgetSpentError` where verifications have hung for too long altogether.
        """
        verdicts: list[Verdict] = []
        while len(verdicts) < len(tasks):
            self.hang_budget.check()
            part = slice(len(verdicts), len(verdicts) + self.hang_budget.batch)
            some = self._batch(tasks[part], responses[part])
            self.seen.extend(zip(tasks[part], responses[part], some, strict=True))
            verdicts += some
        return verdicts

    def _batch(self, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
        begun = time.monotonic()
        if self.by_verifier:
            limit = self.hang_budget.limit_s
            verdicts = scoring.score(tasks, responses, self.env.verifier, limit_s=limit)
        else:
            verdicts = [self._own(t, r) for t, r in zip(tasks, responses, strict=True)]
        self.hang_budget.spend(time.monotonic() - begun, verdicts)
        return verdicts

    def play(self, task: Task, answer: Callable[[int], str]) -> Verdict:
        """The verdict of a whole episode, in which `answer(turn)` is said at each turn."""
        self.hang_budget.check()
        begun = time.monotonic()
        self.env.reset(options={"task": task})
        for turn in range(self.env.max_turns):
            said = answer(turn)
            *_, terminated, truncated, info = self.env.step(said)
            if terminated or truncated:
                verdict: Verdict = info["verdict"]
                self.hang_budget.spend(time.monotonic() - begun, [verdict])
                self.seen.append((task, said, verdict))
                return verdict
        raise AssertionError("an episode ends at its last turn")

    def episodes(self, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
        """The verdict on each, said at every turn of an episode of its own."""
        if self.env.max_turns == 1 and type(self.env).reply is Environment.reply:
            return self.judge(tasks, responses)
        return [
            self.play(task, lambda _, said=said: said)  # type: ignore[misc]
            for task, said in zip(tasks, responses, strict=True)
        ]

    def reply(self, task: Task, texts: Sequence[str]) -> str | None:
        """Return the environment's reply to the last of these messages; None if the episode is over, or it raises."""
        messages = [dict(message) for message in task.prompt]
        reply: str | None = None
        for text in texts:
            messages.append({"role": "assistant", "content": text})
            try:
                reply = self.env.reply(task, messages)
            except Exception:  # right-episode and gymnasium-api report it
                return None
            if reply is None:
                return None
            messages.append({"role": "user", "content": reply})
        return reply

    def right(self, task: Task) -> str | None:
        """A response that should earn full reward, made from the reference; None where there's no such.

        Where the verifier says none, one of the forms that a reference is written in, if it earns
        full reward on some task of the sample.
        """
        said = self.env.verifier.demonstrate(task)
        return said if said is not None or self._form is None else self._form(task)

    @functools.cached_property
    def _form(self) -> Callable[[Task], str | None] | None:
        shown = [t for t in self.tasks[:_FORMED] if self.env.verifier.demonstrate(t) is None]
        if not shown or not self.by_verifier:
            return None
        forms = list(written_forms())
        counts = [sum(map(full, self._judged(shown, form))) for form in forms]
        best = max(range(len(forms)), key=counts.__getitem__, default=0)
        return forms[best] if forms and counts[best] else None

    def _judged(self, tasks: list[Task], form: Callable[[Task], str | None]) -> list[Verdict]:
        pairs = [(task, said) for task in tasks if (said := form(task)) is not None]
        return self.judge([task for task, _ in pairs], [said for _, said in pairs])

    @functools.cached_property
    def right_as_text(self) -> list[Task]:
        """Tasks on which no form of the reference earns full reward, and one of it as text does."""
        return [
            task
            for task in self.tasks[:_FORMED]
            if isinstance(task.reference, int | float)
            and self.right(task) is None
            and self.by_verifier
            and any(any(map(full, self._judged([as_text(task)], form))) for form in written_forms())
        ]

    @functools.cached_property
    def solved(self) -> list[tuple[Task, str]]:
        """Tasks of the sample with a right answer."""
        return [(task, said) for task in self.tasks if (said := self.right(task)) is not None]

    @functools.cached_property
    def top(self) -> float:
        """The most that a response may earn."""
        return float(self.env.verifier.reward_range[1])

    def _own(self, task: Task, response: str) -> Verdict:
        messages = [*(dict(m) for m in task.prompt), {"role": "assistant", "content": response}]
        return self.env.judge(task, messages)


def columns(pairs: Sequence[tuple[Task, str]]) -> tuple[list[Task], list[str]]:
    """The tasks and the responses of pairs."""
    return [task for task, _ in pairs], [said for _, said in pairs]


def apart(said: str) -> tuple[str, str]:
    """A response's thinking part, with its tags and what follows them, and the answer behind it."""
    answer = after_thinking(said).lstrip()
    return said[: len(said) - len(answer)], answer


def full(verdict: Verdict) -> bool:
    """Whether it's full reward."""
    return isinstance(verdict, Scored) and verdict.status is Status.CORRECT


def earned(verdict: Verdict) -> float:
    """The reward, as a strategy counts it: no verdict earns nothing."""
    return verdict.reward if isinstance(verdict, Scored) else 0.0


def shown(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if isinstance(verdict, Scored):
        return f"{verdict.reward:g} {verdict.status}" + (
            f" ({verdict.feedback:.120})" if verdict.feedback else ""
        )
    return f"unscored, {verdict.cause}: {verdict.message:.160}"


def excerpt(text: str, most: int = 60) -> str:
    """A text on one line."""
    short = text if len(text) <= most else f"{text[:most]}…"
    return repr(short)


def written_forms() -> Iterator[Form]:
    """The usual marks around a reference that's a text or a number; each also after a thought, which a
    format may ask for."""
    own = [_marked(mark) for mark in _MARKS]
    yield from own
    for form in own:
        yield lambda task, form=form: None if (said := form(task)) is None else _THOUGHT + said  # type: ignore[misc]


def as_text(task: Task) -> Task:
    """The same with its reference as text."""
    return Task(task.prompt, str(task.reference), task.id, task.metadata)


def _marked(mark: str) -> Form:
    def written(task: Task) -> str | None:
        reference = task.reference
        if isinstance(reference, bool) or not isinstance(reference, str | int | float):
            return None
        return mark.replace("%s", str(reference))

    return written
