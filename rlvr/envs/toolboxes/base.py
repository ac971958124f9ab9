"""`Toolbox`: a description of tools that any `ToolEnv` takes, and the episode that holds several of them.

A toolbox is plain data: what it is configured with, and the class whose public methods are its tools. An object of that
class is made for each episode::

    @dataclass(frozen=True)
    class Clock(Toolbox):
        zone: str = "UTC"

        session: ClassVar[type] = ClockSession     # its public typed methods are the tools

        def start(self, task, shared):
            return ClockSession(self.zone)

        def notes(self):
            return {"now": f"The time zone is {self.zone}."}

    env = rlvr.ToolEnv(tasks, verifier, [Clock("CET"), rlvr.tools.Python()])
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from rlvr.core.episode import Episode, share
from rlvr.core.errors import OptionError
from rlvr.core.task import Task

Tool: TypeAlias = Callable[..., Any]
"""A function whose first argument is the object that `start` returned: a tool as `ToolEnv` calls it."""


class Toolbox:
    """Tools with their configuration. Subclass it, as a frozen dataclass, so that it can be compared and pickled.

    Attributes:
        name: the toolbox's name, under which its outcome stands if an environment has several.
        session: the class whose public methods are the tools. They have type hints and a docstring with an `Args:`
            section, and may be `async def`.
    """

    name: str = ""
    session: ClassVar[type[Any]]

    @property
    def deadline_s(self) -> float:
        """The seconds that a call may take on a busy machine; an environment's `deadline_s` is at least that."""
        return 0.0

    def start(self, task: Task, shared: dict[str, Any]) -> Any:
        """Return the object of an episode whose methods are the tools.

        If it is an `rlvr.Episode`, its `open`, `outcome` and `close` are called too: opened in the order of the
        toolboxes, closed in the reverse order, each in any case.

        Args:
            task: the episode's task.
            shared: what the toolboxes of one episode share, by name, such as the `workspace` that `Python`, `Shell` and
                `Files` have in common. A toolbox puts its own things there and looks for those of others.
        """
        return self.session()

    def check_beside(self, beside: Sequence[Toolbox]) -> None:
        """Raise `OptionError` if it can't be in one environment with the others."""

    def notes(self) -> Mapping[str, str]:
        """Return text that is added to the description of a tool, by the tool's name: its limits, for example."""
        return {}

    def tools(self) -> dict[str, Tool]:
        """Return the tools by name, with their notes.

        Override it if the tools aren't known before a server is asked; give such functions a `__signature__`, type hints
        in `__annotations__` and a docstring.
        """
        notes = self.notes()
        return {
            name: _with_note(function, notes.get(name, ""))
            for name, function in public_methods(self.session).items()
        }


Part: TypeAlias = type[Any] | Toolbox
"""A toolbox of an environment: an author's class whose constructor takes a task, or a `Toolbox`."""


def public_methods(session: type[Any]) -> dict[str, Tool]:
    """Return the public methods of a class, except those of `Episode`, in the order of their definition."""
    own = (
        set(dict(inspect.getmembers(Episode, inspect.isfunction)))
        if issubclass(session, Episode)
        else set()
    )
    methods = {
        name: function
        for name, function in inspect.getmembers(session, inspect.isfunction)
        if not name.startswith("_") and name not in own
    }
    return dict(sorted(methods.items(), key=lambda item: item[1].__code__.co_firstlineno))


def _with_note(function: Tool, note: str) -> Tool:
    """Return a copy of a function whose docstring says more, before its `Args:` section."""
    if not note:
        return function
    assert isinstance(function, types.FunctionType)
    copied = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__dict__.update(function.__dict__)
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__annotations__ = function.__annotations__
    copied.__qualname__ = function.__qualname__
    copied.__module__ = function.__module__
    text = inspect.getdoc(function) or ""
    before, marker, arguments = text.partition("\n\nArgs:")
    copied.__doc__ = f"{before}\n\n{note}{marker}{arguments}"
    return copied


