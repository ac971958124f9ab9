"""`ToolEnv`: conversations in which the model calls tools, typed Python functions of the author's.

A call is text, in the form that Qwen's and Hermes' templates use, so it works with every policy
and trainer::

    <tool_call>
    {"name": "price", "arguments": {"item": "lamp"}}
    </tool_call>

`rlvr.trl.environment_factory` hands the same tools to TRL for the template's own calls.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rlvr.core.errors import CannotScore, OptionError, ToolError
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verifier import Verifier
from rlvr.envs.turns import MultiTurn
from rlvr.verifiers.extraction import after_thinking

_OPENS, _CLOSES = "<tool_call>", "</tool_call>"
_MOST_CALLS = 16  # of one message
_MOST_CHARACTERS = 4000  # of a call, and of a result
_RESERVED = ("reset", "get_reward")  # TRL's own names for what isn't a tool


class ToolEnv(MultiTurn):
    """Tasks whose answers take tools::

        class Shop:
            def __init__(self, task):
                self._prices = task.metadata["prices"]

            def price(self, item: str) -> int:
                \"\"\"What an item costs.

                Args:
                    item: its name.
                \"\"\"
                if item not in self._prices:
                    raise ToolError(f"there's no {item!r:.40} in this shop")
                return self._prices[item]

        ToolEnv(tasks, Math(), Shop)

    The public methods of the toolbox are the tools. Each episode has a toolbox of its own; it may
    keep state, and must do the same whenever it's asked the same in the same order, since it's made
    anew at each turn and the earlier calls are done again.

    The first message without a call is the answer. A call that isn't one (no JSON, no such tool,
    other arguments) and one whose tool raises are answered with an error that the model reads.
    `CannotScore` alone leaves the episode without a reward.

    Args:
        tasks: whose prompts say how to call the tools: put `describe(toolbox)` in them.
        verifier: judges the answer.
        toolbox: a class that a task makes an object of.
        max_turns: responses an episode may take, the answer included.
    """

    def __init__(
        self,
        tasks: TaskSet,
        verifier: Verifier,
        toolbox: type[Any],
        max_turns: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(tasks, verifier, max_turns, **options)
        self.toolbox = toolbox
        self.tools = tools_of(toolbox)

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """The results of the last message's calls; None where it has none."""
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
    """The tools of a toolbox by name, as functions whose first argument is a toolbox.

    Raises `OptionError` where a tool lacks type hints or a docstring that names its arguments.
    """
    if not inspect.isclass(toolbox):
        raise OptionError(
            f"A toolbox is a class that a task makes an object of, not {toolbox!r:.80}."
        )
    found = {
        name: function
        for name, function in inspect.getmembers(toolbox, inspect.isfunction)
        if not name.startswith("_")
    }
    if not found:
        raise OptionError(f"{toolbox.__name__} has no public method, so there's no tool.")
    for name, function in found.items():
        _check(toolbox, name, function)
    return dict(sorted(found.items(), key=lambda item: item[1].__code__.co_firstlineno))


def describe(toolbox: type[Any]) -> str:
    """The tools and how to call them, for a prompt."""
    shown = []
    for name, function in tools_of(toolbox).items():
        signature = inspect.signature(function, eval_str=True)
        rest = list(signature.parameters.values())[1:]
        shown.append(f"{name}{signature.replace(parameters=rest)}\n{inspect.getdoc(function)}")
    return (
        "You can call these tools:\n\n" + "\n\n".join(shown) + "\n\nA call looks like this, and "
        "its result comes back to you:\n<tool_call>\n"
        '{"name": "the tool", "arguments": {"an argument": "its value"}}\n</tool_call>\n'
        "Answer in a message without a call when you are done."
    )


def calls_in(said: str) -> list[str]:
    """Return the text of each call that a message makes; thoughts don't count."""
    text = after_thinking(said)
    found: list[str] = []
    end = 0
    # Not by a regular expression: it would look for the end from each opening of thousands, in vain.
    while (start := text.find(_OPENS, end)) >= 0:
        closing = text.find(_CLOSES, start)
        if closing < 0:
            break
        found.append(text[start + len(_OPENS) : closing])
        end = closing + len(_CLOSES)
    return found


def call(tools: Mapping[str, Callable[..., Any]], box: Any, name: str, arguments: Any) -> str:
    """The result of a call, as text of at most 4000 characters.

    Raises `ToolError` with a sentence for the model where the call can't be done, and `CannotScore`
    where the tool does.
    """
    function = tools.get(name) if isinstance(name, str) else None
    if function is None:
        raise ToolError(f"there's no tool {name!r:.40}; there are: {', '.join(tools)}")
    if not isinstance(arguments, dict):
        raise ToolError('"arguments" is an object with a value for each argument')
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    other = [key for key in arguments if key not in parameters]
    if other:
        raise ToolError(f"{name} has no argument {other[0]!r:.40}; it has: {', '.join(parameters)}")
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
    except (Exception, SystemExit) as error:  # whatever the model's arguments led to
        raise ToolError(f"{name} failed: {type(error).__name__}: {error!s:.200}") from error
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… (cut)"


def _read(text: str) -> tuple[str, Any]:
    """A call's name and arguments."""
    if len(text) > _MOST_CHARACTERS:
        raise ToolError(f"a call has at most {_MOST_CHARACTERS} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the call isn't JSON: {error!s:.200}") from error
    if not isinstance(found, dict) or set(found) != {"name", "arguments"}:
        raise ToolError('a call is an object with "name" and "arguments" alone')
    return found["name"], found["arguments"]


def _check(toolbox: type[Any], name: str, function: Callable[..., Any]) -> None:
    where = f"The tool {name!r} of {toolbox.__name__}"
    if name in _RESERVED:
        raise OptionError(f"{where} has a name that TRL uses for something else; give it another.")
    document = inspect.getdoc(function) or ""
    if not document:
        raise OptionError(f"{where} needs a docstring: it's all the model knows of it.")
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
    """Whether a hint is one of those that a JSON value can be checked against."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return all(isinstance(value, str | int) for value in inside)
    if origin is dict:
        return inside[0] is str and _known(inside[1])
    if origin in (list, Union, UnionType):
        return all(_known(one) for one in inside)
    return hint in (int, float, str, bool, NoneType)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of that type. A bool is no number; a number is finite."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inside)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inside)
    if origin is list:
        return isinstance(value, list) and all(_fits(one, inside[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(one, inside[1]) for one in value.values())
    if hint is float:
        return type(value) in (int, float) and abs(value) < math.inf
    return type(value) is hint


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
