"""What a data file says, made fit for a terminal: one line, no control characters, not without end."""

from __future__ import annotations


def printable(text: str, most: int = 200) -> str:
    """Escape unprintable characters of a text and cut it off after `most` characters.

    Half a surrogate pair can't be written as UTF-8, and a terminal obeys control characters.
    """
    shown = text[: most + 1]
    cut = shown[:most] + "…" if len(shown) > most else shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
