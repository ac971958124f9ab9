"""Scripted policies, which bound the rewards of an environment from above and below."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.policies.base import Request


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
            r.task.text if len(r.prompt) <= len(r.task.prompt) else r.prompt[-1]["content"]
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
        return self._env.verifier.demonstrate(task) or ""


NAMES = ("oracle", "empty", "echo", "random")


def scripted(name: str, env: Environment) -> Scripted | Echo | Random:
    """Make the scripted policy of that name.

    `oracle` answers from the reference: less than full reward then is a fault of the data or the
    verifier. `empty` answers with nothing, `echo` repeats the prompt, and `random` gives the answer to a task
    drawn at random, which is what guessing in the right form earns.
    """
    if name not in NAMES:
        raise OptionError(f"There's no scripted policy {name!r}. There are: {', '.join(NAMES)}.")
    if name == "empty":
        return Scripted(name, lambda task: "")
    if name == "echo":
        return Echo()
    if all(env.verifier.demonstrate(task) is None for task in _first(env)):
        raise OptionError(
            f"The verifier of {env.name!r} has no demonstrate(task), so there's no {name} policy "
            f"for it. @rlvr.verifier(demonstrate=…) gives it one."
        )
    if name == "random":
        return Random(env)
    # A task with a broken reference has no answer; the verdict on the empty one is unscored.
    return Scripted(name, lambda task: env.verifier.demonstrate(task) or "")


def _first(env: Environment) -> Iterator[Task]:
    return (env.tasks[i] for i in range(min(20, len(env.tasks))))
