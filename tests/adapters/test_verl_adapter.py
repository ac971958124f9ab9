"""The verl adapter without verl: the reward function, the data file, what's logged."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlvr
from rlvr.adapters.row import rows
from rlvr.adapters.verl.replay_buffer import metrics, too_small
from rlvr.core.errors import OptionError


def scored(text: str, response: Any, **options: Any) -> dict[str, float]:
    return asyncio.run(rlvr.verl.compute_score("test_sums", response, text, None, **options))


@pytest.fixture(scope="module")
def text() -> str:
    """The row of `1+1=`."""
    return [text for _, _, text in rows(rlvr.make("test_sums"))][1]


def test_right_wrong_unparsable_and_unscored_have_the_same_keys(text: str) -> None:
    found = [scored(text, response) for response in ("2", "3", "", "14")]
    assert [one["score"] for one in found[:3]] == [1.0, 0.0, 0.0]
    assert math.isnan(found[3]["score"])
    assert [one["scored"] for one in found] == [1.0, 1.0, 1.0, 0.0]
    assert len({tuple(one) for one in found}) == 1
    for one, mark in zip(
        found,
        ("status/correct", "status/incorrect", "status/unparsable", "cause/judge"),
        strict=True,
    ):
        assert one[mark] == 1.0
    assert found[0]["component/short"] == found[0]["component/picky"] == 1.0


def test_a_gate_that_stays_shut_is_no_gap_in_the_curve(text: str) -> None:
    found = scored(text, "1" * 9)
    assert (found["component/short"], found["component/picky"]) == (0.0, 0.0)


@pytest.mark.parametrize("other", ["72", "", '{"answer": 1}', None, 3])
def test_a_row_of_another_file_is_unscored_not_an_exception(other: Any) -> None:
    found = scored(other, "2")
    assert math.isnan(found["score"])
    assert found["cause/input"] == 1.0


def test_an_environment_that_isnt_installed_is_unscored(text: str) -> None:
    found = scored(text.replace("test_sums", "gone").replace("rows_used", "no_such_module"), "2")
    assert found["cause/input"] == 1.0


def test_a_conversation_is_the_agent_loops() -> None:
    ((_, _, text),) = rows(rlvr.make("test_guess"), limit=1)
    found = scored(text, "1")
    assert found["cause/input"] == 1.0
    assert "component/picky" in found


def test_past_its_deadline_a_row_is_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(task: Any, response: str) -> Any:
        await asyncio.sleep(60)

    env = rlvr.make("test_sums")
    slow = rlvr.verifier(mode="whole")(never)
    monkeypatch.setattr(
        "rlvr.adapters.row._environment", lambda *_: rlvr.SingleTurn(env.tasks, slow)
    )
    ((_, _, text),) = rows(env, limit=1)
    assert scored(text, "1", deadline_s=0.2)["cause/timeout"] == 1.0


def test_the_file_has_verls_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    several = [rlvr.make("test_sums"), rlvr.make("test_guess")]
    path = tmp_path / "new" / "train.parquet"
    assert rlvr.verl.write_parquet(several, path, limit=3) == 6
    table = parquet.read_table(path).to_pylist()
    assert [row["data_source"] for row in table] == ["test_sums"] * 3 + ["test_guess"] * 3
    assert [row["extra_info"]["index"] for row in table] == list(range(6))
    assert table[1]["prompt"] == [{"role": "user", "content": "1+1="}]
    assert table[1]["agent_name"] == "rlvr"
    assert scored(table[1]["reward_model"]["ground_truth"], "2")["score"] == 1.0


def test_verls_old_trainer_is_refused() -> None:
    config = SimpleNamespace(trainer=SimpleNamespace(use_v1=False))
    with pytest.raises(OptionError, match=r"trainer\.use_v1=true"):
        rlvr.verl.AgentLoop(SimpleNamespace(config=config), None, None, None)


def test_the_metrics_are_over_the_scored_and_count_the_others() -> None:
    nan = math.nan
    infos = [
        {"score": 1.0, "status/correct": 1.0, "component/math": 1.0, "component/sql": nan},
        {"score": 0.0, "status/correct": 0.0, "component/math": 0.0, "component/sql": nan},
        {"score": 1.0, "status/correct": 1.0, "component/math": nan, "component/sql": 1.0},
    ]
    assert metrics(infos, requested=4) == {
        "rlvr/status/correct": pytest.approx(2 / 3),
        "rlvr/math": 0.5,
        "rlvr/sql": 1.0,
        "rlvr/unscored": 0.25,
    }
    assert metrics([], requested=4) == {"rlvr/unscored": 1.0}


def test_a_group_of_one_is_too_small() -> None:
    keys = ["a_0_0", "a_0_1", "b_0_0", "b_3_0", "c_1_0"]
    assert too_small(keys, 1) == set()
    assert too_small(keys, 2) == {"a_0_0", "a_0_1", "c_1_0"}  # two outputs of one session are one
