"""Make a data file's text safe for a terminal: one line of bounded length, without control characters."""

from __future__ import annotations


def printable(text: str, most: int = 200) -> str:
    """Escape unprintable characters of a text and cut it off after `most` characters.

    Half a surrogate pair can't be written as UTF-8, and a terminal obeys control characters.
    """
    shown = text[: most + 1]
    cut = shown[:most] + "…" if len(shown) > most else shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
