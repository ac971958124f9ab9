"""Run a coroutine to its end, whether or not an event loop is running already."""

from __future__ import annotations

from typing import Any

_loops: list[Any] = []


def complete(awaitable: Any) -> Any:
    """Return what comes of awaiting it.

    All are run by one loop, so that locks and queues of one call can be used in the next. One that is awaited while
    that loop runs gets a thread and a loop of its own, and the running one waits.
    """
    import asyncio
    import contextvars
    import threading

    async def result() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if not _loops or _loops[0].is_closed():
            _loops[:] = [asyncio.new_event_loop()]
        return _loops[0].run_until_complete(result())
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append((asyncio.run(result()), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=[work])
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
