"""`Mcp`: the tools of a server that speaks the Model Context Protocol, by its official Python client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from rlvr.core.calls import CallTimeoutError, shared_loop
from rlvr.core.episode import Episode
from rlvr.core.errors import CannotScore, MissingExtraError, OptionError, RlvrError, ToolError
from rlvr.core.task import Task
from rlvr.core.tool_calls import MOST_CHARACTERS
from rlvr.core.verdict import Cause
from rlvr.envs.toolboxes.base import Tool, Toolbox
from rlvr.envs.toolboxes.mcp_schemas import McpTool, function_of, read_tools

_ALIVE_S = 10.0  # that a server has to answer a question for its tools, after an error
_CLOSE_S = 8.0
_MOST_PAGES = 50
_PART = 20_000  # characters of a result's part that are read


class McpSession(Episode):
    """An episode's connection to a server.

    It is held by a task of its own: the client's scopes have to be entered and left in one task, also if a call of the
    episode is given up.
    """

    def __init__(self, toolbox: Mcp) -> None:
        self._toolbox = toolbox
        self._stop = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Start the server, or connect to it. Raises `CannotScore` if that fails."""
        ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._hold(ready))
        try:
            async with asyncio.timeout(self._toolbox.start_s):
                self._client = await asyncio.shield(ready)
        except TimeoutError:
            raise CannotScore(
                Cause.TIMEOUT, f"{self._toolbox} didn't begin within {self._toolbox.start_s:g} s"
            ) from None

    async def _hold(self, ready: asyncio.Future[Any]) -> None:
        try:
            async with connected(self._toolbox) as client:
                ready.set_result(client)
                await self._stop.wait()
        except Exception as error:
            if not ready.done():
                ready.set_exception(_fault(self._toolbox, error))
        finally:
            if not ready.done():
                ready.cancel()

    async def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Call a tool of the server and return its result as text.

        Raises `ToolError` if the server says that the call failed, `CallTimeoutError` if the tool hangs, and `CannotScore`
        if the server is dead or answers what is no result.
        """
        from mcp import MCPError

        try:
            async with asyncio.timeout(self._toolbox.call_s):
                result = await self._client.call_tool(name, arguments)
        except TimeoutError:
            raise CallTimeoutError from None
        except MCPError as error:
            if await self._is_alive():
                raise ToolError(f"{error!s:.500}") from None
            raise _fault(self._toolbox, error) from None
        except Exception as error:
            raise _fault(self._toolbox, error) from None
        text = text_of(result)
        if result.is_error:
            raise ToolError(text or "the tool failed")
        return text

    async def _is_alive(self) -> bool:
        """Ask for the tools, which a server answers if it answers anything."""
        if self._owner is None or self._owner.done():
            return False
        try:
            async with asyncio.timeout(_ALIVE_S):
                await self._client.list_tools(cache_mode="refresh")
        except Exception:
            return False
        return True

    async def close(self) -> None:
        """Close the connection; a server that was started ends."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self._stop.set()
        if self._client is None:  # it never began
            owner.cancel()
        _, pending = await asyncio.wait([owner], timeout=_CLOSE_S)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=1.0)


