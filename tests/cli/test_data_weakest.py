"""`rlvr data weakest`: a mixture of slices that `rlvr train --config` takes as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import rlvr
from rlvr.core.errors import OptionError, UnknownEnvironmentError
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py


def write(path: Path, env: str, rewards: dict[str, list[float]], key: str, **config: Any) -> Path:
    """A run in which each slice has these rewards, a task each."""
    with Run.create(path, "eval", {"environment": env, "options": [], **config}) as run:
        for label, samples in rewards.items():
            for i, reward in enumerate(samples):
                task = rlvr.Task("q", "a", f"{label}-{i}", {key: json.loads(label)})
                status = rlvr.Status.CORRECT if reward == 1 else rlvr.Status.INCORRECT
                messages = [*task.prompt, {"role": "assistant", "content": "x"}]
                rollout = Rollout(env, None, task, 0, messages, rlvr.Scored(reward, status))
                run.rollout(rollout.to_json())
    return path


def test_the_weights_follow_the_loss_and_training_takes_the_file(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    pytest.importorskip("trl")
    from rlvr.training.config import TrainConfig
    from rlvr.training.sources import mixture_of

    subjects = ["Algebra", 'Geo"metry', "Names = 7"]
    rows = [
        {"problem": f"Problem {i}", "answer": "7", "subject": subjects[i % 3]} for i in range(90)
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    solved = {'"Algebra"': [1.0] * 30, '"Geo\\"metry"': [1.0] * 15 + [0.0] * 15, '"Names = 7"': [0.0] * 30}  # fmt: skip
    write(tmp_path / "run", "math", solved, "subject")
    command = ["data", "weakest", "run", "--by", "metadata.subject", "-o", "mixture.toml"]
    done = rlvr_cli(*command, "--data", str(tmp_path / "train.jsonl"))
    assert done.returncode == 0, done.stderr
    config = TrainConfig.read(tmp_path / "mixture.toml", model="m")
    mixture = mixture_of(config)
    assert mixture.weights == pytest.approx(
        {
            'slice/math:metadata.subject=Geo"metry': 1 / 3,
            "slice/math:metadata.subject=Names = 7": 2 / 3,
        }
    )
    drawn = [task.metadata["subject"] for _, task in mixture.draw(30)]
    assert (drawn.count('Geo"metry'), drawn.count("Names = 7")) == (10, 20)
    assert "# left out: " in (tmp_path / "mixture.toml").read_text()


def test_a_generated_slice_is_made_by_its_option_from_another_stream(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    rewards = {"1": [1.0] * 30, "3": [0.0] * 30, "5": [0.0] * 3}
    write(tmp_path / "run", "if_rlvr", rewards, "level", options=["level=1", "guard=null"])
    done = rlvr_cli("data", "weakest", "run", "--by", "level", "-o", "mixture.toml")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "mixture.toml").read_text()
    assert 'name = "slice/if_rlvr:level=3"\nweight = 1.000000\nsplit = "train"' in text
    # Too few tasks to know: it gets the loss of all of them, 33 of 63.
    assert 'name = "slice/if_rlvr:level=5"\nweight = 0.523810' in text
    train = rlvr.make("slice/if_rlvr:level=3", split="train").tasks
    test = rlvr.make("if_rlvr", level=3, split="test").tasks
    asked = {task.text for task in test[:300]}
    assert all(train[i].metadata["level"] == 3 and train[i].text not in asked for i in range(300))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "--by", "metadata.level"], "There's no run in 'nowhere'"),
        (["run", "--by", "metadata.topic"], "The tasks' keys are: metadata.level"),
        (["run", "--by", "metadata.level"], "The slice '7' can't be trained on: "),
        (["perfect", "--by", "metadata.level"], "nothing is weak"),
    ],
)
def test_a_mistake_is_told_and_writes_nothing(
    rlvr_cli: CommandLine, tmp_path: Path, arguments: list[str], says: str
) -> None:
    write(tmp_path / "run", "arithmetic", {"7": [0.0] * 30}, "level")
    write(tmp_path / "perfect", "arithmetic", {"1": [1.0] * 30}, "level")
    done = rlvr_cli("data", "weakest", *arguments, "-o", "mixture.toml")
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "mixture.toml").exists()


def test_slices_are_environments(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_DATA", str(data))
    env = rlvr.make("slice/math:metadata.type=Algebra", split="test")
    assert 0 < len(env.tasks) < len(rlvr.make("math", split="test").tasks)
    assert {task.metadata["type"] for task in env.tasks} == {"Algebra"}
    report = rlvr.evaluate("slice/math:metadata.type=Algebra", "oracle", limit=5)
    assert (report.tasks, report.mean.value) == (5, 1.0)
    for name in ("slice/math", "slice/math:metadata.type", "slice/mth:metadata.type=Algebra"):
        with pytest.raises(UnknownEnvironmentError):
            rlvr.make(name)
    with pytest.raises(OptionError, match="no option 'expression'"):
        rlvr.make("slice/arithmetic:metadata.expression=1")
