"""`train`: train a model by a `TrainConfig`, and write a run that can be viewed and resumed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rlvr.core.errors import DataError, OptionError, RlvrError, TrainingError
from rlvr.core.secrets import HIDDEN
from rlvr.envs.mixture import Mixture
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, about, read_metrics
from rlvr.scoring.prints import kept_in
from rlvr.training.config import Source, TrainConfig
from rlvr.training.device import fewer_processes, on_gpu, training_stack
from rlvr.training.sources import made_of, mixture_of

if TYPE_CHECKING:
    from accelerate import PartialState

    from rlvr.training.kl.trainer import MeasuresKL
    from rlvr.training.progress import Advance
    from rlvr.training.recorder import Recorder

Value = TypeVar("Value")
_PREPARED = 1000  # tasks per environment that are checked before training


@dataclass(frozen=True)
class TrainOutcome:
    """The result of a training run.

    Attributes:
        run: The run's folder, with the model in `model/`.
        step: Number of optimizer steps.
        before, after: Reports on the held-out tasks, one per environment; empty if nothing is measured.
        stopped: The reason why a guard or the KL budget stopped the run, or None.
    """

    run: Path
    step: int
    before: list[Report]
    after: list[Report]
    stopped: str | None


def train(
    config: TrainConfig, run_path: str | Path | None = None, *, resume: bool = False
) -> TrainOutcome:
    """Train `config.model` on its environments' rewards::

        config = rlvr.TrainConfig("Qwen/Qwen3-1.7B", "gsm8k", steps=200)
        outcome = rlvr.train(config, "runs/mine")

    Under `accelerate launch` each process calls this function, and the first one writes the run.

    Args:
        config: The run's configuration.
        run_path: The run's folder (default: `runs/train-<time>`).
        resume: Resume the run at `run_path` from its last complete checkpoint, with the same order of tasks. Lines that
            it wrote after that step are written again.

    Raises `OptionError` and `DataError` for an invalid configuration or environment, if possible before anything is
    written.
    """
    with training_stack("Training", FutureWarning):  # TRL and transformers warn of one another
        return _train(config, run_path, resume)


def _train(config: TrainConfig, run_path: str | Path | None, resume: bool) -> TrainOutcome:
    from accelerate import PartialState

    from rlvr.training.arguments import prompts_of, trl_arguments
    from rlvr.training.models import load, save
    from rlvr.training.progress import TrainingStages
    from rlvr.training.recorder import Recorder, last_checkpoint, measured, rewind
    from rlvr.training.trainer import trainer_of

    gpu = on_gpu(config)
    process = PartialState(cpu=not gpu)
    mixture = mixture_of(config)
    multi_turn = any(env.max_turns > 1 for env in mixture.environments.values())
    if multi_turn and config.trainer == "rloo":
        raise OptionError(
            "TRL's RLOOTrainer plays no episodes in several turns. trainer='grpo' with "
            "trl={'scale_rewards': 'none'} has the same estimate except for a constant factor."
        )
    # An invalid configuration is reported before anything is loaded.
    _check_vllm(config)
    steps = trl_arguments(config, Path(run_path or "."), process.num_processes).max_steps
    facts = _prepared(mixture)
    model, tokenizer = load(config.model, half=config.lora is not None and gpu)
    path, run = _open_run(config, run_path, resume, process)
    prints = contextlib.ExitStack()
    try:
        if run is not None:
            run.note(**facts)
        prints.enter_context(kept_in(path))
        start = (
            last_checkpoint(path / "checkpoints") if resume and process.is_main_process else None
        )
        start = _from_first(start, process)
        if resume and process.is_main_process:
            rewind(path, start[1] if start else -1, at_end=bool(start and start[1] >= steps))
        arguments = trl_arguments(config, path, process.num_processes)
        rows = prompts_of(arguments)
        stops: list[str] = []
        with (
            TrainingStages(quiet=not process.is_main_process) as stages,
            stages.stage(config.trainer.upper(), steps) as advance,
        ):

            def tell(step: int, figures: dict[str, Any]) -> None:
                bars = {"reward": figures.get("reward"), "kl": figures.get("kl/sequence/k1")}
                advance(step, **{k: v for k, v in bars.items() if v is not None})

            if process.is_main_process and (warning := fewer_processes(process.num_processes)):
                stages.say(f"warning: {warning}")
            recorder = Recorder(run, tell)
            trainer = trainer_of(
                config, mixture, model, tokenizer, arguments, rows, recorder, multi_turn
            )
            _watch(trainer, config, path, recorder, stages.say, stops)
            _held_out(config, trainer, run, advance)
            trainer.train(resume_from_checkpoint=str(start[0]) if start else None)
        step = int(trainer.state.global_step)
        stops = _from_first(stops, process)  # only the first process has them
        if step < steps and not stops:
            raise TrainingError(
                f"The run ended after {step} of {steps} steps, and nothing stopped it: its {rows} prompts "
                f"don't suffice for TRL's generations of {arguments.generation_batch_size} completions, "
                f"{arguments.num_generations} per prompt. Its files are in {str(path)!r}."
            )
        save(trainer, tokenizer, str(path / "model"))
        outcome = TrainOutcome(
            path, step, measured(path, 0), measured(path, step), stops[0] if stops else None
        )
        if run is not None:
            _finish(run, outcome)
        return outcome
    except BaseException:
        prints.close()
        if run is not None:
            run.discard()
        raise
    finally:
        prints.close()


def _check_vllm(config: TrainConfig) -> None:
    """Raise `OptionError` if vLLM would generate on a CPU.

    vLLM's CPU layers compute with packed copies of the weights that are loaded first, so that it would silently
    generate with the untrained model. A patched TRL that passes new weights to vLLM has the attribute `rlvr_on_cpu`.
    """
    if config.vllm == "none" or on_gpu(config):
        return
    from trl.generation import vllm_generation

    if not getattr(vllm_generation, "rlvr_on_cpu", False):
        raise OptionError(
            f"vllm={config.vllm!r} needs a GPU: on a CPU vLLM keeps its first weights. Train with vllm='none'."
        )


def _finish(run: Run, outcome: TrainOutcome) -> None:
    from rlvr.training.plot import plot_run

    with contextlib.suppress(RlvrError):  # matplotlib is missing, or there are no metrics
        plot_run(run)
    run.finish(
        {
            "step": outcome.step,
            "stopped": outcome.stopped,
            "reports": [report.to_json() for report in outcome.after],
            "before": [report.to_json() for report in outcome.before],
        }
    )
    run.close()


def _watch(
    trainer: MeasuresKL,
    config: TrainConfig,
    path: Path,
    recorder: Recorder,
    say: Callable[[str], None],
    stops: list[str],
) -> None:
    """Add the guards, the KL with its budget, and the recorder to a trainer.

    If the run is stopped, the reason is appended to `stops`. `say` prints it and the guards' warnings.
    """
    from rlvr.training.arguments import updates_of
    from rlvr.training.guards import Alarm, Guards
    from rlvr.training.guards.callback import GuardCallback
    from rlvr.training.kl.budget import KLBudget
    from rlvr.training.kl.trainer import KLConfig
    from rlvr.training.recorder import WholeBatches

    def stop(message: str) -> None:
        stops.append(message)
        say(f"stopping: {message}")

    def tell(alarm: Alarm) -> None:
        if alarm.stops:
            stop(str(alarm))
        else:
            say(f"warning: {alarm}")

    budget = None
    if config.kl_budget is not None:
        budget = KLBudget(config.kl_budget, config.kl_action)
    history = read_metrics(path)
    trainer.measure_kl(KLConfig(budget=budget), history, stop)
    trainer.add_callback(
        GuardCallback(Guards(config.guards, str(path), history), recorder.since, tell)
    )
    trainer.add_callback(recorder)
    trainer.add_callback(WholeBatches(updates_of(trainer.args)))


def _held_out(config: TrainConfig, trainer: MeasuresKL, run: Run | None, advance: Advance) -> None:
    """Add the measurements on held-out tasks to a trainer."""
    if config.held_out is None:
        return
    from rlvr.training.held_out import HeldOut

    def write(step: int, rollouts: list[Rollout], reports: list[Report]) -> None:
        assert run is not None
        for rollout in rollouts:
            run.rollout(rollout.to_json(step=step))
        scored = sum(report.scored for report in reports)
        correct = sum(report.statuses.get("correct", 0) for report in reports)
        figures = {f"held_out/{report.env}": report.correct.value for report in reports}
        accuracy = correct / scored if scored else float("nan")
        run.metrics(
            step=step,
            held_out_accuracy=accuracy,
            held_out_unscored=len(rollouts) - scored,
            **(figures if len(reports) > 1 else {}),
        )
        advance(step, held_out=accuracy)

    envs = {name: env for name, _, env in made_of(config.held_out_sources, "held-out environment")}
    callback = HeldOut(envs, config.measure_every, write, config.max_tokens)
    callback.trainer = trainer
    trainer.add_callback(callback)


def _prepared(mixture: Mixture) -> dict[str, Any]:
    """Raise `RlvrError` if this machine can't judge the environments, and return facts for the run."""
    facts: dict[str, Any] = {}
    for env in mixture.environments.values():
        first = range(min(len(env.tasks), _PREPARED))
        facts |= env.verifier.prepare(env.tasks[i] for i in first)
    return facts


