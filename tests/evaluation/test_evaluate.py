from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr import Cause, Scored, Unscored
from rlvr.core.errors import DataError, OptionError
from rlvr.core.verdict import status_of
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.scripted import Scripted, scripted
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, read_rollouts
from rlvr.runs.tally import Tally

GRADES = {"1": 1.0, "2": 0.5, "3": 0.0, "4": None}


@rlvr.verifier
def graded(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
    grade = GRADES[answer]
    return Unscored(Cause.JUDGE, "no grade") if grade is None else grade


@pytest.fixture
def env() -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"Task {i}", str(i % 4 + 1), f"t{i}") for i in range(20)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, "graded"), graded)


def answers() -> Scripted:
    return Scripted("answers", lambda task: f"\\boxed{{{task.reference}}}")


def test_the_unscored_are_counted_and_left_out_of_every_mean(env: rlvr.SingleTurn) -> None:
    report = evaluate(env, answers())
    assert (report.tasks, report.rollouts, report.scored) == (20, 20, 15)
    assert report.mean.value == 0.5
    assert report.mean_unscored_as_0.value == 0.375
    assert report.correct.value == pytest.approx(1 / 3)
    assert report.statuses == {"correct": 5, "partial": 5, "incorrect": 5}
    assert report.unscored == {"judge": 5}
    assert 0.15 < report.mean.half < 0.3


def test_a_report_on_too_little_has_no_figure() -> None:
    one = rlvr.SingleTurn([rlvr.Task("q", "4", "t")], graded)
    report = evaluate(one, answers())
    assert (report.tasks, report.scored, report.pass_at_k) == (1, 0, [])
    assert math.isnan(report.mean.value)
    assert math.isnan(report.majority.value)
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["correct"]["value"] is None


def test_k_samples_by_hand() -> None:
    """Two tasks, four samples: of the first one is right, of the second three, one isn't scored."""
    said = {"a": ["1", "3", "3", "2"], "b": ["1", "1", "1", "4"]}
    env = rlvr.SingleTurn([rlvr.Task(f"{t}?", "1", t) for t in said], graded)

    class Says:
        name = "says"

        def __init__(self) -> None:
            self.asked = {t: iter(said[t]) for t in said}

        def respond(self, requests: Sequence[Request]) -> list[Generation]:
            texts = [f"\\boxed{{{next(self.asked[r.task.id])}}}" for r in requests]
            return [Generation(text, "length", 5, 7) for text in texts]

    report = evaluate(env, Says(), k=4)
    assert (report.rollouts, report.scored) == (8, 7)
    assert report.mean.value == pytest.approx(4.5 / 7)
    assert [one.value for one in report.pass_at_k] == pytest.approx(
        [(1 / 4 + 1) / 2, (1 / 2 + 1) / 2, (3 / 4 + 1) / 2, 1.0]
    )
    assert report.pass_tasks == [2, 2, 2, 1]
    assert report.majority.value == 0.5
    assert report.truncated == 1.0
    assert report.tokens == {"prompt": 40, "completion": 56, "sent": 40}


