"""The OpenRLHF adapter without OpenRLHF: the reward function, the data file, the groups."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

import rlvr
from rlvr.adapters.openrlhf.executor import SampleGroups
from rlvr.adapters.row import rows

PROMPT = "<|im_start|>user\n1+1=<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def label() -> str:
    """The row of `1+1=`."""
    return [text for _, _, text in rows(rlvr.make("test_sums"))][1]


def reward(label: str, response: str, prompt: str = PROMPT) -> dict[str, float]:
    found = rlvr.openrlhf.reward_func([PROMPT + response], [prompt], [label])
    assert set(found) == {"rewards", "scores", "extra_logs"}
    assert all(type(value) is float for value in found["extra_logs"].values())
    return {"reward": found["rewards"], **found["extra_logs"]}


def test_right_wrong_unparsable_and_unscored_have_the_same_keys(label: str) -> None:
    found = [reward(label, response) for response in ("2<|im_end|>", "3</s>", "", "14<|im_end|>")]
    assert [one["reward"] for one in found[:3]] == [1.0, 0.0, 0.0]
    assert math.isnan(found[3]["reward"])
    assert len({tuple(one) for one in found}) == 1
    assert [one["rlvr/scored"] for one in found] == [1.0, 1.0, 1.0, 0.0]
    assert found[3]["rlvr/cause/judge"] == 1.0


@pytest.mark.parametrize(
    ("query", "response"),
    [
        (PROMPT + "2<|im_end|>", "2"),
        (PROMPT + "2", "2"),
        (PROMPT, ""),
        (PROMPT + "2<|im_end|><|im_end|>", "2<|im_end|>"),  # the model wrote the first
        # The model writes the template's markers, or the prompt again: all of it is its response.
        (PROMPT + "3<|im_start|>assistant\n2<|im_end|>", "3<|im_start|>assistant\n2"),
        (PROMPT + PROMPT + "2<|im_end|>", PROMPT + "2"),
        (PROMPT[5:] + "2", None),  # cut from the left: who knows where the response begins
        ("2", None),
    ],
)
def test_the_response_is_what_follows_the_prompt(query: str, response: str | None) -> None:
    assert rlvr.openrlhf.response_in(query, PROMPT) == response


def test_a_model_that_plays_both_parts_fools_nobody(label: str) -> None:
    assert reward(label, f"3<|im_end|>\n{PROMPT}2<|im_end|>")["reward"] == 0.0


def test_a_query_that_was_cut_is_unscored_not_wrong(label: str) -> None:
    found = reward(label, "2", prompt="x" + PROMPT)
    assert math.isnan(found["reward"])
    assert found["rlvr/cause/input"] == 1.0


@pytest.mark.parametrize("label", ["", "72", "{}"])
def test_a_row_of_another_file_is_unscored_not_an_exception(label: str) -> None:
    assert reward(label, "2")["rlvr/cause/input"] == 1.0


def test_a_conversation_is_the_executors() -> None:
    ((_, _, label),) = rows(rlvr.make("test_guess"), limit=1)
    assert reward(label, "1")["rlvr/cause/input"] == 1.0


def test_several_rows_come_back_as_lists(label: str) -> None:
    queries = [PROMPT + "2", PROMPT + "3"]
    found = rlvr.openrlhf.reward_func(queries, [PROMPT] * 2, [label] * 2)
    assert found["rewards"] == found["scores"] == [1.0, 0.0]
    assert found["extra_logs"]["rlvr/status/correct"] == [1.0, 0.0]


def test_the_file_has_openrlhfs_keys(tmp_path: Path) -> None:
    path = tmp_path / "new" / "train.jsonl"
    several = [rlvr.make("test_sums"), rlvr.make("test_guess")]
    assert rlvr.openrlhf.write_jsonl(several, path, limit=3) == 6
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["datasource"] for line in lines] == ["test_sums"] * 3 + ["test_guess"] * 3
    assert lines[1]["input"] == [{"role": "user", "content": "1+1="}]
    assert reward(lines[1]["label"], "2<|im_end|>")["reward"] == 1.0


def test_an_unscored_sample_waits_for_its_group_and_takes_the_mean() -> None:
    async def sample(groups: SampleGroups, key: str, reward: float | None, turns: int) -> float:
        with groups.sample(key) as group:
            for _ in range(turns):
                await asyncio.sleep(0)
            if reward is not None:
                group.rewards.append(reward)
        return await group.mean() if reward is None else reward

    async def all_of() -> list[float]:
        groups = SampleGroups()
        asked = [("a", 1.0, 3), ("a", None, 1), ("a", 0.5, 9), ("b", None, 1), ("b", None, 2)]
        found = await asyncio.gather(*(sample(groups, *one) for one in asked))
        assert groups._groups == {}
        return found

    assert asyncio.run(all_of()) == [1.0, 0.75, 0.5, 0.0, 0.0]


def test_a_sample_that_fails_holds_up_nobody() -> None:
    async def fails(groups: SampleGroups) -> float:
        with groups.sample("a"):
            await asyncio.sleep(0)
            raise ValueError("the engine is gone")

    async def waits(groups: SampleGroups) -> float:
        with groups.sample("a") as group:
            pass
        return await group.mean()

    async def both() -> object:
        groups = SampleGroups()
        return await asyncio.gather(fails(groups), waits(groups), return_exceptions=True)

    found = asyncio.run(both())
    assert isinstance(found, list)
    assert found[1] == 0.0
