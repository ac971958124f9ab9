"""Format `inspect`: what is in the file, and what inspect_ai itself makes of it where it's installed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.errors import DataError
from rlvr.core.verdict import Cause, Unscored
from rlvr.evaluation.exports import export
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import read_rollouts
from rlvr.runs.tally import Tally
from tests.evaluation.exports.runs import CLEAN, CONFIG, LONE, append, mixed, rollout, write


def report_of(run: Path) -> Report:
    tally = Tally("sums")
    for row in read_rollouts(run):
        tally.add(Rollout.from_json(row))
    return Report.of(tally)


def member(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as log:
        return json.loads(log.read(name))


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as log:
        assert log.testzip() is None
        return log.namelist()


def test_the_file_has_what_inspect_reads(tmp_path: Path) -> None:
    (path,) = export(mixed(tmp_path / "run"), "inspect").paths
    samples = [f"samples/t{task}_epoch_{epoch}.json" for task in range(3) for epoch in (1, 2)]
    assert names(path) == ["_journal/start.json", *samples, "summaries.json", "header.json"]
    header = member(path, "header.json")
    assert (header["version"], header["status"]) == (2, "success")
    assert header["eval"]["config"] == {"epochs": 2, "epochs_reducer": ["mean"]}
    assert header["eval"]["dataset"]["sample_ids"] == ["t0", "t1", "t2"]
    assert len(member(path, "summaries.json")) == 6


def test_unscored_is_nan_and_never_a_number(tmp_path: Path) -> None:
    (path,) = export(mixed(tmp_path / "run"), "inspect").paths
    scores = member(path, "samples/t1_epoch_2.json")["scores"]
    for name in ("reward", "correct"):
        assert math.isnan(scores[name]["value"])
        assert scores[name]["reason"] == "scoring_failed"
        assert scores[name]["explanation"] == "the reference can't be read"
        assert scores[name]["metadata"]["cause"] == "gold"
    summary = member(path, "summaries.json")[3]
    assert math.isnan(summary["scores"]["reward"]["value"])
    reward, correct = member(path, "header.json")["results"]["scores"]
    # t0 earned 1 and 1, t1 1 and nothing, t2 0 and 0.5.
    assert reward["metrics"]["mean"]["value"] == pytest.approx((1 + 1 + 0.25) / 3)
    assert correct["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)


def test_with_nothing_scored_there_are_no_metrics(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, None), rollout("u", 0, None)])
    (path,) = export(run, "inspect").paths
    for score in member(path, "header.json")["results"]["scores"]:
        assert score["metrics"] == {}
        assert (score["scored_samples"], score["unscored_samples"]) == (0, 2)


def test_nothing_of_the_machine_is_published(tmp_path: Path) -> None:
    config = CONFIG | {
        "model": "/home/someone/models/small",
        "policy": "/home/someone/models/small",
    }
    run = write(tmp_path / "run", [rollout("t", 0, 1.0)], config)
    (log,) = export(run, "inspect").paths
    written = [json.dumps([member(log, name) for name in names(log)])]
    written += [path.read_text() for path in export(run, "lm-eval").paths]
    for text in written:
        assert "secret.example" not in text
        assert "someone" not in text
    assert '"model": "small"' in written[0]
    assert '"model_name": "small"' in written[1]


def test_of_a_training_run_the_last_step_counts(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 0.0)], step=0)
    append(run, rollout("t", 0, 1.0), rollout("u", 0, None), step=10)
    (path,) = export(run, "inspect").paths
    assert "samples/u_epoch_1.json" in names(path)
    assert member(path, "samples/t_epoch_1.json")["scores"]["reward"]["value"] == 1.0
    (path,) = export(run, "inspect", tmp_path / "first", step=0).paths
    assert member(path, "samples/t_epoch_1.json")["scores"]["reward"]["value"] == 0.0


def test_a_suite_gives_a_log_for_each_environment_and_part(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        [
            rollout("1", 0, 1.0, env="a", part="dev"),
            rollout("1", 0, 0.0, env="a", part="unseen"),
            rollout("1", 0, None, env="a_dev"),  # the name that the first one's log gets
        ],
    )
    paths = export(run, "inspect").paths
    assert len(set(paths)) == 3
    tasks = [member(path, "header.json")["eval"]["task"] for path in paths]
    assert tasks == ["a_dev", "a_unseen", "a_dev_2"]
    assert len({member(path, "header.json")["eval"]["eval_id"] for path in paths}) == 3
    assert export(run, "inspect").paths == paths  # again: the same files


def test_a_killed_run_is_no_success(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    about = json.loads((run / "run.json").read_text())
    del about["finished"]
    (run / "run.json").write_text(json.dumps(about))
    assert member(export(run, "inspect").paths[0], "header.json")["status"] == "cancelled"


def test_a_sample_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    run = append(mixed(tmp_path / "run"), rollout("t1", 0, 0.0))
    with pytest.raises(DataError, match="has sample 0 of task 't1' twice"):
        export(run, "inspect")
    assert list((run / "exports" / "inspect").iterdir()) == []


def hostile(path: Path) -> Path:
    failed = rollout("no/response\0\0", 0, None, [], stop="error")
    judged = rollout("é ../../x", 0, None)
    judged.verdict = Unscored(Cause.JUDGE, LONE)
    roles = [{"role": "developer", "content": "sys"}, {"role": "robot", "content": "<script>"}]
    return write(
        path,
        [
            rollout(
                "multi", 0, 0.5, ["first", LONE], stop="turns", answer=math.nan, deep=[math.inf]
            ),
            rollout("cut", 0, 0.0, "x" * 20_000, stop="length", prompt=roles),
            rollout("list", 0, 1.0, reference=["a", {"b": 1}], metadata={"level": 2**70}),
            failed,
            judged,
        ],
    )


def test_inspect_reads_whatever_a_model_wrote(tmp_path: Path) -> None:
    log_module = pytest.importorskip("inspect_ai.log")
    (path,) = export(hostile(tmp_path / "run"), "inspect").paths
    log = log_module.read_eval_log(str(path))
    samples = {sample.id: sample for sample in log.samples}
    multi = samples["multi"]
    assert [m.role for m in multi.messages] == ["user", "assistant", "user", "assistant"]
    assert multi.output.completion == multi.messages[-1].text == CLEAN
    assert multi.scores["reward"].metadata["detail"] == {"answer": None, "deep": [None]}
    cut = samples["cut"]
    assert [m.role for m in cut.input] == ["system", "user"]
    assert cut.output.stop_reason == "max_tokens"
    assert samples["list"].target == '["a", {"b": 1}]'
    assert samples["list"].metadata["level"] == 2**70
    assert samples["no/response\ufffd\ufffd"].output.choices == []
    (judge,) = (
        s.scores["reward"] for s in log.samples if s.metadata["rlvr"].get("task") == "é ../../x"
    )
    assert (judge.reason, judge.explanation) == ("grader_failed", CLEAN)
    for sample in log.samples:  # one by one, through the zip's names
        one = log_module.read_eval_log_sample(str(path), id=sample.id, epoch=1)
        assert one.messages == sample.messages
    assert len(log_module.read_eval_log_sample_summaries(str(path))) == 5


def test_no_task_id_is_a_name_that_unpacks_elsewhere(tmp_path: Path) -> None:
    ids = [
        "../../x", "..", ".", "/etc/passwd", "a/../../b", "a//b", "C:\\x", "C:x", "..\\..\\x", "\\\\host\\x",
        "a\nb", "a\rb", "\u202ex", "x" * 300, "é" * 200, "/".join("ab" * 400), "", " ", "../../x\0", "_.._.._x",
        ".. /x", "HumanEval/0", "plain id", "t.1_2-3",
    ]  # fmt: skip
    run = write(tmp_path / "run", [rollout(one, 0, 1.0) for one in ids])
    (path,) = export(run, "inspect").paths
    with zipfile.ZipFile(path) as log:
        names = [n for n in log.namelist() if n.startswith("samples/")]
        rows = [json.loads(log.read(name)) for name in names]
    assert len(set(names)) == len(ids)
    assert [f"samples/{row['id']}_epoch_1.json" for row in rows] == names
    assert [row["metadata"]["rlvr"].get("task", row["id"]) for row in rows] == ids
    assert [row["id"] for row in rows[-3:]] == ids[-3:]  # what is harmless stays
    for name in names:
        assert name.isprintable()
        assert "\\" not in name
        assert ":" not in name[:10]
        assert len(name.encode()) < 1100
        for part in name.split("/"):
            assert part.strip(". "), name
            assert len(part.encode()) < 200


def test_inspect_recomputes_the_same_figures(tmp_path: Path) -> None:
    log_module = pytest.importorskip("inspect_ai.log")
    from inspect_ai.scorer import Score

    run = mixed(tmp_path / "run")
    (path,) = export(run, "inspect").paths
    log = log_module.read_eval_log(str(path))
    assert log.eval.model == "org/Small-1B"
    assert log.eval.model_generate_config.temperature == 0.7
    sample = next(s for s in log.samples if (s.id, s.epoch) == ("t1", 2))
    unscored = Score.unscored(
        reason="scoring_failed",
        explanation="the reference can't be read",
        metadata={"cause": "gold", "detail": {}},
    )
    assert repr(sample.scores["reward"]) == repr(
        unscored
    )  # NaN equals nothing, itself least of all
    before = log.results.model_copy(deep=True)
    log_module.recompute_metrics(log)
    assert len(before.scores) == 2
    for ours, theirs in zip(before.scores, log.results.scores, strict=True):
        assert (ours.name, ours.reducer) == (theirs.name, theirs.reducer)
        assert ours.scored_samples == theirs.scored_samples
        assert ours.unscored_samples == theirs.unscored_samples
        assert list(ours.metrics) == list(theirs.metrics)
        for name, metric in ours.metrics.items():
            assert metric.value == pytest.approx(theirs.metrics[name].value, abs=1e-12)
    assert before.metadata["rlvr"]["mean"] == report_of(run).mean.to_json()


def test_with_as_many_scored_samples_a_task_the_figures_are_the_reports(tmp_path: Path) -> None:
    rewards = [(1.0, 0.0), (0.5, 0.25), (1.0, 1.0)]
    run = write(
        tmp_path / "run",
        [
            rollout(f"t{i}", j, reward)
            for i, pair in enumerate(rewards)
            for j, reward in enumerate(pair)
        ],
    )
    reward, correct = member(export(run, "inspect").paths[0], "header.json")["results"]["scores"]
    report = report_of(run)
    assert reward["metrics"]["mean"]["value"] == pytest.approx(report.mean.value)
    assert correct["metrics"]["accuracy"]["value"] == pytest.approx(report.correct.value)


@pytest.mark.sweep
def test_inspects_own_commands_take_it(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    export(hostile(tmp_path / "run"), "inspect", tmp_path / "logs")

    def inspect(*arguments: str) -> str:
        command = [sys.executable, "-m", "inspect_ai", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        return done.stdout

    (path,) = (tmp_path / "logs").iterdir()
    assert len(json.loads(inspect("log", "dump", str(path)))["samples"]) == 5
    listed = json.loads(inspect("log", "list", "--json", "--log-dir", "logs"))
    assert [one["task"] for one in listed] == ["sums"]
    inspect("view", "bundle", "--log-dir", "logs", "--output-dir", "site")
    assert (tmp_path / "site" / "index.html").exists()
    assert (tmp_path / "site" / "logs" / path.name).read_bytes() == path.read_bytes()
