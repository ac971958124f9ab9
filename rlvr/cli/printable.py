"""Texts of data files for a terminal: one line, no control characters, a bounded length."""

from __future__ import annotations


def printable(text: str, most: int = 200) -> str:
    """Return the text with escapes for unprintable characters, cut off after `most` characters.

    Half a surrogate pair can't be written as UTF-8, and a terminal obeys control characters.
    """
    shown = text[: most + 1]
    cut = shown[:most] + "…" if len(shown) > most else shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
