"""An OpenAI-compatible server that adds numbers, after a fixed time, and fails as it's told to."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections import Counter
from types import TracebackType
from typing import Any

_TORN = b"\r\n"  # and then nothing: no JSON ends like this


class Stub:
    """A context manager; serves in a thread of its own.

    Args:
        latency_s: before each answer.
        faults: the chance that a request meets one.
        down_after: requests after which nobody listens, for `down_s` seconds.
        context: the longest prompt, in characters.
    """

    def __init__(
        self,
        latency_s: float = 0.0,
        faults: float = 0.0,
        down_after: int = 0,
        down_s: float = 0.0,
        context: int = 10_000,
    ) -> None:
        self.latency_s = latency_s
        self.faults = faults
        self.down_after = down_after
        self.down_s = down_s
        self.context = context
        self.port = 0
        self.met: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self._random = random.Random(0)
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Stub:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(120)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _die(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(self.down_s)
        await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                length = 0
                while (header := await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = json.loads(await reader.readexactly(length)) if length else {}
                answer = await self._answer(path, body)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if answer.endswith(_TORN):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, path: str, body: dict[str, Any]) -> bytes | None:
        if path.endswith("/models"):
            return _reply(200, {"data": [{"id": "adder", "owned_by": "me"}]})
        await asyncio.sleep(self.latency_s)
        self.bodies.append(body)
        self.met["all"] += 1
        if self.met["all"] == self.down_after:
            self._dying = asyncio.create_task(self._die())
            return None
        if self._random.random() < self.faults:
            kind = self._random.choice(["drop", "torn", "429", "500", "nonsense", "short", "none"])
            self.met[kind] += 1
            right = _reply(200, _completion(body, body["n"]))
            return {
                "drop": None,
                "torn": right[:-20] + _TORN,
                "429": _reply(429, {"error": {"message": "slower"}}, "Retry-After: 0\r\n"),
                "500": _reply(500, {"error": "?"}),
                "nonsense": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
                "short": _reply(200, _completion(body, body["n"] - 1)),
                "none": _reply(200, {"choices": None}),
            }[kind]
        if len(body["messages"][-1]["content"]) > self.context:
            said = f"This model's maximum context length is {self.context} tokens."
            return _reply(400, {"error": {"message": said}})
        return _reply(200, _completion(body, body["n"]))


def _completion(body: dict[str, Any], n: int) -> dict[str, Any]:
    numbers = map(int, re.findall(r"\d+", body["messages"][-1]["content"]))
    message = {"role": "assistant", "content": f"\\boxed{{{sum(numbers)}}}"}
    choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(n)]
    return {"choices": choices, "usage": {"prompt_tokens": 3, "completion_tokens": 5 * n}}


def _reply(status: int, body: Any, headers: str = "") -> bytes:
    data = json.dumps(body).encode()
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data
