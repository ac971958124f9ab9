"""`Subject`: the environment that probes look at, with its factory, a sample of its tasks, and verdicts on responses."""

from __future__ import annotations

import functools
import inspect
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from rlvr import scoring
from rlvr.authoring.audit.finding import Finding, nothing
from rlvr.authoring.audit.hang_budget import HangBudget
from rlvr.authoring.audit.playing import EpisodePolicy, Played, in_order, play, repeating
from rlvr.core.compose import leaves
from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.fixtures import Fixture, Turn
from rlvr.core.registry import find, make
from rlvr.core.task import Task
from rlvr.core.thinking import after_thinking
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.testing.fixtures import judge_fixtures, judges_by_verifier, task_of

V = TypeVar("V", bound=Verifier)
Form = Callable[[Task], str | None]
HANGS = "its `settle` hangs (see settling)"
SINGLE_TURN = "its episodes have one turn"
NO_RIGHT_ANSWER = "no right answer is known (see right-answers-known)"
_FORMED = 4  # tasks on which the forms of references are tried
_SLOW_S = 0.3
_MARKS = ("\\boxed{%s}", "%s", "<answer>%s</answer>", "#### %s", "The answer is %s.")
_THOUGHT = "<think>\nWe work it out.\n</think>\n\n"


class Subject:
    """An environment under audit.

    Attributes:
        env: the environment.
        tasks: the sample, drawn by `seed`.
        rollouts: rows of a policy or a saved run; empty if there are none.
        seen: every verdict so far, with its task and response, for probes that come last.
        hang_budget: the time left for verifications that hang.
        inline: True if `settle` may be called in this process; a probe sets it to False after a hang.
        unanswered: the number of probes that needed a right answer and had none.
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
        indices = (
            range(count)
            if count <= tasks
            else sorted(random.Random(seed).sample(range(count), tasks))
        )
        self.tasks: list[Task] = [env.tasks[i] for i in indices]
        self.rollouts = list(rollouts)
        self.seen: list[tuple[Task, str, Verdict]] = []
        self.inline = True
        self.unanswered = 0
        self.hang_budget = HangBudget()

    # ------------------------------------------------------------------ the factory

    @functools.cached_property
    def factory(self) -> Callable[..., Environment] | None:
        """The environment's factory; None for an object that isn't registered."""
        if self.env.made_with is None:
            return None
        return find(self.env.name).load()

    @property
    def options(self) -> dict[str, Any]:
        """The options that the environment was made with."""
        return dict(self.env.made_with or {})

    def takes(self, option: str) -> bool:
        """Return True if the factory has that option."""
        return self.factory is not None and option in inspect.signature(self.factory).parameters

    def make(self, **changed: Any) -> Environment:
        """Make another environment with some options changed. Needs a factory."""
        return make(self.env.name, **{**self.options, **changed})

    # ------------------------------------------------------------------ verdicts

    @property
    def by_verifier(self) -> bool:
        """True if an episode's verdict is the verifier's, on its last message or on the whole of it."""
        return judges_by_verifier(self.env)

    @property
    def several_turns(self) -> bool:
        """True if an episode may have several turns."""
        return self.env.is_interactive

    @property
    def by_response(self) -> bool:
        """True if the last message alone decides the verdict, so that no episode has to be played for it."""
        judged_whole = self.env.verifier.sees == "transcript" and self.several_turns
        return self.by_verifier and not judged_whole

    @property
    def replies_vary(self) -> bool:
        """True if the author has declared that the same messages may get other replies the next time."""
        return bool(getattr(self.env, "replies_vary", False))

    @property
    def pace_s(self) -> float:
        """Seconds per verification in the batches so far."""
        return self.hang_budget.pace_s

    @property
    def slow(self) -> bool:
        """True if a verdict needs a sandbox, a model or much time, or if an episode has several turns."""
        several = self.env.max_turns > 1 or self.pace_s > _SLOW_S
        return several or any(leaf.is_async for leaf in leaves(self.env.verifier))

    def leaves(self, kind: type[V]) -> list[V]:
        """Return the parts of the verifier that are of that kind."""
        return [leaf for leaf in leaves(self.env.verifier) if isinstance(leaf, kind)]

    def judge(self, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
        """Return the verdict on each response, as the environment gives it at an episode's end.

        Raises `HangBudgetSpentError` if verifications have hung for too long altogether.
        """
        verdicts: list[Verdict] = []
        while len(verdicts) < len(tasks):
            self.hang_budget.check()
            part = slice(len(verdicts), len(verdicts) + self.hang_budget.batch)
            batch = self._batch(tasks[part], responses[part])
            self.seen.extend(zip(tasks[part], responses[part], batch, strict=True))
            verdicts += batch
        return verdicts

    def _batch(self, tasks: Sequence[Task], responses: Sequence[str]) -> list[Verdict]:
        start = time.monotonic()
        if self.by_response:
            limit = self.hang_budget.limit_s
            verdicts = scoring.score(tasks, responses, self.env.verifier, limit_s=limit)
        else:
            verdicts = [
                play(self.env, task, in_order([*self.before(task), response])).unrewarded
                for task, response in zip(tasks, responses, strict=True)
            ]
        self.hang_budget.spend(time.monotonic() - start, verdicts)
        return verdicts

    def judged(self, task: Task, response: str) -> str | Transcript:
        """Return what the verifier judges if the model says no more than this response, and what prepares an answer."""
        if self.by_response:
            return response
        return play(self.env, task, in_order([*self.before(task), response])).transcript

    def before(self, task: Task) -> tuple[Turn, ...]:
        """Return the messages that prepare a right answer, such as calls of tools, as the environment demonstrates them."""
        return (self._shown(task) or ("",))[:-1]

    def _shown(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of a right episode that the environment knows, if the last of them is text."""
        turns = self.env.demonstrate(task)
        return turns if turns and isinstance(turns[-1], str) else None

    def _answer(self, task: Task) -> str | None:
        turns = self._shown(task)
        return None if turns is None else str(turns[-1])

    def play(self, task: Task, policy: EpisodePolicy, env: Environment | None = None) -> Played:
        """Return a whole episode, played by a policy.

        Args:
            env: another environment than the subject's, such as one with more turns.
        """
        self.hang_budget.check()
        begun = time.monotonic()
        played = play(env or self.env, task, policy)
        self.hang_budget.spend(time.monotonic() - begun, [played.verdict])
        text = played.response if self.by_response else played.said
        self.seen.append((task, text, played.unrewarded))
        return played

    def episodes(
        self, tasks: Sequence[Task], responses: Sequence[str], prepared: bool = False
    ) -> list[Verdict]:
        """Return the verdict on each response, given at every turn of an episode of its own.

        Args:
            prepared: True if the messages that prepare a right answer come first.
        """
        if not self.several_turns:
            return self.judge(tasks, responses)
        return [
            self.play(
                task, self.repeating(task, response) if prepared else repeating(response)
            ).verdict
            for task, response in zip(tasks, responses, strict=True)
        ]

    def repeating(self, task: Task, response: str) -> EpisodePolicy:
        """Return a policy that prepares an answer as the environment demonstrates it, and then says the same at each turn."""
        first = iter(self.before(task))
        return lambda _: next(first, response)

    # ------------------------------------------------------------------ right answers

    def right(self, task: Task) -> str | None:
        """Return a response that should earn full reward, or None if none is known.

        The verifier makes the response from the reference. If it makes none, one of the usual forms of a reference is
        used, if that form earns full reward on some task of the sample; otherwise the response of a `right` fixture.
        """
        response = self._answer(task) if self._demonstrates else None
        if response is None and self._form is not None:
            response = self._form(task)
        return response if response is not None else self._of_fixtures.get(task.id, (task, None))[1]

    @functools.cached_property
    def solved(self) -> list[tuple[Task, str]]:
        """Tasks with a right answer: of the sample, and of `right` fixtures if no other answer is known."""
        pairs = [(task, answer) for task in self.tasks if (answer := self.right(task)) is not None]
        ids = {task.id for task, _ in pairs}
        return pairs + [pair for pair in self._of_fixtures.values() if pair[0].id not in ids]

    def lacks_right_answer(self) -> Finding:
        """Return the finding of a probe that needs a right answer if none is known."""
        self.unanswered += 1
        return nothing(NO_RIGHT_ANSWER)

    @functools.cached_property
    def fixture_verdicts(self) -> list[tuple[Fixture, Verdict]]:
        """The environment's fixtures with their verdicts."""
        return list(zip(self.env.fixtures, judge_fixtures(self.env), strict=True))

    @functools.cached_property
    def _demonstrates(self) -> bool:
        """True if the verifier's demonstrations count: with a `judge` of the environment's own, if one is right."""
        if self.by_response:
            return True
        demonstrations = [
            (task, answer)
            for task in self.tasks[:_FORMED]
            if (answer := self._answer(task)) is not None
        ]
        return any(map(full, self.judge(*columns(demonstrations))))

    @functools.cached_property
    def _of_fixtures(self) -> dict[str, tuple[Task, str]]:
        """Tasks and responses of `right` fixtures of one turn, by id; empty if the verifier makes right answers."""
        if self._form is not None or (
            self._demonstrates and any(map(self._demonstrated, self.tasks))
        ):
            return {}
        pairs: dict[str, tuple[Task, str]] = {}
        for fixture in self.env.fixtures:
            task = task_of(self.env, fixture)
            if (
                fixture.kind == "right"
                and len(fixture.turns) == 1
                and isinstance(fixture.turns[0], str)
                and not isinstance(task, Unscored)
            ):
                pairs.setdefault(task.id, (task, fixture.turns[0]))
        return pairs

    def _demonstrated(self, task: Task) -> bool:
        return self._answer(task) is not None

    @functools.cached_property
    def _form(self) -> Form | None:
        """The written form of references that earns full reward most often; None if none does."""
        tasks = [task for task in self.tasks[:_FORMED] if not self._demonstrated(task)]
        if not tasks or not self.by_response:
            return None
        forms = list(reference_forms())
        counts = [sum(map(full, self._judge_form(tasks, form))) for form in forms]
        best = max(range(len(forms)), key=counts.__getitem__, default=0)
        return forms[best] if forms and counts[best] else None

    def _judge_form(self, tasks: list[Task], form: Form) -> list[Verdict]:
        pairs = [(task, answer) for task in tasks if (answer := form(task)) is not None]
        return self.judge(*columns(pairs))

    @functools.cached_property
    def right_as_text(self) -> list[Task]:
        """Tasks whose reference is a number that earns full reward only as text."""
        return [
            task
            for task in self.tasks[:_FORMED]
            if isinstance(task.reference, int | float)
            and self.right(task) is None
            and self.by_response
            and any(
                any(map(full, self._judge_form([as_text(task)], form)))
                for form in reference_forms()
            )
        ]

    @functools.cached_property
    def top(self) -> float:
        """The most that a response may earn."""
        return float(self.env.verifier.reward_range[1])


