"""The forms in which a reference is written as a response, where a verifier doesn't say how itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rlvr.core.task import Task

Form = Callable[[Task], str | None]
_MARKS = ("\\boxed{%s}", "%s", "<answer>%s</answer>", "#### %s", "The answer is %s.")
_THOUGHT = "<think>\nWe work it out.\n</think>\n\n"


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
