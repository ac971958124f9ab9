"""The TRL adapter: called as TRL calls it, and in real runs of its trainers."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from trl.trainer.utils import is_async_callable

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.core.errors import DataError, DataWarning, OptionError
from rlvr.core.thinking import after_thinking
from rlvr.policies.template import Template
from rlvr.runs.rollouts import Rollout
from tests.policies.families import tokenizer_of

datasets = pytest.importorskip("datasets")
torch = pytest.importorskip("torch")


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
    """The functions that TRL passes to a reward function for logging."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.extra: dict[str, list[Any]] = {}

    def call(self, env: rlvr.Environment, completions: list[Any], **columns: Any) -> Any:
        function = rlvr.trl.reward(env)
        assert is_async_callable(function)
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
    assert rows.column_names == ["prompt", "rlvr_task", "rlvr_env", "task_id"]
    (message,) = rows[2]["prompt"]
    assert (message["role"], message["content"]) == ("user", "2+3=")
    assert json.loads(message["rlvr"]) == ["sums", "t2"]  # for the rollout function
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


def test_a_thought_between_special_tokens_is_no_answer(env: rlvr.SingleTurn) -> None:
    """TRL decodes without them: `analysis1assistantfinal3`, and a cut thought, look like answers."""
    tokenizer = tokenizer_of("gptoss")
    thought = "<|channel|>analysis<|message|>1+2=1"
    wrote = [f"{thought}<|end|><|start|>assistant<|channel|>final<|message|>1<|return|>", thought]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in wrote]
    completions = tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert completions[1].endswith("1+2=1")
    kept: list[Rollout] = []
    function = rlvr.trl.reward(env, record=kept.extend, template=Template(tokenizer))
    task = rlvr.trl.dataset(env)["rlvr_task"][0]
    rewards = asyncio.run(
        function(completions=completions, completion_ids=ids, rlvr_task=[task, task])
    )
    assert rewards == [1.0, 0.0]
    assert after_thinking(kept[0].messages[-1]["content"]) == "1"
    assert after_thinking(kept[1].messages[-1]["content"]) == ""


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


def test_a_conversation_without_a_rollout_says_what_it_needs(env: rlvr.SingleTurn) -> None:
    game = rlvr.MultiTurn(env.tasks, env.verifier)
    with pytest.raises(DataError, match=r"several turns, and TRL generated one.*rollout\(env\)"):
        Logs().call(game, ["1"])


def test_the_batch_is_recorded_once(env: rlvr.SingleTurn) -> None:
    kept: list[list[Rollout]] = []
    rows = rlvr.trl.dataset(env)["rlvr_task"]
    function = rlvr.trl.reward(env, record=kept.append)
    columns = {"rlvr_task": [rows[0], rows[0], rows[1]], "completion_ids": [[1, 2], [1], []]}
    asyncio.run(function(completions=["1", "5", "4"], **columns))
    ((first, second, third),) = kept
    assert [one.sample for one in (first, second, third)] == [0, 1, 0]
    assert first.env == "sums"
    assert first.task == env.tasks[0]
    assert first.messages == [*env.tasks[0].prompt, {"role": "assistant", "content": "1"}]
    assert first.verdict is not None
    assert first.verdict.scored
    assert first.completion_tokens == 2
    assert first.stop == ""  # TRL doesn't say
    assert third.verdict == Unscored(Cause.JUDGE, "the judge is out of order")


def test_what_is_late_is_unscored(env: rlvr.SingleTurn) -> None:
    never = threading.Event()

    @rlvr.verifier(mode="whole")
    async def waits(task: rlvr.Task, answer: str) -> bool:
        return await asyncio.to_thread(never.wait, 30) if answer == "wait" else True

    slow = rlvr.SingleTurn(env.tasks, waits)
    columns = {"rlvr_task": rlvr.trl.dataset(slow)["rlvr_task"][:2]}
    logs = Logs()
    function = rlvr.trl.reward(slow, deadline_s=2.0)
    try:
        rewards = asyncio.run(
            function(completions=["1", "wait"], log_metric=logs.metrics.__setitem__, **columns)
        )
    finally:
        never.set()
    assert rewards == [1.0, None]
    assert logs.metrics["rlvr/unscored/timeout"] == 0.5


