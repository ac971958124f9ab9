from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlvr import Task
from rlvr.core.errors import TaskError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_bare_string_is_one_user_message() -> None:
    task = Task("2+2?", "4")
    assert task.prompt == ({"role": "user", "content": "2+2?"},)
    assert task.text == "2+2?"


def test_the_text_of_several_messages_names_their_roles() -> None:
    task = Task(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}], "4"
    )
    assert task.text == "system: Be brief.\n\nuser: 2+2?"


@given(prompt=st.text(), reference=JSON, metadata=st.dictionaries(st.text(), JSON, max_size=3))
def test_json_gives_the_same_task_back(prompt: str, reference: object, metadata: dict) -> None:
    task = Task(prompt, reference, metadata=metadata)
    again = Task.from_json(json.loads(json.dumps(task.to_json())))
    assert again == task
    assert again.id == task.id
    assert hash(again) == hash(task)


def test_pickle_and_copies_give_the_same_task_back() -> None:
    task = Task("2+2?", ["4", {"a": None}], "four", {"level": 1})
    assert pickle.loads(pickle.dumps(task)) == task
    assert copy.deepcopy(task) == task


def test_the_id_is_a_digest_of_prompt_and_reference_alone() -> None:
    task = Task("2+2?", "4")
    assert Task("2+2?", "4", metadata={"level": 1}).id == task.id
    assert Task("2+2?", "5").id != task.id
    assert Task("2+3?", "4").id != task.id
    assert Task([{"role": "system", "content": "2+2?"}], "4").id != task.id


def test_the_digest_is_the_same_in_every_process() -> None:
    assert Task("2+2?", "4").id == "5920a3544eff6b52"


def test_a_task_is_frozen() -> None:
    task = Task("2+2?", "4")
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.reference = "5"  # type: ignore[misc]


def test_a_task_keeps_its_own_messages_and_metadata() -> None:
    message = {"role": "user", "content": "2+2?"}
    metadata = {"level": 1}
    task = Task([message], "4", metadata=metadata)
    message["content"] = "3+3?"
    metadata["level"] = 2
    assert task.text == "2+2?"
    assert task.metadata == {"level": 1}


@pytest.mark.parametrize(
    "prompt",
    [None, 5, [], [{}], [{"role": "user"}], ["2+2?"], {"role": "user", "content": "2+2?"}],
)
def test_what_is_no_prompt_is_refused_with_its_form(prompt: object) -> None:
    with pytest.raises(TaskError, match="message"):
        Task(prompt, "4")  # type: ignore[arg-type]


def test_content_that_is_no_text_is_refused() -> None:
    with pytest.raises(TaskError, match="text content"):
        Task([{"role": "user", "content": 5}], "4")  # type: ignore[dict-item]


def test_a_reference_that_is_no_json_is_refused_where_the_id_needs_it() -> None:
    with pytest.raises(TaskError, match=r"plain JSON data.*or give the task an id"):
        Task("2+2?", {4})
    assert Task("2+2?", {4}, "four").id == "four"


def test_a_row_without_a_field_names_it_and_what_it_has() -> None:
    with pytest.raises(TaskError, match=r"needs reference; this one has \['id', 'prompt'\]"):
        Task.from_json({"id": "1", "prompt": "2+2?"})
