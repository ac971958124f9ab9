"""Measurements along the way: held-out tasks, answered greedily by the model as it is now."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback

from rlvr.core.environment import Environment
from rlvr.evaluation.evaluate import Evaluation, Part
from rlvr.evaluation.report import Report
from rlvr.evaluation.rollouts import Rollout
from rlvr.evaluation.tally import Tally
from rlvr.policies.base import Generation, Request
from rlvr.policies.transformers import TransformersPolicy
from rlvr.training.recorder import HELD_OUT


class HeldOut(TrainerCallback):  # type: ignore[misc]
    """Measures at the start, every so many steps, and at the end.

    Each process measures its share of the tasks. Where weights are spread over processes (FSDP,
    DeepSpeed's third stage) one process can't generate alone: there it says so once and measures nothing.

    Args:
        envs: by the names that are reported.
        every: steps between two measurements.
        write: called in the first process with the step, the rollouts and the reports.
        max_tokens: of a response.

    Attributes:
        reports: of each measurement, by step; in the first process.
    """

    def __init__(
        self,
        envs: dict[str, Environment],
        every: int,
        write: Callable[[int, list[Rollout], list[Report]], object],
        max_tokens: int,
    ) -> None:
        self.envs = envs
        self.reports: dict[int, list[Report]] = {}
        self.trainer: Any = None
        self._every = every
        self._write = write
        self._max_tokens = max_tokens

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the first step; not where a run is gone on with."""
        if state.global_step == 0:
            self.measure(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Every so many steps."""
        if state.global_step % self._every == 0:
            self.measure(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """At the end, whatever ended it."""
        self.measure(state.global_step)

    def measure(self, step: int) -> None:
        """Once a step. All processes must call."""
        if step in self.reports:
            return
        accelerator = self.trainer.accelerator
        if _is_sharded(accelerator):
            self.reports[step] = []
            return
        rollouts: list[Rollout] = []
        parts = [
            Part(_share(env, accelerator), 1, None, HELD_OUT, name)
            for name, env in self.envs.items()
        ]
        evaluation = Evaluation(
            [part for part in parts if len(part.env.tasks)], self._policy(), keep=rollouts.append
        )
        evaluation.run()
        if accelerator.num_processes > 1:
            from accelerate.utils import gather_object

            rollouts = gather_object(rollouts)
        self.reports[step] = []
        if accelerator.is_main_process:
            tallies = {name: Tally(name, HELD_OUT) for name in self.envs}
            for rollout in rollouts:
                tallies[rollout.env].add(rollout)
            self.reports[step] = [Report.of(tally) for tally in tallies.values()]
            self._write(step, rollouts, self.reports[step])

    def _policy(self) -> Any:
        trainer = self.trainer
        alone = trainer.accelerator.num_processes == 1
        if trainer.use_vllm and alone and hasattr(trainer, "_tokenize_prompts"):
            return _TrainersVllm(trainer)
        model = trainer.accelerator.unwrap_model(trainer.model)
        return TransformersPolicy(model, trainer.processing_class, max_new_tokens=self._max_tokens)


class _TrainersVllm:
    """The trainer's own vLLM with the weights of now, greedily."""

    name = "policy"
    batch_size = 1024

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        trainer = self._trainer
        prompts, _, _ = trainer._tokenize_prompts([list(request.prompt) for request in requests])
        engine = trainer.vllm_generation
        before = engine.temperature
        engine.temperature = 0.0
        try:
            found, _ = trainer._generate_single_turn(prompts, None, {}, 1)
        finally:
            engine.temperature = before
        ends = set(trainer.eos_token_ids)
        return [
            Generation(
                trainer._tokenizer.decode(ids, skip_special_tokens=True),
                "stop" if ids and ids[-1] in ends else "length",
                len(prompt),
                len(ids),
                tuple(ids),
            )
            for prompt, ids in zip(prompts, found, strict=True)
        ]


def _share(env: Environment, accelerator: Any) -> Environment:
    """A copy with this process's share of the tasks."""
    if accelerator.num_processes == 1:
        return env
    from rlvr.core.tasks import TaskSet

    own = copy.copy(env)
    mine = range(accelerator.process_index, len(env.tasks), accelerator.num_processes)
    own.tasks = TaskSet([env.tasks[i] for i in mine], env.tasks.name)
    return own


def _is_sharded(accelerator: Any) -> bool:
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    if plugin is not None and plugin.zero_stage == 3:
        return True
    return getattr(accelerator.state, "fsdp_plugin", None) is not None
