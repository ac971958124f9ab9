"""The TRL adapter: called as TRL calls it, and in real runs of its trainers."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.core.errors import DataError, OptionError

datasets = pytest.importorskip("datasets")


@rlvr.verifier(mode="whole")
def picky(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
    """Right answers; none for answers that end in an even digit: their judge is out of order."""
    if answer[-1:] in "02468":
        return Unscored(Cause.JUDGE, "the judge is out of order")
    return float(answer == task.reference)


@pytest.fixture
def env() -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"{i}+{i + 1}=", str(2 * i + 1), f"t{i}") for i in range(6)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, "sums"), picky)


class Logs:
    """What TRL hands over to a reward function for logging."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.extra: dict[str, list[Any]] = {}

    def call(self, env: rlvr.Environment, completions: list[Any], **columns: Any) -> Any:
        function = rlvr.trl.reward(env)
        assert inspect.iscoroutinefunction(function)
        columns = columns or {"rlvr_task": rlvr.trl.dataset(env)["rlvr_task"][: len(completions)]}
        return asyncio.run(
            function(
                prompts=[],
                completions=completions,
                completion_ids=[[1]] * len(completions),
                trainer_state=None,
                log_metric=self.metrics.__setitem__,
                log_extra=self.extra.__setitem__,
                **columns,
            )
        )


def test_a_dataset_is_conversational_and_carries_each_task(env: rlvr.SingleTurn) -> None:
    rows = rlvr.trl.dataset(env)
    assert rows.column_names == ["prompt", "rlvr_task", "task_id"]
    assert rows[2]["prompt"] == [{"role": "user", "content": "2+3="}]
    assert rlvr.Task.from_json(json.loads(rows[2]["rlvr_task"])) == env.tasks[2]
    assert rows["task_id"][:3] == ["t0", "t1", "t2"]
    assert len(rlvr.trl.dataset(env, limit=2)) == 2
    assert len(rlvr.trl.dataset(env, limit=99)) == 6


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_none_is_refused(env: rlvr.SingleTurn, limit: int) -> None:
    with pytest.raises(OptionError, match=f"limit is at least 1, not {limit}"):
        rlvr.trl.dataset(env, limit=limit)


def test_a_million_tasks_need_a_limit() -> None:
    with pytest.raises(OptionError, match=r"1000000 tasks: say how many with dataset\(env, limit"):
        rlvr.trl.dataset(rlvr.make("arithmetic"))
    assert len(rlvr.trl.dataset(rlvr.make("arithmetic"), limit=10)) == 10


def test_the_unscored_are_none_and_counted(env: rlvr.SingleTurn) -> None:
    logs = Logs()
    rewards = logs.call(env, ["1", "5", "5", "4"])
    assert rewards == [1.0, 0.0, 1.0, None]
    assert logs.metrics["rlvr/picky"] == pytest.approx(2 / 3)
    assert logs.metrics["rlvr/status/correct"] == pytest.approx(2 / 3)
    assert logs.metrics["rlvr/status/incorrect"] == pytest.approx(1 / 3)
    assert logs.metrics["rlvr/unscored"] == 0.25
    assert logs.metrics["rlvr/unscored/judge"] == 0.25
    assert {f"rlvr/status/{status}" for status in Status} < set(logs.metrics)
    assert {f"rlvr/unscored/{cause}" for cause in Cause} < set(logs.metrics)
    assert logs.extra["feedback"] == [
        "",
        "picky: got '5'",
        "",
        "unscored (judge): the judge is out of order",
    ]


def test_nothing_scored_is_all_none_and_no_mean(env: rlvr.SingleTurn) -> None:
    logs = Logs()
    assert logs.call(env, ["2", "4"]) == [None, None]
    assert logs.metrics["rlvr/unscored"] == 1.0
    assert not [name for name in logs.metrics if name.startswith("rlvr/status")]


def test_a_component_called_like_a_status_keeps_its_mean() -> None:
    halves = [Scored(0.5, Status.PARTIAL, {"correct": 0.5})] * 2
    logged = rlvr.trl.metrics(halves)
    assert logged["rlvr/correct"] == 0.5
    assert logged["rlvr/status/correct"] == 0.0