def test_every_task_is_asked_once_and_written_down(env: rlvr.SingleTurn, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with Run.create(tmp_path / "run", "eval", {}) as run:
        evaluate(
            env,
            answers(),
            run=run,
            progress=lambda one: progress.append((one.done, one.total)),
            labels={"step": 3},
        )
    rows = [json.loads(line) for line in (run.path / "rollouts.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: int(row["task"][1:]))  # they're written when they're judged
    assert [row["task"] for row in rows] == [f"t{i}" for i in range(20)]
    assert {row["step"] for row in rows} == {3}
    assert [row["verdict"].get("reward") for row in rows] == list(GRADES.values()) * 5
    assert [row["verdict"]["scored"] for row in rows] == [True, True, True, False] * 5
    assert progress == [(i, 20) for i in range(1, 21)]


@pytest.mark.parametrize(("limit", "count"), [(3, 3), (20, 20), (99, 20)])
def test_a_limit_takes_the_first_tasks(env: rlvr.SingleTurn, limit: int, count: int) -> None:
    assert evaluate(env, answers(), limit=limit).tasks == count


def test_no_tasks_are_refused(env: rlvr.SingleTurn) -> None:
    with pytest.raises(OptionError, match="limit is at least 1, not 0"):
        evaluate(env, answers(), limit=0)


class Guess(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        said = messages[-1]["content"]
        if said == "crash":
            raise ValueError("?")
        return None if said == f"\\boxed{{{task.reference}}}" else "no"


class Counts:
    """1, 2, 3 … up to what each task's prompt allows."""

    name = "counts"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        numbers = [sum(m["role"] == "assistant" for m in r.prompt) + 1 for r in requests]
        return [
            "crash" if r.task.reference == "0" else f"\\boxed{{{n}}}"
            for n, r in zip(numbers, requests, strict=True)
        ]


class CountsAsync(Counts):
    concurrency = 3

    async def generate(self, request: Request, n: int = 1) -> list[Generation]:
        return [Generation(text) for text in self.respond([request])] * n


@pytest.mark.parametrize("policy", [Counts(), CountsAsync()])
def test_conversations(tmp_path: Path, policy: Counts) -> None:
    tasks = [rlvr.Task("?", str(i), f"t{i}") for i in range(5)]
    env = Guess(rlvr.TaskSet(tasks), rlvr.Math(), max_turns=3)
    with Run.create(tmp_path / "run", "eval", {}) as run:
        report = evaluate(env, policy, k=2, run=run)
    rows = {(row["task"], row["sample"]): row for row in read_rollouts(run.path)}
    assert len(rows) == 10
    assert report.statuses == {"correct": 6, "incorrect": 2}
    assert report.unscored == {"internal": 2}
    assert rows["t4", 0]["stop"] == "turns"
    assert report.truncated == 0.2
    for i in (1, 2, 3):
        assert [m["role"] for m in rows[f"t{i}", 1]["messages"]] == ["user", "assistant"] * i
        assert rows[f"t{i}", 1]["stop"] == "stop"


def test_episodes_that_are_over_make_room_for_new_ones() -> None:
    class Batched(Counts):
        batch_size = 4
        sizes: list[int] = []

        def respond(self, requests: Sequence[Request]) -> list[str]:
            self.sizes.append(len(requests))
            return super().respond(requests)

    lengths = [1, 3, 1, 2, 3, 1, 1, 3, 2, 3]
    tasks = [rlvr.Task("?", str(length), f"t{i}") for i, length in enumerate(lengths)]
    policy = Batched()
    report = evaluate(Guess(rlvr.TaskSet(tasks), rlvr.Math(), max_turns=3), policy)
    assert report.statuses == {"correct": 10}
    assert sum(policy.sizes) == sum(lengths)
    assert policy.sizes[:4] == [4, 4, 4, 4]
    assert len(policy.sizes) == 6  # 9 without new ones in the gaps


class Streamed:
    """Answers in batches of four, the last requests first."""

    name, window = "streamed", 12
    forgets = 0

    def __init__(self) -> None:
        self.recorded = threading.Event()

    def respond(self, requests: Sequence[Request]) -> list[str]:
        raise AssertionError("streams")

    def stream(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
        order = list(range(len(requests)))[::-1][self.forgets :]
        for at in range(0, len(order), 4):
            # The third is asked for while the first is judged, and doesn't come before it has been.
            assert at < 8 or self.recorded.wait(60)
            yield [(i, answer_of(requests[i])) for i in order[at : at + 4]]


def answer_of(request: Request) -> Generation:
    return Generation(f"\\boxed{{{request.task.reference}}}")


def test_answers_are_judged_as_they_come(env: rlvr.SingleTurn) -> None:
    policy = Streamed()

    report = evaluate(env, policy, progress=lambda evaluation: policy.recorded.set())
    assert (report.rollouts, report.scored) == (20, 15)
    policy.forgets = 1
    with pytest.raises(PolicyError, match="left 1 requests unanswered"):
        evaluate(env, policy)


def test_a_stream_that_answers_twice_or_with_nonsense_is_told(env: rlvr.SingleTurn) -> None:
    class Twice(Streamed):
        def stream(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
            yield [(0, Generation("a")), (0, Generation("b"))]

    class Nonsense(Streamed):
        def stream(self, requests: Sequence[Request]) -> Iterator[Any]:
            yield [(0, 3)]

    with pytest.raises(PolicyError, match="answered request 0 of 12"):
        evaluate(env, Twice())
    with pytest.raises(PolicyError, match="gave a int"):
        evaluate(env, Nonsense())


def test_a_respond_of_its_own_is_called(env: rlvr.SingleTurn) -> None:
    class Shouts(Streamed):
        def respond(self, requests: Sequence[Request]) -> list[str]:
            return [answer_of(request).text for request in requests]

        def stream(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
            raise AssertionError("another's")

    class Quiet(Shouts):
        def respond(self, requests: Sequence[Request]) -> list[str]:
            return super().respond(requests)

    class Wrapped:
        name = "wrapped"

        def __getattr__(self, name: str) -> Any:
            return getattr(Shouts(), name)

        def respond(self, requests: Sequence[Request]) -> list[str]:
            return Shouts().respond(requests)

    assert evaluate(env, Quiet()).scored == evaluate(env, Wrapped()).scored == 15


def test_conversations_with_a_policy_that_streams() -> None:
    class Talks(Streamed):
        def stream(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
            said = Counts().respond(requests)
            for i in reversed(range(len(requests))):
                yield [(i, Generation(said[i]))]

    lengths = [1, 3, 1, 2, 3, 1, 1, 3, 2, 3]
    tasks = [rlvr.Task("?", str(length), f"t{i}") for i, length in enumerate(lengths)]
    report = evaluate(Guess(rlvr.TaskSet(tasks), rlvr.Math(), max_turns=3), Talks())
    assert report.statuses == {"correct": 10}


def test_a_policy_that_answers_too_little_is_told(env: rlvr.SingleTurn) -> None:
    policy = Scripted("short", lambda task: "")
    policy.respond = lambda requests: [""]  # type: ignore[method-assign]
    with pytest.raises(PolicyError, match="gave 1 responses for 20 requests"):
        evaluate(env, policy)


def test_a_run_is_resumed_and_nothing_repeated(env: rlvr.SingleTurn, tmp_path: Path) -> None:
    asked: list[str] = []

    def dies(task: rlvr.Task) -> str:
        asked.append(task.id)
        if len(asked) == 100:
            raise KeyError("killed")
        return f"\\boxed{{{task.reference}}}"

    with Run.create(tmp_path / "run", "eval", {}) as run, pytest.raises(KeyError):
        evaluate(env, Scripted("dies", dies), k=8, run=run)
    path = run.path / "rollouts.jsonl"
    with path.open("ab") as file:
        file.write(b'{"task": "t0", "sam')  # as a kill may leave it
    before = len(list(read_rollouts(run.path)))
    assert before == 64
    with Run.resume(run.path) as run:
        assert path.read_bytes().endswith(b"\n")
        report = evaluate(env, Scripted("rest", dies), k=8, run=run, resume=True)
    rows = list(read_rollouts(run.path))
    assert len(rows) == len({(row["task"], row["sample"]) for row in rows}) == 160
    assert report.rollouts == 160
    assert report.mean.value == 0.5


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    busy = pytest.raises(DataError, match="Another process is writing the run")
    with Run.create(tmp_path / "run", "eval", {}) as run, busy:
        Run.resume(run.path)
    with Run.resume(run.path):
        pass
    with pytest.raises(DataError, match="There's no run in"):
        Run.resume(tmp_path / "other")


def test_inside_a_loop_that_runs_already(env: rlvr.SingleTurn) -> None:
    async def notebook() -> Report:
        return evaluate(env, answers())

    assert asyncio.run(notebook()).scored == 15


def test_there_is_no_oracle_where_the_verifier_shows_nothing() -> None:
    env = rlvr.SingleTurn([rlvr.Task("q", "1")], rlvr.Format.think())
    with pytest.raises(OptionError, match=r"makes no right answer"):
        evaluate(env, scripted("oracle", env))


def test_an_unknown_script_names_those_there_are(env: rlvr.SingleTurn) -> None:
    with pytest.raises(OptionError, match="There are: oracle, empty, echo, random"):
        scripted("perfect", env)


def test_intervals_depend_on_the_rollouts_and_not_on_their_order() -> None:
    rng = np.random.default_rng(3)
    rollouts = []
    for i in range(60):
        for sample in range(2):
            reward = float(rng.random() < 0.4)
            rollout = Rollout("e", None, rlvr.Task("q", "a", str(i)), sample, [])
            rollout.messages = [{"role": "assistant", "content": str(reward)}]
            rollout.verdict = Scored(reward, status_of(reward))
            rollouts.append(rollout)
    found = []
    for order in (np.arange(120), rng.permutation(120), rng.permutation(120)):
        tally = Tally("e")
        for i in order:
            tally.add(rollouts[i])
        found.append(Report.of(tally))
    assert found[0].correct == found[1].correct == found[2].correct
    assert found[0].pass_at_k == found[1].pass_at_k == found[2].pass_at_k
