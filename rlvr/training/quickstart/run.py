"""The quickstart's run: warm up the model, train it by GRPO, measure it before and after.

The model is warmed up on worked additions that mostly forget to carry. TRL's GRPO then trains it on the `arithmetic`
environment's verifiable reward. Accuracy is measured on held-out tasks, the environment's test split. No problem is in
two of the three parts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlvr.adapters import trl as rlvr_trl
from rlvr.core.environment import Environment
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.transformers import TransformersPolicy
from rlvr.runs.report import Report
from rlvr.runs.run import Run
from rlvr.training.plot import plot_run
from rlvr.training.progress import TrainingStages
from rlvr.training.quickstart.additions import (
    MAX_NEW_TOKENS,
    WARMUP_BATCH,
    WARMUP_STEPS,
    additions,
    quiet,
    unseen,
    warmed_up,
)

if TYPE_CHECKING:
    from transformers import (
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )


@dataclass(frozen=True)
class QuickstartConfig:
    """The quickstart's configuration.

    Attributes:
        seed: Seed of the weights, the order of tasks and the sampling.
        warmup_steps: Supervised steps, of 64 worked additions each.
        steps: GRPO steps, of 16 prompts with 8 completions each.
        learning_rate: Learning rate of GRPO, constant after 5 steps.
        beta: Weight of the KL to the warmed-up model in the loss.
        held_out: Test tasks to measure on.
        measure_every: GRPO steps between two measurements.
    """

    seed: int = 0
    warmup_steps: int = WARMUP_STEPS
    steps: int = 60
    learning_rate: float = 3e-4
    beta: float = 0.001
    held_out: int = 256
    measure_every: int = 10


@dataclass(frozen=True)
class QuickstartOutcome:
    """Reports on the held-out tasks before and after GRPO (greedy decoding), and the run's folder."""

    before: Report
    after: Report
    run: Path


_PROMPTS, _COMPLETIONS = 16, 8


def quickstart(config: QuickstartConfig, run_path: str | Path | None = None) -> QuickstartOutcome:
    """Run the quickstart, with progress on standard error, and write a run with a plot.

    Raises `MissingExtraError` if the extra `train` isn't installed.
    """
    with quiet(), TrainingStages() as stages:
        run = Run.create(run_path, "quickstart", asdict(config))
        first = list(additions("train", config.warmup_steps * WARMUP_BATCH).tasks)
        with stages.stage("warm-up", config.warmup_steps) as advance:
            model, tokenizer = warmed_up(
                first, config.seed, lambda step, loss: advance(step, loss=loss)
            )
        # TRL loads the KL's reference from the folder that the model names.
        start = run.path / "model-warmed-up"
        model.save_pretrained(start)
        tokenizer.save_pretrained(start)
        model.name_or_path = model.config._name_or_path = str(start)
        test = additions("test", config.held_out)
        policy = TransformersPolicy(
            model, tokenizer, max_new_tokens=MAX_NEW_TOKENS, batch_size=config.held_out
        )
        before = _measure(test, policy, run, 0)
        stages.say(f"held-out accuracy before GRPO: {before.correct.value:.3f}")
        reports = {0: before}

        def measure(step: int) -> float:
            reports[step] = _measure(test, policy, run, step)
            return reports[step].correct.value

        train = unseen(first, config.seed, config.steps * _PROMPTS)
        _train(config, model, tokenizer, train, run, stages, measure)
        after = reports.get(config.steps) or _measure(test, policy, run, config.steps)
        stages.say(f"held-out accuracy after GRPO:  {after.correct.value:.3f}")
        model.save_pretrained(run.path / "model")
        tokenizer.save_pretrained(run.path / "model")
    with contextlib.suppress(OSError):
        (run.path / "trainer").rmdir()  # TRL creates it and keeps nothing there
    plot_run(run)
    run.close()
    return QuickstartOutcome(before, after, run.path)


def _measure(test: Environment, policy: TransformersPolicy, run: Run, step: int) -> Report:
    report = evaluate(test, policy, run=run, labels={"step": step})
    run.metrics(
        step=step,
        held_out_accuracy=report.correct.value,
        held_out_unscored=report.rollouts - report.scored,
    )
    return report


def _train(
    config: QuickstartConfig,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    train: Environment,
    run: Run,
    stages: TrainingStages,
    measure: Callable[[int], float],
) -> None:
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    arguments = GRPOConfig(
        output_dir=str(run.path / "trainer"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_steps=config.steps,
        per_device_train_batch_size=_PROMPTS * _COMPLETIONS,
        num_generations=_COMPLETIONS,
        max_completion_length=MAX_NEW_TOKENS,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=5,
        adam_beta2=0.99,
        beta=config.beta,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        seed=config.seed,
        disable_tqdm=True,
    )

    with stages.stage("GRPO", config.steps) as advance:

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_log(
                self,
                args: TrainingArguments,
                state: TrainerState,
                control: TrainerControl,
                logs: dict[str, float] | None = None,
                **_: object,
            ) -> None:
                if logs and "reward" in logs:
                    numbers = {k: v for k, v in logs.items() if isinstance(v, int | float)}
                    run.metrics(step=state.global_step, **numbers)
                    advance(state.global_step, reward=logs["reward"], kl=logs.get("kl", 0.0))

            def on_step_end(
                self,
                args: TrainingArguments,
                state: TrainerState,
                control: TrainerControl,
                **_: object,
            ) -> None:
                # Often at the start, when the model learns most.
                if state.global_step in (1, 2, 5) or state.global_step % config.measure_every == 0:
                    advance(state.global_step, held_out=measure(state.global_step))

        trainer = GRPOTrainer(
            model=model,
            args=arguments,
            train_dataset=rlvr_trl.dataset(train),
            reward_funcs=rlvr_trl.reward(train),
            processing_class=tokenizer,
            callbacks=[Watch()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
