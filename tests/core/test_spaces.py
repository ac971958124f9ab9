from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import pytest
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from rlvr.core.errors import OptionError
from rlvr.core.spaces import Text


@pytest.mark.parametrize("text", ["", "2+2?", "数学 🧮", "\ud800", "\x00", "a" * 100_000])
def test_any_string_is_in_the_space(text: str) -> None:
    assert text in Text()


@pytest.mark.parametrize("thing", [None, 5, b"2+2?", ["2+2?"]])
def test_what_is_no_string_is_not(thing: object) -> None:
    assert thing not in Text()


def test_the_length_is_counted_in_characters() -> None:
    assert "数学" in Text(max_length=2)
    assert "abc" not in Text(max_length=2)


def test_samples_belong_to_the_space_and_follow_the_seed() -> None:
    one, other = Text(max_length=10, seed=3), Text(max_length=10, seed=3)
    samples = [one.sample() for _ in range(50)]
    assert samples == [other.sample() for _ in range(50)]
    assert len(set(samples)) > 10
    assert all(sample in one for sample in samples)
    one.seed(3)
    assert one.sample() == samples[0]


def test_a_mask_is_refused() -> None:
    with pytest.raises(OptionError, match="no mask"):
        Text().sample(mask=[1])


def test_no_room_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 1, not 0"):
        Text(max_length=0)


def test_spaces_are_equal_by_their_length() -> None:
    assert Text(max_length=5, seed=1) == Text(max_length=5, seed=2)
    assert Text(max_length=5) != Text(max_length=6)
    assert hash(Text(max_length=5)) == hash(Text(max_length=5))
    assert pickle.loads(pickle.dumps(Text(max_length=5))) == Text(max_length=5)
    assert not Text().is_np_flattenable


class Spelled(gymnasium.Env[str, str]):
    """Answers each action with it, and begins with the same text each time."""

    observation_space = action_space = Text()

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return "begin", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return action, 0.0, False, False, {}


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_texts_of_any_length_and_script_cross_shared_memory(context: str) -> None:
    envs = gymnasium.vector.AsyncVectorEnv([Spelled] * 3, context=context)
    try:
        assert envs.reset(seed=1)[0] == ("begin",) * 3
        for actions in [("", "数学 🧮", "\ud800\x00"), ("ab" * 1_000_000, "x", ""), ("a", "", "é")]:
            before = envs.step(actions)[0]
            assert before == actions
        envs.step(("later",) * 3)
        assert before == actions  # a copy doesn't follow the workers
    finally:
        envs.close()


def test_without_copies_the_texts_are_those_written_last() -> None:
    envs = gymnasium.vector.AsyncVectorEnv([Spelled] * 2, copy=False)
    try:
        texts = envs.reset()[0]
        assert (list(texts), texts[:1], repr(texts)) == (
            ["begin"] * 2,
            ("begin",),
            repr(("begin",) * 2),
        )
        envs.step(("one", "two"))
        assert list(texts) == ["one", "two"]
    finally:
        envs.close()


def test_a_text_that_shared_memory_has_no_room_for_says_what_to_do() -> None:
    space = Text(3)
    memory = create_shared_memory(space, n=1)
    assert list(read_from_shared_memory(space, memory)) == [""]
    write_to_shared_memory(space, 0, "🧮🧮🧮", memory)
    assert list(read_from_shared_memory(space, memory)) == ["🧮🧮🧮"]
    with pytest.raises(OptionError, match='"shared_memory": False'):
        write_to_shared_memory(space, 0, "a" * 13, memory)