def columns(pairs: Sequence[tuple[Task, str]]) -> tuple[list[Task], list[str]]:
    """Return the tasks and the responses of pairs."""
    return [task for task, _ in pairs], [response for _, response in pairs]


def apart(response: str) -> tuple[str, str]:
    """Split a response into its thinking part, with tags and white space, and the answer after it."""
    answer = after_thinking(response).lstrip()
    return response[: len(response) - len(answer)], answer


def full(verdict: Verdict) -> bool:
    """Return True if a verdict gives full reward."""
    return isinstance(verdict, Scored) and verdict.status is Status.CORRECT


def earned(verdict: Verdict) -> float:
    """Return the reward; an unscored verdict earns nothing."""
    return verdict.reward if isinstance(verdict, Scored) else 0.0


def shown(verdict: Verdict) -> str:
    """Return a verdict in a few words."""
    if isinstance(verdict, Scored):
        return f"{verdict.reward:g} {verdict.status}" + (
            f" ({verdict.feedback:.120})" if verdict.feedback else ""
        )
    return f"unscored, {verdict.cause}: {verdict.message:.160}"


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of a text on one line."""
    short = text if len(text) <= length else f"{text[:length]}…"
    return repr(short)


def reference_forms() -> Iterator[Form]:
    """Yield functions that write a task's reference between the usual marks, alone and after a thinking part.

    Some formats require the thinking part. The functions return None for a reference that is neither text nor a number.
    """
    plain = [_marked(mark) for mark in _MARKS]
    yield from plain
    for form in plain:
        yield lambda task, form=form: (  # type: ignore[misc]
            None if (answer := form(task)) is None else _THOUGHT + answer
        )


def as_text(task: Task) -> Task:
    """Return the same task with its reference as text."""
    return Task(task.prompt, str(task.reference), task.id, task.metadata)


def _marked(mark: str) -> Form:
    def form(task: Task) -> str | None:
        reference = task.reference
        if isinstance(reference, bool) or not isinstance(reference, str | int | float):
            return None
        return mark.replace("%s", str(reference))

    return form
