"""Policies that are scripts: they bound what an environment pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Task


class Scripted:
    """A policy from a function of the task."""

    def __init__(self, name: str, answer: Callable[[Task], str]) -> None:
        self.name = name
        self._answer = answer

    def respond(self, tasks: Sequence[Task]) -> list[str]:
        """The script's answer to each task."""
        return [self._answer(task) for task in tasks]


NAMES = ("oracle", "empty", "echo")


def scripted(name: str, env: Environment) -> Scripted:
    """`oracle` answers from the reference (what isn't full reward then is a fault of the data or
    the verifier), `empty` says nothing, `echo` repeats the prompt."""
    if name == "oracle":
        if all(env.verifier.demonstrate(task) is None for task in _first(env)):
            raise OptionError(
                f"The verifier of {env.name!r} has no demonstrate(task), so there's no oracle for "
                f"it. @rlvr.verifier(demonstrate=…) gives it one."
            )
        # A task whose reference is broken has no answer; that it's unscored is for the verdict to say.
        return Scripted(name, lambda task: env.verifier.demonstrate(task) or "")
    if name == "empty":
        return Scripted(name, lambda task: "")
    if name == "echo":
        return Scripted(name, lambda task: task.text)
    raise OptionError(f"There's no scripted policy {name!r}. There are: {', '.join(NAMES)}.")


def _first(env: Environment) -> Iterator[Task]:
    return (env.tasks[i] for i in range(min(20, len(env.tasks))))
