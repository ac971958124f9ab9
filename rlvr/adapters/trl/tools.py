"""`environment_factory`: a `ToolEnv`'s tools for TRL, called by the model's own chat template."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from rlvr.adapters.trl.rows import COLUMN
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.faults import raised
from rlvr.core.task import Task
from rlvr.core.verdict import Unscored
from rlvr.envs.mixture import Environments, a_mixture
from rlvr.envs.tools import ToolEnv, call
from rlvr.scoring.prints import call_judging

Factory = Callable[[], "TaskTools"]


def environment_factory(env: Environments) -> Factory | dict[str, Factory]:
    """Return the tools as TRL's `environment_factory`::

        env = rlvr.make("shop", calls="native")
        GRPOTrainer(model, args=config, train_dataset=rlvr.trl.dataset(env),
                    reward_funcs=rlvr.trl.reward(env),
                    environment_factory=rlvr.trl.environment_factory(env))

    TRL writes the tools' schemas into the prompt and reads the calls by the model's own template, which must support
    tools. `max_tool_calling_iterations` and `max_completion_length` bound an episode, instead of the environment's
    `max_turns`. The last message is judged.

    Args:
        env: An environment with tools, or several of which each has tools or a single turn. Use environments whose
            prompts don't explain the calls, since the template does.

    Returns:
        A factory; for several environments, one for each value of the data's column `environment`.
    """
    mixture = a_mixture(env)
    factories: dict[str, Factory] = {}
    for name, each in mixture.environments.items():
        if each.max_turns > 1 and not isinstance(each, ToolEnv):
            raise OptionError(
                f"{name!r} has several turns and no tools: give GRPOTrainer "
                f"rollout_func=rlvr.trl.rollout(env) instead of an environment_factory."
            )
        factories[name] = _class_for(name, each if isinstance(each, ToolEnv) else None)
    return factories if len(factories) > 1 else next(iter(factories.values()))


class TaskTools:
    """The tools of one completion's task. TRL makes one for each completion of a batch."""

    _toolbox: Callable[[Task], Any] | None = None
    _box: Any = None
    fault: Unscored | None = None
    """The fault because of which the episode has no reward."""

    def reset(self, **row: Any) -> None:
        """Begin the episode of a row of the data set, without traces of the one before."""
        self.fault = None
        if self._toolbox is None:
            return
        task = Task.from_json(json.loads(row[COLUMN]))
        try:
            self._box = call_judging(self._toolbox, task)
        except (Exception, SystemExit) as error:
            self._box = None
            self.fault = raised(f"{type(self).__name__} can't begin with the task {task.id}", error)

    def _call(self, tools: dict[str, Callable[..., Any]], name: str, arguments: Any) -> str:
        if self.fault is not None:
            return "error: the tools are out of order"
        try:
            return call_judging(call, tools, self._box, name, arguments)
        except CannotScore as error:
            self.fault = raised(name, error)
            return "error: the tools are out of order"


def _class_for(name: str, env: ToolEnv | None) -> type[TaskTools]:
    """Return a class whose public methods, except `reset`, are the environment's tools."""
    if env is None:
        return type(name, (TaskTools,), {})
    methods: dict[str, Any] = {
        tool: _method(tool, function, env.tools) for tool, function in env.tools.items()
    }
    return type(name, (TaskTools,), {**methods, "_toolbox": staticmethod(env.toolbox)})


def _method(name: str, function: Callable[..., Any], tools: dict[str, Callable[..., Any]]) -> Any:
    @functools.wraps(function)  # TRL reads its type hints and its docstring
    def method(self: TaskTools, **arguments: Any) -> str:
        return self._call(tools, name, arguments)

    return method