@pytest.mark.parametrize(
    ("completion", "reward"),
    [
        ("1", 1.0),
        ([{"role": "assistant", "content": "1"}], 1.0),
        ([{"role": "tool", "content": "x"}, {"role": "assistant", "content": "1"}], 1.0),
        ([{"role": "assistant", "content": [{"type": "text", "text": "1"}]}], 1.0),
        ([{"role": "assistant", "content": None, "tool_calls": []}], 0.0),
        ([], 0.0),
        ("", 0.0),
    ],
)
def test_every_form_of_a_completion(env: rlvr.SingleTurn, completion: Any, reward: float) -> None:
    assert Logs().call(env, [completion]) == [reward]


def test_another_dataset_than_ours_says_how_to_make_one(env: rlvr.SingleTurn) -> None:
    with pytest.raises(DataError, match=r"no column 'rlvr_task'.*dataset\(env\).*answer"):
        Logs().call(env, ["1"], answer=["1"])


def test_it_logs_nowhere_where_trl_gives_nothing_to_log_to(env: rlvr.SingleTurn) -> None:
    columns = {"rlvr_task": rlvr.trl.dataset(env)["rlvr_task"][:1]}
    assert asyncio.run(rlvr.trl.reward(env)(completions=["1"], **columns)) == [1.0]


def test_the_loop_runs_on_while_answers_are_judged(env: rlvr.SingleTurn) -> None:
    inside = threading.Event()

    @rlvr.verifier(mode="whole")
    async def waits(task: rlvr.Task, answer: str) -> bool:
        return await asyncio.to_thread(inside.wait, 4)

    async def both() -> list[float | None]:
        columns = {"rlvr_task": rlvr.trl.dataset(env)["rlvr_task"][:1]}
        judging = asyncio.create_task(
            rlvr.trl.reward(rlvr.SingleTurn(env.tasks, waits))(completions=["1"], **columns)
        )
        await asyncio.sleep(0)
        inside.set()  # only reached if the reward function gave way
        return await judging

    assert asyncio.run(both()) == [1.0]


def test_a_conversation_is_refused(env: rlvr.SingleTurn) -> None:
    game = rlvr.MultiTurn(env.tasks, env.verifier)
    for adapter in (rlvr.trl.dataset, rlvr.trl.reward):
        with pytest.raises(OptionError, match="multi-turn"):
            adapter(game)


@pytest.mark.parametrize("algorithm", ["GRPO", "RLOO"])
def test_a_trainer_trains_on_where_some_rows_have_no_reward(tmp_path: Path, algorithm: str) -> None:
    pytest.importorskip("torch")
    trl = pytest.importorskip("trl")
    from rlvr.training.small_model import make_model, make_tokenizer

    @rlvr.verifier(mode="whole")
    def half(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
        if len(answer) % 2:
            return Unscored(Cause.JUDGE, "no judge for odd lengths")
        return sum(character in "02468" for character in answer) / len(answer)

    tasks = rlvr.make("arithmetic", digits=3, operators="+", prompt="{compact}=", size=16).tasks
    env = rlvr.SingleTurn(tasks, half)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed=0)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    config = getattr(trl, f"{algorithm}Config")(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        max_steps=2,
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=12,
        learning_rate=1e-3,
        beta=0.0,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = getattr(trl, f"{algorithm}Trainer")(
        model=model,
        args=config,
        train_dataset=rlvr.trl.dataset(env),
        reward_funcs=rlvr.trl.reward(env),
        processing_class=tokenizer,
    )
    trainer.train()
    steps = [row for row in trainer.state.log_history if "reward" in row]
    assert trainer.state.global_step == len(steps) == 2
    for row in steps:
        assert 0 < row["rlvr/unscored"] < 1
        assert row["rlvr/unscored/judge"] == row["rlvr/unscored"]
        assert row["reward"] == pytest.approx(row["rlvr/half"])  # over the scored rows alone
        assert row["loss"] == row["loss"]  # not NaN
    assert any(not value.equal(start[name]) for name, value in model.state_dict().items())
    assert all(value.isfinite().all() for value in model.state_dict().values())
