"""The page: our own script and style inline, and data as compressed base64 that nothing can leave.

A data block is `<script type="text/plain">` of base64 characters alone: no `</script>`, no U+2028
and no quote can be in it, whatever a model wrote, and the browser runs no block of that type. The
Content-Security-Policy admits exactly our script and our style, by their hashes, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from importlib import resources
from typing import Any

SCRIPTS = (
    "dom.js",
    "data.js",
    "charts.js",
    "table.js",
    "rows.js",
    "summary.js",
    "rollouts.js",
    "rollout.js",
    "compare.js",
    "main.js",
)
_LONE = re.compile("[\ud800-\udfff]")


def blob(data: Any) -> str:
    """Return plain data as JSON, compressed by zlib, in base64. Non-finite numbers raise `ValueError`."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        plain = text.encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8; JSON's escape carries it over whole.
        plain = _LONE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", text).encode()
    # The fastest level: the next one takes twice as long for a tenth of the size.
    return base64.b64encode(zlib.compress(plain, 1)).decode("ascii")


def block(name: str, encoded: str) -> str:
    """Return a data block; `name` is ours."""
    return f'<script type="text/plain" id="{name}">{encoded}</script>\n'


def page() -> tuple[str, str, str]:
    """Return the page in three pieces: before the blocks that are shown at once, before the texts, the end."""
    style = _asset("style.css")
    body = "\n".join(_asset(name) for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{body}}})();\n'
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    html = _asset("page.html").replace("{{policy}}", policy)
    head, rest = html.split("{{first}}")
    middle, end = rest.split("{{texts}}")
    head = head.replace("{{style}}", style)
    return head, middle.replace("{{script}}", script), end


def _asset(name: str) -> str:
    return (resources.files("rlvr.evaluation.viewer") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
