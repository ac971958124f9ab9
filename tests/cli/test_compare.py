"""`rlvr compare`: by hand on constructed runs."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.core.errors import DataError
from rlvr.evaluation.compare import compare_runs
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run


def write(
    path: Path,
    rewards: Mapping[str, Sequence[float | None]],
    env: str = "e",
    reference: str = "a",
    level: bool = False,
    **labels: Any,
) -> Path:
    there = (path / "run.json").exists()
    run = Run.resume(path) if there else Run.create(path, "eval", {})
    for task, samples in rewards.items():
        metadata = {"level": int(task) % 5} if level else None
        for i, reward in enumerate(samples):
            verdict: rlvr.Verdict = Unscored(Cause.SANDBOX, "gone")
            if reward is not None:
                verdict = Scored(float(reward), Status.CORRECT if reward == 1 else Status.INCORRECT)
            rollout = Rollout(env, None, rlvr.Task("q", reference, task, metadata), i, [], verdict)
            rollout.messages = [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": ""},
            ]
            run.rollout(rollout.to_json(**labels))
    run.close()
    return path


def test_by_hand(tmp_path: Path) -> None:
    first = write(
        tmp_path / "a", {"1": [1, 1], "2": [0, 0], "3": [0, 1], "4": [1], "5": [0], "x": [1]}
    )
    second = write(
        tmp_path / "b", {"1": [1, 0], "2": [1, 1], "3": [1, 1], "4": [None], "5": [1], "y": [1]}
    )
    (comparison,) = compare_runs(first, second)
    (part,) = comparison.parts
    assert (part.env, part.left_out, part.paired.tasks) == ("e", (2, 2), 4)
    assert part.means == ((1 + 0 + 0.5 + 0) / 4, (0.5 + 1 + 1 + 1) / 4)
    assert part.paired.difference.value == pytest.approx((-0.5 + 1 + 0.5 + 1) / 4)
    assert (part.paired.higher, part.paired.lower, part.paired.ties) == (3, 1, 0)
    # Of the 16 sign changes of (0.5, 1, 0.5, 1), two sum to 3 in size and four to 2.
    assert part.paired.p == pytest.approx((2 + 4 / 2) / 16)
    assert "1 to 2 samples" in part.method


def test_the_command(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path / "a", {str(i): [0] for i in range(40)})
    write(tmp_path / "b", {str(i): [1 if i < 30 else 0] for i in range(40)})
    done = rlvr_cli("compare", "a", "b")
    assert "baseline a: " in done.stdout
    assert "run b: " in done.stdout
    assert "e: reward 0.0000 → 0.7500 on 40 tasks" in done.stdout
    assert "difference +0.7500, 95% from +0." in done.stdout
    assert "higher on 30 tasks, lower on 0, equal on 10: p 9.31e-10" in done.stdout
    assert "compared: each task's mean reward (1 sample)" in done.stdout
    row = json.loads(rlvr_cli("compare", "a", "b", "--json").stdout)
    assert (row["tasks"], row["higher"], row["lower"]) == (40, 30, 0)


def test_several_runs_are_corrected_for_their_number(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path / "a", {str(i): [0] for i in range(40)})
    for name, solved in (("b", 6), ("c", 5), ("d", 0)):
        write(tmp_path / name, {str(i): [1 if i < solved else 0] for i in range(40)})
    done = rlvr_cli("compare", "a", "b", "c", "d")
    found = [line.partition(": p ")[2] for line in done.stdout.splitlines() if ": p " in line]
    assert found == [
        "0.0156, Holm's 0.0469",
        "0.0312, Holm's 0.0625",
        "1, Holm's 1",
    ]


@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2), (4, 1), (8, 3)])
def test_other_numbers_of_samples_invent_no_difference(
    tmp_path: Path, first: int, second: int
) -> None:
    rng = random.Random(first)
    chances = {str(i): rng.random() for i in range(300)}

    def run(name: str, k: int) -> Path:
        return write(
            tmp_path / name,
            {
                id: [float(rng.random() < chance) for _ in range(k)]
                for id, chance in chances.items()
            },
        )

    (comparison,) = compare_runs(run("a", first), run("b", second))
    assert comparison.parts[0].paired.p > 0.01
    assert f"{first} samples" in comparison.parts[0].method or first == 1


def test_of_a_training_run_the_last_measurement_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "t", {"1": [0], "2": [0]}, step=0)
    write(path, {"1": [1], "2": [0]}, step=10)
    (comparison,) = compare_runs(write(tmp_path / "a", {"1": [0], "2": [0]}), path)
    (part,) = comparison.parts
    assert (part.paired.tasks, part.paired.higher, part.means) == (2, 1, (0.0, 0.5))


def test_nothing_in_common_is_an_error(rlvr_cli: Any, tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"1": [1]})
    with pytest.raises(DataError, match=r"no environment in common: e in .*, f in "):
        compare_runs(first, write(tmp_path / "b", {"1": [1]}, env="f"))
    with pytest.raises(DataError, match="There's no run in"):
        compare_runs(first, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"the tasks differ \(1 against 2 … 3\)"):
        compare_runs(first, write(tmp_path / "c", {"2": [1], "3": [1]}))
    with pytest.raises(DataError, match="no task was scored in both"):
        compare_runs(first, write(tmp_path / "d", {"1": [None]}))
    done = rlvr_cli("compare", "a", "c")
    assert (done.returncode, done.stdout) == (2, "")


def test_one_id_with_another_reference_is_another_task(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {str(i): [1] for i in range(9)})
    other = write(tmp_path / "b", {str(i): [1] for i in range(9)}, reference="b")
    with pytest.raises(DataError, match="have different references"):
        compare_runs(first, other)
    write(other, {"x": [1]})
    write(first, {"x": [1]})
    (comparison,) = compare_runs(first, other)
    assert (comparison.parts[0].paired.tasks, comparison.parts[0].changed) == (1, 9)


def test_slices_are_compared_and_small_ones_are_marked(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path / "a", {str(i): [0] for i in range(50)}, level=True)
    write(tmp_path / "b", {str(i): [i % 5 == 1] for i in range(50)}, level=True)
    done = rlvr_cli("compare", "a", "b", "--by", "metadata.level")
    assert "1: reward 0.0000 → 1.0000 on 10 tasks" in done.stdout
    assert "only 10 tasks: too few to rank by" in done.stdout
    assert "Holm's" in done.stdout
    done = rlvr_cli("compare", "a", "b", "--by", "metadata.lvel")
    assert done.returncode == 2
    assert "The tasks' keys are: metadata.level" in done.stderr
