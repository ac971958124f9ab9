"""Reading a run leniently, its figures, and the page that holds it."""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.errors import DataError
from rlvr.evaluation.compare import compare_runs
from rlvr.evaluation.viewer import charts
from rlvr.evaluation.viewer.view import write_view
from rlvr.runs.reading import read_records
from rlvr.runs.saved import SavedRun
from rlvr.runs.tally import Tallies
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
    assert figures["causes"] == [["gold", 1, "t2", "no gold answer"]]
    assert figures["correct"]["value"] == pytest.approx(3 / 7)
    assert figures["correct"]["low"] < 3 / 7 < figures["correct"]["high"]
    # pass@2 is over the three tasks with two scored samples: t0 and t1 are solved, t3 isn't.
    assert [(p["k"], p["tasks"], p["value"]) for p in figures["pass_at"]] == [
        (1, 4, pytest.approx(1.5 / 4)),
        (2, 3, pytest.approx(2 / 3)),
    ]
    assert figures["bounds"]["correct"] == [pytest.approx(3 / 8), pytest.approx(4 / 8)]
    assert run["parts"][0]["rewards"] == [
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
        lines.write(json.dumps(rollout("u", 0, WRONG)).encode() + b"\n")
        lines.write(b'{"task": "torn", "messa')
    view = write_view([run])
    assert view.rollouts == 2
    text = "\n".join(view.warnings)
    for number in (2, 3, 6):
        assert f"Line {number} of" in text
    assert "1 line of" in text  # the fifth is half of a row
    rows = blocks(view.path)["rows-0-0"]
    assert rows["task"] == ["t", "u"]
    with pytest.raises(DataError, match="Line 2 of"):
        compare_runs(run, run)


def test_fields_that_are_not_a_rollouts_are_shown_as_they_are(tmp_path: Path) -> None:
    big = 12345678901234567890
    odd = rollout("t", 0, CORRECT, new={"a": [1]}, metadata={"level": big})
    odd |= {"reference": big}
    odd["messages"][1]["name"] = "f"
    found = blocks(write_view([write_run(tmp_path / "run", [odd])]).path)
    (first,) = found["texts-0-0"]
    assert first["reference"] == str(big)
    assert first["messages"][1] == ["assistant", "Response t.0\nname: f"]
    assert ["new", '{"a": [1]}'] in first["notes"]
    assert ["metadata", f'{{"level": {big}}}'] in first["notes"]


def test_texts_come_back_whole_and_cannot_leave_their_block(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>\u2028\u2029\u202e\ud800 <!-- 😀 ]]>"
    path = write_view([write_run(tmp_path / "run", [rollout(hostile, 0, CORRECT, hostile)])]).path
    assert blocks(path)["texts-0-0"][0]["messages"][1][1] == hostile
    page = path.read_text("utf-8")
    assert "alert(1)" not in page
    assert len(re.findall("<script>", page)) == 1


def test_partners_and_the_outcome_are_among_a_rollouts_notes(tmp_path: Path) -> None:
    words = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Bye."}]
    child = {
        "role": "user",
        "policy": "control",
        "messages": words,
        "tokens": {"sent": 1, "completion": 2},
    }
    child["children"] = [child | {"role": "sub-agent"}]
    row = rollout("t", 0, CORRECT) | {"children": [child], "outcome": {"paid": 7}}
    notes = dict(
        blocks(write_view([write_run(tmp_path / "run", [row])]).path)["texts-0-0"][0]["notes"]
    )
    assert notes["user, played by control"] == "[user]\nHello?\n\n[assistant]\nBye."
    assert notes["sub-agent, played by control"] == notes["user, played by control"]
    assert json.loads(notes["outcome"]) == {"paid": 7}


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
    assert [part["step"] for part in run["parts"]] == [2]
    assert run["slices"][0]["reward"]["value"] == 1.0
    assert run["curves"] == [{"name": "reward", "points": [[i, i / 10] for i in range(5)]}]


