"""Separate a response's thinking part from its answer."""

from __future__ import annotations

import re

_LEADING = re.compile(r"[\s\ufeff\u200b]*+")
_NEXT_TAG = re.compile(r"\s*+(</?think>)")
# Fences, and the closing tags that may end thoughts which the prompt opened: first on their line; last on it and
# glued to a word before them; last on it with a blank line behind. In a sentence a tag has a blank or a quote before it.
_UNOPENED = re.compile(
    r"^[ \t>]{0,80}(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*+)"
    r"|^[ \t]{0,80}(?P<first></think>)"
    r"|(?<![\s\"'`(])(?P<glued></think>)(?=[ \t]{0,80}(?:\r?\n|\Z))"
    r"|(?P<last></think>)(?=[ \t]{0,80}\r?\n[ \t]{0,80}\r?\n)",
    re.MULTILINE,
)


def after_thinking(response: str) -> str:
    """Return what follows the thinking part: a suffix of the response, and all of it if there is no such part.

    A thinking part begins with `<think>` at the first character that isn't blank and ends at the first
    `</think>`; a second one may follow directly. If it is never closed, nothing follows it.
    A prompt may have opened it: then `</think>` comes without `<think>` before it, at an edge of its line and
    outside fences. Anywhere else both tags are text: in a program, a query or a sentence.
    """
    start = _LEADING.match(response).end()  # type: ignore[union-attr]
    if not response.startswith("<think>", start):
        if "</think>" not in response:
            return response
        end = _unopened_end(response)
        if end < 0:
            return response
    else:
        end = start
    while (tag := _NEXT_TAG.match(response, end)) is not None:
        end = tag.end()
        if tag[1] == "<think>":
            close = response.find("</think>", end)
            if close < 0:
                return ""
            end = close + len("</think>")
    return response[end:]


def _unopened_end(response: str) -> int:
    """Return the end of the `</think>` that closes thoughts which the prompt opened, or -1.

    A tag in a fence counts only if the fence turns out to be part of the thoughts: it's never closed, or
    another one opens behind the tag.
    """
    opened = response.find("<think>")
    fence = ""
    doubtful = -1
    for mark in _UNOPENED.finditer(response, 0, opened if opened >= 0 else len(response)):
        if marks := mark["fence"]:
            bare = not mark["info"].replace("</think>", "").strip()
            if not fence:
                fence = marks
            elif bare and marks[0] == fence[0] and len(marks) >= len(fence):
                fence, doubtful = "", -1
            elif doubtful >= 0:
                return doubtful
            if mark["info"].rstrip().endswith("</think>") and not fence:
                return mark.start("info") + mark["info"].rindex("</think>") + len("</think>")
        elif not fence:
            return mark.end(mark.lastgroup or 0)
        elif doubtful < 0:
            doubtful = mark.end(mark.lastgroup or 0)
    return doubtful
