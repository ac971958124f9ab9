"""The site of a browser's jail: a web server on loopback that holds the state and asks a module for its pages.

The module, which comes over the link, defines `answer(state, request)`. It returns a status, a page and perhaps the place to
go to next; see `rlvr.tools.Browser`.
"""

from __future__ import annotations

import copy
import json
import os
import socket
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import frames

PORT = 8000
ORIGIN = "http://127.0.0.1:%d" % PORT
_MOST_BODY = 1 << 20
_MOST_FIELDS = 2000
_IDLE_S = 30.0  # of a connection that the browser opened in advance
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    # No script, frame or style but the site's own files, and no form that leads elsewhere.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; frame-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


def listening() -> socket.socket:
    """Return the socket on which the site is served."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", PORT))
    server.listen(64)
    return server


def serve(control: socket.socket, listener: socket.socket, source: str, state: str) -> None:
    """Serve the site until the other end of `control` hangs up. Does not return.

    Args:
        control: each frame that comes is answered with the state, or with the trouble that the module had.
        listener: the socket to serve on.
        source: the module's.
        state: as JSON.
    """
    try:
        pages = _Pages(source, json.loads(state))
    except BaseException:
        pages = _Pages("", {})
        pages.trouble = traceback.format_exc()
    server = ThreadingHTTPServer(("127.0.0.1", PORT), _handler(pages), bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while frames.receive(control.fileno()) is not None:
        with pages.lock:
            if pages.trouble:
                frames.send(control.fileno(), {"fault": "the site: %s" % pages.trouble[-2000:]})
            else:
                frames.send(control.fileno(), {"state": pages.final()})
    os._exit(0)


class _Pages:
    def __init__(self, source: str, state: Any) -> None:
        self.lock = threading.Lock()
        self.trouble = ""
        self.state = state
        self._names: dict[str, Any] = {"__name__": "site"}
        exec(compile(source, "site", "exec"), self._names)

    def final(self) -> Any:
        """Return the state that is judged."""
        final = self._names.get("final")
        return self.state if final is None else final(self.state)

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        """Ask the module. Its exception is remembered, and the state is then what it was before."""
        with self.lock:
            before = copy.deepcopy(self.state) if request["method"] == "POST" else self.state
            try:
                status, headers, body = self._names["answer"](self.state, request)
                return int(status), dict(headers), str(body)
            except Exception:
                self.state = before
                self.trouble = self.trouble or traceback.format_exc()
                return 500, {}, "<h1>The site has failed</h1>"


def _handler(pages: _Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_S

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length") or 0)
            except ValueError:
                length = -1
            if not 0 <= length <= _MOST_BODY:
                self.close_connection = True
                self.send_error(413)
                return
            self._answer(self.rfile.read(length))

        def _answer(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            try:
                fields = parse_qs(
                    body.decode("utf-8", "replace"),
                    keep_blank_values=True,
                    max_num_fields=_MOST_FIELDS,
                )
                query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            except ValueError:
                self.send_error(400)
                return
            request = {"method": self.command, "path": parts.path, "query": query, "fields": fields}
            status, headers, page = pages.answer(request)
            data = page.encode("utf-8", "replace")
            self.send_response(status)
            for name, value in {**_HEADERS, **headers}.items():
                self.send_header(name, value.replace("\r", "").replace("\n", ""))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler
