"""`Browser`: tools that use a site in a headless Chromium, as text and by element."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from rlvr.core.episode import Episode, Reply
from rlvr.core.errors import CannotScore, OptionError, SandboxError, ToolError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause
from rlvr.envs.toolboxes.base import Toolbox
from rlvr.sandboxes import browsers
from rlvr.sandboxes.browsers import ActionRefusedError, BrowserJail
from rlvr.sandboxes.runner.devtools import KEYS

MOST_TEXT = 4000
"""Characters that a call may type."""
_MOST_PATH = 2000
_MOST_SHOWN = 3400  # characters of a page in one result
_MOST_NOTES = 300
_MOST_WAITING = 64  # calls at a time; others wait for a thread
_threads: dict[str, ThreadPoolExecutor] = {}


def _pool(work: Literal["start", "act"]) -> ThreadPoolExecutor:
    """Return this process's threads that wait for browsers to start, or for their answers: neither holds up the other."""
    if work not in _threads:
        _threads[work] = ThreadPoolExecutor(_MOST_WAITING, f"rlvr-browser-{work}")
    return _threads[work]


# The threads of the process that forked this one aren't here.
os.register_at_fork(after_in_child=_threads.clear)


class BrowserSession(Episode):
    """The browser of one episode, which starts at its first use."""

    def __init__(self, toolbox: Browser, source: str, state: Any) -> None:
        self._toolbox = toolbox
        self._source = source
        self._state = state
        self._jail: BrowserJail | None = None
        self._lock = asyncio.Lock()
        self._closed = False
        self._text = ""

    async def goto(self, path: str = "/") -> str:
        """Open a page of the site.

        Args:
            path: the page's path, such as "/".
        """
        return await self._page({"do": "open", "path": _checked_path(path)})

    async def click(self, element: int) -> str:
        """Click a link, a button, a checkbox or a radio button. Return the page that a link or a button leads to.

        Args:
            element: its number in the last page.
        """
        answer = await self._act({"do": "click", "element": _checked(element)})
        return _line_of(answer) if "line" in answer else self._page_of(answer)

    async def type(self, element: int, text: str) -> str:
        """Type a text into a field, in place of what is there. Dates are written like 2026-03-09, times like 09:30.

        Args:
            element: the field's number in the last page.
            text: the text.
        """
        if len(text) > MOST_TEXT:
            raise ToolError(f"a text has at most {MOST_TEXT} characters")
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return await self._line({"do": "type", "element": _checked(element), "text": text})

    async def select(self, element: int, option: str) -> str:
        """Choose an option of a select.

        Args:
            element: the select's number in the last page.
            option: the option as it is shown.
        """
        option = option[:MOST_TEXT].encode("utf-8", "replace").decode()
        return await self._line({"do": "select", "element": _checked(element), "option": option})

    async def press(self, key: str) -> str:
        """Press a key in the element that was used last. Return the page that is there then.

        Args:
            key: Enter, Tab, Escape, Space, Backspace, Delete, Home, End, PageUp, PageDown, ArrowUp, ArrowDown, ArrowLeft
                or ArrowRight.
        """
        if key not in KEYS:
            raise ToolError(f"there's no key {key!r:.40}; there are: {', '.join(KEYS)}")
        return await self._page({"do": "press", "key": key})

    async def back(self) -> str:
        """Go back to the page before."""
        return await self._page({"do": "back"})

    async def read(self, part: int = 1) -> str:
        """Read the page again, or a further part of a long page.

        Args:
            part: the number of the part.
        """
        return await self._page({"do": "read"}, part)

    def finish(self) -> Reply:
        """End the work. Nothing can be changed after that."""
        return Reply("finished", over=True)

    # ---------------------------------------------------------------- Episode

    async def outcome(self) -> Any:
        """Return the site's state: that of its server, whatever the page shows."""
        if self._jail is None:
            return _unused_state(self._source, self._state)
        return await self._in_thread(self._jail.state)

    async def close(self) -> None:
        """End the browser, its site and their jail."""
        self._closed = True  # one that is starting is closed as soon as it has started
        jail, self._jail = self._jail, None
        if jail is not None:
            await asyncio.shield(asyncio.wrap_future(_pool("act").submit(jail.close)))

    async def _page(self, action: Mapping[str, Any], part: int = 1) -> str:
        return self._page_of(await self._act(action), part)

    def _page_of(self, answer: Mapping[str, Any], part: int = 1) -> str:
        page = answer["page"]
        text = str(page["text"]) or "(the page is empty)"
        parts = max(1, -(-len(text) // _MOST_SHOWN))
        if not 1 <= part <= parts:
            raise ToolError(f"the page has {parts} part{'s' * (parts > 1)}")
        shown = text[(part - 1) * _MOST_SHOWN : part * _MOST_SHOWN]
        head = f"{page['title'][:200]} ({page['path'][:200]})"
        more = (
            f"\n(part {part} of {parts}; read(part={part % parts + 1}) shows another)"
            if parts > 1
            else ""
        )
        return f"{_noted(answer)}{head}\n{shown}{more}"

    async def _line(self, action: Mapping[str, Any]) -> str:
        return _line_of(await self._act(action))

    async def _act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        async with self._lock:
            if self._closed:
                raise CannotScore(Cause.SANDBOX, "The browser is closed.")
            if self._jail is None:
                await self._start()
            assert self._jail is not None
            try:
                answer: dict[str, Any] = await self._in_thread(self._jail.act, action)
            except ActionRefusedError as error:
                raise ToolError(str(error)) from None
            return answer

    async def _start(self) -> None:
        starting = _pool("start").submit(
            BrowserJail.launch, self._source, self._state, memory_mb=self._toolbox.memory_mb
        )
        try:
            jail = await self._in_sandbox(asyncio.shield(asyncio.wrap_future(starting)))
        except asyncio.CancelledError:
            starting.add_done_callback(_end)
            raise
        if self._closed:
            _end(starting)
            raise CannotScore(Cause.SANDBOX, "The browser is closed.")
        self._jail = jail

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await self._in_sandbox(asyncio.wrap_future(_pool("act").submit(call, *arguments)))

    async def _in_sandbox(self, call: Any) -> Any:
        try:
            return await call
        except SandboxError as error:  # nobody's wrong answer
            raise CannotScore(Cause.SANDBOX, str(error)) from error


def _end(starting: Any) -> None:
    """Close a browser that nobody waits for any more, as soon as it has started."""
    if not starting.cancelled() and starting.exception() is None:
        _pool("act").submit(starting.result().close)


def _unused_state(source: str, state: Any) -> Any:
    """Return the state of a site that was never used. Its module is the author's, as the environment itself is."""
    names: dict[str, Any] = {"__name__": "site"}
    exec(compile(source, "site", "exec"), names)
    return names["final"](state) if "final" in names else state


def _line_of(answer: Mapping[str, Any]) -> str:
    """Return the element that has been filled in."""
    return f"{_noted(answer)}{answer['line']}"


def _noted(answer: Mapping[str, Any]) -> str:
    return "".join(f"({note[:_MOST_NOTES]})\n" for note in answer["notes"][:5])


def _checked(element: int) -> int:
    if not 1 <= element <= 10**6:
        raise ToolError(f"there's no element {str(element)[:20]}; elements are numbered from 1 on")
    return element


def _checked_path(path: str) -> str:
    """Return a path of the site. Raises `ToolError` for all else that an address line would take."""
    path = path.strip()
    if not path.startswith("/") or path.startswith("//") or len(path) > _MOST_PATH:
        raise ToolError(
            f"only pages of this site can be opened, by a path such as /, not {path!r:.80}"
        )
    if not path.isprintable() or "\\" in path:
        raise ToolError("a path has no such characters")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ToolError("a path has no such characters") from None
    return path


@dataclass(frozen=True)
class Browser(Toolbox):
    """Tools `goto`, `click`, `type`, `select`, `press`, `back`, `read` and `finish`: a site in a headless Chromium, as text::

        site = rlvr.tools.Browser("shop_site.py", state="site")
        env = rlvr.ToolEnv(tasks, rlvr.Outcome(path="orders"), site)

    The site is a Python module of the standard library alone, which defines `answer(state, request)`. `state` is plain JSON
    data, the task's, which it may change; `request` has `method`, `path`, `query` and `fields` (lists of texts by name). It
    returns a status, headers and the page as HTML. `final(state)`, if it's there, says what the outcome is (default: the
    state).

    The site and the browser run in a jail of the episode's own, from its first call on. There is no network but the jail's
    loopback, and every request that isn't to the site is refused. A page is returned as its title, its visible text and its
    elements with numbers, by which they are used.

    Args:
        site: the module's file.
        state: the key of the task's metadata that holds the site's first state.
        memory_mb: memory of the browser and the site, in MiB, if this machine lets jails have limits.

    Raises `OptionError` if the module can't be read. Without a Chromium, the first call raises `CannotScore` with what to
    install.
    """

    name: ClassVar[str] = "browser"  # type: ignore[misc]
    session: ClassVar[type[Any]] = BrowserSession

    site: str | os.PathLike[str]
    state: str = "site"
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", os.path.abspath(os.fspath(self.site)))
        if type(self.memory_mb) is not int or self.memory_mb < 256:
            raise OptionError(
                f"memory_mb is a whole number from 256 on, not {self.memory_mb!r:.40}."
            )
        try:
            compile(self._source(), str(self.site), "exec")
        except (OSError, ValueError, SyntaxError) as error:
            raise OptionError(f"The site {self.site!r} can't be read: {error}") from None

    @property
    def deadline_s(self) -> float:
        """The seconds that a call may take if it waits for other browsers to start."""
        return browsers.START_S + browsers.ACTION_S + 300.0

    def start(self, task: Task, shared: dict[str, Any]) -> BrowserSession:
        """Return the tools of an episode. Raises `CannotScore` if the task has no state."""
        if self.state not in task.metadata:
            raise CannotScore(Cause.GOLD, f"the task's metadata has no state {self.state!r:.60}")
        return BrowserSession(self, self._source(), copy.deepcopy(task.metadata[self.state]))

    def _source(self) -> str:
        return Path(self.site).read_text("utf-8")
