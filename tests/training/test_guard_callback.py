"""The guards in a real GRPO run of the small model: they warn, and stop it after a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards import Alarm, GuardConfig, Guards

pytest.importorskip("trl")


class Training:
    """A run of which `judge` says what each completion earns."""

    def __init__(self, folder: Path, judge: Any, guards: Guards, steps: int = 8, **options: Any):
        from transformers import PrinterCallback
        from trl import GRPOConfig, GRPOTrainer

        from rlvr.training.guards.callback import GuardCallback
        from rlvr.training.quickstart.model import make_model, make_tokenizer

        self.rollouts: list[Rollout] = []
        self.told: list[Alarm] = []
        self.logs: list[dict[str, Any]] = []

        def reward(
            prompts: Any, completions: Any, completion_ids: Any, **_: Any
        ) -> list[float | None]:
            texts = [completion[0]["content"] for completion in completions]
            verdicts: Sequence[Verdict] = [judge(i, text) for i, text in enumerate(texts)]
            for prompt, text, ids, verdict in zip(
                prompts, texts, completion_ids, verdicts, strict=True
            ):
                task = Task(prompt, "", prompt[0]["content"])
                said = [*prompt, {"role": "assistant", "content": text}]
                stop = "length" if len(ids) == 8 else "stop"
                self.rollouts.append(Rollout("sums", None, task, 0, said, verdict, stop))
            return [v.reward if isinstance(v, Scored) else None for v in verdicts]

        def drain() -> list[Rollout]:
            found, self.rollouts = self.rollouts, []
            return found

        import datasets

        tokenizer = make_tokenizer()
        rows = [{"prompt": [{"role": "user", "content": f"{a}+1="}]} for a in range(100, 164)]
        self.guard = GuardCallback(guards, drain, self.told.append)
        self.trainer = GRPOTrainer(
            model=make_model(tokenizer, 0),
            args=GRPOConfig(
                output_dir=str(folder),
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                max_steps=steps,
                per_device_train_batch_size=16,
                num_generations=4,
                max_completion_length=8,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                **options,
            ),
            train_dataset=datasets.Dataset.from_list(rows),
            reward_funcs=reward,
            processing_class=tokenizer,
            callbacks=[self.guard],
        )
        self.trainer.remove_callback(PrinterCallback)
        self.trainer.train()


def test_unscored_rows_stop_the_run_after_a_checkpoint(tmp_path: Path) -> None:
    def judge(i: int, text: str) -> Verdict:
        return Unscored(Cause.SANDBOX, "gone") if i % 2 else Scored(0.0, Status.INCORRECT)

    done = Training(tmp_path, judge, Guards(run="runs/it"))
    step = done.trainer.state.global_step
    assert 3 <= step < 8
    (alarm,) = [alarm for alarm in done.told if alarm.name == "unscored"]
    assert done.guard.stopped is alarm
    assert "sandbox 50%" in alarm.message
    assert (tmp_path / f"checkpoint-{step}" / "model.safetensors").is_file()
    assert (tmp_path / f"checkpoint-{step}" / "trainer_state.json").is_file()


def test_switched_off_it_goes_on_and_the_others_warn(tmp_path: Path) -> None:
    def judge(i: int, text: str) -> Verdict:
        return Unscored(Cause.SANDBOX, "gone") if i % 2 else Scored(0.0, Status.INCORRECT)

    done = Training(tmp_path, judge, Guards(GuardConfig(unscored=False)))
    assert done.trainer.state.global_step == 8
    # An untrained model of random weights is cut at 8 tokens, and always wrong.
    assert {alarm.name for alarm in done.told} == {"zero_variance", "truncation"}
    assert done.guard.stopped is None
    assert not list(tmp_path.glob("checkpoint-*"))


def test_without_a_listener_alarms_are_lines_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rlvr.training.guards.callback import GuardCallback

    class State:
        global_step = 1
        is_world_process_zero = True

    class Arguments:
        world_size = 1

    class Control:
        should_save = should_training_stop = False

    gone = Unscored(Cause.GOLD, "bad")
    bad = [Rollout("e", None, Task("q", "", str(i)), 0, [], gone) for i in range(9)]
    callback = GuardCallback(Guards(), lambda: bad)
    control = Control()
    for _ in range(3):
        callback.on_log(Arguments(), State(), control, {"reward": None})
    callback.on_log(Arguments(), State(), Control(), {"eval_reward": 1.0})  # no step of training
    assert control.should_save
    assert control.should_training_stop
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rlvr: stopping the run: unscored: unscored 100% over the last 3 steps")