def test_no_figure_is_of_several_environments_or_parts(tmp_path: Path) -> None:
    rows = [rollout("t", 0, CORRECT, env="a", part="held-out"), rollout("t", 0, WRONG, env="a")]
    (run,) = about(write_run(tmp_path / "run", rows))["runs"]
    found = [(s["env"], s["part"], s["reward"]["value"]) for s in run["slices"]]
    assert found == [("a", "held-out", 1.0), ("a", "", 0.0)]
    assert [len(part["rewards"]) for part in run["parts"]] == [1, 1]


def graded(path: Path, seed: int, samples: int) -> Path:
    """A run of 60 tasks at three levels, with some rollouts that have no verdict."""
    rng = random.Random(seed)
    rows = []
    for i in range(60):
        for sample in range(samples):
            verdict = UNSCORED if rng.random() < 0.05 else rng.choice([CORRECT, WRONG])
            rows.append(rollout(f"t{i}", sample, verdict, metadata={"level": i % 3 + 1}))
    return write_run(path, rows)


def test_viewer_report_and_compare_have_the_same_figures(tmp_path: Path) -> None:
    paths = graded(tmp_path / "a", 1, 4), graded(tmp_path / "b", 2, 1)
    page = blocks(write_view(paths, by="metadata.level").path)["about"]
    for path, run in zip(paths, page["runs"], strict=True):
        (report,) = SavedRun.open(path).reports("metadata.level")
        whole, *slices = run["slices"]
        plain = json.loads(json.dumps(report.to_json()))
        for name, key in (("mean", "reward"), ("correct", "correct"), ("majority", "majority")):
            assert whole[key] == plain[name]
        assert [point["value"] for point in whole["pass_at"]] == [
            estimate["value"] for estimate in plain["pass_at_k"]
        ]
        assert [s["slice"] for s in slices] == ["1", "2", "3"]
        assert [s["reward"] for s in slices] == [p["mean"] for p in plain["slices"].values()]
    (comparison,) = compare_runs(*paths, by="metadata.level")
    for row, part in zip(page["compared"][0], comparison.parts, strict=True):
        plain = json.loads(json.dumps(part.to_json()))
        assert {n: row[n] for n in plain if n != "part"} == {
            n: plain[n] for n in plain if n != "part"
        }


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
    ((found,),) = about(*runs)["compared"]
    assert (found["tasks"], found["left_out"]) == (3, [2, 2])
    assert (found["lower"], found["higher"], found["ties"]) == (1, 1, 1)
    assert found["difference"]["value"] == 0.0
    assert sorted(found["rows"]) == [["lost", 1.0, 0.0], ["won", 0.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "no folder has that name"), ("runs", "Did you mean")]
)
def test_no_run_says_what_to_do(tmp_path: Path, name: str, says: str) -> None:
    mixed(tmp_path / "runs" / "eval-1")
    with pytest.raises(DataError, match=says):
        write_view([tmp_path / name])
    assert not (tmp_path / name / "report.html").exists()


def test_responses_of_nearly_one_length_are_one_point(tmp_path: Path) -> None:
    lengths = [20, 22] * 20 + [200, 203] * 20 + [400] * 20
    rows = [
        rollout(f"t{i}", 0, CORRECT if length % 10 else WRONG, "x" * length)
        for i, length in enumerate(lengths)
    ]
    tallies = Tallies(None)
    for record in read_records(write_run(tmp_path / "run", rows)):
        tallies.add(record.rollout, record.step)
    points = charts.lengths(next(iter(tallies.parts.values())))
    reach = points[-1]["middle"] - points[0]["middle"]
    steps = [b["middle"] - a["middle"] for a, b in itertools.pairwise(points)]
    assert len(points) == 3
    assert min(steps) > 0.04 * reach  # two points nearly above each other would be an upright line
    assert [point["reward"]["value"] for point in points] == [0.5, 0.5, 0.0]
    assert sum(point["count"] for point in points) == len(rows)