def test_an_environments_own_judge_is_asked(env: rlvr.SingleTurn) -> None:
    class Lenient(rlvr.SingleTurn):
        def judge(self, task: rlvr.Task, messages: list[Any]) -> rlvr.Verdict:
            if messages[-1]["content"] == "broken":
                raise RuntimeError("no judge")
            return Scored(0.5, Status.PARTIAL)

    logs = Logs()
    assert logs.call(Lenient(env.tasks, env.verifier), ["x", "broken"]) == [0.5, None]
    assert "the judge of sums raised: RuntimeError: no judge" in logs.extra["feedback"][1]


def test_each_row_of_a_mixture_is_judged_by_its_own(env: rlvr.SingleTurn) -> None:
    @rlvr.verifier(mode="whole")
    def never(task: rlvr.Task, answer: str) -> bool:
        return False

    mixture = {"right": env, "wrong": rlvr.SingleTurn(env.tasks, never)}
    rows = rlvr.trl.dataset(mixture)
    columns = {"rlvr_task": rows["rlvr_task"][:], "rlvr_env": rows["rlvr_env"][:]}
    answers = [json.loads(task)["reference"] for task in columns["rlvr_task"]]
    logs = Logs()
    rewards = logs.call(mixture, answers, **columns)  # type: ignore[arg-type]
    expected = {"right": 1.0, "wrong": 0.0}
    assert rewards == [expected[name] for name in columns["rlvr_env"]]
    assert logs.metrics["rlvr/right/picky"] == 1.0
    assert logs.metrics["rlvr/wrong/never"] == 0.0
    del columns["rlvr_env"]
    with pytest.raises(DataError, match="no column 'rlvr_env', and there are several"):
        logs.call(mixture, answers, **columns)  # type: ignore[arg-type]
    with pytest.raises(
        DataError, match="of the environment 'left', and there is only right, wrong"
    ):
        logs.call(mixture, ["1"], rlvr_task=rows["rlvr_task"][:1], rlvr_env=["left"])  # type: ignore[arg-type]


def test_weights_are_of_the_rows(env: rlvr.SingleTurn) -> None:
    other = rlvr.SingleTurn(env.tasks, env.verifier, name="other")
    rows = rlvr.trl.dataset([env, other], limit=20, weights=[3, 1], seed=5)
    assert rows["rlvr_env"][:].count("sums") == 15
    again = rlvr.trl.dataset([env, other], limit=20, weights=[3, 1], seed=5)
    assert rows["task_id"][:] == again["task_id"][:]
    with pytest.raises(OptionError, match="1000000 tasks: say how many"):
        rlvr.trl.dataset({"a": rlvr.make("arithmetic")})


def lengths(completions: list[Any], **_: Any) -> list[float]:
    return [1.0 for _ in completions]


async def later(completions: list[Any], **_: Any) -> list[float]:
    await asyncio.sleep(0)
    return [0.5 for _ in completions]


def test_beside_ours_others_give_nothing_to_a_row_without_a_verdict(env: rlvr.SingleTurn) -> None:
    functions = rlvr.trl.reward(env, also=[lengths, later])
    assert [one.__name__ for one in functions] == ["sums", "lengths", "later"]
    assert all(map(is_async_callable, functions))
    task = rlvr.trl.dataset(env)["rlvr_task"]

    async def batch(said: list[str]) -> list[list[float | None]]:
        completions = [[{"role": "assistant", "content": text}] for text in said]
        given = {"completions": completions, "rlvr_task": task[: len(said)]}
        return await asyncio.gather(*(one(**given) for one in functions))

    for _ in range(2):
        assert asyncio.run(batch(["1", "2", "5"])) == [
            [1.0, None, 1.0], [1.0, None, 1.0], [0.5, None, 0.5],
        ]  # fmt: skip

    class Later:
        async def __call__(self, completions: list[Any], **_: Any) -> list[float]:
            return [0.25 for _ in completions]

    functions = rlvr.trl.reward(env, also=[Later(), functools.partial(lengths, x=1)])
    assert [one.__name__ for one in functions] == ["sums", "Later", "lengths"]
    assert asyncio.run(batch(["1", "2"])) == [[1.0, None], [0.25, None], [1.0, None]]
    with pytest.raises(OptionError, match="wrap a reward model in one"):
        rlvr.trl.reward(env, also=[torch.nn.Linear(1, 1)])


