"""ifeval, ifbench and if_rlvr: their rows, what is mended, composed tasks in one turn and several."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import rlvr
from rlvr.core.errors import DataError, OptionError
from tests.tiers import Sample


@pytest.fixture(autouse=True)
def nltk_data(data: Path) -> None:
    """Set before the first worker is started."""
    folder = os.environ.setdefault("NLTK_DATA", str(data / "nltk_data"))
    import nltk

    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)


def test_ifevals_rows(data: Path) -> None:
    env = rlvr.make("ifeval", data=str(data))
    task = env.tasks.find("1000")
    assert len(env.tasks) == 540
    assert task.text.startswith("Write a 300+ word summary of the wikipedia page")
    assert task.reference["kwargs"] == [
        {}, {"num_highlights": 3}, {"relation": "at least", "num_words": 300}
    ]  # fmt: skip
    assert len(rlvr.make("ifeval", data=str(data), reference_bugs=True).tasks) == 541


def test_what_is_mended_in_ifeval(data: Path) -> None:
    ours, theirs = (
        rlvr.make("ifeval", data=str(data), reference_bugs=bugs).tasks for bugs in (False, True)
    )
    words = [tasks.find("337").reference["kwargs"][0]["num_words"] for tasks in (ours, theirs)]
    assert words == [400, 336]
    ids = [tasks.find("30").reference["instruction_id_list"] for tasks in (ours, theirs)]
    assert ids[0] == ["change_case:english_lowercase", *ids[1][1:]]
    with pytest.raises(DataError, match="2078"):
        ours.find("2078")
    changed = {task.id for task in ours if task.reference != theirs.find(task.id).reference}
    assert changed == {"30", "337"}


def test_ifbenchs_rows(data: Path) -> None:
    env = rlvr.make("ifbench", data=str(data))
    assert (len(env.tasks), env.verifier.mode) == (300, "loose")
    assert not any(
        v is None for task in env.tasks for one in task.reference["kwargs"] for v in one.values()
    )


@pytest.mark.sweep(gate=("ifbench",))
@pytest.mark.parametrize("name", ["ifeval", "ifbench"])
def test_every_row_can_be_scored(data: Path, name: str, sample: Sample) -> None:
    env = rlvr.make(name, data=str(data), mode="loose")
    tasks = sample(env.tasks, 150)
    for bugs in (False, True):
        verifier = env.verifier.configure(reference_bugs=bugs)
        found = rlvr.score(tasks, ["Some text in English, as it is."] * len(tasks), verifier)
        assert [one for one in found if not one.scored] == []


def test_gpt4s_published_figures(data: Path) -> None:
    """76.9 strict and 79.3 loose, of 541 prompts (Zhou et al., table 3)."""
    env = rlvr.make("ifeval", data=str(data), reference_bugs=True)
    lines = (data / "ifeval/google_reference_responses.jsonl").read_text().splitlines()
    responses = [json.loads(line)["response"] for line in lines]
    for mode, published in (("strict", 76.9), ("loose", 79.3)):
        found = rlvr.score(env.tasks, responses, env.verifier.configure(mode=mode))
        assert 100 * sum(map(float, found)) / 541 == pytest.approx(published, abs=0.5)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(
    ("tasks", "verdicts", "least"),
    [("ifeval/input_data", "ifeval/reference_verdicts_3models", 0.998),
     ("ifbench/IFBench_test", "ifbench/sample_verdicts_half", 0.995)],
)  # fmt: skip
def test_agreement_with_stored_verdicts(
    data: Path, tasks: str, verdicts: str, least: float
) -> None:
    """What differs by more than a draw of the published checkers would be a fault of ours."""
    rows = {}
    for line in (data / f"{tasks}.jsonl").read_text().splitlines():
        row = json.loads(line)
        rows[row["prompt"].strip()] = row
    stored = [json.loads(line) for line in (data / f"{verdicts}.jsonl").read_text().splitlines()]
    stored = [one for one in stored if one["prompt"].strip() in rows]
    asked = [rlvr.Task("", rows[one["prompt"].strip()], str(n)) for n, one in enumerate(stored)]
    verifier = rlvr.Instructions("loose", reference_bugs=True)
    found = rlvr.score(asked, [one["response"] for one in stored], verifier)
    same = total = 0
    drawn = {"keywords:letter_frequency", "language:response_language", "change_case:english_capital",
             "change_case:english_lowercase"}  # fmt: skip
    for ours, theirs in zip(found, stored, strict=True):
        for mode in ("strict", "loose"):
            pairs = zip(theirs["instruction_id_list"], ours.detail[mode], theirs[mode], strict=True)
            for id, a, b in pairs:
                assert a == b or id in drawn, (id, theirs["prompt"][:80], mode)
                same, total = same + (a == b), total + 1
    assert same / total >= least


def test_composed_tasks_have_an_answer_each_behind_the_strict_guard() -> None:
    for level in (1, 4, 8):
        env = rlvr.make("if_rlvr", level=level)
        tasks = env.tasks[:60]
        shown = [env.verifier.demonstrate(task) for task in tasks]
        assert sum(one is None for one in shown) <= 3  # the proof itself may sound like filler
        answered = [(t, s) for t, s in zip(tasks, shown, strict=True) if s is not None]
        found = rlvr.score([t for t, _ in answered], [s for _, s in answered], env.verifier)
        assert all(float(one) == 1.0 for one in found)
        assert all(len(task.reference["kwargs"]) == level for task in tasks)


def test_composed_tasks_are_the_same_each_time_and_in_one_split_only() -> None:
    one, again = (rlvr.make("if_rlvr", seed=3).tasks[:30] for _ in range(2))
    assert [task.to_json() for task in one] == [task.to_json() for task in again]
    train, test = (
        {task.text for task in rlvr.make("if_rlvr", split=split).tasks[:200]}
        for split in ("train", "test")
    )
    assert train.isdisjoint(test)


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "Why is the sky blue?"}\n{"prompt": "What is rust?"}\n')
    tasks = rlvr.make("if_rlvr", prompts=str(file), level=1).tasks[:20]
    assert {task.text.split("\n")[0] for task in tasks} == {"Why is the sky blue?", "What is rust?"}
    assert all("\n\nFollow these instructions:\n- " in task.text for task in tasks)


def test_several_turns() -> None:
    env = rlvr.make("if_rlvr", level=4, turns=3, guard=None)
    changes = 0
    for index in range(40):
        task = env.tasks[index]
        env.reset(options={"task": index})
        shown = env.verifier.demonstrate(task)
        assert shown is not None
        for turn in task.metadata["turns"]:
            said, reward, terminated, truncated, _ = env.step("hm")
            assert (said, reward, terminated, truncated) == (turn, 0.0, False, False)
            changes += "Instead of" in turn
        assert env.step(shown)[1:4] == (1.0, True, False)
    assert 10 < changes < 70


def test_rows_in_open_instructs_form(tmp_path: Path) -> None:
    truth = [{"instruction_id": ["punctuation:no_comma"], "kwargs": [None]}]
    rows = [{"messages": [{"role": "user", "content": f"Say {n}."}], "ground_truth": text}
            for n, text in enumerate((repr(truth), json.dumps(truth), repr([json.dumps(truth[0])])))]  # fmt: skip
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    env = rlvr.make("if_rlvr", data=str(file), guard=None)
    assert [task.text for task in env.tasks] == ["Say 0.", "Say 1.", "Say 2."]
    assert [float(one) for one in rlvr.score(env.tasks, ["a", "a, b", "c"], env.verifier)] == [
        1,
        0,
        1,
    ]
    file.write_text(json.dumps(rows[0] | {"ground_truth": "[{]"}) + "\n")
    with pytest.raises(DataError, match="can't be read"):
        len(rlvr.make("if_rlvr", data=str(file)).tasks)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"level": 0}, "level is a whole number"), ({"level": 11}, "from 1 to 10"), ({"turns": 4}, "from 1 to level"),
     ({"guard": "lax"}, "level is one of lenient, strict"), ({"mode": "x"}, "mode is one of")],
)  # fmt: skip
def test_options_are_checked(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        rlvr.make("if_rlvr", **options)


def test_a_file_of_prompts_that_is_not_there() -> None:
    with pytest.raises(DataError, match="There are no prompts in 'nowhere'"):
        rlvr.make("if_rlvr", prompts="nowhere")
