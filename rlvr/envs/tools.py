"""`ToolEnv`: episodes in which the model calls tools, which are typed Python methods.

A call is native, in the form of OpenAI's `tool_calls`, or text, in the form that Qwen's and Hermes' templates use, so
that it works with every policy and trainer::

    <tool_call>
    {"name": "price", "arguments": {"item": "lamp"}}
    </tool_call>

The verdict is the same for both.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_type_hints

from rlvr.core.calls import CallTimeoutError
from rlvr.core.episode import Episode, ModelMessage, Reply, share
from rlvr.core.errors import CannotScore, OptionError, ToolError
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.core.tool_calls import (
    MOST_CALL,
    MOST_CALLS,
    MOST_CHARACTERS,
    ToolCall,
    encodable,
    nests_deeper,
    results_message,
    tool_message,
)
from rlvr.core.verifier import Verifier
from rlvr.envs.tool_types import fits, is_known, schema_of, shown
from rlvr.envs.toolboxes.base import Part, Toolbox, Toolset, parts_of, tools_of_parts
from rlvr.envs.turns import MultiTurn

Calls = Literal["text", "native"]
_MOST_HUNG = 3  # per episode
_RESERVED = ("reset", "get_reward")  # methods that TRL doesn't offer as tools
_OUT_OF_ORDER = "error: the tools are out of order"


class ToolEnv(MultiTurn):
    """Tasks whose answers need tools::

        class Shop(rlvr.Episode):
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

    The public methods of the toolbox, beside those of `Episode`, are the tools. They may be `async def`. Each episode has
    a toolbox of its own, and each call is made once. A tool returns text, JSON data, or an `rlvr.Reply` with a step
    reward.

    The first message without a call is the answer, unless the toolbox has a `reply`, which then answers it (a user whom
    the model talks to). An invalid call (no JSON, no such tool, wrong arguments) and a call whose tool raises or exceeds
    its deadline are answered with an error that the model reads. Only `CannotScore` leaves the episode without a reward.

    Args:
        tasks: tasks. With `calls="text"` their prompts explain the tools: put `describe(toolbox)` in them.
        verifier: judges the answer, or the whole episode (`sees = "transcript"`).
        toolbox: an `rlvr.Episode` class with tools, or any class whose constructor takes a task; a toolbox of
            `rlvr.tools`; or a list of toolboxes, among which one class may be.
        max_turns: the most responses per episode, including the answer.
        calls: `text`, or `native`: the model is offered the tools by its server or its chat template.

    The other arguments are `Environment`'s.
    """

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        verifier: Verifier,
        toolbox: Part | Sequence[Part],
        max_turns: int = 8,
        *,
        calls: Calls = "text",
        deadline_s: float = 60.0,
        step_reward_range: tuple[float, float] = (-1.0, 1.0),
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        if calls not in get_args(Calls):
            raise OptionError(f"calls is 'text' or 'native', not {calls!r:.80}.")
        self.toolbox: Any = toolbox if inspect.isclass(toolbox) else parts_of(toolbox)
        self.tools = tools_of(toolbox)
        parts = parts_of(toolbox)
        self._owners = tools_of_parts(parts)[1]
        needed = [part.deadline_s for part in parts if isinstance(part, Toolbox)]
        super().__init__(
            tasks,
            verifier,
            toolbox if inspect.isclass(toolbox) else None,
            max_turns,
            deadline_s=max([deadline_s, *needed]),
            step_reward_range=step_reward_range,
            name=name,
            render_mode=render_mode,
            fixtures=fixtures,
            known_findings=known_findings,
        )
        if calls == "native":
            self.tool_schemas = [schema_of(name, tool) for name, tool in self.tools.items()]

    def begin(self, task: Task) -> ToolSession:
        """Make the toolbox of an episode."""
        if inspect.isclass(self.toolbox):
            own: Any = self.toolbox
            return ToolSession(own(task), self.tools)
        return ToolSession(Toolset(task, self.toolbox, self._owners), self.tools)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out tools that are copies with notes: they are made again, as they can't be pickled."""
        if inspect.isclass(self.toolbox):
            return self.__dict__
        return {name: value for name, value in self.__dict__.items() if name != "tools"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state and make the tools."""
        self.__dict__.update(state)
        if "tools" not in state:
            self.tools = tools_of(self.toolbox)

    @property
    def replies_vary(self) -> bool:
        """True if the same messages may get other replies the next time, as its toolboxes declare."""
        return any(bool(getattr(part, "varies", False)) for part in parts_of(self.toolbox))


class ToolSession(Episode):
    """The calls of one episode, made on its toolbox."""

    calls_by_itself = True
    """Each call of a tool has a deadline of its own, and so has each toolbox that is opened or closed."""

    def __init__(self, toolbox: Any, tools: Mapping[str, Callable[..., Any]]) -> None:
        self._toolbox = toolbox
        self._tools = tools
        self._hung = 0
        self._is_episode = isinstance(toolbox, Episode)

    def bind(self, call: Callable[..., Awaitable[Any]]) -> None:
        """Take the function that runs author's methods."""
        self._call = call
        if self._is_episode:
            share(self, self._toolbox)
        if isinstance(self._toolbox, Toolset):
            self._toolbox.bind(call)

    async def open(self) -> None:
        """Open the toolbox."""
        await self._called("open")

    async def outcome(self) -> Any:
        """Return the toolbox's outcome."""
        return await self._called("outcome")

    async def close(self) -> None:
        """Close the toolbox."""
        await self._called("close")

    async def _called(self, name: str) -> Any:
        if not self._is_episode:
            return None
        method = getattr(self._toolbox, name)
        # Several toolboxes make a call for each of them.
        return await (method() if isinstance(self._toolbox, Toolset) else self._call(method))

    async def reply(self, message: ModelMessage) -> Any:
        """Return the results of the message's calls. Without a call, return what the toolbox replies, if it does."""
        calls = message.tool_calls
        if not calls:
            replying = self._replying()
            return None if replying is None else await self._call(replying.reply, message)
        results = [await self.result(call) for call in calls[:MOST_CALLS]]
        texts = [str(result.content) for result in results]
        reward = sum(result.reward for result in results)
        over = any(result.over for result in results)
        late = f"error: only the first {MOST_CALLS} calls of a message are done"
        if calls[0].id:
            texts += [late] * (len(calls) - len(texts))
            messages = [tool_message(call, text) for call, text in zip(calls, texts, strict=True)]
        else:
            messages = [results_message(texts + [late] * (len(calls) > MOST_CALLS))]
        return Reply("(over)" if over else "", reward, over, messages)

    def _replying(self) -> Episode | None:
        """Return the author's object, if it answers messages without a call."""
        toolbox = self._toolbox
        if isinstance(toolbox, Toolset):
            return toolbox.replying
        return toolbox if self._is_episode and type(toolbox).reply is not Episode.reply else None

    async def result(self, call: ToolCall) -> Reply:
        """Make one call and return its result as text of at most 4000 characters. Raises `CannotScore` if the tool does."""
        try:
            reply = await self._made(call)
        except ToolError as error:
            reply = Reply(f"error: {error}")
        text = reply.content if isinstance(reply.content, str) else _as_text(reply.content)
        text = encodable(text)  # a tool may return what the model wrote as an escape
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]}… (cut)"
        return Reply(text, reply.reward, reply.over)

    async def _made(self, call: ToolCall) -> Reply:
        if self._hung >= _MOST_HUNG:
            return Reply(_OUT_OF_ORDER)
        tool, arguments = read_call(self._tools, call)
        toolbox = self._toolbox
        owner = toolbox.object_of(call.name) if isinstance(toolbox, Toolset) else toolbox
        bound: Callable[..., Any] = functools.partial(tool, owner, **arguments)
        try:
            result = await self._call(bound)
            if isinstance(result, Reply):
                return result
            return Reply(result if isinstance(result, str) else _as_text(result))
        except (ToolError, CannotScore):
            raise
        except CallTimeoutError:
            self._hung += 1
            raise ToolError(f"{call.name} took too long") from None
        except (Exception, SystemExit) as error:  # the model's arguments may be the reason
            raise ToolError(
                f"{call.name} failed: {type(error).__name__}: {error!s:.200}"
            ) from error


