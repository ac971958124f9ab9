"""`ToolEnv`: conversations in which the model calls tools, which are typed Python methods.

A call is text, in the form that Qwen's and Hermes' templates use, so it works with every policy
and trainer::

    <tool_call>
    {"name": "price", "arguments": {"item": "lamp"}}
    </tool_call>

`rlvr.trl.environment_factory` gives the same tools to TRL, which uses the template's own calls.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rlvr.core.errors import CannotScore, OptionError, ToolError
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verifier import Verifier
from rlvr.envs.turns import MultiTurn
from rlvr.verifiers.extraction import after_thinking

_OPENS, _CLOSES = "<tool_call>", "</tool_call>"
_MOST_CALLS = 16  # per message
_MOST_CHARACTERS = 4000  # of a call, and of a result
_RESERVED = ("reset", "get_reward")  # methods that TRL doesn't offer as tools


class ToolEnv(MultiTurn):
    """Tasks whose answers need tools::

        class Shop:
            def __init__(self, task):
                self._prices = task.metadata["prices"]

            def price(self, item: str) -> int:
                \"\"\"Return the price of an item.

                Args:
                    item: its name.
                \"\"\"
                if item not in self._prices:
                    raise rlvr.ToolError(f"there's no {item!r:.40} in this shop")
                return self._prices[item]

        env = rlvr.ToolEnv(tasks, rlvr.Math(), Shop)

    The public methods of the toolbox are the tools. Each episode has its own toolbox, which may
    keep state. It must be deterministic, since it is made
    anew at each turn and the earlier calls are repeated.

    The first message without a call is the answer. An invalid call (no JSON, no such tool,
    wrong arguments) and a call whose tool raises are answered with an error that the model reads.
    Only `CannotScore` leaves the episode without a reward.

    Args:
        tasks: tasks whose prompts explain the tools: put `describe(toolbox)` in them.
        verifier: judges the answer.
        toolbox: a class whose constructor takes a task.
        max_turns: the most responses per episode, including the answer.

    The other arguments are `Environment`'s.
    """

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        verifier: Verifier,
        toolbox: type[Any],
        max_turns: int = 8,
        *,
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            tasks,
            verifier,
            max_turns,
            name=name,
            render_mode=render_mode,
            fixtures=fixtures,
            known_findings=known_findings,
        )
        self.toolbox = toolbox
        self.tools = tools_of(toolbox)

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the results of the last message's calls, or None if it has none."""
        if not calls_in(messages[-1]["content"]):
            return None
        box = self.toolbox(task)
        results: list[str] = []
        for message in messages:
            if message["role"] == "assistant":
                calls = calls_in(message["content"])
                results = [self._answer(box, text) for text in calls[:_MOST_CALLS]]
        if len(calls) > _MOST_CALLS:
            results.append(f"error: only the first {_MOST_CALLS} calls of a message are done")
        return "\n".join(f"<tool_response>\n{result}\n</tool_response>" for result in results)

    def _answer(self, box: Any, text: str) -> str:
        try:
            name, arguments = _read(text)
            return call(self.tools, box, name, arguments)
        except ToolError as error:
            return f"error: {error}"


def tools_of(toolbox: type[Any]) -> dict[str, Callable[..., Any]]:
    """Return a toolbox's tools by name, as functions whose first argument is a toolbox.

    Raises `OptionError` if a tool lacks type hints or a docstring that names its arguments.
    """
    if not inspect.isclass(toolbox):
        raise OptionError(
            f"A toolbox is a class whose constructor takes a task, not {toolbox!r:.80}."
        )
    tools = {
        name: function
        for name, function in inspect.getmembers(toolbox, inspect.isfunction)
        if not name.startswith("_")
    }
    if not tools:
        raise OptionError(f"{toolbox.__name__} has no public method, so there's no tool.")
    for name, function in tools.items():
        _check(toolbox, name, function)
    return dict(sorted(tools.items(), key=lambda item: item[1].__code__.co_firstlineno))


def describe(toolbox: type[Any]) -> str:
    """Describe the tools and how to call them, for a prompt."""
    entries = []
    for name, function in tools_of(toolbox).items():
        signature = inspect.signature(function, eval_str=True)
        rest = list(signature.parameters.values())[1:]
        entries.append(f"{name}{signature.replace(parameters=rest)}\n{inspect.getdoc(function)}")
    return (
        "You can call these tools:\n\n" + "\n\n".join(entries) + "\n\nA call looks like this, and "
        "its result comes back to you:\n<tool_call>\n"
        '{"name": "the tool", "arguments": {"an argument": "its value"}}\n</tool_call>\n'
        "Answer in a message without a call when you are done."
    )


