"""`rlvr eval`: says what it measured, refuses what can't be measured, and hides no fault."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import rlvr
from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.evaluation.preflight import NotReadyError
from rlvr.runs.report import EvaluationSize, Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.tally import Tally
from rlvr.verifiers.instructions import resources
from tests.stub_server import Stub

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_test_split_is_measured_and_everything_says_so(
    rlvr_cli: CommandLine, tmp_path: Path, data: Path
) -> None:
    environ = {"RLVR_DATA": str(data)}
    done = rlvr_cli("eval", "gsm8k", "--policy", "oracle", "--limit", "9", "--run", "run", environ=environ)  # fmt: skip
    line = "gsm8k, test split, 9 tasks, k 1 · policy oracle, seed 0"
    assert done.stdout.splitlines()[0] == line
    about = read(tmp_path / "run/run.json")
    assert about["config"]["split"] == "test"
    asked = {"env": "gsm8k", "part": None, "split": "test", "tasks": 9, "k": 1}
    assert about["asked"] == [{**asked, "mode": "boxed", "shots": 0}]
    assert read(tmp_path / "run/report.json")["asked"]["asked"] == about["asked"]
    assert line in rlvr_cli("compare", "run", "run").stdout
    train = rlvr_cli("eval", "gsm8k", "--split", "train", "--policy", "oracle", "--limit", "1", environ=environ)  # fmt: skip
    assert "gsm8k, train split" in train.stdout


def test_the_first_line_has_the_model_and_its_sampling(rlvr_cli: CommandLine) -> None:
    with Stub() as stub:
        arguments = ["eval", "arithmetic", "--model", "adder", "--base-url", stub.url]
        arguments += ["--limit", "3", "-k", "2"]
        refused = rlvr_cli(*arguments)
        assert refused.returncode == 2
        assert "--temperature 0" in refused.stderr
        assert stub.bodies == []
        done = rlvr_cli(*arguments, "--temperature", "0.7", "--max-tokens", "99")
    assert done.stdout.splitlines()[0] == (
        "arithmetic, test split, 3 tasks, k 2 · model adder, temperature 0.7, max tokens 99, seed 0"
    )


@pytest.mark.parametrize("name", ["splt", "temperature", "levle", "limt"])
def test_evaluate_refuses_what_it_does_not_know(name: str) -> None:
    with pytest.raises(OptionError, match=f"no parameter {name!r}"):
        rlvr.evaluate("arithmetic", "oracle", limit=2, **{name: 1})  # type: ignore[arg-type]


def test_evaluate_takes_split_data_and_options(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"question": "3 + 4?", "answer": "#### 7"}\n')
    rlvr.evaluate("gsm8k", "oracle", data=str(tmp_path / "own.jsonl"), run=tmp_path / "a")
    rlvr.evaluate("arithmetic", "oracle", split="dev", options={"level": 3}, limit=2, run=tmp_path / "b")  # fmt: skip
    first, second = (read(tmp_path / name / "run.json") for name in "ab")
    assert first["asked"][0]["split"] == "test"
    assert second["config"]["split"] == "dev"
    assert "level=3" in second["config"]["options"]
    with pytest.raises(OptionError, match="no option 'levle'"):
        rlvr.evaluate("arithmetic", "oracle", options={"levle": 3}, limit=2)
    with pytest.raises(OptionError, match="made already"):
        rlvr.evaluate(rlvr.make("arithmetic"), "oracle", split="test", limit=2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "127.0.0.1:9/v1"])
def test_a_server_that_is_not_there_is_an_error_in_seconds(
    rlvr_cli: CommandLine, tmp_path: Path, url: str
) -> None:
    began = time.monotonic()
    done = rlvr_cli("eval", "arithmetic", "--model", "m", "--base-url", url, "--limit", "2")
    assert done.returncode == 2
    assert time.monotonic() - began < 60  # and not the five minutes of a server that was there
    assert list(tmp_path.iterdir()) == []


class Broken(rlvr.Verifier):
    name = "broken"

    def __init__(self, every: int) -> None:
        self.every = every

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if int(task.id) % self.every == 0:
            raise KeyError("total")
        return rlvr.Scored(1.0, rlvr.Status.CORRECT)


class Counts:
    name = "counts"

    def __init__(self) -> None:
        self.asked = 0

    def respond(self, requests: Any) -> list[str]:
        self.asked += len(requests)
        return ["x"] * len(requests)


def broken(every: int) -> rlvr.SingleTurn:
    return rlvr.SingleTurn([rlvr.Task("q", "a", str(i)) for i in range(30)], Broken(every))


def test_a_verifier_that_never_judges_is_an_error_before_the_first_request(tmp_path: Path) -> None:
    policy = Counts()
    with pytest.raises(NotReadyError, match="KeyError: 'total'"):
        rlvr.evaluate(broken(1), policy, run=tmp_path / "run")
    assert policy.asked == 0
    assert not (tmp_path / "run").exists()


def test_each_cause_has_an_example_and_figures_have_bounds() -> None:
    report = rlvr.evaluate(broken(3), Counts())
    assert (report.scored, report.unscored, report.missing, report.asked) == (20, {"internal": 10}, 0, 30)  # fmt: skip
    task, message = report.examples["internal"]
    assert int(task) % 3 == 0
    assert "KeyError: 'total'" in message
    assert report.mean.value == 1.0
    assert report.mean_unscored_as_0.value == pytest.approx(20 / 30)
    assert report.mean_unscored_as_1.value == 1.0
    assert report.bounds["correct"] == pytest.approx((20 / 30, 1.0))
    assert report.bounds["pass@1"] == pytest.approx((20 / 30, 1.0))


def test_exit_status_3_and_the_reason_where_something_is_unscored(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    rows = [{"question": "3 + 4?", "answer": "#### 7"}, {"question": "?", "answer": "#### "}]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = rlvr_cli("eval", "gsm8k", "--policy", "oracle", "--data", "own.jsonl", "--run", "run")
    assert done.returncode == 3
    assert "1 scored, 1 unscored of 2" in done.stdout
    assert "unscored as 0        reward 0.5000" in done.stdout
    assert "unscored as 1        reward 1.0000" in done.stdout
    assert "of all asked         reward 0.5000 to 1.0000" in done.stdout
    assert "such as test-1: " in done.stdout
    assert "nan" not in done.stdout


def tally(rewards: dict[str, list[float | None]]) -> Tally:
    found = Tally("e")
    for id, samples in rewards.items():
        for i, reward in enumerate(samples):
            verdict: rlvr.Verdict = rlvr.Unscored(rlvr.Cause.SANDBOX, "gone")
            if reward is not None:
                status = rlvr.Status.CORRECT if reward == 1 else rlvr.Status.INCORRECT
                verdict = rlvr.Scored(reward, status, detail={"answer": reward})
            messages = [{"role": "assistant", "content": "x"}]
            found.add(Rollout("e", None, rlvr.Task("q", "a", id), i, messages, verdict))
    return found


def test_rollouts_that_left_no_line_are_counted_and_in_the_bounds() -> None:
    # EvaluationSize: 4 tasks of 3 samples. One task left no line, another two of its three.
    report = Report.of(
        tally({"a": [1, 1, 0], "b": [None, 0, 0], "c": [1]}), asked=EvaluationSize(4, 3)
    )
    assert (report.scored, report.unscored, report.missing) == (6, {"sandbox": 1}, 5)
    assert report.scored + 1 + 5 == report.asked == 12
    assert report.bounds["mean"] == pytest.approx((3 / 12, 9 / 12))
    assert report.bounds["pass@1"] == pytest.approx((3 / 12, 9 / 12))
    assert report.bounds["pass@3"] == pytest.approx((2 / 4, 4 / 4))
    # a is right whatever; b can become right only with luck: two wrong against one.
    assert report.bounds["majority"] == pytest.approx((1 / 4, 3 / 4))
    assert Report.of(tally({"a": [1]})).missing is None


def test_a_run_that_was_cut_short_says_what_is_missing(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    rlvr_cli("eval", "arithmetic", "--policy", "oracle", "--limit", "20", "--run", "run")
    file = tmp_path / "run/rollouts.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:15]))
    from rlvr.runs.saved import SavedRun

    (report,) = SavedRun.open(tmp_path / "run").reports()
    assert (report.rollouts, report.missing, report.asked) == (15, 5, 20)
    resumed = rlvr_cli("eval", "--run", "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "15 rollouts are there already" in resumed.stderr
    assert "20 scored, 0 unscored of 20" in resumed.stdout


def test_slices_are_reported_the_weakest_first_and_small_ones_are_marked(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    rows = [
        {"problem": f"Problem {i}", "answer": "7" if i % 3 else "", "subject": "ABC"[i % 3], "level": i // 50}
        for i in range(62)
    ]  # fmt: skip
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["eval", "math", "--policy", "random", "--data", "own.jsonl"]
    done = rlvr_cli(*command, "--by", "metadata.level")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[lines.index("by metadata.level:") + 1].startswith("0     50 tasks")
    assert "12 tasks" in lines[lines.index("by metadata.level:") + 2]
    assert "only 12 tasks: too few to rank by" in lines[lines.index("by metadata.level:") + 2]
    wrong = rlvr_cli(*command, "--by", "metadata.topic", "--run", "none")
    assert wrong.returncode == 2
    assert "The tasks' keys are: metadata.level, metadata.subject" in wrong.stderr
    assert not (tmp_path / "none").exists()


def test_a_planted_weakness_is_named() -> None:
    import random

    rng, named = random.Random(4), 0
    subjects = [f"subject-{i}" for i in range(7)]
    for _ in range(20):
        by_subject = {}
        for subject in subjects:
            chance = 0.3 if subject == "subject-4" else 0.6
            rewards = {f"{subject}-{i}": [float(rng.random() < chance)] for i in range(71)}
            by_subject[subject] = tally(rewards)
        report = Report.of(next(iter(by_subject.values())), slices=by_subject)
        named += report.weakest()[0] == "subject-4"
    assert named == 20


def test_one_task_that_needs_a_missing_package_is_an_error_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wants(id: str, **kwargs: Any) -> dict[str, Any]:
        return {"instruction_id_list": [id], "kwargs": [kwargs]}

    tasks = [rlvr.Task("q", wants("punctuation:no_comma"), str(i)) for i in range(300)]
    tasks[77] = rlvr.Task("q", wants("language:response_language", language="de"), "german")
    for resource in vars(resources).values():
        if hasattr(resource, "cache_clear"):
            resource.cache_clear()
    monkeypatch.setitem(sys.modules, "langdetect", None)  # as if it weren't installed
    policy = Counts()
    env = rlvr.SingleTurn(tasks, 0.5 * rlvr.Instructions() + 0.5 * rlvr.Format.think())
    with pytest.raises(MissingExtraError, match=r"such as german .*pip install 'rlvr\[ifeval\]'"):
        rlvr.evaluate(env, policy)
    assert policy.asked == 0