def _as_text(result: Any) -> str:
    return json.dumps(result, ensure_ascii=False)


def tools_of(toolbox: Part | Sequence[Part]) -> dict[str, Callable[..., Any]]:
    """Return a toolbox's tools by name, as functions whose first argument is an episode's object.

    Raises `OptionError` if a tool lacks type hints or a docstring that names its arguments.
    """
    parts = parts_of(toolbox)
    tools, owners = tools_of_parts(parts)
    if not tools:
        name = getattr(parts[0], "__name__", type(parts[0]).__name__)
        raise OptionError(f"{name} has no public method, so there's no tool.")
    for name, function in tools.items():
        owner = parts[owners[name]]
        _check(getattr(owner, "__name__", type(owner).__name__), name, function)
    return tools


def describe(toolbox: Part | Sequence[Part]) -> str:
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


@functools.lru_cache(maxsize=1024)
def _arguments_of(
    function: Callable[..., Any],
) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """Return a tool's arguments behind the toolbox, and their type hints; reading them takes longer than most calls."""
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    return parameters, get_type_hints(function)


def read_call(
    tools: Mapping[str, Callable[..., Any]], call: ToolCall
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a call's tool and its arguments. Raises `ToolError` with a sentence for the model if it can't be made."""
    if call.error:
        raise ToolError(call.error)
    function = tools.get(call.name)
    if function is None:
        raise ToolError(f"there's no tool {call.name!r:.40}; there are: {', '.join(tools)}")
    if len(call.arguments) > MOST_CALL:
        raise ToolError(f"a call has at most {MOST_CALL} characters")
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments aren't JSON: {error!s:.200}") from error
    if nests_deeper(arguments):
        raise ToolError("the arguments are nested too deeply")
    if not isinstance(arguments, dict):
        raise ToolError('"arguments" is an object with a value for each argument')
    parameters, hints = _arguments_of(function)
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        names = ", ".join(parameters) or "none"
        raise ToolError(f"{call.name} has no argument {unknown[0]!r:.40}; it has: {names}")
    for key, parameter in parameters.items():
        if key not in arguments:
            if parameter.default is inspect.Parameter.empty:
                raise ToolError(f"{call.name} needs the argument {key!r}")
        elif not fits(arguments[key], hints[key]):
            raise ToolError(
                f"{key!r} of {call.name} is {shown(hints[key])}, not {arguments[key]!r:.40}"
            )
    return function, arguments


def _check(toolbox: str, name: str, function: Callable[..., Any]) -> None:
    where = f"The tool {name!r} of {toolbox}"
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
        if parameter.name not in hints or not is_known(hints[parameter.name]):
            raise OptionError(
                f"{where} needs a type hint for {parameter.name!r}: int, float, str, bool, a "
                f"Literal, list[…], dict[str, …], or one of them or None."
            )
        if not re.search(rf"^\s+{parameter.name}\s*(\(.*?\))?:", document, re.MULTILINE):
            raise OptionError(
                f"{where} doesn't say what {parameter.name!r} is: its docstring needs an 'Args:' "
                f"section with a line for it."
            )
