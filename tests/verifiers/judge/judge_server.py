"""A judge server that does what it's told to, request by request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from rlvr.testing.scripted_judge import ScriptedJudge, completion

Step = str | int | Callable[[dict[str, Any]], Any]
"""A judge's message; an HTTP status; or a function from the request to the whole answer."""


class ToldJudge(ScriptedJudge):
    """Does the first of `steps` at the first request, and so on; the last one from then on.

    `hang`, `drop` and `drip` are what they say; `right` is a verdict by `decide`.
    """

    def __init__(self, *steps: Step, decide: Callable[[str, str], float] | None = None) -> None:
        super().__init__(decide or (lambda reference, response: reference in response))
        self.steps = list(steps)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self.let_go = threading.Event()

    def __exit__(self, *error: Any) -> None:
        self.let_go.set()
        super().__exit__(*error)

    def answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            step = self.steps[min(len(self.bodies), len(self.steps) - 1)]
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._do(step, request, body)
        finally:
            with self._lock:
                self.at_once -= 1

    def _do(self, step: Step, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if step == "right":
            super().answer(request, body)
        elif step == "hang":
            self.let_go.wait(120)
            request.close_connection = True
        elif step == "drop":
            request.close_connection = True
        elif step == "drip":
            request.send_response(200)
            request.send_header("Content-Length", "100000")
            request.end_headers()
            while not self.let_go.wait(0.02):
                try:
                    request.wfile.write(b" ")
                except OSError:
                    break
            request.close_connection = True
        elif isinstance(step, int):
            # Some repeat the key.
            said = f"no: {request.headers.get('Authorization')}"
            self.send(request, step, {"error": {"message": said}})
        elif callable(step):
            self.send(request, 200, step(body))
        else:
            self.send(request, 200, completion(step))


def verdict(passed: bool) -> str:
    return json.dumps({"reason": "because", "verdict": "pass" if passed else "fail"})
