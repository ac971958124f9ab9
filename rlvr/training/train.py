"""`train`: RLVR on a model, from a `TrainConfig` to a run that can be looked at and gone on with."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, MissingExtraError, OptionError, RlvrError, TrainingError
from rlvr.core.secrets import HIDDEN
from rlvr.envs.mixture import Mixture
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, about, read_metrics
from rlvr.scoring.prints import kept_in
from rlvr.training.config import Source, TrainConfig
from rlvr.training.device import fewer_processes, on_gpu
from rlvr.training.sources import made_of, mixture_of

_PREPARED = 1000  # tasks of an environment that are looked at before training


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        run: its folder, with the model in `model/`.
        step: optimizer steps that were taken.
        before, after: reports on the held-out tasks, by environment; empty where nothing is
            measured.
        stopped: why it was stopped before its time, or None.
    """

    run: Path
    step: int
    before: list[Report]
    after: list[Report]
    stopped: str | None


def train(
    config: TrainConfig, run_path: str | Path | None = None, *, resume: bool = False
) -> Outcome:
    """Train `config.model` on its environments' rewards.

    Args:
        run_path: the run's folder; by default `runs/train-<time>`.
        resume: go on with the run at `run_path` from its last whole checkpoint: at its step, with the
            same order of tasks. What it wrote behind that step is written again.

    Under `accelerate launch` each process calls this; the first one writes the run. Raises
    `OptionError` and `DataError` for what can't work, before anything is written where it can be known.
    """
    with _stack():
        return _train(config, run_path, resume)


def _train(config: TrainConfig, run_path: str | Path | None, resume: bool) -> Outcome:
    from accelerate import PartialState

    from rlvr.training.arguments import prompts_of, trl_arguments
    from rlvr.training.models import load, save
    from rlvr.training.progress import Stages
    from rlvr.training.recorder import Recorder, last_checkpoint, measured, rewind
    from rlvr.training.trainer import trainer_of

    gpu = on_gpu(config)
    here = PartialState(cpu=not gpu)
    mixture = mixture_of(config)
    multi_turn = any(env.max_turns > 1 for env in mixture.environments.values())
    if multi_turn and config.trainer == "rloo":
        raise OptionError(
            "TRL's RLOOTrainer plays no episodes in several turns. trainer='grpo' with "
            "trl={'scale_rewards': 'none'} is the same estimate but for a constant factor."
        )
    # What can't work is told first.
    steps = trl_arguments(config, Path(run_path or "."), here.num_processes).max_steps
    facts = _prepared(mixture)
    model, tokenizer = load(config.model, half=config.lora is not None and gpu)
    path, run = _open_run(config, run_path, resume, here)
    prints = contextlib.ExitStack()
    try:
        if run is not None:
            run.note(**facts)
        prints.enter_context(kept_in(path))
        start = last_checkpoint(path / "checkpoints") if resume and here.is_main_process else None
        start = _from_first(start, here)
        if resume and here.is_main_process:
            rewind(path, start[1] if start else -1, whole=bool(start and start[1] >= steps))
        arguments = trl_arguments(config, path, here.num_processes)
        rows = prompts_of(arguments)
        stops: list[str] = []
        with (
            Stages(quiet=not here.is_main_process) as stages,
            stages.stage(config.trainer.upper(), steps) as advance,
        ):

            def tell(step: int, figures: dict[str, Any]) -> None:
                shown = {"reward": figures.get("reward"), "kl": figures.get("kl/sequence/k1")}
                advance(step, **{k: v for k, v in shown.items() if v is not None})

            if here.is_main_process and (warning := fewer_processes(here.num_processes)):
                stages.say(f"warning: {warning}")
            recorder = Recorder(run, tell)
            trainer = trainer_of(
                config, mixture, model, tokenizer, arguments, rows, recorder, multi_turn
            )
            _watch(trainer, config, path, recorder, stages.say, stops)
            _held_out(config, trainer, run, advance)
            trainer.train(resume_from_checkpoint=str(start[0]) if start else None)
        step = int(trainer.state.global_step)
        stops = _from_first(stops, here)  # the other processes weren't told
        if step < steps and not stops:
            raise TrainingError(
                f"The run ended after {step} of {steps} steps, and nothing stopped it: its {rows} prompts "
                f"didn't suffice for TRL's generations of {arguments.generation_batch_size} "
                f"completions, {arguments.num_generations} of a prompt. What it wrote is in {str(path)!r}."
            )
        save(trainer, tokenizer, str(path / "model"))
        outcome = Outcome(
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


def _finish(run: Run, outcome: Outcome) -> None:
    from rlvr.training.plot import plot_run

    with contextlib.suppress(RlvrError):  # without matplotlib, or with nothing to plot
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
    trainer: Any,
    config: TrainConfig,
    path: Path,
    recorder: Any,
    say: Callable[[str], None],
    stops: list[str],
) -> None:
    """The guards, the KL with its budget, and the recorder behind them.

    Why a run is stopped goes into `stops`; that and the guards' warnings are said.
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


def _held_out(config: TrainConfig, trainer: Any, run: Run | None, advance: Any) -> None:
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

    envs = {name: env for name, _, env in made_of(config.held_out, "held-out environment")}
    callback = HeldOut(envs, config.measure_every, write, config.max_tokens)
    callback.trainer = trainer
    trainer.add_callback(callback)


def _prepared(mixture: Mixture) -> dict[str, Any]:
    """Raise `RlvrError` if this machine lacks something that verdicts need; return facts for the run."""
    facts: dict[str, Any] = {}
    for env in mixture.environments.values():
        first = range(min(len(env.tasks), _PREPARED))
        facts |= env.verifier.prepare(env.tasks[i] for i in first)
    return facts


def _open_run(
    config: TrainConfig, run_path: str | Path | None, resume: bool, here: Any
) -> tuple[Path, Run | None]:
    """The run's folder in all processes, and the run in the first one."""
    run = None
    if resume and run_path is None:
        raise OptionError("To go on with a run, name its folder.")
    if here.is_main_process:
        if resume:
            assert run_path is not None
            run = Run.resume(run_path)
        else:
            run = Run.create(run_path, "train", config.to_json())
    return _from_first(run.path if run is not None else None, here), run


