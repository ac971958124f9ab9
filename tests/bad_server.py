"""A server on loopback that answers whatever a test says, byte by byte."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import rlvr
from rlvr.policies.base import Generation, Request
from rlvr.policies.openai import OpenAIPolicy


class Bad:
    """A server on loopback: `answer(head, body)` yields the bytes of an answer, piece by piece."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Iterator[bytes]]) -> None:
        self._answer = answer
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Bad:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

        self._server = await asyncio.start_server(connected, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # also of a task that was cancelled before it began
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0.01)  # aborted connections are closed by the loop

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = [line for line in head.lower().split("\r\n") if "content-length" in line]
                size = int(length[0].split(":")[1]) if length else 0
                body = json.loads(await reader.readexactly(size)) if size else {}
                for piece in self._answer(head, body):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0 if len(piece) > 10 else 0.01)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


def reply(status: int, body: Any, headers: str = "") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(data)}\r\n\r\n"
    return head.encode("latin-1") + data


def said(text: str, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
        **more,
    }


def models() -> bytes:
    return reply(200, {"data": [{"id": "m"}]})


def ask(url: str, **options: Any) -> Generation:
    """Return what a policy makes of a server's answer to one task."""

    async def go() -> Generation:
        policy = OpenAIPolicy("m", url, backoff_s=0.01, **options)
        try:
            await policy.start()
            (found,) = await policy.generate(Request.of(rlvr.Task("1", "1")))
            return found
        finally:
            await policy.aclose()

    return asyncio.run(go())
