"""Tasks of another environment with another prompt, made when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import overload

from rlvr.core.task import Message, Task, content_text
from rlvr.core.tasks import TaskSet


class DerivedTasks(TaskSet):
    """Tasks of another set, each changed when it is read, so that sets of a million generated tasks stay cheap.

    Args:
        tasks: the other set.
        change: returns the task in its place. It keeps the id.
        name: used in reports.
    """

    def __init__(self, tasks: TaskSet, change: Callable[[Task], Task], name: str) -> None:
        self.name = name
        self.version = tasks.version
        self._of = tasks
        self._change = change

    def __repr__(self) -> str:
        return f"DerivedTasks({self.name!r}, of {self._of!r})"

    def __len__(self) -> int:
        return len(self._of)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> TaskSet: ...
    def __getitem__(self, index: int | slice) -> Task | TaskSet:
        if isinstance(index, slice):
            return DerivedTasks(self._of[index], self._change, self.name)
        return self._change(self._of[index])

    def __iter__(self) -> Iterator[Task]:
        return map(self._change, self._of)

    def find(self, id: str) -> Task:
        """Return the task with that id. Raises `DataError` if there's none."""
        return self._change(self._of.find(id))


def with_more_to_read(task: Task, text: str) -> Task:
    """Return a task whose last message says more at its end."""
    *before, last = task.prompt
    asked: Message = {**last, "content": f"{content_text(last)}\n\n{text}"}
    return Task([*before, asked], task.reference, task.id, task.metadata)