def _from_first(value: Any, here: Any) -> Any:
    """What the first process has, in all of them."""
    if here.num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def config_of(path: str | Path) -> TrainConfig:
    """The configuration of a run. Raises `DataError` where there's none, or it's another kind's."""
    found = about(path)
    if found.get("kind") != "train":
        raise DataError(
            f"{str(path)!r} is a run of `rlvr {found.get('kind')}`, not of `rlvr train`."
        )
    _check_resumable(found["config"], str(Path(path) / "run.json"))
    return TrainConfig.from_json(found["config"])


def _check_resumable(value: Any, where: str) -> None:
    """Raise `OptionError` if a run's configuration would run code that a model brings, or lacks a secret."""
    several = value.items() if isinstance(value, dict) else enumerate(value)
    for name, one in several:
        if name == "trust_remote_code" and one:
            raise OptionError(
                f"{where} says to run code that comes with a model (trust_remote_code). If that's what you "
                f"want, go on from Python: rlvr.train(config, run, resume=True)."
            )
        if one == HIDDEN:
            raise OptionError(
                f"{where} doesn't hold {name!r}, which is a secret: go on from Python, with the same "
                f"configuration: rlvr.train(config, run, resume=True)."
            )
        if isinstance(one, dict | list):
            _check_resumable(one, where)


@contextlib.contextmanager
def _stack() -> Iterator[None]:
    """The training stack, quietly: there's one progress bar, and it's ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import datasets
        import transformers
        import trl  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"Training needs the extra 'train' ({error}): pip install 'rlvr[train]'."
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TRL's and transformers' of one another
        yield


__all__ = ["Outcome", "Source", "TrainConfig", "config_of", "train"]
