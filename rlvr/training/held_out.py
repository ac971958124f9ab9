"""Measurements along the way: held-out tasks, answered greedily by the model as it is now."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback

from rlvr.adapters.trl.backend import context_of
from rlvr.core.environment import Environment
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.policies.base import Generation, Request
from rlvr.policies.template import Template
from rlvr.policies.transformers import TransformersPolicy
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.tally import Tally
from rlvr.training.recorder import HELD_OUT


class HeldOut(TrainerCallback):  # type: ignore[misc]
    """Measures at the start, every so many steps, and at the end.

    Each process measures its share of the tasks. Where weights are spread over processes (FSDP,
    DeepSpeed's third stage) one process can't generate alone, and nothing is measured.

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
        if is_sharded(accelerator):
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
        if trainer.use_vllm and alone:
            return _TrainersVllm(trainer)
        model = trainer.accelerator.unwrap_model(trainer.model)
        return TransformersPolicy(
            model,
            trainer.processing_class,
            max_new_tokens=self._max_tokens,
            chat_template_kwargs=trainer.chat_template_kwargs,
        )


class _TrainersVllm:
    """The trainer's own vLLM with the weights of now, greedily."""

    name = "policy"
    batch_size = 1024

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._context = context_of(trainer)
        self._template = Template(trainer._tokenizer, trainer.chat_template_kwargs)

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        trainer = self._trainer
        prompts, *_ = trainer._tokenize_prompts([list(request.prompt) for request in requests])
        engine = trainer.vllm_generation
        if trainer.state.global_step != trainer._last_loaded_step:
            engine.sync_weights()
            trainer._last_loaded_step = trainer.state.global_step
        # One that doesn't fit would have all of them refused.
        fits = [i for i, prompt in enumerate(prompts) if len(prompt) < self._context]
        said = f"the prompt doesn't fit the model's context of {self._context} tokens"
        answers = [Generation("", "error", error=said, overflow=True)] * len(prompts)
        before = engine.temperature
        engine.temperature = 0.0
        try:
            if fits:
                asked = [list(prompts[i]) for i in fits]
                found = engine.generate(prompts=asked, images=None, num_generations=1)[1]
            else:
                found = []
        finally:
            engine.temperature = before
        ends = set(trainer.eos_token_ids)
        for i, ids in zip(fits, found, strict=True):
            answers[i] = Generation(
                self._template.text(ids),
                "stop" if ids and ids[-1] in ends else "length",
                len(prompts[i]),
                len(ids),
                tuple(ids),
            )
        return answers


def _share(env: Environment, accelerator: Any) -> Environment:
    """A copy with this process's share of the tasks."""
    if accelerator.num_processes == 1:
        return env
    from rlvr.core.tasks import TaskSet

    own = copy.copy(env)
    mine = range(accelerator.process_index, len(env.tasks), accelerator.num_processes)
    own.tasks = TaskSet([env.tasks[i] for i in mine], env.tasks.name)
    return own


def is_sharded(accelerator: Any) -> bool:
    """Whether one process alone hasn't all weights."""
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    if plugin is not None and plugin.zero_stage == 3:
        return True
    return getattr(accelerator.state, "fsdp_plugin", None) is not None
