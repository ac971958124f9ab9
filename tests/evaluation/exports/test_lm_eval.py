"""Format `lm-eval`: the report's figures, in the harness's form."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from rlvr.evaluation.exports import export
from rlvr.runs.report import Report
from tests.evaluation.exports.runs import CLEAN, LONE, append, lines, mixed, rollout, write
from tests.evaluation.exports.test_inspect import report_of


def results(run: Path, **options: Any) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    path = export(run, "lm-eval", **options).paths[0]
    found: dict[str, Any] = json.loads(path.read_bytes(), parse_constant=refuse)
    return found


def test_the_figures_are_the_reports(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    report: Report = report_of(run)
    found = results(run)
    sums = found["results"]["sums"]
    assert sums["exact_match,none"] == report.correct.value == 3 / 5
    assert sums["reward,none"] == report.mean.value == 3.5 / 5
    assert sums["reward_unscored_as_0,none"] == report.mean_unscored_as_0.value == 3.5 / 6
    assert [sums["pass@1,none"], sums["pass@2,none"]] == [one.value for one in report.pass_at_k]
    assert sums["maj@2,none"] == report.majority.value
    assert sums["component_math,none"] == report.components["math"]
    assert sums["truncated,none"] == report.truncated == 1 / 6
    assert sums["unparsable,none"] == report.unparsable == 0
    assert sums["unscored,none"] == pytest.approx(1 / 6)
    assert sums["sample_len"] == 3
    assert found["rlvr"]["sums"] == {**report.to_json(), "step": None}


def test_what_was_asked_is_there_under_the_harness_names(tmp_path: Path) -> None:
    found = results(mixed(tmp_path / "run"))
    assert found["group_subtasks"] == {}
    assert found["versions"] == {"sums": 3}
    assert found["n-shot"] == {"sums": 0}
    assert found["n-samples"] == {"sums": {"original": 3, "effective": 3}}
    assert found["configs"]["sums"]["repeats"] == 2
    assert found["configs"]["sums"]["generation_kwargs"] == {
        "temperature": 0.7,
        "max_gen_toks": 64,
        "do_sample": True,
    }
    assert found["model_name"] == "org/Small-1B"
    assert found["model_name_sanitized"] == "org__Small-1B"
    assert found["config"]["random_seed"] == 5
    better = found["higher_is_better"]["sums"]
    assert better["exact_match"]
    assert better["reward_unscored_as_0"]
    assert not better["truncated"]
    names = {key.partition(",")[0] for key in found["results"]["sums"] if "," in key}
    assert {name for name in names if "_stderr" not in name} == set(better)


def test_the_standard_error_is_the_harness_own_for_one_sample_a_task(tmp_path: Path) -> None:
    rewards = [1.0, 0.0, 0.5, 1.0, 0.25]
    run = write(tmp_path / "run", [rollout(f"t{i}", 0, r) for i, r in enumerate(rewards)])
    append(run, rollout("t5", 0, None))
    sums = results(run)["results"]["sums"]
    assert sums["reward_stderr,none"] == pytest.approx(statistics.stdev(rewards) / math.sqrt(5))
    with_0 = statistics.stdev([*rewards, 0.0]) / math.sqrt(6)
    assert sums["reward_unscored_as_0_stderr,none"] == pytest.approx(with_0)
    solved = [1.0, 0.0, 0.0, 1.0, 0.0]
    assert sums["exact_match_stderr,none"] == pytest.approx(statistics.stdev(solved) / math.sqrt(5))
    assert sums["pass@1_stderr,none"] == sums["exact_match_stderr,none"]


def test_samples_of_a_task_are_no_independent_evidence(tmp_path: Path) -> None:
    once = write(tmp_path / "once", [rollout(f"t{i}", 0, float(i % 2)) for i in range(10)])
    often = write(
        tmp_path / "often", [rollout(f"t{i}", j, float(i % 2)) for i in range(10) for j in range(5)]
    )
    few, many = (results(run)["results"]["sums"] for run in (once, often))
    assert many["reward_stderr,none"] == pytest.approx(few["reward_stderr,none"])


def test_a_figure_of_nothing_is_left_out(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, None), rollout("u", 0, None)])
    sums = results(run)["results"]["sums"]
    assert not any(key.startswith(("exact_match", "reward,", "pass", "maj")) for key in sums)
    assert sums["unscored,none"] == 1.0
    assert sums["reward_unscored_as_0,none"] == 0.0
    single = write(tmp_path / "single", [rollout("t", 0, 1.0)])
    assert results(single)["results"]["sums"]["reward_stderr,none"] == "N/A"


def test_a_line_a_task_with_its_responses(tmp_path: Path) -> None:
    path = export(mixed(tmp_path / "run"), "lm-eval").paths[1]
    assert path.parent.name == "org__Small-1B"
    first, second, third = lines(path)
    assert first["resps"] == [["Response t0.0", "another right one"]]
    assert (first["exact_match"], first["reward"]) == (1.0, 1.0)
    assert (second["exact_match"], second["reward"]) == (1.0, 1.0)  # of the one that was scored
    assert [one["reward"] for one in second["rollouts"]] == [1.0, None]
    assert (third["exact_match"], third["reward"]) == (0.0, 0.25)
    assert [line["doc_id"] for line in (first, second, third)] == [0, 1, 2]


def test_a_task_with_nothing_scored_names_no_metric(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, None), rollout("u", 0, 1.0)])
    unscored, scored = lines(export(run, "lm-eval").paths[1])
    assert unscored["metrics"] == []
    assert not {"exact_match", "reward"} & set(unscored)
    assert scored["metrics"] == ["exact_match", "reward"]


def test_a_suite_and_hostile_names_and_texts(tmp_path: Path) -> None:
    rollouts = [
        rollout("1", 0, 1.0, ["first", LONE], env="a/b", part="dev"),
        rollout("1", 0, 0.0, env="a b", part="dev"),
        rollout("1", 0, None, [], env="../../up", part="unseen"),
    ]
    run = write(tmp_path / "run", rollouts)
    done = export(run, "lm-eval", tmp_path / "out")
    assert all(path.parent == tmp_path / "out" / "org__Small-1B" for path in done.paths)
    assert len({path.name for path in done.paths}) == 4  # results, and three of samples
    found = json.loads(done.paths[0].read_text(encoding="utf-8"))
    assert found["group_subtasks"] == {
        "dev": ["a/b_dev", "a b_dev"],
        "unseen": ["../../up_unseen"],
    }
    (line,) = lines(done.paths[1])
    assert line["resps"] == [[CLEAN]]
    assert [m["role"] for m in line["rollouts"][0]["completion"]] == [
        "assistant",
        "user",
        "assistant",
    ]


def test_of_a_training_run_the_last_step_counts(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 0.0)], step=0)
    append(run, rollout("t", 0, 1.0), step=10)
    found = results(run)
    assert found["results"]["sums"]["reward,none"] == 1.0
    assert found["rlvr"]["sums"]["step"] == 10
    assert results(run, step=0)["results"]["sums"]["reward,none"] == 0.0


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("..", "model"),
        ("../ckpt", "ckpt"),
        ("/a/b", "b"),
        ("org/it:8", "org__it__8"),
        (".", "model"),
    ],
)
def test_a_model_that_is_a_folder_leads_nowhere(tmp_path: Path, model: str, folder: str) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 1.0)], {"model": model, "policy": model})
    done = export(run, "lm-eval", tmp_path / "out")
    assert {path.parent for path in done.paths} == {tmp_path / "out" / folder}


@pytest.mark.parametrize("about", ["[]", '{"config": [], "versions": 1, "git": "x", "began": 3}'])
def test_a_run_that_says_nothing_of_itself(tmp_path: Path, about: str) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 1.0)])
    (run / "run.json").write_text(about)
    assert results(run)["model_name"] == "unknown"


@pytest.mark.sweep
def test_the_harness_itself_gives_the_same(tmp_path: Path) -> None:
    """The harness judges the same responses by itself; its files hold what ours hold."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.utils import make_table

    said = ["4", "5", "4", "4", "7"]
    run = write(
        tmp_path / "run",
        [rollout(f"t{i}", 0, float(text == "4"), text) for i, text in enumerate(said)],
    )

    class Said(LM):
        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            return said

        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    rows = [{"question": f"Question t{i}", "answer": "4"} for i in range(len(said))]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "docs.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "process_results": _exact_match,
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 3},
    }
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs"))
    theirs = lm_eval.simple_evaluate(Said(), tasks=[task], evaluation_tracker=tracker)
    samples = theirs.pop("samples")
    tracker.save_results_aggregated(theirs, samples)
    tracker.save_results_samples("sums", samples["sums"])

    done = export(run, "lm-eval")
    ours = json.loads(done.paths[0].read_text())
    for key in ("exact_match,none", "exact_match_stderr,none", "sample_len", "name", "alias"):
        assert ours["results"]["sums"][key] == pytest.approx(theirs["results"]["sums"][key])
    for key in ("versions", "n-shot", "n-samples", "group_subtasks"):
        assert ours[key] == theirs[key]
    # What says which machine it was, and with which lm_eval, isn't ours to say.
    missing = set(theirs) - set(ours)
    assert missing <= {"pretty_env_info", "lm_eval_version", "upper_git_hash"}
    assert set(theirs["config"]) <= set(ours["config"])
    (path,) = (tmp_path / "theirs").rglob("samples_*.jsonl")
    their_line, our_line = lines(path)[0], lines(done.paths[1])[0]
    assert set(their_line) <= set(our_line)
    for key in ("doc_id", "target", "resps", "filter", "exact_match", "target_hash"):
        assert our_line[key] == their_line[key]
    for key in set(their_line) - {"doc", "metrics"}:
        assert type(our_line[key]) is type(their_line[key]), key
    assert _row(make_table(ours)) == _row(make_table(theirs))


def _exact_match(doc: dict[str, str], responses: list[str]) -> dict[str, float]:
    return {"exact_match": float(responses[0] == doc["answer"])}


def _row(table: str) -> list[str]:
    """What the harness prints of exact_match: value, error, direction."""
    row = next(line for line in table.splitlines() if "exact_match" in line)
    cells = [cell.strip() for cell in row.split("|")]
    return cells[cells.index("exact_match") :]