def test_others_in_a_plain_list_are_warned_about_once(env: rlvr.SingleTurn) -> None:
    class Trainer:
        def __init__(self, functions: list[Any]) -> None:
            self.reward_funcs = functions

        def log(self, name: str, value: float) -> None: ...

    task = rlvr.trl.dataset(env)["rlvr_task"][:1]
    said = [[{"role": "assistant", "content": "1"}]]
    ours = rlvr.trl.reward(env)
    log = Trainer([ours, lengths]).log

    def batch() -> None:
        asyncio.run(ours(completions=said, rlvr_task=task, log_metric=log))

    with pytest.warns(DataWarning, match=r"lengths beside rlvr's reward: .* also="):
        batch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch()
        both = rlvr.trl.reward(env, also=[lengths])
        log = Trainer(both).log
        asyncio.run(_all(both, said, task, log))


def test_two_rewards_of_one_environment_have_two_names(env: rlvr.SingleTurn) -> None:
    logged: dict[str, float] = {}

    class Trainer:
        def __init__(self, functions: list[Any]) -> None:
            self.reward_funcs = functions
            self.reward_func_names = [one.__name__ for one in functions]

        def log(self, name: str, value: float) -> None:
            logged[name] = value

    loose = rlvr.SingleTurn(env.tasks, rlvr.Math(mode="whole"))
    loose.name = env.name
    functions = [rlvr.trl.reward(env), rlvr.trl.reward(loose), rlvr.trl.reward(env)]
    trainer = Trainer(functions)
    task = rlvr.trl.dataset(env)["rlvr_task"][:1]
    said = [[{"role": "assistant", "content": "1"}]]
    with pytest.warns(DataWarning):
        asyncio.run(_all(functions[::-1], said, task, trainer.log))
    assert trainer.reward_func_names == ["sums", "sums_2", "sums_3"]
    assert {name.rpartition("/")[0] for name in logged} >= {"rlvr", "rlvr/2", "rlvr/3"}
    assert logged["rlvr/picky"] == logged["rlvr/3/picky"] == logged["rlvr/2/math"] == 1.0


async def _all(functions: list[Any], said: list[Any], task: list[str], log: Any) -> None:
    given = {"completions": said, "rlvr_task": task, "log_metric": log}
    await asyncio.gather(*(one(**given) for one in functions))


@pytest.mark.parametrize("algorithm", ["GRPO", "RLOO"])
@pytest.mark.parametrize("also", [None, [lengths]], ids=["alone", "beside"])
def test_a_trainer_trains_on_where_some_rows_have_no_reward(
    tmp_path: Path, algorithm: str, also: Any
) -> None:
    pytest.importorskip("torch")
    trl = pytest.importorskip("trl")
    from rlvr.training.quickstart.model import make_model, make_tokenizer

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
        reward_funcs=rlvr.trl.reward(env, also=also),
        processing_class=tokenizer,
    )
    trainer.train()
    steps = [row for row in trainer.state.log_history if "reward" in row]
    assert trainer.state.global_step == len(steps) == 2
    for row in steps:
        assert 0 < row["rlvr/unscored"] < 1
        assert row["rlvr/unscored/judge"] == row["rlvr/unscored"]
        others = 1.0 if also else 0.0
        # Over the scored rows alone.
        assert row["reward"] == pytest.approx(row["rlvr/half"] + others)
        assert row["loss"] == row["loss"]  # not NaN
    assert any(not value.equal(start[name]) for name, value in model.state_dict().items())
    assert all(value.isfinite().all() for value in model.state_dict().values())
