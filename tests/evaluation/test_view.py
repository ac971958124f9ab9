"""Reading a run leniently, its figures, and the page that holds it."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.errors import DataError
from rlvr.evaluation.viewer.view import write_view
from tests.evaluation.view_runs import CORRECT, UNSCORED, WRONG, mixed, rollout, write_run


def blocks(page: Path) -> dict[str, Any]:
    found = re.findall(
        r'<script type="text/plain" id="([\w-]+)">([^<]*)</script>', page.read_text("utf-8")
    )
    return {name: json.loads(zlib.decompress(base64.b64decode(text))) for name, text in found}


def about(*runs: Path) -> dict[str, Any]:
    return blocks(write_view(runs).path)["about"]


def test_figures_leave_the_unscored_out_and_count_them(tmp_path: Path) -> None:
    (run,) = about(mixed(tmp_path / "run"))["runs"]
    (figures,) = run["slices"]
    assert (figures["tasks"], figures["rollouts"]) == (4, 8)
    assert (figures["scored"], figures["unscored"]) == (7, 1)
    assert run["causes"] == [["gold", 1]]
    assert figures["correct"]["value"] == pytest.approx(3 / 7)
    assert figures["correct"]["low"] < 3 / 7 < figures["correct"]["high"]
    # pass@2 is over the three tasks with two scored samples: t0 and t1 are solved, t3 isn't.
    assert [(p["k"], p["tasks"], p["value"]) for p in figures["pass_at"]] == [
        (1, 4, pytest.approx(1.5 / 4)),
        (2, 3, pytest.approx(2 / 3)),
    ]
    assert run["rewards"] == [
        {"low": 0.0, "high": 0.0, "count": 4},
        {"low": 1.0, "high": 1.0, "count": 3},
    ]


def test_pass_at_k_is_the_share_of_all_choices_of_k_samples(tmp_path: Path) -> None:
    rows = [rollout("t", i, CORRECT if i < 3 else WRONG) for i in range(10)]
    (run,) = about(write_run(tmp_path / "run", rows))["runs"]
    for point in run["slices"][0]["pass_at"]:
        k = point["k"]
        assert point["value"] == pytest.approx(1 - math.comb(7, k) / math.comb(10, k))
        assert point["low"] is None  # of a single task


def test_what_cannot_be_read_is_a_warning_with_its_number(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [rollout("t", 0, CORRECT)])
    with (run / "rollouts.jsonl").open("ab") as lines:
        lines.write(b'nonsense\n[1]\n\n{"task": "\xff", "verdict": 3}\n' + b"[" * 10**5 + b"\n")
        lines.write(b'{"task": "torn", "messa')
    (run / "report.json").write_text("{")
    view = write_view([run])
    assert view.rollouts == 2
    text = "\n".join(view.warnings)
    assert "3 lines can't be read and left out: 2, 3, 6" in text
    assert "the last line (7) is torn" in text
    assert "report.json can't be read" in text
    rows = blocks(view.path)["rows-0-0"]
    assert rows["task"] == ["t", "\ufffd"]
    assert rows["status"] == ["correct", "unscored"]


def test_fields_of_any_shape_are_shown_as_they_are(tmp_path: Path) -> None:
    big = 12345678901234567890
    odd = {
        "task": 7,
        "messages": [3, {"role": "tool", "content": None, "name": "f"}],
        "reference": big,
    }
    odd |= {"verdict": {"scored": True, "reward": "high"}, "new": {"a": [1]}, "tokens": 5}
    not_finite = rollout("n", 0, {"scored": True, "reward": math.nan})
    found = blocks(write_view([write_run(tmp_path / "run", [odd, not_finite])]).path)
    (first, _) = found["texts-0-0"]
    assert first["reference"] == str(big)
    assert first["messages"] == [["?", "3"], ["tool", "name: f"]]
    assert ["new", '{"a": [1]}'] in first["notes"]
    assert found["rows-0-0"]["cause"] == ["no reward", "no reward"]


def test_texts_come_back_whole_and_cannot_leave_their_block(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>\u2028\u2029\u202e\ud800 <!-- 😀 ]]>"
    path = write_view([write_run(tmp_path / "run", [rollout(hostile, 0, CORRECT, hostile)])]).path
    assert blocks(path)["texts-0-0"][0]["messages"][1][1] == hostile
    page = path.read_text("utf-8")
    assert "alert(1)" not in page
    assert len(re.findall("<script>", page)) == 1


def test_every_rollout_is_in_one_block(tmp_path: Path) -> None:
    rows = [rollout(f"t{i}", 0, CORRECT, "x" * (i % 7) * 1000) for i in range(1500)]
    found = blocks(write_view([write_run(tmp_path / "run", rows)]).path)
    names = [n for n in found if n.startswith("rows")]
    assert len(names) > 1
    assert [task for n in names for task in found[n]["task"]] == [f"t{i}" for i in range(1500)]
    texts = [len(found[n.replace("rows", "texts")]) for n in names]
    assert texts == [len(found[n]["task"]) for n in names]


def test_figures_of_a_training_run_are_of_its_last_step(tmp_path: Path) -> None:
    rows = [rollout("t", 0, WRONG, step=1), rollout("t", 0, CORRECT, step=2)]
    metrics: list[dict[str, Any]] = [{"step": i, "reward": i / 10, "seconds": 1} for i in range(5)]
    (run,) = about(write_run(tmp_path / "run", rows, [*metrics, {"step": 5, "kl": None}]))["runs"]
    assert run["step"] == 2
    assert run["slices"][0]["reward"]["value"] == 1.0
    assert run["curves"] == [{"name": "reward", "points": [[i, i / 10] for i in range(5)]}]


def test_environments_and_parts_stand_apart(tmp_path: Path) -> None:
    rows = [rollout("t", 0, CORRECT, env="a", part="dev"), rollout("t", 0, WRONG, env="b")]
    (run,) = about(write_run(tmp_path / "run", rows))["runs"]
    found = [(s["env"], s["part"], s["reward"]["value"]) for s in run["slices"]]
    assert found == [("", "", 0.5), ("a", "dev", 1.0), ("b", "", 0.0)]


def test_two_runs_are_paired_by_task(tmp_path: Path) -> None:
    first = [("lost", CORRECT), ("won", WRONG), ("same", CORRECT), ("out", UNSCORED), ("a", WRONG)]
    second = [
        ("won", CORRECT),
        ("lost", WRONG),
        ("same", CORRECT),
        ("out", CORRECT),
        ("won2", WRONG),
    ]
    runs = [
        write_run(tmp_path / name, [rollout(task, 0, verdict) for task, verdict in rows])
        for name, rows in (("first", first), ("second", second))
    ]
    found = about(*runs)["compared"]
    assert (found["tasks"], found["unscored"], found["only_a"], found["only_b"]) == (3, 1, 1, 1)
    assert (found["lost"], found["won"], found["reward"]["value"]) == (1, 1, 0.0)
    assert {row["task"]: row["flip"] for row in found["changed"]} == {
        "lost": [True, False],
        "won": [False, True],
    }


@pytest.mark.parametrize(("rollouts", "taken"), [(8, True), (9, False)])
def test_a_reports_intervals_are_taken_where_it_counts_these_rollouts(
    tmp_path: Path, rollouts: int, taken: bool
) -> None:
    path = mixed(tmp_path / "run")
    figure = {"value": 0.4, "low": 0.1, "high": 0.7}
    report = {"reports": [3, {"env": "gsm8k", "part": None, "rollouts": rollouts, "mean": figure}]}
    (path / "report.json").write_text(json.dumps(report))
    (run,) = about(path)["runs"]
    assert run["bootstrapped"] is taken
    assert (run["slices"][0]["reward"] == figure) is taken


@pytest.mark.parametrize(("name", "says"), [("nowhere", "no folder"), ("runs", "Did you mean")])
def test_no_run_says_what_to_do(tmp_path: Path, name: str, says: str) -> None:
    mixed(tmp_path / "runs" / "eval-1")
    with pytest.raises(DataError, match=says):
        write_view([tmp_path / name])
    assert not (tmp_path / name / "report.html").exists()
