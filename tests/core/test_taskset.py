from __future__ import annotations

import pytest

from rlvr import Task, TaskSet
from rlvr.core.errors import DataError, TaskError


def numbered(count: int) -> list[Task]:
    return [Task(f"{i}+{i}?", str(2 * i)) for i in range(count)]


def test_a_task_set_is_a_sequence() -> None:
    tasks = numbered(3)
    some = TaskSet(tasks, "doubles", version=2)
    assert len(some) == 3
    assert list(some) == tasks
    assert some[-1] == tasks[2]
    assert tasks[1] in some
    assert (some.name, some.version) == ("doubles", 2)


def test_a_slice_keeps_name_and_version() -> None:
    part = TaskSet(numbered(5), "doubles", version=2)[1:3]
    assert isinstance(part, TaskSet)
    assert [task.reference for task in part] == ["2", "4"]
    assert (part.name, part.version) == ("doubles", 2)


def test_a_task_is_found_by_its_id() -> None:
    tasks = numbered(3)
    assert TaskSet(tasks).find(tasks[1].id) is tasks[1]


def test_an_id_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="'doubles' has no task with the id 'seven'"):
        TaskSet(numbered(3), "doubles").find("seven")


def test_a_slice_finds_its_own_tasks_only() -> None:
    tasks = numbered(3)
    with pytest.raises(DataError, match="no task with the id"):
        TaskSet(tasks)[:2].find(tasks[2].id)


def test_two_tasks_of_one_id_are_refused() -> None:
    with pytest.raises(DataError, match="2 tasks of 'doubles' have the id 'a'"):
        TaskSet([Task("x", 1, "a"), Task("y", 2, "b"), Task("z", 3, "a")], "doubles")


@pytest.mark.parametrize("nothing", [[], TaskSet(numbered(2))])
def test_no_tasks_are_refused(nothing: TaskSet | list[Task]) -> None:
    with pytest.raises(DataError, match="is empty"):
        TaskSet(nothing[:0])


def test_a_dictionary_is_no_task() -> None:
    with pytest.raises(TaskError, match=r"holds a dict.*make each with rlvr\.Task"):
        TaskSet([{"prompt": "2+2?", "reference": "4"}])  # type: ignore[list-item]


def test_a_function_is_called_once_and_only_when_a_task_is_wanted() -> None:
    calls = []

    def load() -> list[Task]:
        calls.append(1)
        return numbered(3)

    some = TaskSet(load)
    assert calls == []
    assert len(some) == 3
    assert some.find(some[0].id) == some[0]
    assert calls == [1]


def test_what_a_function_loads_is_checked_too() -> None:
    with pytest.raises(DataError, match="is empty"):
        len(TaskSet(list))
