"""`environment_factory`: a `ToolEnv`'s tools for TRL, called as the model's chat template calls them."""

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
    """The tools as TRL's `environment_factory`::

        env = rlvr.make("shop", calls="native")
        GRPOTrainer(model, args=config, train_dataset=rlvr.trl.dataset(env),
                    reward_funcs=rlvr.trl.reward(env),
                    environment_factory=rlvr.trl.environment_factory(env))

    TRL writes the tools' schemas into the prompt and reads the calls by the model's own template,
    which has to support that. `max_tool_calling_iterations` and `max_completion_length` bound an
    episode there, and the environment's `max_turns` doesn't. The verdict is on the last message.

    Args:
        env: with tools, or several of which each has tools or is single-turn. Prompts that explain
            the calls in text too would say it twice: take the environment's form without.

    Returns:
        A factory; of several environments, one for each value of the data's column `environment`.
    """
    mixture = a_mixture(env)
    factories: dict[str, Factory] = {}
    for name, one in mixture.environments.items():
        if one.max_turns > 1 and not isinstance(one, ToolEnv):
            raise OptionError(
                f"{name!r} has several turns and no tools: give GRPOTrainer "
                f"rollout_func=rlvr.trl.rollout(env) instead of an environment_factory."
            )
        factories[name] = _class_for(name, one if isinstance(one, ToolEnv) else None)
    return factories if len(factories) > 1 else next(iter(factories.values()))


class TaskTools:
    """What TRL makes many of, one for each completion of a batch, and sets to a row's task."""

    _toolbox: Callable[[Task], Any] | None = None
    _box: Any = None
    fault: Unscored | None = None
    """Why the episode can have no reward; the reward function looks."""

    def reset(self, **row: Any) -> None:
        """Begin with a row of the dataset; nothing of the episode before is left."""
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
    """A class whose public methods, beside `reset`, are the environment's tools."""
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
