"""The quickstart: RLVR from nothing to a plot, on a CPU, in about a minute.

A small model is made and warmed up on worked additions that mostly forget to carry; then TRL's
GRPO trains it against the `arithmetic` environment's verifiable reward. Accuracy is measured on
held-out tasks that neither stage has seen: the environment's test split. No problem is in two of
the three.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlvr.adapters import trl as rlvr_trl
from rlvr.core.environment import Environment
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.transformers import TransformersPolicy
from rlvr.runs.report import Report
from rlvr.runs.run import Run
from rlvr.training.additions import (
    MAX_NEW_TOKENS,
    WARMUP_BATCH,
    WARMUP_STEPS,
    additions,
    quiet,
    unseen,
    warmed_up,
)
from rlvr.training.plot import plot_run
from rlvr.training.progress import Stages


@dataclass(frozen=True)
class QuickstartConfig:
    """All that the quickstart is told.

    Attributes:
        seed: of weights, data order and sampling.
        warmup_steps: supervised steps of 64 traces.
        steps: GRPO steps of 16 prompts with 8 completions each.
        learning_rate: of GRPO; constant after 5 steps.
        beta: weight of the KL to the warmed-up model in the loss.
        held_out: test tasks to measure on.
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
class Outcome:
    """Held-out greedy accuracy before and after GRPO, and where the run is."""

    before: Report
    after: Report
    run: Path


_PROMPTS, _COMPLETIONS = 16, 8


def quickstart(config: QuickstartConfig, run_path: str | Path | None = None) -> Outcome:
    """Run it all, with progress on standard error, and write a run with a plot.

    Raises `MissingExtraError` where the extra `train` isn't installed.
    """
    with quiet(), Stages() as stages:
        run = Run.create(run_path, "quickstart", asdict(config))
        first = list(additions("train", config.warmup_steps * WARMUP_BATCH).tasks)
        with stages.stage("warm-up", config.warmup_steps) as advance:
            model, tokenizer = warmed_up(
                first, config.seed, lambda step, loss: advance(step, loss=loss)
            )
        # TRL loads the reference of the KL from where the model came from.
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
        (run.path / "trainer").rmdir()  # TRL makes it, and nothing is kept there
    plot_run(run)
    run.close()
    return Outcome(before, after, run.path)


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
    model: Any,
    tokenizer: Any,
    train: Environment,
    run: Run,
    stages: Stages,
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
                self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
            ) -> None:
                if logs and "reward" in logs:
                    kept = {k: v for k, v in logs.items() if isinstance(v, int | float)}
                    run.metrics(step=state.global_step, **kept)
                    advance(state.global_step, reward=logs["reward"], kl=logs.get("kl", 0.0))

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                # Often at first, where most is learned.
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
