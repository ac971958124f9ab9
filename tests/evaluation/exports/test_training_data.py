"""Formats `preferences` and `sft`: what training may learn from, in TRL's own form."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import datasets
import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.evaluation.exports import export
from rlvr.runs.rollouts import Rollout
from tests.evaluation.exports.runs import CLEAN, LONE, append, lines, mixed, rollout, write

datasets.disable_progress_bars()


def pairs(run: Path, **options: Any) -> list[tuple[str, str, float, float]]:
    path = export(run, "preferences", **options).paths[0]
    return [
        (*(row[side][-1]["content"] for side in ("chosen", "rejected")), row["score_chosen"], row["score_rejected"])
        for row in lines(path)
    ]  # fmt: skip


def said(run: Path, **options: Any) -> list[str]:
    path = export(run, "sft", **options).paths[0]
    return [row["messages"][-1]["content"] for row in lines(path)]


def load(kind: str, path: Path, tmp_path: Path) -> Any:
    return datasets.load_dataset(
        kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )


def test_the_best_of_a_task_against_its_worst(tmp_path: Path) -> None:
    rollouts = [rollout("t", i, reward, f"earns {reward}") for i, reward in enumerate((0.5, 0, 1))]
    run = write(tmp_path / "run", [*rollouts, rollout("u", 0, 1.0), rollout("u", 1, 1.0)])
    done = export(run, "preferences")
    assert done.summary == "1 pairs from 2 tasks"
    assert lines(done.paths[0]) == [
        {
            "prompt": [{"role": "user", "content": "Question t"}],
            "chosen": [{"role": "assistant", "content": "earns 1"}],
            "rejected": [{"role": "assistant", "content": "earns 0"}],
            "score_chosen": 1.0,
            "score_rejected": 0.0,
            "env": "sums",
            "part": "",
            "task": "t",
            "model": "org/Small-1B",
            "run": "run",
            "step": None,
            "step_rejected": None,
        }
    ]


def test_all_pairs_and_the_margin(tmp_path: Path) -> None:
    rewards = (1.0, 0.9, 0.3)
    run = write(tmp_path / "run", [rollout("t", i, r, str(r)) for i, r in enumerate(rewards)])
    every = [("1.0", "0.3", 1.0, 0.3), ("1.0", "0.9", 1.0, 0.9), ("0.9", "0.3", 0.9, 0.3)]
    assert pairs(run, pairs="all") == every
    assert pairs(run, pairs="all", margin=0.1) == every  # 1.0 - 0.9 is a hair less than 0.1
    assert pairs(run, pairs="all", margin=0.7) == [every[0]]
    assert pairs(run, margin=0.71) == []
    for margin in (-0.1, math.nan, math.inf):
        with pytest.raises(OptionError, match="A margin is a number from 0"):
            pairs(run, margin=margin)
    with pytest.raises(OptionError, match="pairs is 'best' or 'all'"):
        pairs(run, pairs="some")


def test_ties_are_broken_by_length_and_whatever_the_order(tmp_path: Path) -> None:
    texts = [("right", 1.0), ("right too", 1.0), ("right at length", 1.0)]
    texts += [("w", 0.0), ("wrong.", 0.0), ("wrong at length", 0.0)]
    found = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(texts), 0, 720, 40)):
        run = tmp_path / f"run{number}"
        write(run, [rollout("t", i, reward, text) for i, (text, reward) in enumerate(order)])
        found.add(tuple(pairs(run)))
    # The shortest right one, and the wrong one whose length is nearest to it.
    assert found == {(("right", "wrong.", 1.0, 0.0),)}


def test_unscored_rollouts_teach_nothing(tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    for to in ("preferences", "sft"):
        for options in ({}, {"truncated": True}):
            done = export(run, to, **options)
            assert "left out: 1 unscored" in done.notes
            assert "Response t1.1" not in done.paths[0].read_text()
    assert pairs(run, truncated=True) == [("so so", "Response t2.0", 0.5, 0.0)]
    only = write(tmp_path / "only", [rollout("t", 0, None), rollout("t", 1, None)])
    assert pairs(only) == []
    assert said(only, threshold=-1e9) == []


def test_truncated_ones_are_chosen_when_asked_for_alone(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        [
            rollout("t", 0, 1.0, "cut", stop="length"),
            rollout("t", 1, 1.0, "out of turns", stop="turns"),
            rollout("t", 2, 0.5, "whole"),
            rollout("t", 3, 0.0, "cut and wrong", stop="length"),
        ],
    )
    assert pairs(run) == [("whole", "cut and wrong", 0.5, 0.0)]
    assert pairs(run, truncated=True) == [("cut", "cut and wrong", 1.0, 0.0)]
    assert said(run) == []
    assert set(said(run, truncated=True, per_task=9)) == {"cut", "out of turns"}


def test_a_text_counts_once_and_not_at_all_where_its_reward_varies(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        [
            *(rollout("t", i, 1.0, "right") for i in range(3)),
            *(rollout("t", i, 0.0, "wrong") for i in range(3, 5)),
            *(rollout("t", 5 + i, r, "who knows") for i, r in enumerate((0.0, 1.0, 0.0))),
            rollout("t", 8, 0.0, []),
        ],
    )
    done = export(run, "preferences", pairs="all")
    assert [row["chosen"][0]["content"] for row in lines(done.paths[0])] == ["right"]
    assert [row["rejected"][0]["content"] for row in lines(done.paths[0])] == ["wrong"]
    assert sorted(done.notes) == [
        "left out: 1 without a response",
        "left out: 3 of a text with several rewards",
        "left out: 3 repeated",
    ]
    assert said(run, per_task=9) == ["right"]


def test_pairs_share_environment_task_and_prompt(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        [
            rollout("1", 0, 1.0, env="a"),
            rollout("1", 1, 0.0, env="b"),
            rollout("2", 0, 1.0, prompt="asked so"),
            rollout("2", 1, 0.0, prompt="asked differently"),
        ],
    )
    assert pairs(run) == []


def test_steps_of_training_are_compared_unless_one_is_asked_for(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [rollout("t", 0, 0.0, "early")], step=0)
    append(run, rollout("t", 0, 1.0, "late"), step=10)
    assert pairs(run) == [("late", "early", 1.0, 0.0)]
    assert pairs(run, step=10) == []


def test_the_unseen_part_stays_unseen(tmp_path: Path) -> None:
    rollouts = [rollout("t", i, float(i), part=part) for part in ("dev", "unseen") for i in (0, 1)]
    run = write(tmp_path / "run", rollouts)
    for to in ("preferences", "sft"):
        done = export(run, to)
        assert [row["part"] for row in lines(done.paths[0])] == ["dev"]
        assert "left out: 2 of the part unseen" in done.notes


def test_several_turns_and_hostile_text(tmp_path: Path) -> None:
    bad = rollout("t", 1, 0.0, ["guess", LONE])
    run = write(tmp_path / "run", [rollout("t", 0, 1.0, ["think", "\x00<eos>"]), bad])
    (row,) = lines(export(run, "preferences").paths[0])
    assert [m["role"] for m in row["chosen"]] == ["assistant", "user", "assistant"]
    assert row["rejected"][-1]["content"] == CLEAN
    (row,) = lines(export(run, "sft").paths[0])
    assert [m["role"] for m in row["messages"]] == ["user", "assistant", "user", "assistant"]


def test_sft_takes_what_earned_enough(tmp_path: Path) -> None:
    rollouts = [rollout("t", i, i / 10, f"earns {i}") for i in range(11)]
    run = write(tmp_path / "run", rollouts)
    assert said(run, per_task=99) == ["earns 10"]
    assert set(said(run, per_task=99, threshold=0.8)) == {"earns 8", "earns 9", "earns 10"}
    almost = write(tmp_path / "almost", [rollout("t", 0, 0.7 + 0.2 + 0.1, "almost 1")])
    assert said(almost) == ["almost 1"]
    with pytest.raises(OptionError, match="A threshold is a finite number"):
        said(run, threshold=math.nan)
    with pytest.raises(OptionError, match="per_task is at least 1"):
        said(run, per_task=0)


def test_sft_draws_by_its_seed_alone(tmp_path: Path) -> None:
    def of(*tasks: str) -> list[Rollout]:
        return [rollout(task, i, 1.0, f"{task} {i}") for i in range(8) for task in tasks]

    run = write(tmp_path / "run", of("t", "u"))
    assert said(run) == said(run, seed=0)
    assert len({tuple(said(run, seed=seed)) for seed in range(20)}) > 5
    assert len(said(run, per_task=3)) == 6
    assert set(said(run)) < set(said(run, per_task=3))
    # Neither the order of the run nor what else it holds changes a task's draw.
    other = write(tmp_path / "other", [*of("v"), *reversed(of("t"))])
    assert {text for text in said(run, per_task=3) if text[0] == "t"} == {
        text for text in said(other, per_task=3) if text[0] == "t"
    }


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_trl_takes_them_as_they_are(tmp_path: Path, kind: str) -> None:
    trl = pytest.importorskip("trl")
    from trl.data_utils import is_conversational, maybe_apply_chat_template, maybe_extract_prompt

    from rlvr.training.quickstart.model import make_tokenizer

    tokenizer = make_tokenizer()
    run = write(
        tmp_path / "run",
        [rollout("t", 0, 1.0, "4", prompt="2+2="), rollout("t", 1, 0.0, "5", prompt="2+2=")],
    )
    suffix = "jsonl" if kind == "json" else "parquet"
    preferences = load(
        kind, export(run, "preferences", tmp_path / f"p.{suffix}").paths[0], tmp_path
    )
    assert is_conversational(preferences[0])
    assert maybe_extract_prompt(preferences[0]) == preferences[0]  # it's explicit already
    applied = maybe_apply_chat_template(preferences[0], tokenizer)
    assert applied["prompt"] == "<user>2+2=<bot>"
    assert (applied["chosen"], applied["rejected"]) == ("4<eos>", "5<eos>")
    sft = load(kind, export(run, "sft", tmp_path / f"s.{suffix}").paths[0], tmp_path)
    assert is_conversational(sft[0])
    assert maybe_apply_chat_template(sft[0], tokenizer)["text"] == "<user>2+2=<bot>4<eos>"
    assert trl.unpair_preference_dataset(preferences)["label"] == [True, False]


def test_trl_trains_on_them(tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    from rlvr.training.quickstart.model import make_model, make_tokenizer

    tokenizer = make_tokenizer()
    rollouts = [
        rollout(f"t{i}", sample, float(sample == 0), f"{i + sample}", prompt=f"{i}+0=")
        for i in range(4)
        for sample in range(2)
    ]
    run = write(tmp_path / "run", rollouts)
    common: dict[str, Any] = {
        "output_dir": str(tmp_path / "out"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "bf16": False,
        "disable_tqdm": True,
    }
    reference = {"ref_model": make_model(tokenizer, 0)}  # TRL would look for it on the Hub
    for to, Trainer, Config, more in (
        ("preferences", trl.DPOTrainer, trl.DPOConfig, reference),
        ("sft", trl.SFTTrainer, trl.SFTConfig, {}),
    ):
        trainer = Trainer(
            model=make_model(tokenizer, 0),
            args=Config(**common),
            train_dataset=load("json", export(run, to).paths[0], tmp_path),
            processing_class=tokenizer,
            **more,
        )
        assert math.isfinite(trainer.train().training_loss)


def test_in_python_a_run_of_a_real_environment(tmp_path: Path) -> None:
    from rlvr.evaluation.evaluate import evaluate
    from rlvr.runs.run import Run

    class Half:
        name = "half"

        def respond(self, requests: Any) -> list[str]:
            return [
                f"\\boxed{{{request.task.reference}}}" if request.seed % 2 else "no idea"
                for request in requests
            ]

    with Run.create(tmp_path / "run", "eval", {}) as run:
        report = evaluate(rlvr.make("arithmetic"), Half(), k=4, limit=20, run=run)
    rows = lines(export(run.path, "preferences").paths[0])
    assert rows
    assert {(row["score_chosen"], row["score_rejected"]) for row in rows} == {(1.0, 0.0)}
    assert len(rows) < report.tasks == 20
    assert len(lines(export(run.path, "sft").paths[0])) == round(report.pass_at_k[3].value * 20)
