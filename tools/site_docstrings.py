"""A griffe extension for the site: code blocks that docstrings introduce with `::` become Markdown's."""

from __future__ import annotations

import re
from typing import Any

import griffe

_BLOCK = re.compile(r"::\n\n((?:(?: {4}.*)?\n)+(?: {4}.*)?|(?: {4}.*\n?)+)")


class CodeBlocks(griffe.Extension):
    """Turn reStructuredText's literal blocks into fences, so that the site shows no `::`."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Rewrite the object's docstring, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = _BLOCK.sub(_fence, obj.docstring.value + "\n").rstrip("\n")


def _fence(match: re.Match[str]) -> str:
    code = re.sub(r"(?m)^ {4}", "", match[1]).strip("\n")
    return f":\n\n```python\n{code}\n```\n\n"
