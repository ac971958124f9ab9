from __future__ import annotations

import pickle

import pytest

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
