"""Measurements during training: the present model responds to held-out tasks by greedy decoding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rlvr.adapters.trl.backend import context_of
from rlvr.adapters.trl.trainer_types import Accelerator, TrlTrainer
from rlvr.core.environment import Environment
from rlvr.evaluation.evaluation import Evaluation, Part
from rlvr.policies.base import Generation, Policy, Request
from rlvr.policies.template import Template
from rlvr.policies.transformers import TransformersPolicy
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.tally import Tally
from rlvr.training.recorder import HELD_OUT


class HeldOut(TrainerCallback):  # type: ignore[misc]
    """Measures at the start, every `every` steps, and at the end.

    Each process measures its share of the tasks. If weights are sharded (FSDP, DeepSpeed's third stage), one process
    can't generate alone, and nothing is measured.

    Args:
        envs: The environments, by their names in reports.
        every: Steps between two measurements.
        write: Called in the first process with the step, the rollouts and the reports.
        max_tokens: Most tokens of a response.

    Attributes:
        reports: The reports of each measurement, by step; in the first process.
        trainer: The trainer that the callback belongs to, set after both are made.
    """

    trainer: TrlTrainer

    def __init__(
        self,
        envs: dict[str, Environment],
        every: int,
        write: Callable[[int, list[Rollout], list[Report]], object],
        max_tokens: int,
    ) -> None:
        self.envs = envs
        self.reports: dict[int, list[Report]] = {}
        self._every = every
        self._write = write
        self._max_tokens = max_tokens

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Measure before the first step, unless the run is resumed."""
        if state.global_step == 0:
            self.measure(0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Measure every `every` steps."""
        if state.global_step % self._every == 0:
            self.measure(state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Measure at the end, even if the run was stopped."""
        self.measure(state.global_step)

    def measure(self, step: int) -> None:
        """Measure, once per step. All processes must call it."""
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

    def _policy(self) -> Policy:
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
    """A policy of greedy decoding by the trainer's own vLLM, with the present weights."""

    name = "policy"
    batch_size = 1024

    def __init__(self, trainer: TrlTrainer) -> None:
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
        # vLLM refuses all prompts if one doesn't fit.
        fits = [i for i, prompt in enumerate(prompts) if len(prompt) < self._context]
        why = f"the prompt doesn't fit the model's context of {self._context} tokens"
        generations = [Generation("", "error", error=why, overflow=True)] * len(prompts)
        before = engine.temperature
        engine.temperature = 0.0
        try:
            fitting = [list(prompts[i]) for i in fits]
            completions = []
            if fits:
                completions = engine.generate(prompts=fitting, images=None, num_generations=1)[1]
        finally:
            engine.temperature = before
        ends = set(trainer.eos_token_ids)
        for i, ids in zip(fits, completions, strict=True):
            generations[i] = Generation(
                self._template.text(ids),
                "stop" if ids and ids[-1] in ends else "length",
                len(prompts[i]),
                len(ids),
                tuple(ids),
            )
        return generations


def _share(env: Environment, accelerator: Accelerator) -> Environment:
    """Return a copy with this process's share of the tasks."""
    if accelerator.num_processes == 1:
        return env
    from rlvr.core.tasks import TaskSet

    shared = copy.copy(env)
    mine = range(accelerator.process_index, len(env.tasks), accelerator.num_processes)
    shared.tasks = TaskSet([env.tasks[i] for i in mine], env.tasks.name)
    return shared


def is_sharded(accelerator: Accelerator) -> bool:
    """Return True if no process has all weights."""
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    if plugin is not None and plugin.zero_stage == 3:
        return True
    return getattr(accelerator.state, "fsdp_plugin", None) is not None
