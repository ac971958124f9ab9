"""Scripted policies, which bound the rewards of an environment from above and below."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import DataWarning, OptionError
from rlvr.core.task import Task, content_text
from rlvr.core.verdict import Scored
from rlvr.policies.base import Generation, Request
from rlvr.scoring import score


class Scripted:
    """A policy from a function of the task."""

    def __init__(self, name: str, answer: Callable[[Task], str]) -> None:
        self.name = name
        self._answer = answer

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return the script's answer to each request."""
        return [self._answer(request.task) for request in requests]


class Echo:
    """Repeats the last message."""

    name = "echo"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return each prompt as text: the whole prompt at the first turn, then the last message alone."""
        return [
            r.task.text if len(r.prompt) <= len(r.task.prompt) else content_text(r.prompt[-1])
            for r in requests
        ]


class Random:
    """Answers with the right answer to a task drawn at random."""

    name = "random"

    def __init__(self, env: Environment) -> None:
        self._env = env

    def respond(self, requests: Sequence[Request]) -> list[str]:
        """Return a draw per request, which depends on its seed."""
        return [self._draw(request.seed) for request in requests]

    def _draw(self, seed: int) -> str:
        tasks = self._env.tasks
        task = tasks[random.Random(seed).randrange(len(tasks))]
        turns = self._env.demonstrate(task)
        return turns[-1] if turns and isinstance(turns[-1], str) else ""


class Oracle:
    """Says the messages of a right episode, one per turn: mostly the answer that the verifier makes from the reference.

    An evaluation leaves out the tasks that `skips` names, and their number is a warning at its end.
    """

    name = "oracle"

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._skipped: dict[str, None] = {}

    def respond(self, requests: Sequence[Request]) -> list[str | Generation]:
        """Return the right message to each; "" if the reference can't be used, which the verdict then says."""
        return [self._message(request) for request in requests]

    def _message(self, request: Request) -> str | Generation:
        turns = self._env.demonstrate(request.task)
        if not turns:
            return ""
        turn = turns[min(_turns_of(request), len(turns) - 1)]
        if isinstance(turn, str):
            return turn
        return Generation(content_text(turn), tool_calls=tuple(turn.get("tool_calls") or ()))

    def skips(self, task: Task) -> bool:
        """Return whether no right answer to the task is known, though its reference can be used."""
        if self._env.demonstrate(task) is not None:
            return False
        (verdict,) = score([task], [""], self._env.verifier)
        if isinstance(verdict, Scored):
            self._skipped[task.id] = None
        return isinstance(verdict, Scored)

    async def aclose(self) -> None:
        """Warn of the tasks that were left out."""
        if self._skipped:
            count = len(self._skipped)
            names = ", ".join(list(self._skipped)[:3]) + (", …" if count > 3 else "")
            warnings.warn(
                f"{count} task{'s have' if count > 1 else ' has'} no known right answer; the oracle left "
                f"{'them' if count > 1 else 'it'} out ({names}).",
                DataWarning,
                stacklevel=2,
            )
            self._skipped.clear()


NAMES = ("oracle", "empty", "echo", "random")


def scripted(name: str, env: Environment) -> Scripted | Echo | Random | Oracle:
    """Make the scripted policy of that name.

    `oracle` answers from the reference: less than full reward then is a fault of the data or the
    verifier. Tasks without a known right answer are left out and counted in a warning. `empty` answers with
    nothing, `echo` repeats the prompt, and `random` gives the answer to a task drawn at random, which is what
    guessing in the right form earns.
    """
    if name not in NAMES:
        raise OptionError(f"There's no scripted policy {name!r}. There are: {', '.join(NAMES)}.")
    if name == "empty":
        return Scripted(name, lambda task: "")
    if name == "echo":
        return Echo()
    if all(env.demonstrate(task) is None for task in _first(env)):
        example = next(_first(env), None)
        raise OptionError(
            f"The verifier of {env.name!r} makes no right answer from the references, such as "
            f"{getattr(example, 'reference', None)!r:.100}, so there's no {name} policy. If the data have the "
            f"right answers in another column, name it; a verifier of your own makes them by "
            f"@rlvr.verifier(demonstrate=…)."
        )
    return Random(env) if name == "random" else Oracle(env)


def _first(env: Environment) -> Iterator[Task]:
    return (env.tasks[i] for i in range(min(20, len(env.tasks))))


def _turns_of(request: Request) -> int:
    """Return the number of messages that the policy has said before."""
    return sum(m["role"] == "assistant" for m in request.prompt[len(request.task.prompt) :])