@dataclass(frozen=True, init=False)
class Mcp(Toolbox):
    """The tools of an MCP server, started for each episode or reached over HTTP.

        files = rlvr.tools.Mcp(["python", "server.py"])
        shop = rlvr.tools.Mcp("http://localhost:8000/mcp", only=["price", "order"])
        env = rlvr.ToolEnv(tasks, verifier, shop, calls="native")

    The server is asked for its tools once, when the toolbox is made. A command is started for each episode, so that none
    sees another's state; an address is of one server, so keep what it holds apart by session, or let it hold nothing.

    A result becomes text. The model reads the error if a call fails (`isError`), if its arguments are refused, or if the
    tool takes longer than `call_s`. A server that can't be reached or dies leaves the episode unscored.

    It needs the package `mcp`: `pip install 'rlvr[mcp]'`.

    Args:
        server: a command with its arguments (stdio), or the address of a server (streamable HTTP).
        only: the names of the tools that are offered (default: all of them).
        env: environment variables of a command, besides the few that are always set, such as PATH.
        cwd: the working folder of a command.
        token_env: the name of an environment variable with a bearer token for an address.
        start_s: seconds that a server has to begin.
        call_s: seconds that a call has.
        varies: True if the same calls may have other results the next time.

    Raises `OptionError` if the server has no such tools or can't be asked, and `MissingExtraError` without the package.
    """

    name: ClassVar[str] = "mcp"  # type: ignore[misc]
    session: ClassVar[type[Any]] = McpSession

    server: str | tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    token_env: str
    start_s: float
    call_s: float
    varies: bool
    offered: tuple[McpTool, ...]

    def __init__(
        self,
        server: str | Sequence[str],
        only: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] = "",
        token_env: str = "",
        start_s: float = 30.0,
        call_s: float = 30.0,
        varies: bool = False,
    ) -> None:
        if isinstance(server, str):
            if not re.match(r"https?://", server):
                raise OptionError(
                    f"A server is an address or a list with a command, not {server!r:.80}."
                )
        elif not server or not all(isinstance(word, str) for word in server):
            raise OptionError(f"A server's command is a list of texts, not {server!r:.80}.")
        for seconds in (start_s, call_s):
            if not (isinstance(seconds, int | float) and 0 < seconds < 86400):
                raise OptionError(f"start_s and call_s are seconds above 0, not {seconds!r:.40}.")
        set_ = object.__setattr__
        set_(self, "server", server if isinstance(server, str) else tuple(server))
        set_(self, "env", tuple(sorted((env or {}).items())))
        set_(self, "cwd", os.fspath(cwd))
        set_(self, "token_env", token_env)
        set_(self, "start_s", float(start_s))
        set_(self, "call_s", float(call_s))
        set_(self, "varies", varies)
        tools = read_tools(asyncio.run_coroutine_threadsafe(_listed(self), shared_loop()).result())
        if only is not None:
            missing = [name for name in only if name not in {tool.server_name for tool in tools}]
            if missing:
                names = ", ".join(tool.server_name for tool in tools)
                raise OptionError(f"{self} has no tool {missing[0]!r:.60}; it has: {names:.500}.")
            tools = [tool for tool in tools if tool.server_name in only]
        if not tools:
            raise OptionError(f"{self} has no tools.")
        set_(self, "offered", tuple(tools))

    def __str__(self) -> str:
        where = self.server if isinstance(self.server, str) else " ".join(self.server)
        return f"the MCP server {re.sub('//[^/@]*@', '//', where)!r:.200}"

    def start(self, task: Task, shared: dict[str, Any]) -> McpSession:
        """Return the connection of an episode, which `open` makes."""
        return McpSession(self)

    def tools(self) -> dict[str, Tool]:
        """Return the server's tools by name."""
        return {tool.name: function_of(tool) for tool in self.offered}


@contextlib.asynccontextmanager
async def connected(toolbox: Mcp) -> AsyncIterator[Any]:
    """Hold a client that is connected to a toolbox's server. Raises `MissingExtraError` without the package."""
    try:
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client
    except ImportError as error:
        raise MissingExtraError(
            f"rlvr.tools.Mcp needs the package 'mcp', version 2.3 or later: pip install 'rlvr[mcp]' ({error})."
        ) from error
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(toolbox.server, str):
            token = os.environ.get(toolbox.token_env, "") if toolbox.token_env else ""
            headers = {"Authorization": f"Bearer {token}"} if token else None
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
            transport = streamable_http_client(toolbox.server, http_client=http)
            yield await stack.enter_async_context(Client(transport))
            return
        command, *arguments = toolbox.server
        parameters = StdioServerParameters(
            command=command, args=arguments, env=dict(toolbox.env), cwd=toolbox.cwd or None
        )
        errors: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))  # noqa: SIM115
        try:
            client = await stack.enter_async_context(
                Client(stdio_client(parameters, errlog=errors), cache=None)
            )
        except Exception as error:
            raise _BeginError(f"{_reason(error)}{_last_lines(errors)}") from error
        yield client


class _BeginError(Exception):
    """A server couldn't be started, with what it wrote to its standard error."""


def _last_lines(errors: IO[str]) -> str:
    errors.seek(0)
    written = errors.read()[-500:].strip()
    return f"; it wrote: {written}" if written else ""


async def _listed(toolbox: Mcp) -> list[Any]:
    """Return a server's tools as the client has them. Raises `OptionError` if it can't be asked."""
    tools: list[Any] = []
    try:
        async with asyncio.timeout(toolbox.start_s), connected(toolbox) as client:
            cursor = None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
    except RlvrError:
        raise
    except Exception as error:
        raise OptionError(f"{toolbox} can't be asked for its tools: {_reason(error)}.") from error
    return tools


def text_of(result: Any) -> str:
    """Return a result as text: its texts, and a line in place of each image, sound or file."""
    parts: list[str] = []
    for block in result.content:
        resource: Any = getattr(block, "resource", None)
        if block.type == "text":
            parts.append(block.text[:_PART])
        elif getattr(resource, "text", None) is not None:
            parts.append(f"{resource.uri}:\n{resource.text[:_PART]}")
        elif block.type in ("image", "audio"):
            parts.append(
                f"({'an image' if block.type == 'image' else 'a sound'}, {block.mime_type})"
            )
        else:
            parts.append(
                f"({block.type}: {getattr(block, 'uri', getattr(resource, 'uri', ''))!s:.200})"
            )
    if not parts and result.structured_content is not None:
        parts.append(json.dumps(result.structured_content, ensure_ascii=False)[:_PART])
    text = "\n".join(parts)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 20]}… (cut)"


def _fault(toolbox: Mcp, error: BaseException) -> RlvrError:
    if isinstance(error, RlvrError):
        return error
    return CannotScore(Cause.INTERNAL, f"{toolbox} failed: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Return an exception in words; of a group, its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error!s:.300}"
