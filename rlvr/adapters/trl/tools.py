"""`environment_factory`: a `ToolEnv`'s tools for TRL, called by the model's own chat template."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

from rlvr.adapters.trl.rows import COLUMN
from rlvr.core.episode import Child
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.faults import raised
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Message, Task
from rlvr.core.tool_calls import ToolCall
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Unscored
from rlvr.envs.mixture import Environments, a_mixture
from rlvr.envs.tools import ToolEnv

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
    for name, environment in mixture.environments.items():
        if environment.max_turns > 1 and not isinstance(environment, ToolEnv):
            raise OptionError(
                f"{name!r} has several turns and no tools: give GRPOTrainer "
                f"rollout_func=rlvr.trl.rollout(env) instead of an environment_factory."
            )
        factories[name] = ToolsFactory(
            name, environment if isinstance(environment, ToolEnv) else None
        )
    return factories if len(factories) > 1 else next(iter(factories.values()))


class TaskTools:
    """The tools of one completion's task. TRL makes one for each completion of a batch."""

    _env: ToolEnv | None = None
    _live: LiveEpisode | None = None

    def reset(self, **row: Any) -> None:
        """Begin the episode of a row of the data set, without traces of the one before."""
        if self._live is not None:
            self._live.begin_close()
        if self._env is None:
            return
        self._live = self._env.episode(Task.from_json(json.loads(row[COLUMN])))
        self._live.begin_open().result()

    def _end(self, messages: Sequence[Message]) -> Transcript | Unscored:
        """End the episode, whose messages TRL has kept; return what its verifier sees, or the fault."""
        live = self._live
        if live is None:
            return Transcript(messages)
        ended = live.begin_end().result()
        if isinstance(ended, Unscored):
            return ended
        prompt = len(live.task.prompt)
        return Transcript(messages, ended.outcome, ended.step_rewards, prompt)

    def _call(self, name: str, arguments: Any) -> str:
        live = self._live
        if live is None or live.fault is not None:
            return "error: the tools are out of order"
        try:
            call = ToolCall(name, json.dumps(arguments))
            return str(live.begin_call(call).result().content)
        except CannotScore as error:
            live.fail(raised(name, error))
            return "error: the tools are out of order"


def ended(tools: TaskTools, messages: Sequence[Message]) -> Transcript | Unscored:
    """End the episode of a completion's tools; its public methods are the tools themselves."""
    return tools._end(messages)


def children_of(tools: TaskTools) -> list[Child]:
    """Return the conversations of other policies in the episode of a completion's tools."""
    return [] if tools._live is None else tools._live.children


class ToolsFactory:
    """Makes the tools of one completion; it can be pickled with its environment."""

    def __init__(self, name: str, env: ToolEnv | None) -> None:
        self.__name__ = name
        self._env = env
        self._class = _class_for(name, env)

    def __call__(self) -> TaskTools:
        """Return tools without a task yet."""
        return self._class()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (cloudpickle.dumps((self.__name__, self._env)),)


def _unpickled(settings: bytes) -> ToolsFactory:
    return ToolsFactory(*pickle.loads(settings))


def _class_for(name: str, env: ToolEnv | None) -> type[TaskTools]:
    """Return a class whose public methods, except `reset`, are the environment's tools."""
    if env is None:
        return type(name, (TaskTools,), {})
    methods: dict[str, Any] = {
        tool: _method(tool, function) for tool, function in env.tools.items()
    }
    return type(name, (TaskTools,), {**methods, "_env": env})


def _method(name: str, function: Callable[..., Any]) -> Any:
    def method(self: TaskTools, /, **arguments: Any) -> str:
        return self._call(name, arguments)

    # TRL reads its type hints and its docstring.
    return functools.update_wrapper(method, function)