def parts_of(toolbox: Part | Sequence[Part]) -> tuple[Part, ...]:
    """Return the toolboxes of an environment. Raises `OptionError` if one is none, or if two classes are among them."""
    parts = tuple(toolbox) if isinstance(toolbox, list | tuple) else (toolbox,)
    for part in parts:
        if not isinstance(part, Toolbox) and not inspect.isclass(part):
            raise OptionError(
                f"A toolbox is a class whose constructor takes a task, or one of rlvr.tools, not {part!r:.80}."
            )
        if inspect.isclass(part) and issubclass(part, Toolbox):
            raise OptionError(f"{part.__name__} is configured: give {part.__name__}(…).")
    if not parts:
        raise OptionError("There's no toolbox in the list.")
    if sum(inspect.isclass(part) for part in parts) > 1:
        raise OptionError("One class of yours can be among several toolboxes; make it one class.")
    return parts


class Toolset(Episode):
    """The objects of several toolboxes in one episode.

    Args:
        task: the episode's task.
        parts: the toolboxes, in order.
        owners: the number of the part that each tool belongs to, by the tool's name.
    """

    def __init__(self, task: Task, parts: Sequence[Part], owners: Mapping[str, int]) -> None:
        self.task = task
        self._parts = parts
        self._owners = owners
        self._opened = 0
        self.shared: dict[str, Any] = {}
        self._objects = [self._start(part) for part in parts]

    def _start(self, part: Part) -> Any:
        if isinstance(part, Toolbox):
            return part.start(self.task, self.shared)
        tools_object = part(self.task)
        if isinstance(tools_object, Episode):
            tools_object.shared = self.shared
        return tools_object

    def object_of(self, tool: str) -> Any:
        """Return the object that a tool is a method of."""
        return self._objects[self._owners[tool]]

    @property
    def replying(self) -> Episode | None:
        """The author's object, if it answers messages without a call."""
        for tools_object in self._objects:
            if isinstance(tools_object, Episode) and type(tools_object).reply is not Episode.reply:
                return tools_object
        return None

    def bind(self, call: Callable[..., Awaitable[Any]]) -> None:
        """Take the function that runs methods: sync ones in the episode's thread."""
        self._call = call

    async def open(self) -> None:
        """Open them in order."""
        for tools_object in self._objects:
            self._opened += 1
            if isinstance(tools_object, Episode):
                share(self, tools_object)
                await self._call(tools_object.open)

    async def outcome(self) -> Any:
        """Return the outcome of the author's class if it has one, otherwise those of the toolboxes by name."""
        outcomes: dict[str, Any] = {}
        for part, tools_object in zip(self._parts, self._objects, strict=True):
            if (
                isinstance(tools_object, Episode)
                and type(tools_object).outcome is not Episode.outcome
            ):
                outcome = await self._call(tools_object.outcome)
                if not isinstance(part, Toolbox):
                    return outcome
                outcomes[part.name] = outcome
        if len(self._parts) == 1:
            return next(iter(outcomes.values()), None)
        return outcomes or None

    async def close(self) -> None:
        """Close those that were opened, the last one first. Raises the first exception after all are closed."""
        first: BaseException | None = None
        while self._opened:
            self._opened -= 1
            tools_object = self._objects[self._opened]
            try:
                if isinstance(tools_object, Episode):
                    await self._call(tools_object.close)
            except BaseException as error:
                first = first or error
        if first is not None:
            raise first


def tools_of_parts(parts: Sequence[Part]) -> tuple[dict[str, Tool], dict[str, int]]:
    """Return the tools of several toolboxes by name, and the number of the toolbox that each belongs to.

    Raises `OptionError` if two have a tool of the same name, or don't go together.
    """
    tools: dict[str, Tool] = {}
    owners: dict[str, int] = {}
    toolboxes = [part for part in parts if isinstance(part, Toolbox)]
    for toolbox in toolboxes:
        toolbox.check_beside([other for other in toolboxes if other is not toolbox])
    for number, part in enumerate(parts):
        own = part.tools() if isinstance(part, Toolbox) else public_methods(part)
        for name, function in own.items():
            if name in tools:
                raise OptionError(f"Two toolboxes have a tool {name!r}; rename one of them.")
            tools[name], owners[name] = function, number
    return tools, owners