def calls_in(message: str) -> list[str]:
    """Return the text of each call that a message makes; thoughts don't count."""
    text = after_thinking(message)
    calls: list[str] = []
    end = 0
    # Not with a regular expression, which would search for the end from each of thousands of openings.
    while (start := text.find(_OPENS, end)) >= 0:
        closing = text.find(_CLOSES, start)
        if closing < 0:
            break
        calls.append(text[start + len(_OPENS) : closing])
        end = closing + len(_CLOSES)
    return calls


def call(tools: Mapping[str, Callable[..., Any]], box: Any, name: str, arguments: Any) -> str:
    """Call a tool and return its result as text of at most 4000 characters.

    Raises `ToolError` with a sentence for the model if the call can't be done, and `CannotScore`
    if the tool does.
    """
    function = tools.get(name) if isinstance(name, str) else None
    if function is None:
        raise ToolError(f"there's no tool {name!r:.40}; there are: {', '.join(tools)}")
    if not isinstance(arguments, dict):
        raise ToolError('"arguments" is an object with a value for each argument')
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        raise ToolError(
            f"{name} has no argument {unknown[0]!r:.40}; it has: {', '.join(parameters)}"
        )
    hints = get_type_hints(function)
    for key, parameter in parameters.items():
        if key not in arguments:
            if parameter.default is inspect.Parameter.empty:
                raise ToolError(f"{name} needs the argument {key!r}")
        elif not _fits(arguments[key], hints[key]):
            raise ToolError(
                f"{key!r} of {name} is {_shown(hints[key])}, not {arguments[key]!r:.40}"
            )
    try:
        result = function(box, **arguments)
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    except (ToolError, CannotScore):
        raise
    except (Exception, SystemExit) as error:  # the model's arguments may be the reason
        raise ToolError(f"{name} failed: {type(error).__name__}: {error!s:.200}") from error
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… (cut)"


def _read(text: str) -> tuple[str, Any]:
    """Parse a call's name and arguments."""
    if len(text) > _MOST_CHARACTERS:
        raise ToolError(f"a call has at most {_MOST_CHARACTERS} characters")
    try:
        call = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the call isn't JSON: {error!s:.200}") from error
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        raise ToolError('a call is an object with "name" and "arguments" alone')
    return call["name"], call["arguments"]


def _check(toolbox: type[Any], name: str, function: Callable[..., Any]) -> None:
    where = f"The tool {name!r} of {toolbox.__name__}"
    if name in _RESERVED:
        raise OptionError(f"{where} has a name that TRL uses for something else; give it another.")
    document = inspect.getdoc(function) or ""
    if not document:
        raise OptionError(f"{where} needs a docstring, from which the model learns its use.")
    try:
        hints = get_type_hints(function)
    except Exception as error:
        raise OptionError(f"{where} has type hints that can't be read: {error}") from error
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise OptionError(f"{where} takes named arguments alone, not {str(parameter)!r}.")
        if parameter.name not in hints or not _known(hints[parameter.name]):
            raise OptionError(
                f"{where} needs a type hint for {parameter.name!r}: int, float, str, bool, a "
                f"Literal, list[…], dict[str, …], or one of them or None."
            )
        if not re.search(rf"^\s+{parameter.name}\s*(\(.*?\))?:", document, re.MULTILINE):
            raise OptionError(
                f"{where} doesn't say what {parameter.name!r} is: its docstring needs an 'Args:' "
                f"section with a line for it."
            )


def _known(hint: Any) -> bool:
    """Tell whether a JSON value can be checked against the type hint."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return all(isinstance(value, str | int) for value in inside)
    if origin is dict:
        return inside[0] is str and _known(inside[1])
    if origin in (list, Union, UnionType):
        return all(_known(argument) for argument in inside)
    return hint in (int, float, str, bool, NoneType)


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a JSON value is of that type. A bool is no number; a number is finite."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inside)
    if origin in (Union, UnionType):
        return any(_fits(value, member) for member in inside)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, inside[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, inside[1]) for item in value.values())
    if hint is float:
        return type(value) in (int, float) and abs(value) < math.inf
    return type(value) is hint


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
