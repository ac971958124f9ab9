"""`ScriptedJudge`: a judge server whose judge is a function, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from rlvr.verifiers.judge.prompt import SCALE, parts_of


class ScriptedJudge:
    """A judge server that answers with the result of `decide(reference, response)`::

        with ScriptedJudge(lambda reference, response: reference in response) as server:
            rlvr.Judge(RUBRIC, "scripted", server.url)

    A context manager, which listens on this machine alone, in threads of its own. `decide` returns a bool, or points in
    [0, 1] if the judge asks for scores.
    """

    def __init__(self, decide: Callable[[str, str], float]) -> None:
        self.decide = decide
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length))
                judge.answer(self, body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Print nothing between a test's lines."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL for a `Judge`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ScriptedJudge:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Send the judge's answer to a request. Override it for a judge that fails."""
        system, user = body["messages"]
        parts = parts_of(user["content"])
        points = float(self.decide(parts.get("reference", ""), parts["response"]))
        reply: dict[str, Any] = {
            "reason": "as scripted",
            "verdict": "pass" if points >= 1 else "fail",
        }
        if '"score"' in system["content"]:
            reply = {"reason": "as scripted", "score": round(SCALE * points)}
        self.send(request, 200, completion(json.dumps(reply)))

    @staticmethod
    def send(request: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        """Send one answer, as JSON."""
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


def completion(content: str | None, **choice: Any) -> dict[str, Any]:
    """Return a server's answer with one message."""
    message = {"role": "assistant", "content": content}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"} | choice]}