def _open_run(
    config: TrainConfig, run_path: str | Path | None, resume: bool, process: PartialState
) -> tuple[Path, Run | None]:
    """Return the run's folder in all processes, and the run in the first one."""
    run = None
    if resume and run_path is None:
        raise OptionError("Name the folder of the run to resume.")
    if process.is_main_process:
        if resume:
            assert run_path is not None
            run = Run.resume(run_path)
        else:
            run = Run.create(run_path, "train", config.to_json())
    path = _from_first(run.path if run is not None else None, process)
    assert path is not None  # the first process has it
    return path, run


def _from_first(value: Value, process: PartialState) -> Value:
    """Return the first process's value in all processes."""
    if process.num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    received: list[Value] = broadcast_object_list([value])
    return received[0]


def config_of(path: str | Path) -> TrainConfig:
    """Return the configuration of a training run. Raises `DataError` if it isn't one."""
    record = about(path)
    if record.get("kind") != "train":
        raise DataError(
            f"{str(path)!r} is a run of `rlvr {record.get('kind')}`, not of `rlvr train`."
        )
    _check_resumable(record["config"], str(Path(path) / "run.json"))
    return TrainConfig.from_json(record["config"])


def _check_resumable(value: Any, where: str) -> None:
    """Raise `OptionError` if a run's configuration would run a model's code, or lacks a secret."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        if name == "trust_remote_code" and item:
            raise OptionError(
                f"{where} says to run code that comes with a model (trust_remote_code). If you "
                f"want that, resume from Python: rlvr.train(config, run, resume=True)."
            )
        if item == HIDDEN:
            raise OptionError(
                f"{where} doesn't hold {name!r}, which is a secret: resume from Python, with the same "
                f"configuration: rlvr.train(config, run, resume=True)."
            )
        if isinstance(item, dict | list):
            _check_resumable(item, where)


__all__ = ["Source", "TrainConfig", "TrainOutcome", "config_of", "train"]
